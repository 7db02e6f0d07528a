//! The first frame of every file: which format, which file, and for a base what it was taken of.
//!
//! JSON, because it must stay readable to every version: an older one has to say that a file is newer, and to
//! pass over what it does not know.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::frame::Kind;
use super::frame::{Frames, Identity};
use crate::ids::{Millis, Partition, Position, TopicId};

/// What this version writes. A version reads every format up to its own, and writes what the version before it
/// reads, so that going back one version keeps the window.
pub(super) const FORMAT: u32 = 1;

/// Why a file's content is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Written by a later version.
    #[error(
        "it has format {0}, this version reads up to {FORMAT}; run the version that wrote it, or a later one"
    )]
    Newer(u32),
    /// Cut short or damaged.
    #[error("{0}")]
    Damaged(String),
}

/// What makes counts comparable: a change of it means other counts, so they are not mixed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The Kafka cluster's id, where the brokers tell it.
    pub cluster: Option<String>,
    /// Topics with their identity, where the brokers know one.
    pub topics: Vec<(String, Option<TopicId>)>,
    /// Which bytes of a record are its key, in the words of the job file.
    pub key: String,
    /// Step of the window, milliseconds.
    pub slide_ms: Millis,
    /// `processing` or `event`.
    pub time: String,
}

impl Fingerprint {
    /// The same with the topics' identities as they are now. `self` held when reading stood at `before`; it now stands
    /// at `now`. A topic that was recreated meanwhile, and is read on (`on_data_loss: earliest`), is what is counted.
    ///
    /// Only a partition that moved to another identity tells: one without a leader keeps the old identity for as long
    /// as it cannot be read.
    pub(super) fn following(&self, before: &[(Partition, Position)], now: &[(Partition, Position)]) -> Self {
        let before: HashMap<_, _> = before.iter().map(|(partition, at)| (partition, at.topic_id)).collect();
        let newest = |topic: &str, recorded: Option<TopicId>| {
            let moved = now.iter().filter(|(partition, at)| {
                &*partition.topic == topic && before.get(partition).is_none_or(|then| *then != at.topic_id)
            });
            let mut others = moved.filter_map(|(_, at)| at.topic_id).filter(|id| Some(*id) != recorded);
            others.next().or(recorded)
        };
        let topics = self.topics.iter().filter(|(topic, _)| now.iter().any(|(at, _)| *at.topic == **topic));
        let topics = topics.map(|(topic, id)| (topic.clone(), newest(topic, *id)));
        Self { topics: topics.collect(), ..self.clone() }
    }

    /// What differs so that the counts of one cannot go on as the other's; `None` if they can. Topics may come and go,
    /// even all of them; one that both sides name must be the same.
    pub fn differs(&self, other: &Self) -> Option<String> {
        if let (Some(one), Some(two)) = (&self.cluster, &other.cluster)
            && one != two
        {
            return Some(format!("the Kafka cluster was {one} and is {two}"));
        }
        for (topic, id) in &self.topics {
            let Some((_, now)) = other.topics.iter().find(|(name, _)| name == topic) else { continue };
            if id.is_some() && now.is_some() && id != now {
                return Some(format!("topic {topic} was deleted and created again"));
            }
        }
        if self.key != other.key {
            return Some(format!("key was {} and is {}", self.key, other.key));
        }
        if self.slide_ms != other.slide_ms {
            return Some(format!("window.slide was {} ms and is {} ms", self.slide_ms, other.slide_ms));
        }
        (self.time != other.time).then(|| format!("window.time was {} and is {}", self.time, other.time))
    }
}

/// First frame of a base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseHead {
    /// See [`FORMAT`].
    pub(super) format: u32,
    /// Version of the program that wrote it.
    pub version: String,
    /// Number of the last slide that is in it.
    pub slide: u64,
    /// That slide's end; `None` before the first slide.
    pub end_ms: Option<Millis>,
    /// Driver attempt.
    pub attempt: u32,
    /// How many slides in a row, up to the last one, were the whole truth.
    pub whole: u64,
    /// Length of the window, milliseconds.
    pub length_ms: Millis,
    /// What the counts are of.
    pub fingerprint: Fingerprint,
    /// Where every partition is to be read on.
    pub positions: Vec<(Partition, Position)>,
    /// Who put window ends back (`--relabel`) and may have left no log that says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) relabeled: Vec<Relabeled>,
}

/// An attempt that put window ends back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Relabeled {
    /// Its epoch.
    pub epoch: u64,
    /// Ends are so much later (or earlier) than in the attempts before.
    pub by_ms: Millis,
}

