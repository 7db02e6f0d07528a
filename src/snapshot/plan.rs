//! Which windows are written and which file each belongs to: a function of their ends. Feeds `builder`.
//!
//! A window whose end is exactly on a boundary belongs to what that boundary ends: the window of 11:00:00 to the roll
//! and the hour that begin after 10:00:00. So a partition `hh=10` holds the windows with ends in (10:00, 11:00], and
//! the last one of them is the one over the last minutes of that hour.

use jiff::Timestamp;

use crate::config::Snapshots;
use crate::config::snapshots::Compress;
use crate::ids::Millis;

const HOUR_MS: Millis = 3_600_000;

/// What the job file decides, as numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Name of the job, in every row: files are the same whoever writes them.
    pub app: String,
    /// Windows are written whose ends are multiples of this, milliseconds.
    pub every_ms: Millis,
    /// Files end at multiples of this since the epoch, and at the UTC hour, milliseconds.
    pub roll_ms: Millis,
    /// Keys of each ranking that are written.
    pub keys: usize,
    /// Whether files are compressed by gzip.
    pub gzip: bool,
    /// Partitions are deleted that ended so long before the newest window that is visible, milliseconds.
    pub retain_ms: Millis,
}

impl Plan {
    /// The plan of the job named `app`.
    pub fn new(app: &str, section: &Snapshots) -> Self {
        let ms = |ms: u64| Millis::try_from(ms).unwrap_or(Millis::MAX);
        Self {
            app: app.to_owned(),
            every_ms: ms(section.every.ms()).max(1),
            roll_ms: ms(section.roll.ms()).max(1),
            keys: usize::try_from(section.keys).unwrap_or(usize::MAX),
            gzip: section.compress == Compress::Gzip,
            retain_ms: ms(section.retain.ms()),
        }
    }

    /// Whether the window that ends at `end_ms` is written.
    pub fn is_written(&self, end_ms: Millis) -> bool {
        end_ms.rem_euclid(self.every_ms) == 0
    }

    /// The last end that belongs into the same file as `end_ms`.
    pub fn roll_end(&self, end_ms: Millis) -> Millis {
        boundary(end_ms, self.roll_ms).min(boundary(end_ms, HOUR_MS))
    }
}

/// The first multiple of `step` that is not before `end_ms`.
fn boundary(end_ms: Millis, step: Millis) -> Millis {
    end_ms.saturating_add(step - 1).div_euclid(step).saturating_mul(step)
}

/// An hour of UTC: one partition of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hour(i64);

impl Hour {
    /// The hour that the window that ends at `end_ms` belongs to: the one of its last millisecond.
    pub fn of(end_ms: Millis) -> Self {
        Self(end_ms.saturating_sub(1).div_euclid(HOUR_MS))
    }

    /// The last end that belongs to it, milliseconds.
    pub fn end_ms(self) -> Millis {
        (self.0 + 1).saturating_mul(HOUR_MS)
    }

    /// The directory of its day, `dt=YYYY-MM-DD`.
    pub fn day(self) -> String {
        let at = Timestamp::from_second(self.0.saturating_mul(3_600)).unwrap_or(Timestamp::UNIX_EPOCH);
        at.strftime("dt=%Y-%m-%d").to_string()
    }

    /// Its own directory, `dt=YYYY-MM-DD/hh=HH`.
    pub fn dir(self) -> String {
        format!("{}/hh={:02}", self.day(), self.0.rem_euclid(24))
    }

    /// The hour of these two directories; `None` if they are not called like a partition.
    pub fn parse(day: &str, hour: &str) -> Option<Self> {
        let date: jiff::civil::Date = day.strip_prefix("dt=")?.parse().ok()?;
        let midnight = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second();
        let hour: i64 = hour.strip_prefix("hh=")?.parse().ok()?;
        let this = Self(midnight.div_euclid(3_600) + hour);
        (0..24).contains(&hour).then_some(this)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Timespan;

    fn plan(every: u64, roll: u64) -> Plan {
        let seconds = Timespan::from_secs;
        let section = Snapshots { every: seconds(every), roll: seconds(roll), ..Snapshots::default() };
        Plan::new("TweetsApp", &section)
    }

    fn at(text: &str) -> Millis {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn windows_at_multiples_of_every_are_written() {
        let plan = plan(60, 3_600);
        assert!(plan.is_written(at("2026-11-23T10:01:00Z")));
        assert!(!plan.is_written(at("2026-11-23T10:01:01Z")));
        assert!(plan.is_written(0) && plan.is_written(-60_000));
    }

    #[test]
    fn a_roll_ends_with_its_boundary() {
        let plan = plan(60, 900);
        assert_eq!(plan.roll_end(at("2026-11-23T10:00:00Z")), at("2026-11-23T10:00:00Z"));
        assert_eq!(plan.roll_end(at("2026-11-23T10:01:00Z")), at("2026-11-23T10:15:00Z"));
        assert_eq!(plan.roll_end(at("2026-11-23T10:15:00Z")), at("2026-11-23T10:15:00Z"));
    }

    #[test]
    fn a_roll_that_does_not_divide_the_hour_also_ends_with_it() {
        let plan = plan(70, 1_400);
        let hour = at("2026-11-23T11:00:00Z");
        assert_eq!(plan.roll_end(hour - 10_000), hour);
        assert!(plan.roll_end(hour + 1) > hour);
    }

    #[test]
    fn a_window_that_ends_with_the_hour_belongs_to_that_hour() {
        assert_eq!(Hour::of(at("2026-11-23T11:00:00Z")).dir(), "dt=2026-11-23/hh=10");
        assert_eq!(Hour::of(at("2026-11-23T11:00:00.001Z")).dir(), "dt=2026-11-23/hh=11");
        assert_eq!(Hour::of(at("2026-11-23T00:00:00Z")).dir(), "dt=2026-11-22/hh=23");
        assert_eq!(Hour::of(at("2026-11-23T11:00:00Z")).end_ms(), at("2026-11-23T11:00:00Z"));
    }

    #[test]
    fn partitions_are_read_as_they_are_named() {
        for end in ["2026-11-23T11:00:00Z", "2026-12-31T23:59:59Z", "1969-12-31T22:10:00Z"] {
            let hour = Hour::of(at(end));
            let dir = hour.dir();
            let (day, name) = dir.split_once('/').unwrap();
            assert_eq!(Hour::parse(day, name), Some(hour));
        }
        for (day, hour) in [("dt=2026-13-01", "hh=01"), ("dt=2026-11-01", "hh=24"), ("x", "hh=01")] {
            assert_eq!(Hour::parse(day, hour), None);
        }
    }
}
