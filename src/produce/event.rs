//! What a source delivers: posts, what is not a post, and gaps. Fed by `feed` through `shape`, taken by `ledger`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio_util::bytes::Bytes;

use crate::ids::Millis;

/// One thing that came from a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What it is.
    pub kind: Kind,
    /// Where to go on after it; `None` if the source cannot say.
    pub resume: Option<Resume>,
}

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A post, for Kafka.
    Post(Post),
    /// Not a post: an edit, a deletion, a notice. Counted, never sent.
    Control,
    /// Meant to be a post, but not readable as one.
    Malformed(Malformed),
    /// An interval that the source did not deliver and will not deliver.
    Gap(Gap),
}

/// A post as it goes to Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// The JSON text as it came: the record's value.
    pub json: Bytes,
    /// Which keyword it has, by its place in the list; `None` if it has none.
    pub keyword: Option<u16>,
    /// What names it across connections and restarts; `None` if the source names nothing.
    pub id: Option<PostId>,
    /// When it was written, in milliseconds since the epoch, if it says so.
    pub time_ms: Option<Millis>,
}

/// The name of a post, unique in its source: 128 bits of a hash of what the source calls it. Equal names are taken for
/// equal posts; among 10 million of them the chance of a mistake is below 10^-24.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PostId(pub u128);

/// Why something is not readable as a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// Not UTF-8.
    NotUtf8,
    /// Not JSON (RFC 8259), or cut off.
    NotJson,
    /// JSON, but not what the source's posts look like.
    NotAPost,
    /// Longer than the source allows.
    TooLong,
}

/// An interval that is missing, by the source's own time, in milliseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The last moment that was delivered.
    pub from_ms: Millis,
    /// The first moment that is delivered again.
    pub until_ms: Millis,
}

/// Where a source goes on. Cheap to clone: every event carries one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resume {
    /// Behind so many bytes (after decompression) of a file.
    Offset {
        /// The file.
        file: Arc<str>,
        /// Bytes of it that are done.
        bytes: u64,
        /// Hash of the file's beginning (at most 256 bytes of it, never more than `bytes`): another file under the same
        /// name is not this one.
        head: u64,
    },
    /// At an event of a Jetstream.
    Jetstream {
        /// The host that numbered it.
        host: Arc<str>,
        /// Its number there; `None` on version 1, which has none.
        seq: Option<u64>,
        /// Its time in microseconds since the epoch, which every host understands.
        time_us: u64,
    },
    /// What the server calls the place, sent back as it came.
    Token {
        /// Its text.
        text: Arc<str>,
        /// The time of the event that carried it, if known.
        time_ms: Option<Millis>,
    },
}

/// How much of what came before its cursor a source delivers again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// Nothing: it goes on exactly behind it.
    None,
    /// The event at the cursor.
    One,
    /// That, and so many milliseconds before it, by the source's own time.
    Ms(Millis),
}

impl Resume {
    /// The source's time at this place, in milliseconds since the epoch, if the place has one.
    pub fn time_ms(&self) -> Option<Millis> {
        match self {
            Self::Offset { .. } => None,
            Self::Jetstream { time_us, .. } => Millis::try_from(time_us / 1_000).ok(),
            Self::Token { time_ms, .. } => *time_ms,
        }
    }
}
