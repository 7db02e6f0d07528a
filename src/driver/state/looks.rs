//! Looks at the topics: when the brokers are asked about every partition. What an answer is worth: `loss`.
//!
//! One look is under way at a time, and one serves everyone who waits for it. Looks have a clock of their own; neither
//! commits nor a broker that answers slowly move it.

use super::{Effect, State};
use crate::ids::Millis;

/// New partitions, leaders and recreated topics are found within this time and what a look takes, milliseconds.
const EVERY_MS: Millis = 10_000;
/// How soon another look follows while something is wrong, milliseconds.
const AGAIN_MS: Millis = 1_000;

/// Which look was asked for last, and when the next one is due.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// Number of the last look.
    last: u64,
    /// When it was asked for; what it tells is not older.
    asked_ms: Millis,
    under_way: bool,
    /// When the next one is due; `None` before the start is resolved.
    due_ms: Option<Millis>,
}

impl Looks {
    /// The start is resolved: the first look is due.
    pub(super) fn begin(&mut self, now_ms: Millis) {
        self.due_ms = Some(now_ms);
    }

    /// Wants a look that begins from now on, soon. Returns its number.
    pub(super) fn want(&mut self) -> u64 {
        self.hurry();
        self.last + 1
    }

    /// The next look is to come soon.
    pub(super) fn hurry(&mut self) {
        let soon_ms = if self.last == 0 { Millis::MIN } else { self.asked_ms + AGAIN_MS };
        self.due_ms = self.due_ms.map(|due_ms| due_ms.min(soon_ms));
    }

    /// A look was answered, if only by a failure. Returns when it was asked for; `None` for one that was not.
    pub(super) fn answered(&mut self, look: u64) -> Option<Millis> {
        let expected = self.under_way && look == self.last;
        self.under_way &= !expected;
        expected.then_some(self.asked_ms)
    }

    pub(super) fn next_due(&self) -> Option<Millis> {
        self.due_ms.filter(|_| !self.under_way)
    }
}

impl State {
    pub(super) fn look_if_due(&mut self, now_ms: Millis) {
        let looks = &mut self.looks;
        if looks.next_due().is_some_and(|due_ms| now_ms >= due_ms) {
            looks.last += 1;
            (looks.asked_ms, looks.under_way) = (now_ms, true);
            looks.due_ms = Some(now_ms + EVERY_MS);
            self.out.push(Effect::Look(looks.last));
        }
    }

    /// The brokers could not say how the topics look.
    pub(super) fn look_failed(&mut self, look: u64) {
        if self.looks.answered(look).is_some() {
            self.nothing_known(|_| true);
            self.looks.hurry();
        }
    }
}
