//! What is in the topic already: a start reads it from where the cursor's posts end, so as not to send again what came
//! into Kafka after the last save. What it finds goes to `ledger`.
//!
//! It reads up to where the logs end when it begins. With transactions it waits until all of that can be read: `Sink::open`
//! has ended what an earlier producer of the same name had open, and others' transactions hide what lies behind them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::sink::{SinkError, settings};
use crate::clock::Clock;
use crate::config::producer::Kafka;
use crate::ids::{Offset, Partition, Position, TopicId};
use crate::source::admin::{Admin, DEADLINE, LogRange, TopicInfo, TopicsRule};
use crate::source::{ClientSettings, Record, Source, SourceError, State, Visit};

mod plan;
mod stable;

pub use plan::{Begin, Lane};

/// How long a drain waits.
const DRAIN: Duration = Duration::from_millis(100);

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recalled {
    /// Records that were shown.
    pub records: u64,
    /// Each partition's range, and why it began there.
    pub lanes: Vec<Lane>,
}

/// Reads the topic from these offsets to its end, and shows every record: partition, offset, key, value. Blocks for
/// `within` at most, and for the answer that is waited for then.
///
/// A partition that is not in `from` is read from its beginning if it is a new one: Kafka numbers partitions on, so
/// those above the highest in `from` were added since. Others are left out, and so is everything if `from` is empty:
/// nothing is known of posts in them. A range that cannot be had as it was asked for is told in [`Recalled::lanes`], and
/// logged.
///
/// Records are shown once each, unless an error comes back: a caller that tries again sees them again.
pub fn recall(
    kafka: &Kafka,
    committed_only: bool,
    from: &BTreeMap<Partition, Offset>,
    within: Duration,
    each: impl FnMut(i32, Offset, Option<&[u8]>, &[u8]),
) -> Result<Recalled, SinkError> {
    let clock = Clock::start();
    let settings = settings::reader(kafka, committed_only);
    let brokers = kafka.brokers.join(",");
    let of_admin = |error| SinkError::of_admin(error, &brokers);
    let admin = Admin::connect(&settings).map_err(of_admin)?.with_deadline(within.min(DEADLINE));
    let topic = describe(&admin, kafka)?;
    let name: Arc<str> = kafka.topic.as_str().into();
    let partitions: Vec<Partition> =
        topic.partitions.iter().map(|info| Partition::new(Arc::clone(&name), info.number)).collect();
    let ranges = admin.log_range(&partitions).map_err(of_admin)?;
    let mut logs: BTreeMap<Partition, LogRange> = BTreeMap::new();
    for (partition, range) in partitions.into_iter().zip(ranges) {
        let range = range.map_err(|reason| failed(kafka, format!("{partition}: {reason}")))?;
        logs.insert(partition, range);
    }
    let lanes = plan::plan(from, &logs);
    lanes.iter().for_each(Lane::log);
    let ends = logs.into_iter().map(|(partition, log)| (partition, log.end)).collect();
    stable::wait(&admin, kafka, &lanes, ends, (clock, within))?;
    let mut reader = Reader { kafka, clock, within, topic_id: topic.id };
    let records = reader.read(&settings, &lanes, each)?;
    Ok(Recalled { records, lanes })
}

fn describe(admin: &Admin, kafka: &Kafka) -> Result<TopicInfo, SinkError> {
    let brokers = kafka.brokers.join(",");
    let rule = TopicsRule::Names(vec![kafka.topic.clone()]);
    let mut topics = admin.describe(&rule).map_err(|error| SinkError::of_admin(error, &brokers))?;
    if let Some((_, reason)) = topics.unclear.pop() {
        return Err(if topics.denied.is_empty() {
            failed(kafka, reason)
        } else {
            SinkError::Denied { brokers, reason, passing: false }
        });
    }
    topics.found.pop().ok_or_else(|| SinkError::NoTopic { topic: kafka.topic.clone() })
}

fn failed(kafka: &Kafka, reason: String) -> SinkError {
    SinkError::Failed { action: format!("read topic {} again", kafka.topic), reason, passing: true }
}

