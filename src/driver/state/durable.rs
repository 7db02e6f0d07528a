//! Closed slides on their way into the checkpoint: what may be shown and committed waits for them, and when too many
//! are on the way, windows wait.

use std::collections::VecDeque;

use super::{Effect, State};
use crate::checkpoint::{self, Marks, Slide};
use crate::ids::{Millis, Offset, Partition, Position};
use crate::snapshot::Ranked;

/// How closed slides are made durable.
#[derive(Debug, Clone, Copy)]
pub struct Durability {
    /// Whether nothing is shown before it is durable.
    pub wait: bool,
    /// Slides on their way at most; beyond it windows wait.
    pub queue_slides: usize,
    /// The same in bytes.
    pub queue_bytes: usize,
}

/// What the checkpoint has, and what is on its way there.
#[derive(Debug)]
pub(super) struct Durable {
    rules: Option<Durability>,
    /// Whether a restart would begin where this attempt did.
    start: bool,
    queue: VecDeque<Waiting>,
    bytes: usize,
    /// The newest slide, until its counts are taken out of the ring.
    closed: Option<Closed>,
    base_wanted: bool,
}

/// A slide that is closed and not durable.
#[derive(Debug)]
struct Waiting {
    end_ms: Millis,
    bytes: usize,
    positions: Vec<(Partition, Position)>,
    /// What is to be shown once it is.
    shown: Vec<Effect>,
}

/// What a slide is made of, beside its counts.
#[derive(Debug)]
pub(super) struct Closed {
    pub end_ms: Millis,
    pub marks: Marks,
    pub ranges: Vec<(Partition, Offset, Position)>,
}

impl Durable {
    pub(super) fn new(rules: Option<Durability>) -> Self {
        let (queue, closed) = (VecDeque::new(), None);
        Self { rules, start: false, queue, bytes: 0, closed, base_wanted: false }
    }

    /// Whether there is a checkpoint.
    pub(super) fn is_kept(&self) -> bool {
        self.rules.is_some()
    }

    /// Whether the first slide may begin, as far as the checkpoint goes.
    pub(super) fn has_start(&self) -> bool {
        self.start
    }

    /// Whether one more slide may be closed.
    pub(super) fn has_room(&self) -> bool {
        self.rules.is_none_or(|rules| self.queue.len() < rules.queue_slides && self.bytes < rules.queue_bytes)
    }

    /// Whether everything that closed is durable.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// Slides that are closed and not durable.
    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Whether anything of this partition is closed and not durable.
    pub(super) fn holds(&self, partition: &Partition) -> bool {
        self.queue.iter().any(|waiting| waiting.positions.iter().any(|(held, _)| held == partition))
    }

    /// A base is to follow the newest slide: logs have grown long, or what is counted is another thing now.
    pub(super) fn want_base(&mut self) {
        self.base_wanted = self.is_kept();
    }

    /// Memory of what is on its way, bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl State {
    /// A slide closed; `shown` is what people are to see of it.
    pub(super) fn settle_or_keep(&mut self, closed: Closed, shown: Vec<Effect>) {
        let positions =
            closed.ranges.iter().map(|(partition, _, until)| (partition.clone(), *until)).collect();
        let Some(rules) = self.durable.rules else {
            self.out.extend(shown);
            self.settle_positions(positions);
            return;
        };
        let mut waiting = Waiting { end_ms: closed.end_ms, bytes: 0, positions, shown: Vec::new() };
        if rules.wait {
            waiting.shown = shown;
        } else {
            self.out.extend(shown);
        }
        self.durable.queue.push_back(waiting);
        self.durable.closed = Some(closed);
    }

    fn settle_positions(&mut self, positions: Vec<(Partition, Position)>) {
        for (partition, position) in positions {
            if let Some(held) = self.partitions.get_mut(&partition) {
                held.settled = position;
            }
        }
        self.commits.settled();
    }

    /// Hands the newest slide to the checkpoint. Comes before the next one is added to the ring, which packs this one
    /// and can no longer tell it apart.
    pub(super) fn keep_newest(&mut self) {
        let Some(Closed { end_ms, marks, ranges }) = self.durable.closed.take() else { return };
        let Some(exported) = self.slides.ring.export() else { return };
        let slide = Slide {
            end_ms,
            attempt: self.slides.attempt,
            expired_ms: end_ms - self.settings.length_ms,
            marks,
            ranges,
            counts: vec![(exported.end_ms, exported.bucket)],
            keys: exported.keys,
        };
        let bytes = slide.bytes();
        if let Some(waiting) = self.durable.queue.back_mut() {
            waiting.bytes = bytes;
            self.durable.bytes += bytes;
        }
        let written = self.settings.snapshots.as_ref().filter(|plan| plan.is_written(end_ms));
        let ranked = written.map(|plan| self.ranked(plan.keys));
        self.out.push(Effect::Keep(Box::new(slide), ranked));
    }

    /// The window of the newest slide, for snapshots.
    fn ranked(&self, keys: usize) -> Ranked {
        let ring = &self.slides.ring;
        Ranked {
            length_ms: self.settings.length_ms,
            slides: ring.slides() as u64,
            total: ring.total(),
            distinct: ring.distinct(),
            top: ring.rank(keys),
        }
    }

    /// Hands over the state as it is after the newest closed slide. Comes after that slide is handed over.
    pub(super) fn keep_base(&mut self) {
        let positions = self.partitions.iter().map(|(partition, held)| (partition.clone(), held.closed));
        let base = checkpoint::State {
            end_ms: self.slides.closed_ms,
            attempt: self.slides.attempt,
            whole: self.slides.whole,
            positions: positions.collect(),
            ring: self.slides.ring.image(),
        };
        self.out.push(Effect::Base(Box::new(base)));
    }

    pub(super) fn keep_base_if_wanted(&mut self) {
        if std::mem::take(&mut self.durable.base_wanted) {
            self.keep_base();
        }
    }

    /// This attempt's first base is durable.
    pub(super) fn start_is_kept(&mut self) {
        if !std::mem::replace(&mut self.durable.start, true) {
            self.commits.begin();
        }
    }

    /// Every slide up to this end is durable.
    pub(super) fn kept(&mut self, until_ms: Millis) {
        while self.durable.queue.front().is_some_and(|waiting| waiting.end_ms <= until_ms) {
            let Some(waiting) = self.durable.queue.pop_front() else { return };
            self.durable.bytes -= waiting.bytes;
            self.out.extend(waiting.shown);
            self.settle_positions(waiting.positions);
        }
    }
}
