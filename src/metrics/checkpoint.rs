//! The checkpoint's metrics: only of a driver that has one, because an age without a checkpoint would alarm.

use std::time::Duration;

use prometheus::{Gauge, Histogram, IntGauge};

use super::exposition::{Exposition, int};

/// What a driver measures of its checkpoint.
#[derive(Debug)]
pub struct CheckpointMetrics {
    age_seconds: Gauge,
    bytes: IntGauge,
    queued_frames: IntGauge,
    sync_seconds: Histogram,
}

impl CheckpointMetrics {
    pub(super) fn new(to: &Exposition) -> Self {
        Self {
            age_seconds: to.gauge("spindle_checkpoint_age_seconds", "How old the newest durable slide is."),
            bytes: to.int_gauge("spindle_checkpoint_bytes", "Length of the bases and logs that are kept."),
            queued_frames: to
                .int_gauge("spindle_checkpoint_queued_frames", "Slides that are closed and not durable yet."),
            sync_seconds: to
                .histogram("spindle_checkpoint_sync_seconds", "How long it took to make slides durable."),
        }
    }

    /// Something became durable after so long.
    pub fn synced(&self, took: Duration) {
        self.sync_seconds.observe(took.as_secs_f64());
    }

    /// How old the newest durable slide is, and how many slides wait to be durable.
    pub fn behind(&self, age: Duration, queued: usize) {
        self.age_seconds.set(age.as_secs_f64());
        self.queued_frames.set(int(queued as u64));
    }

    /// Length of everything that is kept.
    pub fn bytes(&self, bytes: u64) {
        self.bytes.set(int(bytes));
    }
}
