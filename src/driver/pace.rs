//! The driver's clock: monotonic, anchored to the wall clock at the start, drift corrected a little per slide.
//!
//! ```text
//! wall clock    ----------.....-------------   what people see; somebody may set it
//! label         ----------.....-------------   what window ends are named by: follows the wall clock's steps forward,
//!                                              never goes back
//! now           ----------------------------   what time-outs run on: no step at all
//! ```

use std::time::Duration;

use crate::ids::Millis;

/// Correction at most, as a part of the time between two looks: windows stay evenly spaced while the clock is put right.
const CORRECTION_PART: i64 = 100;
/// The wall clock is looked at once per slide, and at least this often, milliseconds: time-outs must not notice a
/// correction.
const LOOK_EVERY_MS_MAX: Millis = 1_000;

/// Nanoseconds of a millisecond: time within is to the nanosecond, so that a window is not late by a rounding.
const NS_PER_MS: i64 = 1_000_000;

/// A difference of more slides than this is a step of the wall clock, not drift.
pub const STEP_SLIDES: i64 = 2;
/// A step is believed after so many readings in a row, ...
const STEP_READINGS: u32 = 3;
/// ... the first and the last of them this far apart.
const STEP_TIME: Duration = Duration::from_secs(2);

/// Turns monotonic time into milliseconds since the epoch that never repeat or go backwards.
#[derive(Debug, Clone)]
pub struct Pace {
    slide_ms: Millis,
    anchor_ns: i64,
    anchor: Duration,
    /// Label less now.
    shift_ms: Millis,
    suspicion: Option<Suspicion>,
    /// Whether labels were found ahead of the wall clock and have not been in step since.
    ahead: bool,
}

/// The wall clock may have been set: readings in a row say so.
#[derive(Debug, Clone, Copy)]
struct Suspicion {
    forward: bool,
    since: Duration,
    readings: u32,
}

/// What one look at the wall clock came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Correction {
    /// What is left, wall clock less label, milliseconds.
    pub left_ms: Millis,
    /// What people should know.
    pub change: Option<ClockChange>,
}

/// How labels stand to the wall clock from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockChange {
    /// The wall clock was set forward, and the label has followed it.
    Forward {
        /// By how much, milliseconds.
        by_ms: Millis,
    },
    /// Labels are ahead of the wall clock, which was set back. They give way a little per slide.
    Ahead {
        /// By how much, milliseconds.
        by_ms: Millis,
    },
    /// They were ahead and are not any more.
    InStep,
}

impl Pace {
    /// Anchors at the two clocks' readings; `wall` is the time since the epoch.
    pub fn start(slide_ms: Millis, wall: Duration, monotonic: Duration) -> Self {
        let anchor_ns = nanos(wall);
        Self { slide_ms, anchor_ns, anchor: monotonic, shift_ms: 0, suspicion: None, ahead: false }
    }

    /// How often [`Self::correct`] is to be called, milliseconds.
    pub fn look_every_ms(&self) -> Millis {
        self.slide_ms.min(LOOK_EVERY_MS_MAX)
    }

    /// The time now that time-outs run on, milliseconds. No step of the wall clock shows in it.
    pub fn now_ms(&self, monotonic: Duration) -> Millis {
        self.now_ns(monotonic).div_euclid(NS_PER_MS)
    }

    /// The time now that windows are named by, milliseconds since the epoch.
    pub fn label_ms(&self, monotonic: Duration) -> Millis {
        self.now_ms(monotonic) + self.shift_ms
    }

    /// Looks at the wall clock; called every [`Self::look_every_ms`]. Drift is corrected a little, never past the wall clock. Of a
    /// step forward the label takes all at once. After a step back it goes on and is only slowed.
    pub fn correct(&mut self, wall: Duration, monotonic: Duration) -> Correction {
        let mut difference_ns = nanos(wall) - self.label_ns(monotonic);
        let stepped = self.suspect(difference_ns, monotonic);
        let by_ms = difference_ns.div_euclid(NS_PER_MS);
        let change = match stepped {
            Some(true) => {
                self.shift_ms += by_ms;
                (self.suspicion, self.ahead) = (None, false);
                difference_ns -= by_ms * NS_PER_MS;
                Some(ClockChange::Forward { by_ms })
            }
            Some(false) if !self.ahead => {
                self.ahead = true;
                Some(ClockChange::Ahead { by_ms: -by_ms })
            }
            None if self.ahead && self.suspicion.is_none() => {
                self.ahead = false;
                Some(ClockChange::InStep)
            }
            _ => None,
        };
        let step_ns = (self.look_every_ms() / CORRECTION_PART).max(1).saturating_mul(NS_PER_MS);
        let passed_ns = nanos(monotonic.saturating_sub(self.anchor));
        let correction_ns = difference_ns.clamp(-step_ns.min(passed_ns), step_ns);
        self.anchor_ns += correction_ns;
        Correction { left_ms: (difference_ns - correction_ns) / NS_PER_MS, change }
    }

    /// Has labels go on from `end_ms`, the last one that an earlier driver gave, when the wall clock is behind it by
    /// more than is waited for. Returns by how much they go ahead.
    pub fn go_on_from(&mut self, end_ms: Millis, monotonic: Duration) -> Option<Millis> {
        let by_ms = end_ms - self.label_ms(monotonic);
        if by_ms <= STEP_SLIDES * self.slide_ms {
            return None;
        }
        self.shift_ms += by_ms;
        self.ahead = true;
        Some(by_ms)
    }

    /// How long until [`Self::now_ms`] reads `at_ms`, zero if it does already.
    pub fn until(&self, at_ms: Millis, monotonic: Duration) -> Duration {
        let left_ns = at_ms.saturating_mul(NS_PER_MS).saturating_sub(self.now_ns(monotonic));
        Duration::from_nanos(left_ns.max(0).unsigned_abs())
    }

    /// Whether the wall clock was set, by this reading and those before: forward, or back.
    fn suspect(&mut self, difference_ns: i64, monotonic: Duration) -> Option<bool> {
        if difference_ns.abs() <= STEP_SLIDES * self.slide_ms.saturating_mul(NS_PER_MS) {
            self.suspicion = None;
            return None;
        }
        let forward = difference_ns > 0;
        let first = Suspicion { forward, since: monotonic, readings: 0 };
        let suspicion = self.suspicion.filter(|before| before.forward == forward).unwrap_or(first);
        let readings = suspicion.readings.saturating_add(1);
        self.suspicion = Some(Suspicion { readings, ..suspicion });
        let lasted = monotonic.saturating_sub(suspicion.since);
        (readings >= STEP_READINGS && lasted >= STEP_TIME).then_some(forward)
    }

    fn now_ns(&self, monotonic: Duration) -> i64 {
        self.anchor_ns + nanos(monotonic.saturating_sub(self.anchor))
    }

    fn label_ns(&self, monotonic: Duration) -> i64 {
        self.now_ns(monotonic) + self.shift_ms.saturating_mul(NS_PER_MS)
    }
}

/// Enough until the year 2262.
fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
