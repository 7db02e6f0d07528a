//! The driver's dealings with its snapshots: begun with the checkpoint, told every slide, closed after it.

use std::time::Duration;

use tokio::time;

use crate::checkpoint::{self, Opened};
use crate::ids::Millis;
use crate::snapshot::{self, Event, Events, Owner, Plan, Ranked, Slide, Writer};
use crate::store::Store;

/// Where snapshots go, and which windows.
#[derive(Debug, Clone)]
pub struct SnapshotSetup {
    /// Their directory.
    pub store: Store,
    /// What is written.
    pub plan: Plan,
}

/// The snapshots on their way; of a job without any, nothing ever happens to them.
#[derive(Debug)]
pub(super) struct Snapshots {
    setup: Option<SnapshotSetup>,
    /// Bound of what waits to be written, bytes.
    queue_bytes: usize,
    writing: Option<(Writer, Events)>,
}

impl Snapshots {
    pub(super) fn new(setup: Option<SnapshotSetup>, queue_bytes: usize) -> Self {
        Self { setup, queue_bytes, writing: None }
    }

    /// Begins, with the checkpoint opened, ends put back where that is to be done, and nothing written yet: what was
    /// recovered from it may still have to be made visible, under the ends that it had.
    pub(super) fn start(&mut self, opened: &mut Opened) {
        let Some(SnapshotSetup { store, plan }) = self.setup.clone() else { return };
        opened.keep_since(Millis::MIN);
        let checkpoint = opened.store().clone();
        let end_ms = opened.recovered.as_ref().and_then(|recovered| recovered.end_ms);
        self.writing = Some(snapshot::start(snapshot::Setup {
            store,
            plan,
            owner: Owner { checkpoint: checkpoint.address().to_string(), epoch: opened.epoch },
            checkpoint,
            until_ms: end_ms.map(|end_ms| end_ms - opened.relabeled_ms()),
            relabeled: opened.relabeled_ms() != 0,
            ids_max: opened.ids_max(),
            queue_bytes: self.queue_bytes,
        }));
    }

    /// A slide closed, which the checkpoint gives this number.
    pub(super) fn closed(&mut self, number: u64, slide: &checkpoint::Slide, window: Option<Ranked>) {
        if let Some((writer, _)) = &mut self.writing {
            writer.closed(Slide::of(number, slide, window));
        }
    }

    /// Every slide up to this end is durable.
    pub(super) fn durable(&mut self, end_ms: Millis) {
        if let Some((writer, _)) = &mut self.writing {
            writer.durable(end_ms);
        }
    }

    /// Waits for what happens next, for ever if nothing can. A writer that is over without its last word has failed.
    pub(super) async fn next(&mut self) -> Event {
        let Some((_, events)) = &mut self.writing else { return std::future::pending().await };
        let event = events.recv().await.unwrap_or_else(|| Event::Died("without a word".to_owned()));
        if matches!(event, Event::Fenced | Event::Refused { .. }) {
            // Its last word: nothing is written any more, and the job goes on.
            self.writing = None;
        }
        event
    }

    /// Has the last file written, within a time; what is not visible by then is made by the next attempt.
    pub(super) async fn close(self, within: Duration) {
        let Some((writer, mut events)) = self.writing else { return };
        writer.close();
        let closed = async { while events.recv().await.is_some() {} };
        if time::timeout(within, closed).await.is_err() {
            tracing::warn!("the last snapshot is not written yet; the next run of the job writes it");
        }
    }
}

#[cfg(test)]
mod tests;