/// First frame of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogHead {
    pub(super) format: u32,
    /// Version of the program that wrote it.
    pub version: String,
    /// Number of the last slide that stands before this log.
    pub after: u64,
    /// Length of the window, milliseconds.
    pub length_ms: Millis,
    /// Window ends in it, and in all logs after it, are so much later (or earlier) than in those of the attempts before:
    /// `--relabel`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub relabeled_ms: Millis,
    /// Attempts before this one that did so and left no log, oldest first. Where their bases cannot be read, only this
    /// says it. Earlier versions wrote none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) relabeled_before: Vec<Relabeled>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_zero(ms: &Millis) -> bool {
    *ms == 0
}

#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

/// Reads the head off a file's first frame.
pub(super) fn read<T: for<'a> Deserialize<'a>>(
    frames: &mut Frames<'_>,
    identity: Identity,
) -> Result<T, Unreadable> {
    let damaged = |reason: String| Unreadable::Damaged(reason);
    let first = frames.next().filter(|frame| frame.kind == Kind::Head as u8);
    let Some(first) = first else {
        let Identity { epoch, number } = identity;
        return Err(damaged(format!("it does not begin as file {number} of attempt {epoch} does")));
    };
    let only: FormatOnly =
        serde_json::from_slice(first.payload).map_err(|error| damaged(format!("its head: {error}")))?;
    if only.format > FORMAT {
        return Err(Unreadable::Newer(only.format));
    }
    serde_json::from_slice(first.payload).map_err(|error| damaged(format!("its head: {error}")))
}

pub(super) fn encode(head: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(head).expect("our own heads always encode")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print() -> Fingerprint {
        let topics = vec![("a".to_owned(), Some(TopicId([1; 16]))), ("b".to_owned(), None)];
        let (key, time) = ("record".to_owned(), "processing".to_owned());
        Fingerprint { cluster: Some("c".to_owned()), topics, key, slide_ms: 1_000, time }
    }

    #[test]
    fn only_what_changes_the_counts_meaning_is_a_difference() {
        let other = |change: fn(&mut Fingerprint)| {
            let mut other = print();
            change(&mut other);
            print().differs(&other)
        };
        assert_eq!(other(|_| {}), None);
        assert_eq!(other(|f| f.cluster = None), None, "an old broker does not tell");
        assert_eq!(other(|f| f.topics.truncate(1)), None);
        assert_eq!(other(|f| f.topics[0].1 = None), None);
        assert!(other(|f| f.cluster = Some("d".to_owned())).unwrap().contains("cluster"));
        assert!(other(|f| f.topics[0].1 = Some(TopicId([2; 16]))).unwrap().contains("created again"));
        assert_eq!(other(|f| f.topics = vec![("z".to_owned(), Some(TopicId([9; 16])))]), None);
        assert!(other(|f| f.key = "header x".to_owned()).unwrap().contains("key was record"));
        assert!(other(|f| f.slide_ms = 500).unwrap().contains("window.slide was 1000 ms"));
        assert!(other(|f| f.time = "event".to_owned()).unwrap().contains("window.time"));
    }

    #[test]
    fn a_topic_that_was_read_on_after_it_was_recreated_is_the_new_one() {
        let position = Position { topic_id: Some(TopicId([2; 16])), ..Position::at(7) };
        let (a, b) = ((Partition::new("a", 0), position), (Partition::new("b", 0), Position::at(1)));
        let followed = print().following(&[], &[a.clone(), b]);
        assert_eq!(followed.topics, [("a".to_owned(), Some(TopicId([2; 16]))), ("b".to_owned(), None)]);
        assert!(print().differs(&followed).unwrap().contains("created again"));
        let left = print().following(&[], &[a]);
        assert_eq!(left.topics.len(), 1, "the name of a topic that left is free for another one");
    }

    #[test]
    fn a_newer_format_is_refused_whatever_else_its_head_holds() {
        let identity = Identity { epoch: 1, number: 1 };
        let mut bytes = Vec::new();
        let head = br#"{"format": 2, "shape": "unheard of"}"#;
        super::super::frame::put(&mut bytes, identity, Kind::Head, 0, head);
        let refused = read::<LogHead>(&mut Frames::new(&bytes, identity), identity).unwrap_err();
        assert_eq!(refused, Unreadable::Newer(2));
        assert!(refused.to_string().contains("run the version that wrote it"), "{refused}");
    }
}
