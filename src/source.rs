//! Records in: what an executor's reading thread drains, and what the driver asks Kafka. Feeds `count`.
//!
//! [`Source`] is an enum, so that another way to fetch can stand beside librdkafka. Reading never resets a
//! position: whatever is wrong with a partition stops it and shows as its [`State`]; the driver decides.

use std::ffi::CStr;
use std::time::Duration;

use crate::ids::{Millis, Offset, Partition, Position};

pub mod settings;
pub mod key;
pub mod start;
pub mod admin;
mod kafka;
mod slots;
mod rate;
mod timestamp;
mod events;
mod native;

pub use admin::Admin;
pub use kafka::{BATCH_MESSAGES, KafkaSource, Waker};
pub use key::{Key, KeyReader, Unkeyed};
pub use settings::ClientSettings;
pub use timestamp::usable_timestamp;

/// Where records come from; one per reading thread.
#[derive(Debug)]
pub enum Source {
    /// librdkafka, drained in batches.
    Kafka(KafkaSource),
}

impl Source {
    /// Opens a source without partitions, and what wakes its [`Source::drain`] from other threads.
    ///
    /// Nothing is sent to a broker before the first [`Source::assign`].
    pub fn open(settings: &ClientSettings) -> Result<(Self, Waker), SourceError> {
        let (source, waker) = KafkaSource::open(settings)?;
        Ok((Self::Kafka(source), waker))
    }

    /// Begins to read these partitions, each at its position; they must not be assigned here already.
    ///
    /// The records of a position's leader epoch are checked against the leader's log before the first record is
    /// read, so that a log cut short meanwhile is found ([`State::Truncated`]).
    pub fn assign(&mut self, partitions: &[(Partition, Position)]) -> Result<(), SourceError> {
        match self {
            Self::Kafka(source) => source.assign(partitions),
        }
    }

    /// Stops reading these partitions. No record of theirs is visited afterwards; unknown ones are ignored.
    pub fn release(&mut self, partitions: &[Partition]) -> Result<(), SourceError> {
        match self {
            Self::Kafka(source) => source.release(partitions),
        }
    }

    /// Reads one batch and shows each record to the visitor; returns how many records that were.
    ///
    /// A batch is what has been fetched, about [`BATCH_MESSAGES`] at most. Blocks until there is something,
    /// `timeout` has passed, or the [`Waker`] was used. `now` is the caller's monotonic time; the rate limit goes
    /// by it.
    pub fn drain(
        &mut self,
        now: Duration,
        timeout: Duration,
        visitor: &mut impl Visit,
    ) -> Result<usize, SourceError> {
        match self {
            Self::Kafka(source) => source.drain(now, timeout, visitor),
        }
    }

    /// How far each assigned partition has been read. No network, no allocation.
    pub fn progress(&self) -> impl Iterator<Item = Progress<'_>> {
        match self {
            Self::Kafka(source) => source.progress(),
        }
    }

    /// The index that [`Visit::record`] gets for this partition's records, while it is assigned.
    pub fn index_of(&self, partition: &Partition) -> Option<usize> {
        match self {
            Self::Kafka(source) => source.index_of(partition),
        }
    }

    /// Messages that were fetched and not drained yet; about four times their size is held in memory.
    pub fn queued(&self) -> usize {
        match self {
            Self::Kafka(source) => source.queued(),
        }
    }
}

/// What [`Source::drain`] calls for each record; monomorphised, the innermost loop of an executor.
pub trait Visit {
    /// One record of the partition with this index: small, dense, the same until the partition is released.
    fn record(&mut self, index: usize, record: &Record<'_>);
}

/// One record, borrowed from the batch it came in.
#[derive(Debug)]
pub struct Record<'a> {
    /// The key's bytes; `None` is a null key, an empty slice an empty one.
    pub key: Option<&'a [u8]>,
    /// The value's bytes; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// The record's offset.
    pub offset: Offset,
    more: More<'a>,
}

