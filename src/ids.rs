//! The words that every other module counts in: partitions, offsets, positions, slots, sessions, cuts.
//!
//! Newtypes, so that an offset is never taken for a cut number. Nothing here does anything.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// One partition of one topic, as Kafka names it; printed `topic/partition` everywhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Partition {
    /// Topic name.
    pub topic: Arc<str>,
    /// Partition number within the topic, from 0.
    pub number: i32,
}

impl Partition {
    /// Names partition `number` of `topic`.
    pub fn new(topic: impl Into<Arc<str>>, number: i32) -> Self {
        Self { topic: topic.into(), number }
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.number)
    }
}

/// Offset in a partition's log: the number of the next record to read, never of the last one read.
pub type Offset = i64;

/// Milliseconds since the Unix epoch.
pub type Millis = i64;

/// A topic's identity beyond its name (KIP-516, brokers from 2.8): tells a recreated topic from the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TopicId(pub [u8; 16]);

/// Where a partition is to be read on, with everything that must travel with it.
///
/// It travels whole: in assignments, deltas and checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The topic's identity, `None` where the broker knows none.
    pub topic_id: Option<TopicId>,
    /// Offset of the next record to read.
    pub offset: Offset,
    /// Leader epoch of the record before `offset` (KIP-320), `-1` where unknown: finds truncated logs.
    pub leader_epoch: i32,
    /// Event-time mark `w`: largest timestamp read so far less the lateness, `Millis::MIN` before the first
    /// record and always under processing time.
    pub mark_ms: Millis,
}

impl Position {
    /// A position of which only the offset is known.
    pub fn at(offset: Offset) -> Self {
        Self { topic_id: None, offset, leader_epoch: -1, mark_ms: Millis::MIN }
    }
}

/// One wanted executor, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Slot(pub u32);

/// How often a slot was started anew, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Generation(pub u32);

/// One connection of one generation of one slot. Partitions belong to sessions.
///
/// `connection` is the driver's running number: a generation that reconnects is another session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Session {
    /// The slot.
    pub slot: Slot,
    /// Its generation.
    pub generation: Generation,
    /// The driver's number of the connection, never used twice.
    pub connection: u64,
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}#{}", self.slot.0, self.generation.0, self.connection)
    }
}

/// Number of a cut, from 1, without gaps within a driver attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CutNumber(pub u64);

impl CutNumber {
    /// The cut after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for CutNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
