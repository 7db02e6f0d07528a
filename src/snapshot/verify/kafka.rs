//! Ranges read from Kafka again, by the job's own key rule and source settings. Part of `verify`.
//!
//! Reads by explicit assignment: no member of the group, and nothing is committed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::bail;

use super::{Counts, Recount, Recounted};
use crate::clock::Clock;
use crate::config::KeyRule;
use crate::ids::{Offset, Partition, Position, TopicId};
use crate::snapshot::facts::Facts;
use crate::source::admin::{Admin, LogRange, TopicInfo, TopicsRule};
use crate::source::{ClientSettings, Key, KeyReader, Record, Source, State, Visit};

/// How long a partition may be silent before the brokers count as unreachable.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a drain waits.
const DRAIN: Duration = Duration::from_millis(200);

/// Kafka as it is now.
pub struct Kafka {
    settings: ClientSettings,
    admin: Admin,
    keys: KeyReader,
    clock: Clock,
}

/// A range that is to be read.
#[derive(Debug, Clone, Copy)]
struct Segment {
    slide: usize,
    from: Offset,
    until: Offset,
}

/// One partition's ranges, by first offset ascending.
#[derive(Debug)]
struct Lane {
    partition: Partition,
    topic_id: Option<TopicId>,
    segments: Vec<Segment>,
    /// Segments before this one are read.
    next: usize,
}

impl Kafka {
    /// Reads with these settings and by this rule.
    pub fn connect(settings: ClientSettings, rule: &KeyRule) -> anyhow::Result<Self> {
        let admin = Admin::connect(&settings)?;
        let keys = KeyReader::new(rule).map_err(anyhow::Error::msg)?;
        Ok(Self { settings, admin, keys, clock: Clock::start() })
    }

    /// The topics as they are now; one that is gone is not among them.
    fn topics(&self, slides: &[Facts]) -> anyhow::Result<BTreeMap<String, TopicInfo>> {
        let names: BTreeSet<String> =
            slides.iter().flat_map(Facts::read).map(|(partition, ..)| partition.topic.to_string()).collect();
        let described = self.admin.describe(&TopicsRule::Names(names.into_iter().collect()))?;
        if let Some((topic, reason)) = described.unclear.first() {
            bail!("describe topic {topic}: {reason}");
        }
        Ok(described.found.into_iter().map(|topic| (topic.name.clone(), topic)).collect())
    }

    /// What is to be read of each partition; slides of which something cannot be had any more get their reason.
    fn lanes(&self, slides: &[Facts], answers: &mut [Recounted]) -> anyhow::Result<Vec<Lane>> {
        let topics = self.topics(slides)?;
        let mut lanes: BTreeMap<Partition, Lane> = BTreeMap::new();
        let is_there = |partition: &Partition| {
            let topic = topics.get(&*partition.topic);
            topic.is_some_and(|topic| topic.partitions.iter().any(|info| info.number == partition.number))
        };
        let partitions: BTreeSet<Partition> = slides.iter().flat_map(Facts::read).map(|(p, ..)| p).collect();
        let partitions: Vec<Partition> = partitions.into_iter().filter(is_there).collect();
        let logs = self.admin.log_range(&partitions)?;
        let logs: BTreeMap<_, _> = partitions.into_iter().zip(logs).collect();
        for (at, facts) in slides.iter().enumerate() {
            for (partition, from, until) in facts.read() {
                let now = topics.get(&*partition.topic).and_then(|topic| topic.id);
                let then = facts.topic_id(&partition.topic);
                match refused(&partition, (then, now), logs.get(&partition), (from, until)) {
                    Some(why) => answers[at] = Recounted::Unreadable(why),
                    None => {
                        let lane = lanes.entry(partition.clone());
                        let lane = lane.or_insert_with(|| Lane {
                            partition,
                            topic_id: now,
                            segments: Vec::new(),
                            next: 0,
                        });
                        lane.segments.push(Segment { slide: at, from, until });
                    }
                }
            }
        }
        let mut lanes: Vec<Lane> = lanes.into_values().collect();
        lanes.iter_mut().for_each(|lane| lane.segments.sort_by_key(|segment| segment.from));
        Ok(lanes)
    }