struct Reader<'a> {
    kafka: &'a Kafka,
    clock: Clock,
    within: Duration,
    topic_id: Option<TopicId>,
}

impl Reader<'_> {
    /// Reads each lane to its end. Returns how many records were shown.
    ///
    /// A lane is done when the position has reached its end, not when the last record has: behind that there may be
    /// control records, and what compaction or an abort left out.
    fn read(
        &mut self,
        settings: &ClientSettings,
        lanes: &[Lane],
        each: impl FnMut(i32, Offset, Option<&[u8]>, &[u8]),
    ) -> Result<u64, SinkError> {
        let lanes: Vec<&Lane> = lanes.iter().filter(|lane| lane.from < lane.until).collect();
        if lanes.is_empty() {
            return Ok(0);
        }
        let refused = |error: SourceError| failed(self.kafka, error.to_string());
        let (mut source, _waker) = Source::open(settings).map_err(refused)?;
        let position = |lane: &&Lane| {
            (lane.partition.clone(), Position { topic_id: self.topic_id, ..Position::at(lane.from) })
        };
        source.assign(&lanes.iter().map(position).collect::<Vec<_>>()).map_err(refused)?;
        let mut open: BTreeMap<usize, &Lane> =
            lanes.iter().filter_map(|lane| Some((source.index_of(&lane.partition)?, *lane))).collect();
        let ends = open.iter().map(|(index, lane)| (*index, (lane.partition.number, lane.until))).collect();
        let mut show = Show { ends, each, records: 0 };
        while !open.is_empty() {
            let now = self.clock.monotonic();
            source.drain(now, DRAIN, &mut show).map_err(refused)?;
            let done = self.look(&source, &open, show.records, now)?;
            for index in done {
                if let Some(lane) = open.remove(&index) {
                    source.release(std::slice::from_ref(&lane.partition)).map_err(refused)?;
                }
            }
        }
        Ok(show.records)
    }

    /// Which lanes are read.
    fn look(
        &self,
        source: &Source,
        open: &BTreeMap<usize, &Lane>,
        records: u64,
        now: Duration,
    ) -> Result<Vec<usize>, SinkError> {
        let mut done = Vec::new();
        let mut waits_for = None;
        for progress in source.progress() {
            let Some(lane) = open.get(&progress.index) else { continue };
            let partition = &lane.partition;
            match progress.state {
                _ if progress.until.offset >= lane.until => done.push(progress.index),
                State::OutOfRange(why) | State::Truncated(why) | State::Gone(why) | State::Broken(why) => {
                    return Err(failed(self.kafka, format!("{partition}: {why}")));
                }
                // Cut off since it was asked for its end: there is no more to come.
                State::AtEnd => done.push(progress.index),
                State::Starting | State::Reading => waits_for = Some(partition.to_string()),
                State::Unreachable(why) | State::Denied(why) => {
                    waits_for = Some(format!("{partition}: {why}"))
                }
            }
        }
        match waits_for {
            Some(partition) if now > self.within => {
                let within_s = self.within.as_secs();
                let reason = format!(
                    "not done after {within_s} s and {records} records, waiting for {partition}; check the brokers and \
                     the network, and start again; with a shorter cursor.every there is less to read"
                );
                Err(failed(self.kafka, reason))
            }
            _ => Ok(done),
        }
    }
}

/// Shows what lies before its lane's end.
struct Show<F> {
    /// Each index' partition, and its lane's end.
    ends: BTreeMap<usize, (i32, Offset)>,
    each: F,
    records: u64,
}

impl<F: FnMut(i32, Offset, Option<&[u8]>, &[u8])> Visit for Show<F> {
    fn record(&mut self, index: usize, record: &Record<'_>) {
        let lane = self.ends.get(&index).filter(|(_, end)| record.offset < *end);
        // A tombstone is no post.
        if let (Some((partition, _)), Some(value)) = (lane, record.value) {
            self.records += 1;
            (self.each)(*partition, record.offset, record.key, value);
        }
    }
}

#[cfg(test)]
mod tests;
