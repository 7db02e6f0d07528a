//! The driver's clock: monotonic, anchored to the wall clock at the start, drift corrected a little per slide.

use std::time::Duration;

use crate::ids::Millis;

/// Correction per slide at most, as a part of the slide: windows stay evenly spaced while the clock is put right.
const CORRECTION_PER_SLIDE: i64 = 100;

/// Nanoseconds of a millisecond: time within is to the nanosecond, so that a window is not late by a rounding.
const NS_PER_MS: i64 = 1_000_000;

/// Turns monotonic time into milliseconds since the epoch that never repeat or go backwards.
#[derive(Debug, Clone)]
pub struct Pace {
    slide_ms: Millis,
    anchor_ns: i64,
    anchor: Duration,
}

impl Pace {
    /// Anchors at the two clocks' readings; `wall` is the time since the epoch.
    pub fn start(slide_ms: Millis, wall: Duration, monotonic: Duration) -> Self {
        Self { slide_ms, anchor_ns: nanos(wall), anchor: monotonic }
    }

    /// The time now, milliseconds since the epoch.
    pub fn now_ms(&self, monotonic: Duration) -> Millis {
        self.now_ns(monotonic).div_euclid(NS_PER_MS)
    }

    /// Moves a little towards the wall clock, never past it; called once per slide. Returns what is left, wall
    /// less pace, milliseconds.
    pub fn correct(&mut self, wall: Duration, monotonic: Duration) -> Millis {
        let step_ns = (self.slide_ms / CORRECTION_PER_SLIDE).max(1).saturating_mul(NS_PER_MS);
        let passed_ns = nanos(monotonic.saturating_sub(self.anchor));
        let difference_ns = nanos(wall) - self.now_ns(monotonic);
        let correction_ns = difference_ns.clamp(-step_ns.min(passed_ns), step_ns);
        self.anchor_ns += correction_ns;
        (difference_ns - correction_ns) / NS_PER_MS
    }

    /// How long until the pace reads `at_ms`, zero if it does already.
    pub fn until(&self, at_ms: Millis, monotonic: Duration) -> Duration {
        let left_ns = at_ms.saturating_mul(NS_PER_MS).saturating_sub(self.now_ns(monotonic));
        Duration::from_nanos(left_ns.max(0).unsigned_abs())
    }

    fn now_ns(&self, monotonic: Duration) -> i64 {
        self.anchor_ns + nanos(monotonic.saturating_sub(self.anchor))
    }
}

/// Enough until the year 2262.
fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_wall_clock_stepped_back_slows_the_pace_by_a_hundredth_only() {
        let mut pace = Pace::start(1_000, at(1_000_000_000), at(0));
        let mut last = pace.now_ms(at(0));
        for second in 1..=100u64 {
            pace.correct(at(1_000_000_000 - 3_600_000 + second * 1_000), at(second * 1_000));
            let now = pace.now_ms(at(second * 1_000));
            assert_eq!(now - last, 990);
            last = now;
        }
    }

    #[test]
    fn drift_is_worn_off_and_then_stays_off() {
        let mut pace = Pace::start(1_000, at(500), at(0));
        let left: Vec<_> = (1..=5u64).map(|s| pace.correct(at(525 + s * 1_000), at(s * 1_000))).collect();
        assert_eq!(left, [15, 5, 0, 0, 0]);
    }

    #[test]
    fn correcting_twice_at_one_instant_never_goes_back() {
        let mut pace = Pace::start(100, at(1_000), at(0));
        let before = pace.now_ms(at(0));
        pace.correct(at(0), at(0));
        assert_eq!(pace.now_ms(at(0)), before);
    }

    #[test]
    fn until_is_the_time_left_on_the_monotonic_clock() {
        let pace = Pace::start(1_000, at(10_300), at(50));
        assert_eq!(pace.until(11_000, at(150)), at(600));
        assert_eq!(pace.until(10_000, at(150)), Duration::ZERO);
    }

    #[test]
    fn a_clock_read_within_a_millisecond_makes_no_window_late() {
        let pace = Pace::start(1_000, Duration::from_micros(10_300_900), at(0));
        assert_eq!(pace.until(10_301, at(0)), Duration::from_micros(100));
        assert_eq!(pace.now_ms(Duration::from_micros(99)), 10_300);
        assert_eq!(pace.now_ms(Duration::from_micros(100)), 10_301);
    }
}
