//! What people see of the snapshots: how old the newest is, and what is wrong with them.

use std::time::Duration;

use super::Observer;
use crate::ids::Millis;
use crate::metrics::SnapshotMetrics;
use crate::snapshot::Event;
use crate::web::SnapshotStatus;

/// The snapshots as the observer knows them.
pub(super) struct Seen {
    metrics: SnapshotMetrics,
    through_ms: Option<Millis>,
    trouble: Option<String>,
}

impl Observer {
    /// The job writes snapshots.
    pub(in crate::driver) fn has_snapshots(&mut self) {
        self.snapshots = Some(Seen { metrics: self.metrics.snapshots(), through_ms: None, trouble: None });
    }

    pub(in crate::driver) fn snapshot(&mut self, event: &Event) {
        let Some(seen) = &mut self.snapshots else { return };
        match event {
            Event::Visible { through_ms } => {
                seen.through_ms = Some(*through_ms);
                if seen.trouble.take().is_some() {
                    tracing::info!("snapshots are written again");
                }
                self.status.snapshot = Some(SnapshotStatus { through_ms: *through_ms });
            }
            Event::Behind { since, error } => {
                if seen.trouble.is_none() {
                    tracing::warn!(error, "snapshots are not written; it is tried again");
                }
                seen.trouble = Some(format!("snapshots are behind for {}s: {error}", since.as_secs()));
            }
            Event::Lost(lost) => {
                let (after_ms, until_ms) = (lost.after_ms, lost.until_ms);
                tracing::error!(
                    after_ms,
                    until_ms,
                    "the checkpoint has lost slides: their windows are missing in the snapshots"
                );
            }
            Event::Fenced => {
                tracing::warn!("a later driver writes the snapshots; this one writes none any more");
            }
            Event::Refused { path, app } => {
                let trouble =
                    format!("{path} holds the snapshots of {app}: none are written; name another path");
                tracing::error!("{trouble}");
                seen.trouble = Some(trouble);
            }
            Event::Settled => tracing::info!("snapshots show everything under the old window ends"),
            Event::Closed | Event::Died(_) => {}
        }
    }

    /// Now is this.
    pub(super) fn snapshot_age(&self, now_ms: Millis) {
        if let Some(Seen { metrics, through_ms: Some(through_ms), .. }) = &self.snapshots {
            metrics.behind(Duration::from_millis((now_ms - through_ms).max(0).unsigned_abs()));
        }
    }

    /// What is wrong with them.
    pub(super) fn snapshot_trouble(&self) -> Option<String> {
        self.snapshots.as_ref()?.trouble.clone()
    }
}
