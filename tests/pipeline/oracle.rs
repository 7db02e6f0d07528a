//! What must be true of any run, said as plainly as possible: a naive recount beside the production state.

pub(crate) mod ledger;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use spindle::count::Window;
use spindle::driver::state::{CommitAnswer, Effect, Event, Outcome, SlideReport, Stop};
use spindle::ids::{CutNumber, Millis, Offset, Partition, Position};
use spindle::source::start::{Loss, LossReason};
use spindle::wire::message::ToExecutor;

use crate::simulation::logs::{KEYS, Logs};
use ledger::{Ledger, oldest, truth};

/// How old the broker's answer may be when the driver hears it, milliseconds; a stall comes on top.
const FACTS_AGE_MS: Millis = 10_000;

/// Records per key, by index into [`KEYS`].
type Counts = [u64; KEYS.len()];

/// How far a complete window's content may reach over its begin and its end, beside a slide, milliseconds.
const EDGE_MS: Millis = 2_000;

/// A slide that was shown.
#[derive(Debug, Clone)]
struct Summed {
    end_ms: Millis,
    /// The same by the world's clock.
    end_world_ms: Millis,
    counts: Counts,
    /// When the oldest of its records was appended.
    oldest_ms: Option<Millis>,
}

/// Follows the driver's effects and panics at the first that is wrong.
#[derive(Debug, Clone)]
pub(crate) struct Oracle {
    pub(crate) slide_ms: Millis,
    pub(crate) length_ms: Millis,
    pub(crate) top: usize,
    /// Where the next range must begin.
    pub(crate) next: BTreeMap<Partition, Offset>,
    /// Partitions that have left the job and have not come back.
    away: BTreeSet<Partition>,
    /// When partitions were found that appeared later.
    found_ms: BTreeMap<Partition, Millis>,
    /// Where it may begin instead, because offsets were lost, in this order.
    jumps: BTreeMap<Partition, VecDeque<Offset>>,
    /// The leader epoch that was read last.
    epochs: BTreeMap<Partition, i32>,
    /// Until when it is known which topic a partition belongs to.
    known_ms: BTreeMap<Partition, Millis>,
    /// Losses told of partitions that have not been read behind them yet, with the log's epoch at that time.
    told: BTreeMap<Partition, Vec<i32>>,
    /// What is printed, and durable where there is a checkpoint.
    settled: BTreeMap<Partition, Offset>,
    committed: BTreeMap<Partition, Offset>,
    committing: BTreeMap<Partition, Offset>,
    /// What the group refused when it was asked last.
    refused: BTreeMap<Partition, Offset>,
    answered_once: bool,
    assigned: BTreeSet<Partition>,
    /// How far the driver's clock is ahead of the world's.
    pub(crate) ahead_ms: Millis,
    slides: VecDeque<Summed>,
    newest: Option<SlideReport>,
    /// The same, also once its window was shown.
    latest: Option<SlideReport>,
    pub(crate) ledger: Ledger,
    cuts: BTreeSet<CutNumber>,
    pub(crate) records: u64,
}

impl Oracle {
    pub(crate) fn new(slide_ms: Millis, length_ms: Millis, top: usize) -> Self {
        Self {
            slide_ms,
            length_ms,
            top,
            next: BTreeMap::new(),
            away: BTreeSet::new(),
            found_ms: BTreeMap::new(),
            jumps: BTreeMap::new(),
            epochs: BTreeMap::new(),
            known_ms: BTreeMap::new(),
            told: BTreeMap::new(),
            settled: BTreeMap::new(),
            committed: BTreeMap::new(),
            committing: BTreeMap::new(),
            refused: BTreeMap::new(),
            answered_once: false,
            assigned: BTreeSet::new(),
            ahead_ms: 0,
            slides: VecDeque::new(),
            newest: None,
            latest: None,
            ledger: Ledger::default(),
            cuts: BTreeSet::new(),
            records: 0,
        }
    }

    /// A partition is to be counted from `offset`.
    pub(crate) fn begin(&mut self, partition: &Partition, offset: Offset) {
        self.next.insert(partition.clone(), offset);
        self.settled.insert(partition.clone(), offset);
    }

    pub(crate) fn committed(&mut self, answer: CommitAnswer) {
        self.answered_once |= self.ledger.rules.is_none() && answer != CommitAnswer::Failed;
        match answer {
            CommitAnswer::Taken => self.committed.append(&mut self.committing),
            CommitAnswer::Refused => self.refused.append(&mut self.committing),
            CommitAnswer::Failed => self.committing.clear(),
        }
    }

