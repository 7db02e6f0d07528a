//! Which executors are to run: slots, their generations, restarts with back-off, a failure budget per hour.
//!
//! The back-off of a slot grows with its failures, so that one bad place does not keep the others busy. With nobody
//! left windows wait, and slots restart after the shortest back-off; that lasts for half of the budget. The other
//! half is spent at the grown back-off, so that the job outlives two minutes in which nothing can start, and one
//! whose executors end at once fails within a few minutes.

use std::collections::{BTreeMap, VecDeque};

use super::{Effect, State};
use crate::ids::{Generation, Millis, Slot};
use crate::launch::Target;

/// Delay before the first restart of a slot; doubled each time, milliseconds.
const BACKOFF_MIN_MS: Millis = 1_000;
/// Longest delay before a restart, milliseconds.
const BACKOFF_MAX_MS: Millis = 30_000;
/// A session that lasted so long starts the back-off anew, milliseconds.
const HEALTHY_MS: Millis = 60_000;
/// The window of the failure budget, milliseconds.
const BUDGET_WINDOW_MS: Millis = 3_600_000;
/// Failures per wanted executor and window; never fewer than two executors' worth.
const BUDGET_PER_EXECUTOR: u32 = 10;
/// A started process that has not opened a session for so long has failed, milliseconds.
const OPEN_MS: Millis = 30_000;

/// The wanted executors.
#[derive(Debug)]
pub(super) struct Slots {
    slots: BTreeMap<Slot, Wanted>,
    /// With which generation a slot that is not wanted now would begin: none is ever used twice, or what is left
    /// of the first one could pass for the second.
    next: BTreeMap<Slot, Generation>,
    wanted: u32,
    failures: VecDeque<(Millis, Slot, Generation)>,
    last_failure: String,
    revision: u64,
    changed: bool,
}

#[derive(Debug)]
struct Wanted {
    generation: Generation,
    phase: Phase,
    backoff_ms: Millis,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Failed at the one time, not to run before the other.
    Resting { since_ms: Millis, until_ms: Millis },
    /// Ordered; not started yet, as far as is known.
    Ordered,
    /// Started; a session is expected.
    Starting { since_ms: Millis },
    /// Has a session.
    Open { since_ms: Millis },
}

impl Slots {
    pub(super) fn new(wanted: u32) -> Self {
        let mut slots = Self {
            slots: BTreeMap::new(),
            next: BTreeMap::new(),
            wanted: 0,
            failures: VecDeque::new(),
            last_failure: String::new(),
            revision: 0,
            changed: false,
        };
        slots.scale(wanted, Millis::MIN);
        slots
    }

    pub(super) fn wanted(&self) -> u32 {
        self.wanted
    }

    /// Wants slots `0..executors`, at least one. Slots beyond that are retired once their session has let go.
    pub(super) fn scale(&mut self, executors: u32, now_ms: Millis) {
        self.wanted = executors.max(1);
        for slot in (0..self.wanted).map(Slot) {
            let generation = self.next.get(&slot).copied().unwrap_or(Generation(0));
            self.slots.entry(slot).or_insert_with(|| Wanted {
                generation,
                phase: Phase::Resting { since_ms: now_ms, until_ms: now_ms },
                backoff_ms: 0,
            });
        }
        let surplus = self.slots.iter().filter(|(slot, _)| self.is_surplus(**slot));
        let closed = surplus.filter(|(_, state)| !matches!(state.phase, Phase::Open { .. }));
        let closed: Vec<_> = closed.map(|(slot, _)| *slot).collect();
        closed.into_iter().for_each(|slot| self.retired(slot));
        self.changed = true;
    }

    pub(super) fn is_surplus(&self, slot: Slot) -> bool {
        slot.0 >= self.wanted
    }

    pub(super) fn retired(&mut self, slot: Slot) {
        if let Some(retired) = self.slots.remove(&slot) {
            self.next.insert(slot, Generation(retired.generation.0 + 1));
        }
        self.changed = true;
    }

    pub(super) fn launched(&mut self, slot: Slot, generation: Generation, now_ms: Millis) {
        if let Some(wanted) = self.of(slot, generation).filter(|wanted| wanted.phase == Phase::Ordered) {
            wanted.phase = Phase::Starting { since_ms: now_ms };
        }
    }

    /// Lets a generation in, once.
    pub(super) fn opened(
        &mut self,
        slot: Slot,
        generation: Generation,
        now_ms: Millis,
    ) -> Result<(), String> {
        let Some(wanted) = self.slots.get_mut(&slot) else {
            return Err(format!("slot {} is not wanted", slot.0));
        };
        if wanted.generation != generation {
            let (theirs, ours) = (generation.0, wanted.generation.0);
            return Err(format!("generation {theirs} of slot {} is not the present one, {ours}", slot.0));
        }
        match wanted.phase {
            Phase::Ordered | Phase::Starting { .. } => {
                wanted.phase = Phase::Open { since_ms: now_ms };
                Ok(())
            }
            Phase::Open { .. } => Err(format!("slot {} has a session already", slot.0)),
            Phase::Resting { .. } => Err(format!("slot {} is not to run yet", slot.0)),
        }
    }

    pub(super) fn is_starting(&self, slot: Slot, generation: Generation) -> bool {
        let wanted = self.slots.get(&slot).filter(|wanted| wanted.generation == generation);
        wanted.is_some_and(|wanted| matches!(wanted.phase, Phase::Ordered | Phase::Starting { .. }))
    }

