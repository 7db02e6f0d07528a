//! What the checkpoint was given, in order, and what of it a later attempt must find.

use std::collections::{BTreeMap, BTreeSet};

use spindle::checkpoint::{Marks, Recovered, Slide};
use spindle::driver::state::{Durability, Start};
use spindle::ids::{Millis, Offset, Partition, Position};
use spindle::source::start::Loss;

use super::{Counts, Oracle, Summed};
use crate::simulation::logs::{KEYS, Logs};

/// One slide handed to the checkpoint; number `n` stands at `n - 1`.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) end_ms: Millis,
    pub(crate) marks: Marks,
    pub(crate) ranges: Vec<(Partition, Offset, Position)>,
    /// What its ranges hold, by the logs.
    counts: Counts,
    /// By the world's clock.
    end_world_ms: Millis,
    oldest_ms: Option<Millis>,
    bytes: usize,
}

/// Slides of this attempt and of those it goes on from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    pub(crate) rules: Option<Durability>,
    pub(crate) entries: Vec<Entry>,
    /// How many of them the driver knows to be durable.
    pub(crate) acked: usize,
    /// How many were shown; without `wait` it may be more than there are.
    pub(crate) shown: usize,
    /// How many are of earlier attempts.
    inherited: usize,
    /// Where the checkpoint said that reading goes on, where it did, and whether that is durable.
    found: BTreeMap<Partition, Position>,
    pub(crate) starts: BTreeMap<Partition, Position>,
    pub(crate) start_kept: bool,
    /// Partitions that appeared later, with their beginning.
    pub(crate) added: BTreeMap<Partition, Offset>,
    /// Partitions that left the job at some time.
    pub(crate) deleted: BTreeSet<Partition>,
}

impl Entry {
    fn summed(&self) -> Summed {
        let Self { end_ms, end_world_ms, counts, oldest_ms, .. } = *self;
        Summed { end_ms, end_world_ms, counts, oldest_ms }
    }
}

impl Ledger {
    /// Slides that the driver must believe to be on their way, and their bytes.
    pub(crate) fn has_room(&self) -> bool {
        let on_their_way = &self.entries[self.acked..];
        let bytes: usize = on_their_way.iter().map(|entry| entry.bytes).sum();
        self.rules.is_none_or(|rules| on_their_way.len() < rules.queue_slides && bytes < rules.queue_bytes)
    }

    pub(crate) fn acked_ms(&self) -> Millis {
        self.acked.checked_sub(1).map_or(Millis::MIN, |last| self.entries[last].end_ms)
    }

    /// Where every partition must be read on, by the first `slides` slides and what stood before them.
    fn position(&self, slides: usize, partition: &Partition) -> Vec<Position> {
        let own = self.entries[self.inherited..slides].iter().rev();
        let read = own.flat_map(|entry| &entry.ranges).find(|(read, ..)| read == partition);
        if let Some((_, _, until)) = read {
            return vec![*until];
        }
        let (start, found) = (self.starts.get(partition), self.found.get(partition));
        let found = found.filter(|_| !self.start_kept && slides == self.inherited);
        start.into_iter().chain(found).copied().collect()
    }
}

impl Oracle {
    /// A slide goes to the checkpoint: it must be what was shown of it, or what will be.
    pub(crate) fn keep(&mut self, slide: &Slide, logs: &Logs) {
        let wait = self.ledger.rules.expect("there is a checkpoint").wait;
        let last = self.ledger.entries.last().map_or(Millis::MIN, |entry| entry.end_ms);
        assert!(slide.end_ms > last, "slide {} is kept behind {last}", slide.end_ms);
        if !wait {
            let report = self.latest.as_ref().expect("it was shown");
            assert_eq!((slide.end_ms, &slide.ranges), (report.end_ms, &report.ranges), "kept as shown");
        }
        let counts = truth(&slide.ranges, logs);
        let (end_ms, marks, ranges) = (slide.end_ms, slide.marks.clone(), slide.ranges.clone());
        let (end_world_ms, oldest_ms) = (end_ms - self.ahead_ms, oldest(&ranges, logs));
        let bytes = slide.bytes();
        self.ledger.entries.push(Entry { end_ms, marks, ranges, counts, end_world_ms, oldest_ms, bytes });
    }

    /// The driver learns that everything up to this end is durable.
    pub(crate) fn kept(&mut self, until_ms: Millis) {
        while let Some(entry) = self.ledger.entries.get(self.ledger.acked).filter(|e| e.end_ms <= until_ms) {
            let settled = entry.ranges.iter().map(|(partition, _, until)| (partition.clone(), until.offset));
            self.settled.extend(settled);
            self.ledger.acked += 1;
        }
    }

    /// What is to be shown with `wait`: durable, and as it was kept.
    pub(super) fn shown(&mut self, end_ms: Millis, ranges: &[(Partition, Offset, Position)]) {
        if self.ledger.rules.is_some_and(|rules| rules.wait) {
            assert!(end_ms <= self.ledger.acked_ms(), "{end_ms} is shown before it is durable");
            let entry = &self.ledger.entries[self.ledger.shown];
            assert_eq!((entry.end_ms, &entry.ranges[..]), (end_ms, ranges), "shown as kept");
        }
        self.ledger.shown += 1;
    }

