//! The assigned partitions of one client, by dense index: the reading loop's state. Used by `kafka`.

use std::collections::HashMap;
use std::ffi::CString;
use std::sync::Arc;
use std::time::Duration;

use rdkafka_sys::rd_kafka_resp_err_t as ErrorCode;

use super::native::{self, Message, Runs};
use super::rate::Bucket;
use super::{HeardEnd, Record, State, Visit};
use crate::ids::{Millis, Offset, Partition, Position};

/// What is wrong with a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    Unreachable(String),
    Denied(String),
    OutOfRange(String),
    Truncated(String),
    Gone(String),
    Broken(String),
}

impl Fault {
    /// Passing faults end by themselves; the others stop the partition until it is assigned anew.
    pub(super) fn passes(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Denied(_))
    }
}

/// Why a partition that waits for another client is not read.
const WAITS: &str = "it stopped several times within a short time, and is read again after a pause";

/// One assigned partition.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) partition: Partition,
    pub(super) topic: CString,
    pub(super) until: Position,
    /// The topic's id as the client prints it, once it is known: from the position, else the first one seen.
    topic_id: Option<String>,
    /// Whether this client has said under which id it reads the topic.
    identified: bool,
    pub(super) last_timestamp_ms: Option<Millis>,
    /// A record or the log's end was seen since it was assigned to this client.
    pub(super) heard: bool,
    pub(super) at_end: bool,
    /// What an error message said; a passing one holds until the partition is heard of.
    pub(super) fault: Option<Fault>,
    /// What the newest statistics say; only passing faults.
    pub(super) blocked: Option<Fault>,
    /// The broker it is fetched from, and since which statistics at the latest.
    pub(super) fetched_from: Option<(i32, Duration)>,
    /// How far the log reached when the leader last said so, to this client.
    pub(super) heard_end: Option<HeardEnd>,
    pub(super) bucket: Option<Bucket>,
    /// It waits for another client. What this one still has of it is of an earlier assignment.
    pub(super) waits: bool,
}

impl Slot {
    /// `None` for a topic name with a zero byte, which Kafka cannot have.
    pub(super) fn new(partition: &Partition, position: Position) -> Option<Self> {
        Some(Self {
            partition: partition.clone(),
            topic: CString::new(&*partition.topic).ok()?,
            until: position,
            topic_id: position.topic_id.map(native::topic_id_text),
            identified: false,
            last_timestamp_ms: None,
            heard: false,
            at_end: false,
            fault: None,
            blocked: None,
            fetched_from: None,
            heard_end: None,
            bucket: None,
            waits: false,
        })
    }

    /// Whether the client does not read it.
    pub(super) fn stopped(&self) -> bool {
        self.waits || self.fault.as_ref().is_some_and(|fault| !fault.passes())
    }

    pub(super) fn state(&self) -> State<'_> {
        if self.waits {
            return State::Unreachable(WAITS);
        }
        match self.fault.as_ref().or(self.blocked.as_ref()) {
            Some(Fault::Unreachable(why)) => State::Unreachable(why),
            Some(Fault::Denied(why)) => State::Denied(why),
            Some(Fault::OutOfRange(why)) => State::OutOfRange(why),
            Some(Fault::Truncated(why)) => State::Truncated(why),
            Some(Fault::Gone(why)) => State::Gone(why),
            Some(Fault::Broken(why)) => State::Broken(why),
            None if !self.heard => State::Starting,
            None if self.at_end => State::AtEnd,
            None => State::Reading,
        }
    }

    /// Another client reads it from now on: what the last one said holds no longer.
    pub(super) fn restart(&mut self) {
        self.heard = false;
        self.at_end = false;
        self.identified = false;
        self.fault = None;
        self.blocked = None;
        (self.fetched_from, self.heard_end) = (None, None);
    }

    /// Why its records must not count: the topic has an id, and the client has not said that it reads that one. It says
    /// so before the first record, in the same words as later when the id changes: silence means that a change
    /// would not be heard either.
    fn unidentified(&self) -> Option<Fault> {
        let expected = self.topic_id.as_ref().filter(|_| !self.identified)?;
        Some(Fault::Gone(format!(
            "the client does not say whether it reads the topic with the id {expected}"
        )))
    }

    /// Whether the topic with this id is not the one that is to be read.
    pub(super) fn is_of_another(&self, id: &str) -> bool {
        self.topic_id.as_ref().is_some_and(|expected| expected != id)
    }

    /// The client reads the topic under this id.
    pub(super) fn identify(&mut self, id: &str) {
        self.identified = true;
        match &self.topic_id {
            None => self.topic_id = Some(id.to_owned()),
            Some(before) if before != id => {
                self.fail(Fault::Gone(format!(
                    "the topic was deleted and created anew: its id was {before}, is {id}"
                )));
            }
            Some(_) => {}
        }
    }

    /// Takes note of a fault; one that stops is never replaced by one that passes.
    pub(super) fn fail(&mut self, fault: Fault) {
        if !self.stopped() {
            self.fault = Some(fault);
        }
    }

    /// The newest statistics: why the partition's leader cannot be asked, `None` when it can.
    ///
    /// A leader that answers ends what a passing error said, but not a refusal: that is reported once.
    pub(super) fn observe(&mut self, blocked: Option<Fault>) {
        if blocked.is_none() && matches!(self.fault, Some(Fault::Unreachable(_))) {
            self.fault = None;
        }
        self.blocked = blocked;
    }

    fn heard(&mut self, at_end: bool) {
        self.heard = true;
        self.at_end = at_end;
        self.blocked = None;
        if !self.stopped() {
            self.fault = None;
        }
    }
}

