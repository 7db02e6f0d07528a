//! One driver attempt: the production state with its clock and inbox, its part of the checkpoint, its books.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use spindle::checkpoint::Recovered;
use spindle::driver::pace::Pace;
use spindle::driver::state::{Settings, State};
use spindle::ids::{CutNumber, Millis, Offset, Partition, Session};

use super::happening::Happening;
use super::writer::Writer;
use crate::oracle::Oracle;

/// How far an attempt has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It has not claimed the checkpoint.
    Opening,
    /// It owns this epoch.
    Claimed(u64),
    /// It has read what is there and asks where reading goes on.
    Recovered(u64),
    /// It runs.
    Running,
    /// It has ended, one way or another.
    Over,
}

/// An attempt.
#[derive(Debug)]
pub(crate) struct Life {
    /// Which it is in this world, from 0.
    pub(crate) number: usize,
    pub(crate) settings: Settings,
    /// Which application it is of.
    pub(crate) application: u32,
    pub(crate) driver: State,
    pub(crate) oracle: Oracle,
    pub(crate) stage: Stage,
    /// Its clock, anchored to a wall clock that is this far ahead of the world's.
    pub(crate) pace: Pace,
    pub(crate) wall_ahead_ms: Millis,
    /// When it looked at the wall clock.
    pub(crate) corrected_ms: Millis,
    pub(crate) stalled: bool,
    /// As well stalled, with everything that is in its process.
    pub(crate) paused: bool,
    /// How long it was stalled, all in all.
    pub(crate) stalls_ms: Millis,
    /// It dies after so many more effects.
    pub(crate) dies_after: Option<u64>,
    pub(crate) inbox: VecDeque<Happening>,
    pub(crate) wakes: u64,
    /// When it began, by the world's clock.
    pub(crate) began_ms: Millis,
    /// The highest order that the launcher has seen.
    pub(crate) revision: u64,
    /// Since when windows have shown a partition with records behind this last stable offset.
    pub(crate) held_since: BTreeMap<(Partition, Offset), Millis>,
    pub(crate) live: BTreeSet<Session>,
    pub(crate) cuts: BTreeMap<CutNumber, SentCut>,
    pub(crate) due_ms: Millis,
    /// When the checkpoint's queue was last full: ends that passed wait for room there.
    pub(crate) full_ms: Millis,
    /// Windows in a row that were on time and whole.
    pub(crate) good: i64,
    pub(crate) writer: Option<Writer>,
    pub(crate) recovered: Option<Box<Recovered>>,
}

#[derive(Debug)]
pub(crate) struct SentCut {
    pub(crate) sent_ms: Millis,
    pub(crate) answered_ms: Option<Millis>,
    pub(crate) stalls_ms: Millis,
}

impl Life {
    /// An attempt that begins now, on a host whose wall clock is so far ahead.
    pub(crate) fn new(number: usize, settings: Settings, now_ms: Millis, wall_ahead_ms: Millis) -> Self {
        let pace = Pace::start(settings.slide_ms, at(now_ms + wall_ahead_ms), at(now_ms));
        let mut oracle = Oracle::new(settings.slide_ms, settings.length_ms, settings.top);
        oracle.ledger.rules = settings.checkpoint;
        Self {
            number,
            application: 1,
            driver: State::new(settings.clone(), pace.now_ms(at(now_ms))),
            oracle,
            stage: if settings.checkpoint.is_some() { Stage::Opening } else { Stage::Running },
            pace,
            wall_ahead_ms,
            corrected_ms: now_ms,
            stalled: false,
            paused: false,
            stalls_ms: 0,
            dies_after: None,
            inbox: VecDeque::new(),
            wakes: 0,
            began_ms: now_ms,
            revision: 0,
            held_since: BTreeMap::new(),
            live: BTreeSet::new(),
            cuts: BTreeMap::new(),
            due_ms: 0,
            full_ms: 0,
            good: 0,
            writer: None,
            recovered: None,
            settings,
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }
}

/// A reading of a clock.
pub(crate) fn at(ms: Millis) -> Duration {
    Duration::from_millis(ms.unsigned_abs())
}