    fn read(&mut self, lanes: Vec<Lane>, answers: &mut [Recounted]) -> anyhow::Result<()> {
        let (mut source, _waker) = Source::open(&self.settings)?;
        let begin = |lane: &Lane| {
            let position = Position::at(lane.segments[0].from);
            (lane.partition.clone(), Position { topic_id: lane.topic_id, ..position })
        };
        source.assign(&lanes.iter().map(begin).collect::<Vec<_>>())?;
        let mut lanes: BTreeMap<usize, Lane> =
            lanes.into_iter().filter_map(|lane| Some((source.index_of(&lane.partition)?, lane))).collect();
        let mut heard = self.clock.monotonic();
        while !lanes.is_empty() {
            let now = self.clock.monotonic();
            let mut counter = Counter { keys: &mut self.keys, lanes: &mut lanes, answers };
            if source.drain(now, DRAIN, &mut counter)? > 0 {
                heard = now;
            }
            let mut done = Vec::new();
            let mut waits_for = None;
            for progress in source.progress() {
                let Some(lane) = lanes.get(&progress.index) else { continue };
                let end = lane.segments.iter().map(|segment| segment.until).max().unwrap_or(0);
                match progress.state {
                    _ if progress.until.offset >= end => done.push((progress.index, None)),
                    State::OutOfRange(why)
                    | State::Truncated(why)
                    | State::Gone(why)
                    | State::Broken(why) => {
                        done.push((progress.index, Some(format!("{}: {why}", lane.partition))));
                    }
                    State::AtEnd => {
                        let why = format!("{}: its log ends before offset {end}", lane.partition);
                        done.push((progress.index, Some(why)));
                    }
                    State::Starting | State::Reading => waits_for = Some(lane.partition.to_string()),
                    State::Unreachable(why) | State::Denied(why) => {
                        waits_for = Some(format!("{}: {why}", lane.partition));
                    }
                }
            }
            if let (Some(partition), true) = (&waits_for, now - heard > PATIENCE) {
                bail!("nothing was read for {} s, waiting for {partition}", PATIENCE.as_secs());
            }
            for (index, why) in done {
                let Some(lane) = lanes.remove(&index) else { continue };
                if let Some(why) = why {
                    for segment in &lane.segments[lane.next..] {
                        answers[segment.slide] = Recounted::Unreadable(why.clone());
                    }
                }
                source.release(&[lane.partition])?;
            }
        }
        Ok(())
    }
}

/// Why a range cannot be read any more. A log's end is no reason: it may be one of records that wait for a transaction.
fn refused(
    partition: &Partition,
    (then, now): (Option<TopicId>, Option<TopicId>),
    log: Option<&Result<LogRange, String>>,
    (from, until): (Offset, Offset),
) -> Option<String> {
    match (then, now, log) {
        (_, _, None) => Some(format!("{partition} does not exist any more")),
        (Some(then), Some(now), _) if then != now => {
            Some(format!("topic {} was deleted and created again", partition.topic))
        }
        (_, _, Some(Err(why))) => Some(format!("{partition}: {why}")),
        (_, _, Some(Ok(log))) if from < log.first => {
            Some(format!("{partition}: offsets below {} were deleted (retention)", log.first))
        }
        (_, _, Some(Ok(log))) if until > log.high => {
            Some(format!("{partition}: its log ends at {}, it was cut off or created again", log.high))
        }
        _ => None,
    }
}

impl Recount for Kafka {
    fn recount(&mut self, slides: &[Facts]) -> anyhow::Result<Vec<Recounted>> {
        let offsets = |facts: &Facts| facts.read().map(|(_, from, until)| until.abs_diff(from)).sum();
        let begin = |facts: &Facts| Recounted::Counts { counts: Counts::new(), holes: offsets(facts) };
        let mut answers: Vec<Recounted> = slides.iter().map(begin).collect();
        let lanes = self.lanes(slides, &mut answers)?;
        if !lanes.is_empty() {
            self.read(lanes, &mut answers)?;
        }
        Ok(answers)
    }
}