    pub(crate) fn effect(&mut self, now_ms: Millis, effect: &Effect, logs: &Logs) {
        match effect {
            Effect::Send(_, ToExecutor::Assign(list)) => {
                self.assigned.extend(list.iter().map(|(p, _)| p.clone()))
            }
            Effect::Send(_, ToExecutor::Cut(cut)) => self.cut(cut.number),
            Effect::Event(Event::PartitionAdded(partition, first)) => {
                self.begin(partition, *first);
                self.away.remove(partition);
                self.found_ms.insert(partition.clone(), now_ms);
                self.known_ms.insert(partition.clone(), now_ms);
                self.ledger.added.insert(partition.clone(), *first);
            }
            Effect::Event(Event::BeginsLater(partition, first)) => {
                assert!(!self.epochs.contains_key(partition), "{partition} has been read");
                self.jumps.entry(partition.clone()).or_default().push_back(*first);
            }
            Effect::Keep(slide, _) => self.keep(slide, logs),
            Effect::Event(Event::Lost(loss)) => self.lost(now_ms, loss, logs),
            Effect::Slide(report) => self.slide(report, logs),
            Effect::Print(window) => self.window(window, logs),
            Effect::Commit(positions) => {
                assert!(self.committing.is_empty(), "one commit at a time");
                let start_kept = self.ledger.rules.is_none() || self.ledger.start_kept;
                assert!(start_kept, "nothing is committed before the start is durable");
                for (partition, position) in positions {
                    assert_eq!(position.offset, self.settled[partition], "{partition}: committed as settled");
                    self.committing.insert(partition.clone(), position.offset);
                }
            }
            Effect::Finish(Outcome::Stopped(Stop::Clean)) => {
                // Before the start is durable nothing has been.
                let begun = self.ledger.rules.is_none() || self.ledger.start_kept;
                // Of a topic that is gone there is nothing to commit.
                let there = |partition: &Partition| {
                    let log = &logs.logs[partition];
                    log.exists && self.known_ms.get(partition).is_none_or(|known_ms| log.made_ms <= *known_ms)
                };
                for (partition, settled) in
                    self.settled.iter().filter(|(partition, _)| begun && there(partition))
                {
                    let told = [self.committed.get(partition), self.refused.get(partition)];
                    assert!(told.contains(&Some(settled)), "clean: {partition} is committed, or was refused");
                }
                assert_eq!(self.ledger.acked, self.ledger.entries.len(), "clean: everything kept is durable");
                let shown = self.ledger.rules.is_none() || self.ledger.shown == self.ledger.acked;
                assert!(shown, "clean: everything shown is durable, and the other way round");
            }
            _ => {}
        }
    }

    /// What is lost is told for what it is.
    fn lost(&mut self, now_ms: Millis, loss: &Loss, logs: &Logs) {
        let Loss { partition, expected, resumed, reason } = loss;
        let expired = *reason == LossReason::Expired;
        assert!(!expired || loss.offsets() as i64 == resumed - expected, "what expired is counted: {loss}");
        let log = &logs.logs[partition];
        let made_anew = log.made_ms > *self.known_ms.get(partition).unwrap_or(&0);
        let recreated = *reason == LossReason::Recreated;
        let stale = log.made_ms + FACTS_AGE_MS > now_ms;
        assert!(recreated || !made_anew || stale, "it is another topic now: {loss}");
        if recreated {
            self.known_ms.insert(partition.clone(), now_ms);
        }
        if *reason == LossReason::Deleted {
            self.deleted(partition);
            return;
        }
        self.jumps.entry(partition.clone()).or_default().push_back(*resumed);
        self.told.entry(partition.clone()).or_default().push(log.epoch());
    }

    /// A partition has left the job. Should it come back, it is another one.
    fn deleted(&mut self, partition: &Partition) {
        self.settled.remove(partition);
        self.jumps.remove(partition);
        self.away.insert(partition.clone());
        self.epochs.remove(partition);
        self.told.remove(partition);
        self.ledger.deleted.insert(partition.clone());
    }

    fn cut(&mut self, number: CutNumber) {
        let everything = self.next.keys().all(|partition| self.assigned.contains(partition));
        assert!(number.0 > 1 || everything, "the first slide begins when every partition has an owner");
        // Each session gets its own; none of it depends on what the first of them caused.
        let first = self.cuts.insert(number);
        assert!(!first || self.ledger.has_room(), "windows wait when too much is not durable");
    }

    /// The counts are exactly the records in the ranges.
    fn slide(&mut self, report: &SlideReport, logs: &Logs) {
        let start_durable = self.answered_once || self.ledger.start_kept;
        assert!(start_durable, "positions are durable before anything is printed");
        self.shown(report.end_ms, &report.ranges);
        self.read(&report.ranges, logs);
        if self.ledger.rules.is_none() {
            let read = report.ranges.iter().map(|(partition, _, until)| (partition.clone(), until.offset));
            self.settled.extend(read);
        }
        let expected = truth(&report.ranges, logs);
        let mut counted = Counts::default();
        for (key, count) in &report.counts {
            let at = KEYS.iter().position(|known| *known == key.as_deref());
            counted[at.expect("only keys that were written are counted")] += count;
        }
        assert_eq!(counted, expected, "slide {}: counts are the records of its ranges", report.end_ms);
        self.records += counted.iter().sum::<u64>();
        let (end_ms, oldest_ms) = (report.end_ms, oldest(&report.ranges, logs));
        self.slides.push_back(Summed {
            end_ms,
            end_world_ms: end_ms - self.ahead_ms,
            counts: counted,
            oldest_ms,
        });
        self.newest = Some(report.clone());
        self.latest = Some(report.clone());
    }