    /// Reading begins here: where the checkpoint says, behind what is lost by that, or anew.
    pub(crate) fn started(&mut self, starts: &[Start], losses: &[Loss], now_ms: Millis, logs: &Logs) {
        let anew = self.ledger.found.is_empty();
        for Start { partition, position, .. } in starts {
            let loss = losses.iter().find(|loss| loss.partition == *partition);
            let log = &logs.logs[partition];
            match (self.ledger.found.get(partition), loss) {
                (None, _) => assert!(anew || position.offset == log.first, "{partition} is new"),
                (Some(found), None) => {
                    assert_eq!(position.offset, found.offset, "{partition} goes on");
                    // Whoever reads on must notice what happened to the log meanwhile.
                    self.epochs.insert(partition.clone(), found.leader_epoch);
                }
                (Some(found), Some(loss)) => {
                    assert_eq!((loss.expected, loss.resumed), (found.offset, position.offset), "{loss}");
                    let there = (log.first..=log.end).contains(&found.offset);
                    let same = found.topic_id.is_none_or(|id| Some(id) == logs.topic_id(log));
                    assert!(!(there && same), "it is not lost: {loss}");
                }
            }
            self.begin(partition, position.offset);
            self.known_ms.insert(partition.clone(), now_ms);
            self.ledger.starts.insert(partition.clone(), *position);
        }
        let forgotten = self.ledger.found.keys().find(|partition| !self.next.contains_key(*partition));
        assert_eq!(forgotten, None, "every partition is read on");
    }

    /// The books of the attempt that goes on from what was `recovered` of this one's checkpoint, which must be all
    /// that is durable and nothing that never happened.
    pub(crate) fn resumed(&self, recovered: &mut Recovered, logs: &Logs) -> Self {
        let slides = recovered.slide as usize;
        let Ledger { entries, acked, .. } = &self.ledger;
        assert!(slides >= *acked, "slides up to {acked} were durable, those up to {slides} are there");
        assert!(slides <= entries.len(), "{slides} slides are there, {} were kept", entries.len());
        self.clone().catch_up(slides, logs);
        let entries = &entries[..slides];
        assert_eq!(recovered.end_ms, entries.last().map(|entry| entry.end_ms));
        for (partition, position) in &recovered.positions {
            let expected = self.ledger.position(slides, partition);
            let added = self.ledger.added.get(partition).is_some_and(|first| *first == position.offset);
            let new = expected.is_empty() || self.ledger.deleted.contains(partition);
            let read = expected.contains(position) || (new && added);
            assert!(read, "{partition} is found at {position:?} and not at {expected:?}");
        }
        let found: BTreeMap<_, _> = recovered.positions.iter().cloned().collect();
        let durable = self.ledger.found.keys().chain(self.ledger.starts.keys());
        for partition in
            durable.chain(entries.iter().flat_map(|e| &e.ranges).map(|(partition, ..)| partition))
        {
            let due = self.ledger.start_kept || self.ledger.found.contains_key(partition);
            let due = due && !self.ledger.deleted.contains(partition);
            assert!(!due || found.contains_key(partition), "{partition} is forgotten");
        }
        let mut next = Self::new(self.slide_ms, self.length_ms, self.top);
        // What the next window does not need may have gone ahead of time.
        let since_ms = recovered.end_ms.map_or(Millis::MIN, |end_ms| end_ms + self.slide_ms - self.length_ms);
        recovered.ring.expire(since_ms);
        next.slides.extend(entries.iter().filter(|e| e.end_ms > since_ms).map(Entry::summed));
        let mut counted = Counts::default();
        for (key, count) in recovered.ring.totals() {
            let at = KEYS.iter().position(|known| *known == key);
            counted[at.expect("only keys that were written are there")] += count;
        }
        let sum = |at: usize| next.slides.iter().map(|slide| slide.counts[at]).sum::<u64>();
        assert_eq!(counted, std::array::from_fn(sum), "the window after slide {slides}");
        let slides_max = (self.length_ms / self.slide_ms) as u64;
        let whole = entries.last().map_or(0, |entry| entry.marks.whole.min(slides_max));
        assert_eq!(recovered.whole, whole, "how much of the window is the whole truth");
        next.ledger = Ledger {
            rules: self.ledger.rules,
            entries: entries.to_vec(),
            acked: slides,
            shown: slides,
            inherited: slides,
            found,
            ..Ledger::default()
        };
        next
    }

    /// Judges what became durable and was not shown before the end.
    fn catch_up(mut self, slides: usize, logs: &Logs) {
        for at in self.ledger.shown..slides {
            let entry = self.ledger.entries[at].clone();
            self.read(&entry.ranges, logs);
        }
    }
}

/// The records in these ranges.
pub(super) fn truth(ranges: &[(Partition, Offset, Position)], logs: &Logs) -> Counts {
    let mut counts = Counts::default();
    for (partition, from, until) in ranges {
        let records = logs.logs[partition].read(until.leader_epoch, *from);
        for record in records.iter().take_while(|record| record.offset < until.offset) {
            counts[record.key] += 1;
        }
    }
    counts
}

/// When the oldest record in these ranges was appended.
pub(super) fn oldest(ranges: &[(Partition, Offset, Position)], logs: &Logs) -> Option<Millis> {
    let records = ranges.iter().flat_map(|(partition, from, until)| {
        let records = logs.logs[partition].read(until.leader_epoch, *from).iter();
        records.take_while(|record| record.offset < until.offset)
    });
    records.map(|record| record.written_ms).min()
}