struct Counter<'a> {
    keys: &'a mut KeyReader,
    lanes: &'a mut BTreeMap<usize, Lane>,
    answers: &'a mut [Recounted],
}

impl Visit for Counter<'_> {
    fn record(&mut self, index: usize, record: &Record<'_>) {
        let Some(lane) = self.lanes.get_mut(&index) else { return };
        while lane.segments.get(lane.next).is_some_and(|segment| segment.until <= record.offset) {
            lane.next += 1;
        }
        let key = match self.keys.read(record) {
            Key::Bytes(key) => Some(key),
            // As an executor counts it.
            Key::Null | Key::Unkeyed(_) => None,
        };
        let holding = |segment: &&Segment| segment.from <= record.offset;
        for segment in lane.segments[lane.next..].iter().take_while(holding) {
            if let Recounted::Counts { counts, holes } = &mut self.answers[segment.slide]
                && record.offset < segment.until
            {
                *counts.entry(key.map(Into::into)).or_default() += 1;
                *holes = holes.saturating_sub(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ranges that were read twice overlap.
    #[test]
    fn a_record_counts_in_every_range_that_holds_it_and_in_no_other() {
        let ranges = [(0, 10), (5, 8), (10, 11), (13, 15)];
        let segments = ranges.iter().enumerate();
        let segments = segments.map(|(slide, &(from, until))| Segment { slide, from, until }).collect();
        let lane = Lane { partition: Partition::new("t", 0), topic_id: None, segments, next: 0 };
        let mut lanes = BTreeMap::from([(7, lane)]);
        let begin = |&(from, until): &(Offset, Offset)| Recounted::Counts {
            counts: Counts::new(),
            holes: until.abs_diff(from),
        };
        let mut answers: Vec<Recounted> = ranges.iter().map(begin).collect();
        let mut keys = KeyReader::new(&KeyRule::Record).unwrap();
        let mut counter = Counter { keys: &mut keys, lanes: &mut lanes, answers: &mut answers };
        for offset in (0..14).filter(|offset| *offset != 6) {
            counter.record(7, &Record::given(Some(b"k"), None, offset, None, &[]));
        }
        let found = answers.iter().map(|answer| match answer {
            Recounted::Counts { counts, holes } => (counts.values().sum::<u64>(), *holes),
            Recounted::Unreadable(why) => panic!("{why}"),
        });
        let found: Vec<_> = found.collect();
        assert_eq!(found, [(9, 1), (2, 1), (1, 0), (1, 1)]);
    }

    #[test]
    fn what_cannot_be_read_any_more_has_its_reason() {
        let partition = Partition::new("t", 3);
        let (one, two) = (Some(TopicId([1; 16])), Some(TopicId([2; 16])));
        let log = |first, high| Ok(LogRange { first, end: high, high });
        let why = |ids, log: Option<&Result<LogRange, String>>, range| refused(&partition, ids, log, range);
        assert_eq!(why((one, one), Some(&log(5, 9)), (5, 9)), None);
        assert_eq!(why((None, one), Some(&log(5, 9)), (5, 9)), None);
        for (ids, log, range, words) in [
            ((one, None), None, (5, 9), "does not exist any more"),
            ((one, two), Some(log(5, 9)), (5, 9), "deleted and created again"),
            ((one, one), Some(log(6, 9)), (5, 9), "offsets below 6 were deleted"),
            ((one, one), Some(log(5, 8)), (5, 9), "its log ends at 8"),
            ((one, one), Some(Err("no leader".to_owned())), (5, 9), "no leader"),
        ] {
            let told = why(ids, log.as_ref(), range).unwrap();
            assert!(told.contains(words), "{told}");
        }
    }
}
