//! What people see of the checkpoint: how old what is durable is, how large it is, and what is wrong with it.

use std::time::Duration;

use super::Observer;
use crate::checkpoint::{Event, OpenError, Opened};
use crate::ids::Millis;
use crate::metrics::CheckpointMetrics;
use crate::web::CheckpointStatus;

/// The checkpoint as the observer knows it.
pub(super) struct Seen {
    metrics: CheckpointMetrics,
    /// Newest end that is durable.
    durable_ms: Option<Millis>,
    bytes: u64,
    /// What keeps it from being opened or written.
    trouble: Option<String>,
}

impl Observer {
    /// The job has a checkpoint.
    pub(in crate::driver) fn has_checkpoint(&mut self) {
        let metrics = self.metrics.checkpoint();
        self.checkpoint = Some(Seen { metrics, durable_ms: None, bytes: 0, trouble: None });
    }

    /// It cannot be opened yet.
    pub(in crate::driver) fn checkpoint_waits(&mut self, error: &OpenError) {
        let Some(seen) = &mut self.checkpoint else { return };
        let trouble = format!("the checkpoint cannot be opened yet: {error}");
        if seen.trouble.as_ref() != Some(&trouble) {
            tracing::warn!("{trouble}");
        }
        seen.trouble = Some(trouble.clone());
        self.attend_before_windows(trouble);
    }

    /// It is open: what was in it.
    pub(in crate::driver) fn checkpoint_opened(&mut self, opened: &Opened) {
        let Some(seen) = &mut self.checkpoint else { return };
        seen.trouble = None;
        let report = &opened.report;
        for (path, error) in &report.bad_bases {
            tracing::error!(path, %error, "a base of the checkpoint cannot be read; an older one is taken");
        }
        for corrupt in &report.corrupt {
            tracing::error!("the checkpoint is damaged, durable slides are lost: {corrupt}");
        }
        for (path, bytes) in &report.torn {
            tracing::info!(
                path,
                bytes,
                "cut off what was being written when the driver before this one ended"
            );
        }
        let because = opened.because.as_str();
        let Some(recovered) = &opened.recovered else {
            tracing::info!(epoch = opened.epoch, because, "an empty checkpoint");
            return;
        };
        seen.durable_ms = recovered.end_ms;
        seen.bytes = report.bytes;
        tracing::info!(
            epoch = opened.epoch,
            because,
            end_ms = recovered.end_ms,
            records = recovered.ring.total(),
            slides = recovered.ring.slides(),
            logs = report.logs,
            bytes = report.bytes,
            "recovered the window from the checkpoint"
        );
    }

    /// Something became durable, or did not.
    pub(in crate::driver) fn checkpoint_written(&mut self, event: &Event) {
        let Some(seen) = &mut self.checkpoint else { return };
        match event {
            Event::Durable { end_ms, took, bytes, .. } => {
                seen.durable_ms = Some(*end_ms);
                seen.bytes += bytes;
                seen.metrics.synced(*took);
                if seen.trouble.take().is_some() {
                    tracing::info!("the checkpoint is written again");
                }
            }
            Event::Based { kept_bytes, .. } => {
                if *kept_bytes > 0 {
                    seen.bytes = *kept_bytes;
                }
                seen.trouble = None;
            }
            Event::Behind { since, error } => {
                let seconds = since.as_secs();
                if seen.trouble.is_none() {
                    tracing::warn!(%error, "the checkpoint is not written; it is tried again");
                }
                seen.trouble = Some(format!("the checkpoint is behind for {seconds}s: {error}"));
            }
            Event::BaseFailed(error) => {
                tracing::warn!(%error, "a base was not written or old files were not deleted; the log goes on");
            }
            Event::BaseWanted | Event::Closed | Event::Fenced(_) | Event::GivenUp(_) | Event::Died(_) => {}
        }
        seen.metrics.bytes(seen.bytes);
    }

    /// So many slides are closed and not durable; now is this.
    pub(super) fn checkpoint_queue(&mut self, queued: usize, now_ms: Millis) {
        let Some(seen) = &mut self.checkpoint else { return };
        seen.metrics.behind(seen.age(now_ms), queued);
        let age_ms = u64::try_from(seen.age(now_ms).as_millis()).unwrap_or(u64::MAX);
        self.status.checkpoint = Some(CheckpointStatus { age_ms, bytes: seen.bytes, queued: queued as u64 });
    }

    /// What is wrong with it.
    pub(super) fn checkpoint_trouble(&self) -> Option<String> {
        self.checkpoint.as_ref()?.trouble.clone()
    }
}

impl Seen {
    fn age(&self, now_ms: Millis) -> Duration {
        let age_ms = self.durable_ms.map_or(0, |durable_ms| (now_ms - durable_ms).max(0));
        Duration::from_millis(age_ms.unsigned_abs())
    }
}
