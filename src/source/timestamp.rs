//! Which records' timestamps can be times. Used where an age is told.

use crate::ids::Millis;

/// Start of 2000 UTC. Kafka is younger: what lies before is a number of seconds, or no time at all.
const OLDEST_MS: Millis = 946_684_800_000;
/// How far a producer's clock may be ahead, an hour. What lies beyond is a number of microseconds, or no time at all.
const AHEAD_MS: Millis = 3_600_000;

/// The record's timestamp if it can be a time at which it was written.
pub fn usable_timestamp(timestamp_ms: Millis, now_ms: Millis) -> Option<Millis> {
    (OLDEST_MS..=now_ms.saturating_add(AHEAD_MS)).contains(&timestamp_ms).then_some(timestamp_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_microseconds_are_no_milliseconds() {
        let now_ms = 1_795_431_600_000;
        let usable = |timestamp_ms| usable_timestamp(timestamp_ms, now_ms);
        for ms in [OLDEST_MS, now_ms, now_ms + AHEAD_MS] {
            assert_eq!(usable(ms), Some(ms));
        }
        for ms in [-1, 0, now_ms / 1_000, OLDEST_MS - 1, now_ms + AHEAD_MS + 1, now_ms * 1_000, Millis::MAX] {
            assert_eq!(usable(ms), None, "{ms}");
        }
        assert_eq!(usable_timestamp(now_ms, Millis::MAX), Some(now_ms));
    }
}