/// The parts of a record that cost a call to get.
#[derive(Debug)]
enum More<'a> {
    Native(native::Message<'a>),
    Given { timestamp_ms: Option<Millis>, headers: &'a [(&'a str, Option<&'a [u8]>)] },
}

impl<'a> Record<'a> {
    /// A record that does not come from a broker: for other sources and for tests.
    pub fn given(
        key: Option<&'a [u8]>,
        value: Option<&'a [u8]>,
        offset: Offset,
        timestamp_ms: Option<Millis>,
        headers: &'a [(&'a str, Option<&'a [u8]>)],
    ) -> Self {
        Self { key, value, offset, more: More::Given { timestamp_ms, headers } }
    }

    #[inline(always)]
    fn native(message: native::Message<'a>) -> Self {
        Self {
            key: message.key(),
            value: message.value(),
            offset: message.offset(),
            more: More::Native(message),
        }
    }

    /// The record's timestamp (create or log-append time, as the topic is configured), if it has one.
    #[inline]
    pub fn timestamp_ms(&self) -> Option<Millis> {
        match &self.more {
            More::Native(message) => message.timestamp_ms(),
            More::Given { timestamp_ms, .. } => *timestamp_ms,
        }
    }

    /// The value of the last header of this name: outer `None` when there is no such header, inner `None` when
    /// its value is null.
    pub fn header(&self, name: &CStr) -> Option<Option<&'a [u8]>> {
        match &self.more {
            More::Native(message) => message.header(name),
            More::Given { headers, .. } => {
                headers.iter().rev().find(|(n, _)| n.as_bytes() == name.to_bytes()).map(|(_, value)| *value)
            }
        }
    }
}

/// How far one partition has been read.
#[derive(Debug, Clone)]
pub struct Progress<'a> {
    /// The partition.
    pub partition: &'a Partition,
    /// The index its records are visited with.
    pub index: usize,
    /// The next offset to read and the leader epoch of the last record read; topic id and mark as assigned.
    /// Includes control records at the log's end, once the end was reached.
    pub until: Position,
    /// The end of the log as far as it is known, `None` before the leader's first answer. At the end it equals
    /// `until`, also when an open transaction keeps later records back.
    pub log_end: Option<Offset>,
    /// How far the log reached when the leader last said so, `None` before that.
    pub heard: Option<HeardEnd>,
    /// Timestamp of the last record read since it was assigned.
    pub last_timestamp_ms: Option<Millis>,
    /// Whether and why (not) it is being read.
    pub state: State<'a>,
}

/// How far a log reached when its leader last said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeardEnd {
    /// Where reading ends under the source's isolation: the last stable offset if committed records only.
    pub end: Offset,
    /// The high watermark.
    pub high: Offset,
    /// When it said so, by [`Clock::uptime`](crate::clock::Clock::uptime).
    pub at: Duration,
}

/// What is known about reading a partition. In the last five reading has stopped until it is assigned anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State<'a> {
    /// Assigned; its leader has not answered yet.
    Starting,
    /// Records come, or may come.
    Reading,
    /// Everything that can be read was read, as of the last fetch.
    AtEnd,
    /// Its leader is unknown, cannot be reached or does not answer; reading goes on by itself when it can.
    Unreachable(&'a str),
    /// The cluster refuses: authentication or an access rule; reading goes on by itself when it may.
    Denied(&'a str),
    /// The offset is not in the log: expired, or beyond the end.
    OutOfRange(&'a str),
    /// The log was cut below the position (KIP-320: it ended earlier in the position's leader epoch).
    Truncated(&'a str),
    /// The topic or partition was deleted, or a new topic of the same name took its place.
    Gone(&'a str),
    /// The bytes at the position cannot be read: bad checksum, unknown codec or format.
    Broken(&'a str),
}

/// Why a source could not be opened or go on; a new process may succeed.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The client refused its settings.
    #[error("create Kafka client: {0}")]
    Settings(String),
    /// A call that changes the assignment failed.
    #[error("{action} {partitions}: {reason}")]
    Assignment {
        /// What was tried.
        action: &'static str,
        /// On which partitions.
        partitions: String,
        /// What the client said.
        reason: String,
    },
    /// The client has given up.
    #[error("Kafka client stopped: {0}")]
    Fatal(String),
}