    /// Each range goes on where the last one ended, or behind what was lost.
    fn read(&mut self, ranges: &[(Partition, Offset, Position)], logs: &Logs) {
        for (partition, from, until) in ranges {
            if *from != self.next[partition] {
                let jumps = self.jumps.entry(partition.clone()).or_default();
                let jump = std::iter::from_fn(|| jumps.pop_front()).find(|resumed| resumed == from);
                assert_eq!(jump, Some(*from), "{partition} goes on at {}", self.next[partition]);
            }
            self.next.insert(partition.clone(), until.offset);
            let log = &logs.logs[partition];
            if until.offset > *from {
                let before = self.epochs.insert(partition.clone(), until.leader_epoch).unwrap_or(-1);
                // What was read before the loss may come out after it was told.
                let tellings = self.told.entry(partition.clone()).or_default();
                let told = tellings.extract_if(.., |epoch| *epoch <= until.leader_epoch).count() > 0;
                let cut = log.was_cut_below(*from, before, until.leader_epoch);
                assert!(told || !cut, "{partition} was cut off below {from}, and nobody said so");
            }
        }
    }

    /// A window is the sum of its slides, ranked by count, null first among equals, then key bytes.
    fn window(&mut self, window: &Window, logs: &Logs) {
        let report = self.newest.take().expect("a slide stands before its window");
        assert_eq!(report.end_ms, window.end_ms);
        assert_eq!(window.end_ms % self.slide_ms, 0, "ends are multiples of the slide");
        assert_eq!(window.start_ms, window.end_ms - self.length_ms);
        let last = self.slides.iter().rev().nth(1).map(|slide| slide.end_ms);
        assert!(last.is_none_or(|last| last < window.end_ms), "ends only grow");
        while self.slides.front().is_some_and(|slide| slide.end_ms <= window.start_ms) {
            self.slides.pop_front();
        }
        let mut ranking = Vec::new();
        for (at, key) in KEYS.iter().enumerate() {
            let count: u64 = self.slides.iter().map(|slide| slide.counts[at]).sum();
            ranking.push((std::cmp::Reverse(count), *key));
        }
        ranking.retain(|(count, _)| count.0 > 0);
        ranking.sort();
        assert_eq!(window.distinct, ranking.len() as u64);
        assert_eq!(window.total, ranking.iter().map(|(count, _)| count.0).sum::<u64>());
        let top = window.top.iter().map(|ranked| (std::cmp::Reverse(ranked.count), ranked.key.as_deref()));
        assert!(top.eq(ranking.into_iter().take(self.top)), "the ranking of {window:?}");
        let silent = window.unread.is_empty() && window.behind_ms == 0 && report.cut.is_some();
        assert!(silent || !window.complete, "what is missing is not complete: {window:?}");
        if window.complete {
            self.completeness(window, logs);
        }
    }

    /// Nothing in a complete window was appended more than one slide and two seconds before its begin, and nothing
    /// appended more than that before its end is missing.
    fn completeness(&self, window: &Window, logs: &Logs) {
        let edge_ms = self.slide_ms + EDGE_MS;
        // By the driver's clock, which runs faster or slower by a hundredth while it follows its wall clock.
        let edge_ms = edge_ms + edge_ms / 50;
        let end_ms = self.slides.back().expect("a slide stands before its window").end_world_ms;
        let first_ms = self.slides.front().map_or(end_ms, |slide| slide.end_world_ms);
        let begin_ms = first_ms - self.slide_ms;
        let oldest_ms = self.slides.iter().filter_map(|slide| slide.oldest_ms).min();
        assert!(
            oldest_ms.is_none_or(|oldest_ms| oldest_ms >= begin_ms - edge_ms),
            "complete from {begin_ms}, with a record of {oldest_ms:?}: {window:?}"
        );
        for (partition, until) in &self.next {
            let log = &logs.logs[partition];
            let known = self.found_ms.get(partition).is_none_or(|found_ms| *found_ms < end_ms);
            let known = known && !self.away.contains(partition);
            if known && self.epochs.get(partition).is_none_or(|epoch| *epoch == log.epoch()) {
                let unread = log.read(log.epoch(), *until).iter().find(|record| record.offset < log.stable());
                assert!(
                    unread.is_none_or(|record| record.written_ms >= end_ms - edge_ms),
                    "complete to {end_ms}, without {unread:?} of {partition}, read to {until}: {window:?}"
                );
            }
        }
    }
}
