//! What was read, slide by slide: the hidden file of ranges beside each file of rows. Written for `verify`.
//!
//! One JSON object a line for every slide, not only for those whose window is written. A partition of which nothing was
//! read is left out. `window` stands where rows do: how many slides the window has, and how many keys at most were
//! written.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};
use tokio_util::bytes::Bytes;

use super::slide::Slide;
use crate::ids::{Millis, Offset, Partition, TopicId};

/// One slide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Its number: without gaps from the first slide of a checkpoint on.
    pub slide: u64,
    /// Its end.
    pub end_ms: Millis,
    /// Driver attempt that closed it.
    pub attempt: u32,
    /// Records that were read.
    pub total: u64,
    /// Whether every slide of the window that ends with it was the whole truth.
    pub complete: bool,
    /// How many slides in a row, up to this one, were.
    pub whole: u64,
    /// Offsets `[from, until)` by `topic/partition`.
    pub ranges: BTreeMap<String, (Offset, Offset)>,
    /// Identity of each topic in `ranges`, where the broker knows one; as Kafka's tools print it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub topics: BTreeMap<String, String>,
    /// Whether slides before it are left out: their ends were put back (`--relabel`), to before the newest window that
    /// was visible.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub relabeled: bool,
    /// The window that ends with it, if it is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<WindowFacts>,
}

/// What must be known of a window to recount it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowFacts {
    /// How many slides, up to this one, are in it.
    pub slides: u64,
    /// How many keys of its ranking are written at most.
    pub keys: u64,
}

impl Facts {
    pub(super) fn of(slide: &Slide, keys: usize) -> Self {
        let moved = || slide.ranges.iter().filter(|(_, from, until)| *from != until.offset);
        let topic = |(partition, _, until): &(Partition, Offset, crate::ids::Position)| {
            Some((partition.topic.to_string(), shown(until.topic_id?)))
        };
        Self {
            slide: slide.number,
            end_ms: slide.end_ms,
            attempt: slide.attempt,
            total: slide.total,
            complete: slide.marks.complete,
            whole: slide.marks.whole,
            ranges: moved().map(|(p, from, until)| (p.to_string(), (*from, until.offset))).collect(),
            topics: moved().filter_map(topic).collect(),
            relabeled: false,
            window: slide
                .window
                .as_ref()
                .map(|window| WindowFacts { slides: window.slides, keys: keys as u64 }),
        }
    }

    /// The last slide in a file of ranges; `None` if it cannot be read.
    pub(super) fn last_of(bytes: Bytes, gzip: bool) -> Option<Self> {
        let last = lines(bytes, gzip).map_while(Result::ok).last()?;
        serde_json::from_str(&last).ok()
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        serde_json::to_writer(&mut *out, self).expect("strings and numbers are always JSON");
        out.push(b'\n');
    }

    /// Every partition of which something was read, with its offsets.
    pub fn read(&self) -> impl Iterator<Item = (Partition, Offset, Offset)> {
        self.ranges.iter().filter_map(|(name, &(from, until))| Some((partition(name)?, from, until)))
    }

    /// The identity that a topic had.
    pub fn topic_id(&self, topic: &str) -> Option<TopicId> {
        let bytes = URL_SAFE_NO_PAD.decode(self.topics.get(topic)?).ok()?;
        bytes.try_into().ok().map(TopicId)
    }
}

/// The lines of one of our files.
pub(super) fn lines(bytes: Bytes, gzip: bool) -> impl Iterator<Item = std::io::Result<String>> {
    let bytes = std::io::Cursor::new(bytes);
    let plain: Box<dyn Read> = if gzip { Box::new(MultiGzDecoder::new(bytes)) } else { Box::new(bytes) };
    BufReader::new(plain).lines()
}

fn shown(id: TopicId) -> String {
    URL_SAFE_NO_PAD.encode(id.0)
}

/// A topic's name has no slash.
fn partition(name: &str) -> Option<Partition> {
    let (topic, number) = name.rsplit_once('/')?;
    Some(Partition::new(topic, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Marks;
    use crate::ids::Position;
    use crate::snapshot::slide::Ranked;

    #[test]
    fn a_slide_is_one_line_and_comes_back() {
        let id = TopicId([7; 16]);
        let at = |offset| Position { topic_id: Some(id), ..Position::at(offset) };
        let ranked = Ranked { length_ms: 300_000, slides: 300, total: 9, distinct: 2, top: Vec::new() };
        let slide = Slide {
            number: 41,
            end_ms: 1_795_431_600_000,
            attempt: 2,
            marks: Marks { complete: true, whole: 300, behind_ms: 0, unread: Vec::new() },
            ranges: vec![
                (Partition::new("tweets.poc-1", 0), 5, at(8)),
                (Partition::new("tweets.poc-1", 1), 6, at(6)),
                (Partition::new("old", 0), 1, Position::at(2)),
            ],
            total: 4,
            window: Some(ranked),
        };
        let mut line = Vec::new();
        let facts = Facts::of(&slide, 100);
        facts.put(&mut line);
        let text = String::from_utf8(line).unwrap();
        insta::assert_snapshot!(text, @r#"{"slide":41,"end_ms":1795431600000,"attempt":2,"total":4,"complete":true,"whole":300,"ranges":{"old/0":[1,2],"tweets.poc-1/0":[5,8]},"topics":{"tweets.poc-1":"BwcHBwcHBwcHBwcHBwcHBw"},"window":{"slides":300,"keys":100}}"#);
        let back: Facts = serde_json::from_str(&text).unwrap();
        assert_eq!(back, facts);
        assert_eq!(back.topic_id("tweets.poc-1"), Some(id));
        assert_eq!(back.topic_id("old"), None);
        let read: Vec<_> = back.read().collect();
        assert_eq!(read, [(Partition::new("old", 0), 1, 2), (Partition::new("tweets.poc-1", 0), 5, 8)]);
    }
}
