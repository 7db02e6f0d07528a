//! What a cursor file holds, and how it is written: one line of JSON with a version and a check sum, so that neither a
//! damaged file nor one of something else is taken for a cursor.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{CursorError, Purpose};
use crate::ids::{Millis, Offset, Partition, TopicId};
use crate::produce::event::Resume;

/// How far a producer has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// The source's kind, as the producer file calls it.
    pub source: String,
    /// Which server the source was, if `resume` is good for one only. Empty for others, and in cursors of old.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub identity: String,
    /// Where the source goes on: everything before it is in Kafka, or was not to be sent. `None`: at its beginning.
    pub resume: Option<Resume>,
    /// The topic.
    pub topic: String,
    /// The topic's identity, if brokers tell it.
    pub topic_id: Option<TopicId>,
    /// From where on the topic may hold posts that `resume` does not cover, for each of its partitions. A start reads it
    /// from there, so as not to send those again.
    pub ends: BTreeMap<i32, Offset>,
    /// When it was saved, by the producer's clock; for people.
    pub saved_ms: Millis,
}

impl Saved {
    /// Where to begin to read the topic. From its beginning if it was made anew since, which its identity tells.
    pub fn recall_from(&self, topic_id: Option<TopicId>) -> BTreeMap<Partition, Offset> {
        let is_another = self.topic_id.is_some() && topic_id.is_some() && self.topic_id != topic_id;
        let topic: Arc<str> = self.topic.as_str().into();
        let begin = |(number, offset): (&i32, &Offset)| {
            (Partition::new(Arc::clone(&topic), *number), if is_another { 0 } else { *offset })
        };
        self.ends.iter().map(begin).collect()
    }

    /// Refuses what was saved for something else.
    pub(super) fn check(&self, purpose: Purpose<'_>, path: &str) -> Result<(), CursorError> {
        let same = |what, theirs: &str, ours: &str| {
            let foreign = || CursorError::Foreign {
                path: path.to_owned(),
                what,
                theirs: theirs.to_owned(),
                ours: ours.to_owned(),
            };
            if theirs == ours { Ok(()) } else { Err(foreign()) }
        };
        same("source", &self.source, purpose.source)?;
        if !self.identity.is_empty() {
            same("source at", &self.identity, purpose.identity)?;
        }
        same("topic", &self.topic, purpose.topic)
    }
}

/// The version that is written, and the last one that is read.
const VERSION: u64 = 1;

/// The file. `saved` comes last, because the check sum is of its very bytes.
#[derive(Serialize, Deserialize)]
struct File<'a> {
    spindle_cursor: u64,
    crc32c: String,
    #[serde(borrow)]
    saved: &'a RawValue,
}

#[derive(Serialize, Deserialize)]
struct Content<S> {
    /// In which ownership it was written.
    epoch: u64,
    #[serde(rename = "cursor")]
    saved: S,
}

/// As the file has it.
pub(super) fn encode(saved: &Saved, epoch: u64) -> Vec<u8> {
    let content =
        serde_json::value::to_raw_value(&Content { epoch, saved }).expect("a cursor always encodes");
    let crc32c = check_sum(&content);
    let file = File { spindle_cursor: VERSION, crc32c, saved: &content };
    let mut text = serde_json::to_vec(&file).expect("a cursor always encodes");
    text.push(b'\n');
    text
}

/// Reads a file, and the epoch in which it was written; `path` names it in errors.
pub(super) fn decode(text: &[u8], path: &str) -> Result<(u64, Saved), CursorError> {
    #[derive(Deserialize)]
    struct Version {
        spindle_cursor: u64,
    }
    let damaged = |reason: String| CursorError::Damaged { path: path.to_owned(), reason };
    if text.is_empty() {
        return Err(damaged("it is empty".to_owned()));
    }
    let version: Version = serde_json::from_slice(text)
        .map_err(|_| damaged("it is no cursor of Spindle, or only a part of one".to_owned()))?;
    if version.spindle_cursor != VERSION {
        return Err(CursorError::Newer {
            path: path.to_owned(),
            found: version.spindle_cursor,
            known: VERSION,
        });
    }
    let file: File<'_> = serde_json::from_slice(text).map_err(|error| damaged(error.to_string()))?;
    let check_sum = check_sum(file.saved);
    if file.crc32c != check_sum {
        return Err(damaged(format!(
            "its check sum is {check_sum}, and it says {:?}",
            file.crc32c.chars().take(8).collect::<String>()
        )));
    }
    let content: Content<Saved> =
        serde_json::from_str(file.saved.get()).map_err(|error| damaged(error.to_string()))?;
    Ok((content.epoch, content.saved))
}

