//! The snapshots' metric: only of a driver that writes them, because an age without snapshots would alarm.

use std::time::Duration;

use prometheus::Gauge;

use super::exposition::Exposition;

/// What a driver measures of its snapshots.
#[derive(Debug)]
pub struct SnapshotMetrics {
    age_seconds: Gauge,
}

impl SnapshotMetrics {
    pub(super) fn new(to: &Exposition) -> Self {
        let help = "How old the newest window is that stands in a snapshot.";
        Self { age_seconds: to.gauge("spindle_snapshot_age_seconds", help) }
    }

    /// How old the newest visible window is.
    pub fn behind(&self, age: Duration) {
        self.age_seconds.set(age.as_secs_f64());
    }
}
