//! What executors and the driver say to each other: the only types that cross.
//!
//! Control messages are postcard; counts are our own flat block ([`crate::count::block`]), read in place. The
//! kind byte of a frame says which message its payload is. The order on one link is part of the protocol: an
//! assignment that stands before a cut is in that cut's delta, counts that stand before a delta are in it.

use serde::{Deserialize, Serialize};

use crate::config::KeyRule;
use crate::ids::{CutNumber, Generation, Millis, Offset, Partition, Position, Slot};
use crate::source::ClientSettings;

/// First message of an executor: who it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The driver attempt it was started for, from 1.
    pub attempt: u32,
    /// Its slot.
    pub slot: Slot,
    /// Its generation.
    pub generation: Generation,
    /// Name of the host it runs on.
    pub host: String,
    /// Process id there.
    pub pid: u32,
    /// `host:port` of its metrics endpoint.
    pub http: String,
    /// Version of its binary.
    pub version: String,
}

/// The driver's answer to [`Hello`]: everything an executor needs to know of the job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// How to read Kafka, with its secrets.
    pub client: ClientSettings,
    /// Which bytes of a record are its key.
    pub key: KeyRule,
    /// Reading threads.
    pub cores: u32,
    /// The driver hears something at least this often, milliseconds.
    pub alive_ms: u64,
    /// Without a word from the driver for this long the executor ends, to leave no orphan, milliseconds.
    pub orphan_ms: u64,
}

/// The order that ends a slide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// Its number; a delta answers it by this.
    pub number: CutNumber,
    /// Partitions that leave the session after this cut's delta.
    pub release: Vec<Partition>,
}

/// Driver to executor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToExecutor {
    /// Accepts a session.
    Welcome(Box<Welcome>),
    /// Adds partitions to the session, to be read from these positions.
    Assign(Vec<(Partition, Position)>),
    /// Ends a slide.
    Cut(Cut),
    /// Says only that the driver lives.
    Alive,
    /// Ends the session; the executor exits.
    End {
        /// Why, for the executor's log.
        reason: String,
    },
}

/// How reading a partition goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reading {
    /// Records come, or the log's end is reached.
    Following,
    /// It was just assigned, and its leader has not answered yet.
    Starting,
    /// No leader, or the leader cannot be reached; librdkafka goes on trying.
    Unreachable(String),
    /// The position is outside the log: reading stopped for good.
    OutOfRange(String),
    /// The log was cut off below the position, and may have grown beyond it since: reading stopped for good.
    Truncated(String),
    /// Topic or partition is not there any more.
    Gone(String),
    /// The broker refuses: authentication or authorization; reading goes on by itself when it may.
    Denied(String),
    /// The bytes at the position cannot be read: reading stopped for good.
    Broken(String),
}

/// What one executor read of one partition between two cuts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// The partition.
    pub partition: Partition,
    /// Offset at which the range begins.
    pub from: Offset,
    /// Where reading goes on: the range's end.
    pub until: Position,
    /// The log's end as far as it is known: what `until` is compared with to show the lag.
    pub log_end: Option<Offset>,
    /// How far the log reached when its leader last said so, and how long ago that was.
    pub heard: Option<Heard>,
    /// Timestamp of the last record read.
    pub reached_ms: Option<Millis>,
    /// How reading goes.
    pub reading: Reading,
}

/// How far a partition's log reached when its leader last said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// Where reading ends under the job's isolation: the last stable offset under `read_committed`.
    pub end: Offset,
    /// The high watermark. Above `end`, what is between belongs to open transactions.
    pub high: Offset,
    /// For how long the leader had said this when the cut was answered, milliseconds.
    pub age_ms: u64,
}

/// What one executor counted between two cuts. Its counts stand before it on the link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// The cut it answers.
    pub cut: CutNumber,
    /// Exactly the session's partitions, empty ranges too.
    pub ranges: Vec<Range>,
    /// Records counted: the sum over its blocks.
    pub records: u64,
    /// Records counted under null because the key rule found no key, by reason.
    pub unkeyed: Vec<(String, u64)>,
}

/// Counts of one bucket. Several may stand before one delta: a large slide is sent in pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// The cut whose delta they belong to.
    pub cut: CutNumber,
    /// Window end of the bucket under event time; 0 under processing time, where the cut is the bucket.
    pub bucket_ms: Millis,
    /// The counts, a [`crate::count::block`].
    pub block: Vec<u8>,
}

/// Executor to driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToDriver {
    /// Who it is.
    Hello(Hello),
    /// Says only that the executor lives.
    Alive,
    /// Part of the delta to come.
    Counts(Counts),
    /// Answers a cut.
    Delta(Delta),
}

