//! When a post of an archive is due, from when it was written. Pure.

use std::time::Duration;

use tokio::time::Instant;

use crate::ids::Millis;

/// A replay at some speed. The first post is due at once, every later one by its distance from that.
#[derive(Debug)]
pub(super) struct Pace {
    /// Thousandths of the original speed.
    thousandths: u32,
    /// When the first post was sent, and when it was written.
    origin: Option<(Instant, Millis)>,
}

impl Pace {
    pub(super) fn new(thousandths: u32) -> Self {
        Self { thousandths: thousandths.max(1), origin: None }
    }

    /// When the post written at `time_ms` is due. One that is out of order, and so late already, is due at once.
    pub(super) fn due(&mut self, now: Instant, time_ms: Millis) -> Instant {
        let (begin, first_ms) = *self.origin.get_or_insert((now, time_ms));
        let ms = u128::from(time_ms.saturating_sub(first_ms).max(0).unsigned_abs());
        let micros = ms * 1_000_000 / u128::from(self.thousandths);
        // Beyond what the clock can hold there is no time to wait for.
        let wait = Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX));
        begin.checked_add(wait).unwrap_or_else(|| now + Duration::from_secs(86_400))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn posts_are_due_by_their_distance_from_the_first() {
        let begin = Instant::now();
        let due = |thousandths, times: &[Millis]| -> Vec<_> {
            let mut pace = Pace::new(thousandths);
            times.iter().map(|time| pace.due(begin, *time).duration_since(begin).as_millis()).collect()
        };
        let times = [1_000_000, 1_000_500, 999_000, 1_060_000];
        assert_eq!(due(1_000, &times), [0, 500, 0, 60_000]);
        assert_eq!(due(10_000, &times), [0, 50, 0, 6_000]);
        assert_eq!(due(500, &times), [0, 1_000, 0, 120_000]);
        assert_eq!(due(1_000, &[0, Millis::MAX])[0], 0);
    }
}
