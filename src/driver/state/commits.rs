//! Offsets committed to the group: behind what is printed and durable, one commit under way at a time.
//!
//! A commit that failed or was refused has not happened: it is tried again, and the first that succeeds commits
//! everything.

use std::collections::BTreeMap;

use super::partitions::Partitions;
use super::{Effect, Event, State};
use crate::ids::{Millis, Offset, Partition, Position};

/// Commits follow each other no faster, milliseconds.
const EVERY_MS: Millis = 1_000;
/// The same at a stop, after one that failed: there is not much time left. Milliseconds.
const LAST_EVERY_MS: Millis = 200;
/// A group that refuses is asked again after this time: its other members may have left. Milliseconds.
const REFUSED_EVERY_MS: Millis = 10_000;
/// Every position is committed again after so long: brokers before 2.1 forget quiet partitions after a day.
const EVERYTHING_EVERY_MS: Millis = 600_000;

/// What became of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitAnswer {
    /// The group has it.
    Taken,
    /// The group will not have it: other consumers are live members, or it may not be written.
    Refused,
    /// It could not be made now.
    Failed,
}

/// What is committed and what is to be.
#[derive(Debug, Default)]
pub(super) struct Commits {
    committed: BTreeMap<Partition, Offset>,
    /// What the group would not have when it was asked last; nothing since it last took something.
    refused: BTreeMap<Partition, Offset>,
    under_way: Option<Vec<(Partition, Position)>>,
    begun: bool,
    /// Whether a restart finds where this attempt began, or the group will not have it.
    start_answered: bool,
    behind: bool,
    last_ms: Option<Millis>,
    everything_ms: Option<Millis>,
    /// Whether everything is to be committed again, moved or not.
    again: bool,
    answer: Option<CommitAnswer>,
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

    /// When something is to be committed next; `ending`: everything is settled, and the job stops.
    pub(super) fn next_due(&self, ending: bool) -> Option<Millis> {
        if !self.begun || self.under_way.is_some() {
            return None;
        }
        let soon = self.last_ms.filter(|_| self.behind).map(|last_ms| last_ms + self.wait_ms(ending));
        let everything = self.everything_ms.map(|last_ms| last_ms + EVERYTHING_EVERY_MS);
        soon.into_iter().chain(everything).min()
    }

    /// Whether everything settled is committed, or was refused.
    pub(super) fn idle(&self, partitions: &Partitions) -> bool {
        let not_refused = |(partition, position): &(Partition, Position)| {
            self.refused.get(partition) != Some(&position.offset)
        };
        let none_left = || !self.outstanding(partitions).iter().any(not_refused);
        self.under_way.is_none() && (!self.begun || none_left())
    }

    /// How soon after the last commit the next one may be made.
    fn wait_ms(&self, ending: bool) -> Millis {
        match self.answer {
            Some(CommitAnswer::Refused) => REFUSED_EVERY_MS,
            Some(CommitAnswer::Failed) if ending => LAST_EVERY_MS,
            _ => EVERY_MS,
        }
    }

    fn outstanding(&self, partitions: &Partitions) -> Vec<(Partition, Position)> {
        let mut positions = all(partitions);
        positions.retain(|(partition, position)| self.committed.get(partition) != Some(&position.offset));
        positions
    }
}

/// What can be committed: the group takes nothing for a partition that does not exist.
fn all(partitions: &Partitions) -> Vec<(Partition, Position)> {
    let there = partitions.iter().filter(|(_, held)| !held.gone);
    there.map(|(partition, held)| (partition.clone(), held.settled)).collect()
}

impl State {
    pub(super) fn commit_if_due(&mut self, now_ms: Millis) {
        let ending = self.is_ending();
        let commits = &mut self.commits;
        if !commits.begun || commits.under_way.is_some() {
            return;
        }
        let everything = commits.everything_ms.is_none_or(|last_ms| now_ms >= last_ms + EVERYTHING_EVERY_MS);
        if everything {
            commits.again = true;
            commits.everything_ms = Some(now_ms);
        }
        let due = commits.last_ms.is_none_or(|last_ms| now_ms >= last_ms + commits.wait_ms(ending));
        // At the end what has moved since the last answer is committed at once; what failed waits a little.
        let at_once =
            ending && commits.answer != Some(CommitAnswer::Failed) && !commits.idle(&self.partitions);
        if !(everything || (commits.behind && due) || at_once) {
            return;
        }
        commits.behind = false;
        let positions =
            if commits.again { all(&self.partitions) } else { commits.outstanding(&self.partitions) };
        if !positions.is_empty() {
            commits.under_way = Some(positions.clone());
            commits.last_ms = Some(now_ms);
            self.out.push(Effect::Commit(positions));
        }
    }

    /// Books the answer.
    pub(super) fn committed(&mut self, answer: CommitAnswer) {
        let commits = &mut self.commits;
        let Some(positions) = commits.under_way.take() else { return };
        let offsets = positions.into_iter().map(|(partition, position)| (partition, position.offset));
        commits.answer = Some(answer);
        match answer {
            CommitAnswer::Taken => {
                commits.start_answered = true;
                commits.refused.clear();
                commits.again = false;
                commits.committed.extend(offsets);
            }
            CommitAnswer::Refused => {
                commits.start_answered = true;
                commits.behind = true;
                commits.refused.extend(offsets);
                self.out.push(Effect::Event(Event::CommitRefused));
            }
            CommitAnswer::Failed => {
                commits.behind = true;
                // Perhaps a topic is not there any more.
                self.looks.hurry();
            }
        }
    }
}