fn check_sum(text: &RawValue) -> String {
    format!("{:08x}", crc32c::crc32c(text.get().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved() -> Saved {
        Saved {
            source: "jetstream".to_owned(),
            identity: String::new(),
            resume: Some(Resume::Jetstream {
                host: "h".into(),
                seq: Some(7),
                time_us: 1_795_397_398_000_000,
            }),
            topic: "t".to_owned(),
            topic_id: Some(TopicId([7; 16])),
            ends: [(0, 5), (1, 1_000_000)].into(),
            saved_ms: 1_795_397_398_000,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let text = encode(&saved(), 3);
        assert!(text.starts_with(b"{\"spindle_cursor\":1,\"crc32c\":\"") && text.ends_with(b"}\n"));
        assert_eq!(decode(&text, "c").unwrap(), (3, saved()));
        let first = Saved { resume: None, topic_id: None, ..saved() };
        assert_eq!(decode(&encode(&first, 1), "c").unwrap(), (1, first));
    }

    #[test]
    fn no_damaged_byte_and_no_cut_goes_unnoticed() {
        let text = encode(&saved(), 3);
        for at in 0..text.len() - 1 {
            for mask in [0x01, 0x20, 0x80] {
                let mut damaged = text.clone();
                damaged[at] ^= mask;
                // Only white space may differ without harm.
                if let Ok(read) = decode(&damaged, "c") {
                    assert_eq!(read, (3, saved()), "byte {at} ^ {mask:#x}");
                }
            }
            assert!(decode(&text[..at], "c").is_err(), "cut at {at}");
        }
    }

    #[test]
    fn what_is_no_cursor_is_refused_with_a_remedy() {
        for text in [&b""[..], b"{}", b"null", b"\x00\x01", b"{\"spindle_cursor\":\"x\"}", b"1795397398\n"] {
            let error = decode(text, "file:///c").unwrap_err().to_string();
            assert!(error.starts_with("cursor file:///c: it is "), "{error}");
            assert!(error.contains("move this one away"), "{error}");
        }
        let newer = decode(b"{\"spindle_cursor\":2,\"x\":0}", "c").unwrap_err();
        assert!(matches!(newer, CursorError::Newer { found: 2, .. }), "{newer}");
    }

    #[test]
    fn a_cursor_of_another_source_or_topic_is_refused() {
        let check = |source, topic| {
            saved().check(Purpose { source, identity: "", topic }, "c").map_err(|e| e.to_string())
        };
        assert_eq!(check("jetstream", "t"), Ok(()));
        let error = check("file", "t").unwrap_err();
        assert!(
            error
                .starts_with("cursor c was written for source jetstream, and this producer has source file;"),
            "{error}"
        );
        assert!(check("jetstream", "u").unwrap_err().contains("topic t, and this producer has topic u"));
    }

    #[test]
    fn a_cursor_of_another_server_is_refused_and_one_of_old_is_not() {
        let check = |theirs: &str, ours: &str| {
            let saved = Saved { source: "sse".to_owned(), identity: theirs.to_owned(), ..saved() };
            let (_, saved) = decode(&encode(&saved, 1), "c").unwrap();
            let purpose = Purpose { source: "sse", identity: ours, topic: "t" };
            saved.check(purpose, "c").map_err(|error| error.to_string())
        };
        assert_eq!(check("https://a/s", "https://a/s"), Ok(()));
        assert_eq!(check("", "https://a/s"), Ok(()));
        let error = check("https://a/s", "https://b/s").unwrap_err();
        let told = "was written for source at https://a/s, and this producer has source at https://b/s;";
        assert!(error.contains(told), "{error}");
    }

    #[test]
    fn a_topic_that_was_made_anew_is_read_from_its_beginning() {
        let from = |id| saved().recall_from(id).into_values().collect::<Vec<_>>();
        assert_eq!(from(Some(TopicId([7; 16]))), [5, 1_000_000]);
        assert_eq!(from(None), [5, 1_000_000]);
        assert_eq!(from(Some(TopicId([8; 16]))), [0, 0]);
    }
}
