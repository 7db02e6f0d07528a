//! How many records of a partition may be read now, for `max_rate_per_partition`. Pure; used by `kafka`.

use std::time::Duration;

/// A token bucket in whole records: no rate is exceeded by rounding, none is lost by it.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    per_second: u64,
    /// Records times 10^9, so that a nanosecond adds `per_second`.
    credit: u128,
    refilled: Duration,
}

const NANOS: u128 = 1_000_000_000;

impl Bucket {
    /// A full bucket: a tenth of a second's records, at least one, may come at once.
    pub(super) fn new(per_second: u64, now: Duration) -> Self {
        let mut bucket = Self { per_second, credit: 0, refilled: now };
        bucket.credit = bucket.full() / NANOS * NANOS;
        bucket
    }

    /// One record short of one more than may come at once, so that no fraction of a record is lost.
    fn full(&self) -> u128 {
        (u128::from(self.per_second / 10).max(1) + 1) * NANOS - 1
    }

    /// Records that may be read now. Time that goes backwards adds nothing.
    pub(super) fn available(&mut self, now: Duration) -> usize {
        let passed = now.saturating_sub(self.refilled);
        self.refilled = self.refilled.max(now);
        self.credit = self.full().min(self.credit + passed.as_nanos() * u128::from(self.per_second));
        usize::try_from(self.credit / NANOS).unwrap_or(usize::MAX)
    }

    /// Takes the records that were read, at most as many as were available.
    pub(super) fn take(&mut self, records: usize) {
        self.credit = self.credit.saturating_sub(records as u128 * NANOS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads all that is allowed every `step`, for `span`.
    fn read(per_second: u64, step: Duration, span: Duration) -> usize {
        let mut bucket = Bucket::new(per_second, Duration::ZERO);
        let (mut now, mut read) = (Duration::ZERO, 0);
        while now < span {
            let records = bucket.available(now);
            bucket.take(records);
            read += records;
            now += step;
        }
        read
    }

    #[test]
    fn no_more_than_the_rate_and_one_burst() {
        for per_second in [1, 3, 10, 999, 1_000_000] {
            let records = read(per_second, Duration::from_millis(7), Duration::from_secs(20));
            let most = 20 * per_second + (per_second / 10).max(1);
            let least = 20 * per_second - per_second / 100 - 1;
            let records = u64::try_from(records).unwrap();
            assert!((least..=most).contains(&records), "{per_second}/s: {records} of {least}..={most}");
        }
    }

    #[test]
    fn a_pause_saves_up_no_more_than_one_burst() {
        let mut bucket = Bucket::new(100, Duration::ZERO);
        assert_eq!(bucket.available(Duration::from_secs(3600)), 10);
        bucket.take(10);
        assert_eq!(bucket.available(Duration::from_secs(3600)), 0);
        assert_eq!(bucket.available(Duration::from_secs(1)), 0);
    }
}
