//! One file on its way to its readers: ranges, `latest.json`, rows, in this order; then old partitions go. Part of the
//! writer.
//!
//! Rows come last, so a file of rows that is there has everything beside it, and whoever dies before that begins this
//! file anew.

use tokio_util::bytes::Bytes;

use super::Event;
use super::task::{End, Task};
use crate::snapshot::builder::File;
use crate::snapshot::layout::{LATEST, hours, list};
use crate::snapshot::plan::Hour;
use crate::store::{Kind, StoreError};

impl Task {
    /// Makes a file visible, however long that takes.
    pub(super) async fn publish(&mut self, file: &File) -> Result<(), End> {
        loop {
            match self.try_publish(file).await {
                Ok(()) => break,
                Err(error) if error.kind == Kind::Gone && self.is_fenced().await => return Err(End::Fenced),
                Err(error) => self.failed(error.to_string()).await?,
            }
        }
        self.failing = None;
        (self.through_ms, self.through) = (Some(file.name.last_ms), Some(file.slide));
        self.tell(Event::Visible { through_ms: file.name.last_ms });
        if let Err(error) = self.retain().await {
            // The next file's turn comes.
            tracing::warn!(%error, "delete old snapshots");
        }
        Ok(())
    }

    async fn try_publish(&self, file: &File) -> Result<(), StoreError> {
        let store = &self.setup.store;
        let hour = file.name.hour();
        store.make_dir(&hour.day()).await?;
        store.make_dir(&hour.dir()).await?;
        let (rows, ranges) = (file.name.rows(), file.name.ranges());
        self.place(&ranges, &file.ranges, &file.name.path(&ranges)).await?;
        let latest = self.stage(LATEST, &file.latest).await?;
        store.rename_over(&latest, LATEST).await?;
        self.place(&rows, &file.rows, &file.name.path(&rows)).await
    }

    /// Gives a file its name. One that has it already is the same file.
    async fn place(&self, name: &str, bytes: &Bytes, target: &str) -> Result<(), StoreError> {
        let staged = self.stage(name, bytes).await?;
        let store = &self.setup.store;
        match store.rename(&staged, target).await {
            Err(error) if error.kind == Kind::Exists => {
                let there = store.look(target).await?.map(|entry| entry.bytes);
                if there != Some(bytes.len() as u64) {
                    tracing::warn!(
                        path = store.name(target),
                        "a snapshot is there already and is another one"
                    );
                }
                store.delete(&staged).await
            }
            renamed => renamed,
        }
    }

    async fn stage(&self, name: &str, bytes: &Bytes) -> Result<String, StoreError> {
        let staged = format!("{}/{name}", self.setup.owner.staging());
        match self.setup.store.put_bytes(&staged, bytes.clone()).await {
            // From a try that failed after this.
            Err(error) if error.kind == Kind::Exists => Ok(staged),
            put => put.map(|_| staged),
        }
    }

    async fn is_fenced(&self) -> bool {
        matches!(self.setup.store.look(&self.setup.owner.staging()).await, Ok(None))
    }

    /// Deletes partitions that ended long before the newest window.
    async fn retain(&self) -> Result<(), StoreError> {
        let (store, plan) = (&self.setup.store, &self.setup.plan);
        let Some(through_ms) = self.through_ms else { return Ok(()) };
        let is_old = |hour: &&Hour| hour.end_ms() < through_ms.saturating_sub(plan.retain_ms);
        for hour in hours(store).await?.iter().filter(is_old) {
            store.delete(&hour.dir()).await?;
            if list(store, &hour.day()).await?.is_empty() {
                store.delete(&hour.day()).await?;
            }
        }
        Ok(())
    }
}