/// A frame whose kind and payload do not make a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// A kind this version does not know, or one that does not go in this direction.
    #[error("message kind {0} is unknown here; are driver and executor of one version?")]
    Kind(u8),
    /// The payload is not what the kind says.
    #[error("message of kind {kind} cannot be read: {reason}")]
    Payload {
        /// The kind.
        kind: u8,
        /// What the decoder says.
        reason: String,
    },
}

const TO_EXECUTOR: u8 = 1;
const HELLO: u8 = 16;
const ALIVE: u8 = 17;
const COUNTS: u8 = 18;
const DELTA: u8 = 19;

impl ToExecutor {
    /// The frame's kind and payload.
    pub fn encode(&self) -> (u8, Vec<u8>) {
        (TO_EXECUTOR, encoded(self))
    }

    /// Reads a frame's payload.
    pub fn decode(kind: u8, payload: &[u8]) -> Result<Self, MessageError> {
        match kind {
            TO_EXECUTOR => decoded(kind, payload),
            other => Err(MessageError::Kind(other)),
        }
    }
}

impl ToDriver {
    /// The frame's kind and payload.
    pub fn encode(&self) -> (u8, Vec<u8>) {
        match self {
            Self::Hello(hello) => (HELLO, encoded(hello)),
            Self::Alive => (ALIVE, Vec::new()),
            Self::Counts(counts) => (COUNTS, counts.encode()),
            Self::Delta(delta) => (DELTA, encoded(delta)),
        }
    }

    /// Reads a frame's payload.
    pub fn decode(kind: u8, payload: &[u8]) -> Result<Self, MessageError> {
        match kind {
            HELLO => decoded(kind, payload).map(Self::Hello),
            ALIVE => Ok(Self::Alive),
            COUNTS => Counts::decode(payload).map(Self::Counts),
            DELTA => decoded(kind, payload).map(Self::Delta),
            other => Err(MessageError::Kind(other)),
        }
    }
}

impl Counts {
    /// Bytes before the block: cut number and bucket, little-endian.
    const HEAD: usize = 16;

    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::HEAD + self.block.len());
        bytes.extend_from_slice(&self.cut.0.to_le_bytes());
        bytes.extend_from_slice(&self.bucket_ms.to_le_bytes());
        bytes.extend_from_slice(&self.block);
        bytes
    }

    fn decode(payload: &[u8]) -> Result<Self, MessageError> {
        let short = || MessageError::Payload { kind: COUNTS, reason: "it is cut short".into() };
        let (cut, rest) = payload.split_first_chunk::<8>().ok_or_else(short)?;
        let (bucket, block) = rest.split_first_chunk::<8>().ok_or_else(short)?;
        Ok(Self {
            cut: CutNumber(u64::from_le_bytes(*cut)),
            bucket_ms: Millis::from_le_bytes(*bucket),
            block: block.to_vec(),
        })
    }
}

fn encoded(message: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(message).expect("our own messages always encode")
}

fn decoded<'a, T: Deserialize<'a>>(kind: u8, payload: &'a [u8]) -> Result<T, MessageError> {
    let unreadable = |reason: String| MessageError::Payload { kind, reason };
    match postcard::take_from_bytes(payload) {
        Ok((message, [])) => Ok(message),
        Ok((_, rest)) => Err(unreadable(format!("{} bytes too many", rest.len()))),
        Err(error) => Err(unreadable(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_come_back_as_they_went() {
        let counts = Counts { cut: CutNumber(7), bucket_ms: 1_000, block: vec![0, 1, 2] };
        let (kind, payload) = ToDriver::Counts(counts.clone()).encode();
        assert_eq!(ToDriver::decode(kind, &payload), Ok(ToDriver::Counts(counts)));
        assert!(ToDriver::decode(kind, &payload[..15]).is_err());
    }

    #[test]
    fn a_message_of_the_other_direction_is_refused() {
        let (kind, payload) = ToExecutor::Alive.encode();
        assert_eq!(ToDriver::decode(kind, &payload), Err(MessageError::Kind(kind)));
    }

    #[test]
    fn surplus_and_missing_bytes_are_refused() {
        let delta = Delta { cut: CutNumber(1), ranges: vec![], records: 0, unkeyed: vec![] };
        let (kind, mut payload) = ToDriver::Delta(delta).encode();
        assert!(ToDriver::decode(kind, &payload[..payload.len() - 1]).is_err());
        payload.push(0);
        assert!(ToDriver::decode(kind, &payload).is_err());
    }
}