/// All assigned partitions. An index stays with its partition until that is released.
#[derive(Debug, Default)]
pub(super) struct Slots {
    slots: Vec<Option<Slot>>,
    /// Index by client's topic handle and partition number; filled as messages come.
    by_handle: HashMap<(usize, i32), usize>,
}

impl Slots {
    /// Adds a partition at the first free index.
    pub(super) fn insert(&mut self, slot: Slot) -> usize {
        let free = self.slots.iter().position(Option::is_none);
        let index = free.unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[index] = Some(slot);
        index
    }

    pub(super) fn remove(&mut self, index: usize) -> Option<Slot> {
        // A released topic's handle may be freed and its address used again.
        self.by_handle.clear();
        self.slots.get_mut(index)?.take()
    }

    /// Forgets the handles of a client that is gone.
    pub(super) fn forget_handles(&mut self) {
        self.by_handle.clear();
    }

    pub(super) fn get(&self, index: usize) -> Option<&Slot> {
        self.slots.get(index)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut Slot> {
        self.slots.get_mut(index)?.as_mut()
    }

    pub(super) fn index_of(&self, partition: &Partition) -> Option<usize> {
        self.iter().find(|(_, slot)| slot.partition == *partition).map(|(index, _)| index)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &Slot)> {
        self.slots.iter().enumerate().filter_map(|(index, slot)| Some((index, slot.as_ref()?)))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (usize, &mut Slot)> {
        self.slots.iter_mut().enumerate().filter_map(|(index, slot)| Some((index, slot.as_mut()?)))
    }

    fn index_of_message(&mut self, message: Message<'_>) -> Option<usize> {
        let handle = (message.topic_handle(), message.partition());
        if let Some(&index) = self.by_handle.get(&handle) {
            return Some(index);
        }
        let partition = Partition { topic: Arc::from(message.topic()), number: message.partition() };
        let index = self.index_of(&partition)?;
        self.by_handle.insert(handle, index);
        Some(index)
    }
}

/// The loop body of a drain: puts each message where it belongs.
pub(super) struct Reader<'a, V> {
    pub(super) slots: &'a mut Slots,
    pub(super) visitor: &'a mut V,
    /// Records visited.
    pub(super) records: usize,
    /// Indexes of partitions that have stopped in this batch.
    pub(super) stopped: &'a mut Vec<usize>,
    run: Run,
}

/// The run of records being read.
#[derive(Clone, Copy)]
struct Run {
    /// `None` when the run's messages are not for us: released, stopped, or errors.
    index: Option<usize>,
    /// The next offset to read.
    next: Offset,
}

impl<'a, V> Reader<'a, V> {
    pub(super) fn new(slots: &'a mut Slots, visitor: &'a mut V, stopped: &'a mut Vec<usize>) -> Self {
        Self { slots, visitor, records: 0, stopped, run: Run { index: None, next: 0 } }
    }

