//! Whether reading is level with a partition's log, judged by how far the log was heard to reach, and when.
//!
//! ```text
//!        end(k-2)         end(k-1)          end(k)       the ends of slides
//!    ------|----------------|-----------------|----->
//!      |<--- 2 s --->|                                   an end heard here ...
//!                                      until(p, k)       ... and reached here: p is level at cut k
//! ```
//!
//! An end heard at most [`FRESH_MS`] before slide k begins lies behind everything that was appended before that. So
//! of a partition that is level at cut k, slides up to k hold all of it; and of one that is level at cut k-1, slide k
//! holds nothing that is more than a slide and [`FRESH_MS`] older than its begin.

use std::collections::VecDeque;

use super::partitions::Held;
use super::slides::{Following, Open};
use super::{Effect, Event, State};
use crate::ids::{Millis, Offset, Partition};
use crate::source::usable_timestamp;

/// How long before a slide's begin an end may have been heard to count for it, milliseconds.
pub(super) const FRESH_MS: Millis = 2_000;
/// A partition of which nothing was heard for so long after it was given to a reader is unread, milliseconds.
const SILENT_MS: Millis = 3_000;
/// Ends are remembered this far apart, milliseconds. It bounds how many there are.
const APART_MS: Millis = 250;

/// The ends of one partition's log that were heard lately.
#[derive(Debug, Clone, Default)]
pub(super) struct HeardEnds {
    /// When it was heard at the earliest, by the driver's clock, and the end; ascending.
    ends: VecDeque<(Millis, Offset)>,
    /// The newest of all, however old it is.
    newest: Option<Offset>,
    /// Whether a reader has heard any.
    heard: bool,
}

impl HeardEnds {
    /// Of a log whose end is known when reading begins, or begins anew.
    pub(super) fn begin(heard_ms: Millis, end: Option<Offset>) -> Self {
        Self { ends: end.map(|end| (heard_ms, end)).into_iter().collect(), newest: end, heard: false }
    }

    /// The leader has said where the log ends.
    pub(super) fn hear(&mut self, heard_ms: Millis, end: Offset) {
        (self.newest, self.heard) = (Some(end), true);
        if self.ends.back().is_none_or(|(last_ms, _)| heard_ms >= last_ms + APART_MS) {
            self.ends.push_back((heard_ms, end));
        }
    }

    /// Whether anything was heard lately enough for the slide that begins at `begin_ms`; forgets what is too old for
    /// this slide and so for all later ones.
    pub(super) fn fresh(&mut self, begin_ms: Millis) -> bool {
        while self.ends.front().is_some_and(|(heard_ms, _)| *heard_ms < begin_ms - FRESH_MS) {
            self.ends.pop_front();
        }
        !self.ends.is_empty()
    }

    /// Whether the log was heard to reach beyond `until`, whenever that was.
    pub(super) fn beyond(&self, until: Offset) -> bool {
        self.newest.is_some_and(|end| until < end)
    }

    /// Whether reading that has got to `until` is level at the end of the slide that begins at `begin_ms`.
    pub(super) fn level(&mut self, until: Offset, begin_ms: Millis) -> bool {
        self.fresh(begin_ms) && self.ends.iter().any(|(_, end)| *end <= until)
    }
}

/// An open transaction that keeps records back: where, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OpenTransaction {
    /// The last stable offset, which has not moved since.
    pub stable: Offset,
    /// The high watermark.
    pub high: Offset,
    /// When the leader said so first, and last.
    since_ms: Millis,
    heard_ms: Millis,
}

/// The last stable offset must stand still for this long before its partition counts as held back, milliseconds.
const HELD_AFTER_MS: Millis = 10_000;

impl OpenTransaction {
    /// What `before` has become by what the leader said at `heard_ms`.
    pub(super) fn follow(
        before: Option<Self>,
        stable: Offset,
        high: Offset,
        heard_ms: Millis,
    ) -> Option<Self> {
        let since_ms =
            before.filter(|before| before.stable == stable).map_or(heard_ms, |before| before.since_ms);
        (high > stable).then_some(Self { stable, high, since_ms, heard_ms })
    }

    /// Offsets that are kept back.
    pub(super) fn records(&self) -> u64 {
        (self.high - self.stable).max(0).unsigned_abs()
    }

    /// Whether it has stood still for so long that nobody may end it.
    pub(super) fn holds(&self) -> bool {
        self.heard_ms >= self.since_ms + HELD_AFTER_MS
    }
}

/// How much of the truth a slide holds.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// Whether every partition was level when it began and when it ended.
    pub whole: bool,
    /// Partitions that could not be read.
    pub unread: Vec<Partition>,
    /// How old the last record was that was read of a partition that is not level, milliseconds.
    pub behind_ms: u64,
}