    /// Books a failure: the next generation follows after the back-off.
    pub(super) fn failed(&mut self, slot: Slot, generation: Generation, now_ms: Millis, how: &str) {
        let surplus = self.is_surplus(slot);
        let Some(wanted) = self.of(slot, generation) else { return };
        let lasted_ms = match wanted.phase {
            Phase::Open { since_ms } => now_ms - since_ms,
            _ => 0,
        };
        let doubled = (wanted.backoff_ms * 2).clamp(BACKOFF_MIN_MS, BACKOFF_MAX_MS);
        wanted.backoff_ms = if lasted_ms >= HEALTHY_MS { BACKOFF_MIN_MS } else { doubled };
        wanted.generation = Generation(generation.0 + 1);
        wanted.phase = Phase::Resting { since_ms: now_ms, until_ms: now_ms + wanted.backoff_ms };
        self.changed = true;
        self.last_failure = how.to_owned();
        self.failures.push_back((now_ms, slot, generation));
        if surplus {
            self.retired(slot);
        }
        while self.failures.front().is_some_and(|&(failed_ms, ..)| failed_ms + BUDGET_WINDOW_MS <= now_ms) {
            self.failures.pop_front();
        }
    }

    /// Takes back a failure that turns out to be its place's: often the silence comes first, its cause later.
    pub(super) fn excuse(&mut self, slot: Slot, generation: Generation) {
        self.failures.retain(|&(_, failed, of)| (failed, of) != (slot, generation));
        if let Some(next) = self.of(slot, Generation(generation.0 + 1)) {
            next.backoff_ms = next.backoff_ms.min(BACKOFF_MIN_MS);
            if let Phase::Resting { since_ms, until_ms } = &mut next.phase {
                *until_ms = (*until_ms).min(*since_ms + BACKOFF_MIN_MS);
            }
        }
    }

    /// Failures the budget still allows.
    pub(super) fn failures_left(&self, now_ms: Millis) -> u32 {
        let recent =
            self.failures.iter().filter(|&&(failed_ms, ..)| failed_ms + BUDGET_WINDOW_MS > now_ms).count();
        self.budget().saturating_sub(u32::try_from(recent).unwrap_or(u32::MAX))
    }

    fn budget(&self) -> u32 {
        BUDGET_PER_EXECUTOR * self.wanted.max(2)
    }

    /// Why there is no point in going on: the budget is spent and nobody is left. As long as one executor
    /// works, the others are only restarted ever more slowly.
    pub(super) fn given_up(&self, sessions: usize, now_ms: Millis) -> Option<String> {
        let spent = sessions == 0 && self.failures_left(now_ms) == 0;
        spent.then(|| {
            let (budget, last) = (self.budget(), &self.last_failure);
            format!("executors failed {budget} times within an hour and none is left; the last one: {last}; see the executors' logs")
        })
    }

    /// Generations that were started and never opened a session.
    pub(super) fn never_opened(&self, now_ms: Millis) -> Vec<(Slot, Generation)> {
        let late = self.slots.iter().filter(|(_, wanted)| match wanted.phase {
            Phase::Starting { since_ms } => now_ms >= since_ms + OPEN_MS,
            _ => false,
        });
        late.map(|(slot, wanted)| (*slot, wanted.generation)).collect()
    }

    pub(super) fn forgive(&mut self, stalled_ms: Millis) {
        for wanted in self.slots.values_mut() {
            if let Phase::Starting { since_ms } = &mut wanted.phase {
                *since_ms += stalled_ms;
            }
        }
    }

    pub(super) fn next_change(&self) -> Option<Millis> {
        let changes = self.slots.values().filter_map(|wanted| match wanted.phase {
            Phase::Resting { until_ms, .. } => Some(until_ms),
            Phase::Starting { since_ms } => Some(since_ms + OPEN_MS),
            Phase::Ordered | Phase::Open { .. } => None,
        });
        changes.min()
    }

    fn of(&mut self, slot: Slot, generation: Generation) -> Option<&mut Wanted> {
        self.slots.get_mut(&slot).filter(|wanted| wanted.generation == generation)
    }

    /// With nobody left and no one on the way, nobody waits longer than the shortest back-off.
    fn hurry(&mut self, now_ms: Millis) {
        let nobody = self.slots.values().all(|wanted| matches!(wanted.phase, Phase::Resting { .. }));
        if !nobody || self.failures_left(now_ms) < self.budget() / 2 {
            return;
        }
        for wanted in self.slots.values_mut() {
            if let Phase::Resting { since_ms, until_ms } = &mut wanted.phase {
                *until_ms = (*since_ms + BACKOFF_MIN_MS).min(*until_ms);
            }
        }
    }

    /// The complete target, if it differs from the last one.
    fn target(&mut self, now_ms: Millis) -> Option<Target> {
        self.hurry(now_ms);
        for wanted in self.slots.values_mut() {
            if matches!(wanted.phase, Phase::Resting { until_ms, .. } if until_ms <= now_ms) {
                wanted.phase = Phase::Ordered;
                self.changed = true;
            }
        }
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        self.revision += 1;
        let to_run = self.slots.iter().filter(|(_, wanted)| !matches!(wanted.phase, Phase::Resting { .. }));
        let slots = to_run.map(|(slot, wanted)| (*slot, wanted.generation)).collect();
        Some(Target { revision: self.revision, slots })
    }
}

impl State {
    pub(super) fn order_executors(&mut self, now_ms: Millis) {
        if let Some(target) = self.slots.target(now_ms) {
            self.out.push(Effect::Target(target));
        }
    }
}

#[cfg(test)]
mod tests;