    #[cold]
    fn error(&mut self, message: Message<'_>) {
        let Some(index) = self.slots.index_of_message(message) else { return };
        let Some(slot) = self.slots.get_mut(index) else { return };
        if slot.stopped() {
            return;
        }
        if message.error() == ErrorCode::RD_KAFKA_RESP_ERR__PARTITION_EOF as i32 {
            // The end lies behind what could not be seen: control records, aborted transactions, compaction.
            slot.until.offset = slot.until.offset.max(message.offset());
            slot.heard(true);
            return;
        }
        let text = String::from_utf8_lossy(message.value().unwrap_or_default()).into_owned();
        slot.fail(fault(message.error(), text));
        if slot.stopped() {
            self.stopped.push(index);
        }
    }
}

impl<V: Visit> Runs for Reader<'_, V> {
    #[inline]
    fn begin(&mut self, first: Message<'_>) {
        self.run.index = None;
        if first.error() != 0 {
            return;
        }
        let Some(index) = self.slots.index_of_message(first) else { return };
        let Some(slot) = self.slots.get_mut(index) else { return };
        if slot.stopped() {
            return;
        }
        if let Some(fault) = slot.unidentified() {
            slot.fail(fault);
            self.stopped.push(index);
            return;
        }
        let epoch = first.leader_epoch();
        if epoch >= 0 && epoch < slot.until.leader_epoch && first.offset() >= slot.until.offset {
            let before = slot.until.leader_epoch;
            slot.fail(Fault::Gone(format!(
                "leader epoch fell from {before} to {epoch}: the topic was recreated"
            )));
            self.stopped.push(index);
            return;
        }
        self.run = Run { index: Some(index), next: slot.until.offset };
    }

    #[inline(always)]
    fn message(&mut self, message: Message<'_>) {
        let Some(index) = self.run.index else {
            if message.error() != 0 {
                self.error(message);
            }
            return;
        };
        let offset = message.offset();
        // Below what is expected: delivered twice, counted once.
        if offset >= self.run.next {
            self.run.next = offset + 1;
            self.records += 1;
            self.visitor.record(index, &Record::native(message));
        }
    }

    #[inline]
    fn end(&mut self, last: Message<'_>) {
        let Some(slot) = self.run.index.and_then(|index| self.slots.get_mut(index)) else { return };
        if self.run.next > slot.until.offset {
            slot.until.offset = self.run.next;
            slot.until.leader_epoch = slot.until.leader_epoch.max(last.leader_epoch());
            slot.last_timestamp_ms = last.timestamp_ms().or(slot.last_timestamp_ms);
            slot.heard(false);
        }
    }
}

/// What an error message means (codes: rdkafka.h; which arrive here: rdkafka_fetcher.c, rdkafka_offset.c,
/// rdkafka_msgset_reader.c).
fn fault(code: i32, text: String) -> Fault {
    const RESET: i32 = ErrorCode::RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET as i32;
    const OUT_OF_RANGE: i32 = ErrorCode::RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE as i32;
    const TRUNCATION: i32 = ErrorCode::RD_KAFKA_RESP_ERR__LOG_TRUNCATION as i32;
    const UNKNOWN: [i32; 4] = [
        ErrorCode::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART as i32,
        ErrorCode::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID as i32,
        ErrorCode::RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION as i32,
        ErrorCode::RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC as i32,
    ];
    const DENIED: [i32; 4] = [
        ErrorCode::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED as i32,
        ErrorCode::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED as i32,
        ErrorCode::RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED as i32,
        ErrorCode::RD_KAFKA_RESP_ERR__AUTHENTICATION as i32,
    ];
    // librdkafka goes on behind a batch it cannot read: that would skip records in silence.
    const BROKEN: [i32; 5] = [
        ErrorCode::RD_KAFKA_RESP_ERR__BAD_MSG as i32,
        ErrorCode::RD_KAFKA_RESP_ERR__BAD_COMPRESSION as i32,
        ErrorCode::RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED as i32,
        ErrorCode::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE as i32,
        ErrorCode::RD_KAFKA_RESP_ERR_INVALID_MSG as i32,
    ];
    match code {
        // With auto.offset.reset=error a truncated log is reported by this code too; only the text tells.
        RESET if text.contains(native::describe(ErrorCode::RD_KAFKA_RESP_ERR__LOG_TRUNCATION)) => {
            Fault::Truncated(text)
        }
        TRUNCATION => Fault::Truncated(text),
        RESET | OUT_OF_RANGE => Fault::OutOfRange(text),
        code if UNKNOWN.contains(&code) => Fault::Gone(text),
        code if DENIED.contains(&code) => Fault::Denied(text),
        code if BROKEN.contains(&code) => Fault::Broken(text),
        _ => Fault::Unreachable(text),
    }
}

/// What a log line says about one of these partitions: `NAME [N]: what (librdkafka's text of the code)`.
pub(super) fn fault_in_log(line: &str, partition: &Partition) -> Option<Fault> {
    let start = line.find(&format!(" {} [{}]: ", partition.topic, partition.number))?;
    let text = line[start + 1..].to_owned();
    let says = |code: ErrorCode| text.contains(native::describe(code));
    if says(ErrorCode::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        || says(ErrorCode::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID)
        || says(ErrorCode::RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION)
    {
        return Some(Fault::Gone(text));
    }
    if says(ErrorCode::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
        return Some(Fault::Denied(text));
    }
    Some(Fault::Unreachable(text))
}