impl State {
    /// The first slide begins: which partitions begin at the end of their log.
    pub(super) fn judge_start(&mut self) {
        let Some(begin_ms) = self.slides.begun_ms() else { return };
        let before_ms = begin_ms - self.settings.slide_ms;
        for (_, held) in self.partitions.iter_mut() {
            held.was_level = held.ends.level(held.position.offset, before_ms);
        }
    }

    /// A slide closes, with every partition where it is at its end.
    pub(super) fn judge_slide(&mut self, now_ms: Millis, slide: &Open) -> Judged {
        let mut judged = Judged { whole: true, ..Judged::default() };
        // One that is over, and that a look has found again, holds what nobody reads until it begins anew.
        let judged_too = |held: &Held| !held.is_over() || held.absent_ms.is_none();
        for (partition, held) in self.partitions.iter_mut().filter(|(_, held)| judged_too(held)) {
            // What is on its way from one reader to another is in no range. While its end is fresh that is no harm.
            let following = slide.ranges.get(partition).map_or(Following::Soon, |range| range.following);
            let held_back = held.transaction.is_some_and(|transaction| transaction.holds());
            let kept = following == Following::No || held_back || !held.is_undisturbed();
            let fresh = held.ends.fresh(slide.begin_ms);
            // Reading that begins anew may have a lower position than the one before, in another log.
            let until = held.closed.offset.min(held.position.offset);
            let level = !kept && held.ends.level(until, slide.begin_ms);
            // A reader whose queue is full asks its leader for nothing more. That is a backlog, not a silent leader.
            let behind = held.ends.beyond(until) && (fresh || following == Following::Yes);
            judged.whole &= held.was_level && level;
            held.was_level = level;
            // The first reader has had no time to hear anything when it has just begun.
            let began = !held.ends.heard && now_ms < held.assigned_ms + SILENT_MS;
            let silent = !fresh && !behind && !began;
            if kept || silent {
                judged.unread.push(partition.clone());
            } else if behind && !level {
                judged.behind_ms = judged.behind_ms.max(held.behind_ms(slide.end_ms));
            }
            if held_back != std::mem::replace(&mut held.held_back, held_back) {
                let records = held.transaction.filter(|_| held_back).map_or(0, |open| open.records());
                self.out.push(Effect::Event(Event::HeldBack(partition.clone(), records)));
            }
        }
        judged
    }
}

impl Held {
    fn is_undisturbed(&self) -> bool {
        self.suspect.is_none() && self.anew.is_none()
    }

    /// How long before the slide's end the last record that was read was written; 1 where nobody can know.
    fn behind_ms(&self, end_ms: Millis) -> u64 {
        let reached_ms = self.reached_ms.and_then(|reached_ms| usable_timestamp(reached_ms, end_ms));
        reached_ms.map_or(1, |reached_ms| (end_ms - reached_ms).max(1)).unsigned_abs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_counts_for_slides_that_begin_within_two_seconds() {
        let mut ends = HeardEnds::begin(10_000, Some(5));
        assert!(ends.level(5, 12_000));
        assert!(!ends.level(4, 12_000), "reading has not got there");
        assert!(!ends.level(5, 12_001));
        assert!(!ends.fresh(12_000), "what was too old is forgotten");
    }

    #[test]
    fn any_fresh_end_that_was_reached_will_do() {
        let mut ends = HeardEnds::begin(10_000, Some(5));
        ends.hear(10_100, 7);
        ends.hear(11_000, 9);
        assert!(ends.level(5, 11_000), "a move under load: the newest end was not reached");
        assert!(!ends.level(5, 12_500), "only the newest is fresh");
        assert!(ends.level(9, 12_500));
    }

    #[test]
    fn a_bounded_number_of_ends_is_remembered() {
        let mut ends = HeardEnds::default();
        for n in 0..1_000 {
            ends.hear(n * 10, n);
            ends.fresh(n * 10);
        }
        assert!(ends.ends.len() <= 10, "{}", ends.ends.len());
    }

    #[test]
    fn a_transaction_holds_once_the_stable_offset_has_stood_still() {
        let at = |before, stable, high, now_ms| OpenTransaction::follow(before, stable, high, now_ms);
        let first = at(None, 5, 6, 1_000);
        let still = at(first, 5, 90, 10_999);
        assert!(!still.unwrap().holds());
        assert!(at(still, 5, 90, 11_000).unwrap().holds());
        let moved = at(still, 6, 90, 11_500);
        assert!(!at(moved, 6, 90, 21_000).unwrap().holds(), "others follow each other, none is stuck");
        assert_eq!(at(moved, 90, 90, 12_000), None);
    }
}
