//! Offsets committed to the group: behind what is printed and durable, one commit under way at a time.

use super::partitions::Partitions;
use super::{Effect, Event, State};
use crate::ids::{Millis, Partition, Position};

/// Commits follow each other no faster, milliseconds.
const EVERY_MS: Millis = 1_000;
/// Every position is committed again after so long: brokers before 2.1 forget quiet partitions after a day.
const EVERYTHING_EVERY_MS: Millis = 600_000;

/// What is committed and what is to be.
#[derive(Debug, Default)]
pub(super) struct Commits {
    committed: std::collections::BTreeMap<Partition, i64>,
    under_way: Option<Vec<(Partition, Position)>>,
    begun: bool,
    start_answered: bool,
    behind: bool,
    last_ms: Option<Millis>,
    everything_ms: Option<Millis>,
    looks: u64,
}

impl Commits {
    /// The start is resolved, and durable where there is a checkpoint; without one it is to be committed before
    /// anything is printed.
    pub(super) fn begin(&mut self) {
        self.begun = true;
        self.behind = true;
    }

    /// Whether the starting positions were committed, or refused, which is a warning and not an end.
    pub(super) fn start_is_durable(&self) -> bool {
        self.start_answered
    }

    /// Settled positions have moved.
    pub(super) fn settled(&mut self) {
        self.behind = true;
    }

    /// A number for the next question to the broker.
    pub(super) fn next_look(&mut self) -> u64 {
        self.looks += 1;
        self.looks
    }

    /// When something is to be committed next.
    pub(super) fn next_due(&self) -> Option<Millis> {
        if !self.begun || self.under_way.is_some() {
            return None;
        }
        let soon = self.last_ms.filter(|_| self.behind).map(|last_ms| last_ms + EVERY_MS);
        let everything = self.everything_ms.map(|last_ms| last_ms + EVERYTHING_EVERY_MS);
        soon.into_iter().chain(everything).min()
    }

    /// Whether everything settled is committed, or was refused.
    pub(super) fn idle(&self, partitions: &Partitions) -> bool {
        self.under_way.is_none() && (!self.begun || self.outstanding(partitions).is_empty())
    }

    fn outstanding(&self, partitions: &Partitions) -> Vec<(Partition, Position)> {
        let moved =
            partitions.iter().filter(|(p, held)| self.committed.get(*p) != Some(&held.settled.offset));
        moved.map(|(partition, held)| (partition.clone(), held.settled)).collect()
    }
}

impl State {
    pub(super) fn commit_if_due(&mut self, now_ms: Millis) {
        let last = self.stopping.is_some() && self.all_settled();
        let commits = &mut self.commits;
        if !commits.begun || commits.under_way.is_some() || self.partitions.is_empty() {
            return;
        }
        let everything = commits.everything_ms.is_none_or(|last_ms| now_ms >= last_ms + EVERYTHING_EVERY_MS);
        if everything {
            commits.committed.clear();
            commits.everything_ms = Some(now_ms);
        }
        let soon = commits.last_ms.is_none_or(|last_ms| now_ms >= last_ms + EVERY_MS);
        if !(everything || (commits.behind && (soon || last))) {
            return;
        }
        commits.behind = false;
        let positions = commits.outstanding(&self.partitions);
        if !positions.is_empty() {
            commits.under_way = Some(positions.clone());
            commits.last_ms = Some(now_ms);
            self.out.push(Effect::Commit(positions));
        }
    }

    /// Books the answer. A refused position is not repeated before it moves on: the group has other members,
    /// and warning once a second helps nobody.
    pub(super) fn committed(&mut self, taken: bool) {
        let Some(positions) = self.commits.under_way.take() else { return };
        self.commits.start_answered = true;
        for (partition, position) in positions {
            self.commits.committed.insert(partition, position.offset);
        }
        if !taken {
            self.out.push(Effect::Event(Event::CommitRefused));
        }
    }
}
