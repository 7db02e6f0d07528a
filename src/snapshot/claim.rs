//! Becoming the only writer of a snapshot directory, and finding out how far it is written.
//!
//! Every file is written under `_staging/<checkpoint>-<epoch>/` and renamed from there. Whoever owns the checkpoint in a
//! later epoch deletes that directory: a writer that was paused before its rename finds its file gone. Only then is
//! the directory read, so nothing can be added afterwards that was not seen.

use tokio_util::bytes::Bytes;

use super::facts::Facts;
use super::layout::{FILE_BYTES_MAX, FileName, LATEST, Partition, STAGING, hours, list};
use super::plan::Plan;
use crate::ids::Millis;
use crate::store::{Kind, Store, StoreError};

/// Longest `latest.json` read: its ranking has up to a million keys.
const LATEST_BYTES_MAX: u64 = 1 << 30;

/// Who writes: the owner of a checkpoint, in one epoch of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Address of the checkpoint.
    pub checkpoint: String,
    /// The epoch in which it is owned.
    pub epoch: u64,
}

impl Owner {
    /// The directory for its files under way. A digest tells checkpoints apart, whose epochs say nothing of each
    /// other.
    pub(super) fn staging(&self) -> String {
        format!("{STAGING}/{}", self.name())
    }

    fn name(&self) -> String {
        format!("{:08x}-{:06}", crc32c::crc32c(self.checkpoint.as_bytes()), self.epoch)
    }

    /// Whether the directory of this name belongs to a later epoch of the same checkpoint.
    fn is_before(&self, name: &str) -> bool {
        let own = self.name();
        let (checkpoint, _) = own.split_at(9);
        name.strip_prefix(checkpoint)
            .and_then(|epoch| epoch.parse::<u64>().ok())
            .is_some_and(|e| e > self.epoch)
    }
}

/// Why a directory cannot be written to.
#[derive(Debug)]
pub(super) enum Refused {
    /// The store says no, or not now.
    Store(StoreError),
    /// A later owner of the checkpoint writes.
    Fenced,
    /// It holds the snapshots of this job.
    Foreign(String),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The newest visible window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Newest {
    pub end_ms: Millis,
    /// Number of the slide that ends with it, where the ranges beside it say so.
    pub slide: Option<u64>,
}

/// Stops earlier writers. Returns the newest window that is visible. May be repeated.
pub(super) async fn take(store: &Store, plan: &Plan, owner: &Owner) -> Result<Option<Newest>, Refused> {
    store.make_root().await?;
    if let Some(app) = foreign(store, plan).await? {
        return Err(Refused::Foreign(app));
    }
    store.make_dir(STAGING).await?;
    store.make_dir(&owner.staging()).await?;
    // Whoever of two makes its directory later sees the other's.
    let others = list(store, STAGING).await?;
    if others.iter().any(|other| owner.is_before(&other.name)) {
        store.delete(&owner.staging()).await?;
        return Err(Refused::Fenced);
    }
    for other in others.iter().filter(|other| other.name != owner.name()) {
        store.delete(&format!("{STAGING}/{}", other.name)).await?;
    }
    for hour in hours(store).await?.into_iter().rev() {
        let Partition { rows, orphans } = Partition::list(store, hour).await?;
        for orphan in orphans {
            store.delete(&format!("{}/{orphan}", hour.dir())).await?;
        }
        if let Some(newest) = rows.iter().max_by_key(|file| file.last_ms) {
            let (end_ms, slide) = (newest.last_ms, last_slide(store, newest).await?);
            return Ok(Some(Newest { end_ms, slide }));
        }
    }
    Ok(None)
}

/// Number of the last slide in a file.
async fn last_slide(store: &Store, file: &FileName) -> Result<Option<u64>, StoreError> {
    match store.read(&file.path(&file.ranges()), FILE_BYTES_MAX).await {
        Ok(bytes) => Ok(Facts::last_of(bytes, file.gzip).map(|facts| facts.slide)),
        Err(error) if error.kind == Kind::Unavailable => Err(error),
        // It never can be read, and rows matter more.
        Err(_) => Ok(None),
    }
}

/// The job whose snapshots are there, if it is not this one: two jobs in one directory would be one wrong table.
async fn foreign(store: &Store, plan: &Plan) -> Result<Option<String>, StoreError> {
    #[derive(serde::Deserialize)]
    struct Latest {
        app: String,
    }
    let latest = match store.read(LATEST, LATEST_BYTES_MAX).await {
        Err(error) if error.kind == Kind::Gone => Bytes::new(),
        latest => latest?,
    };
    let latest: Option<Latest> = serde_json::from_slice(&latest).ok();
    Ok(latest.map(|latest| latest.app).filter(|app| *app != plan.app))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_epochs_of_the_same_checkpoint_come_after() {
        let owner = |checkpoint: &str, epoch| Owner { checkpoint: checkpoint.to_owned(), epoch };
        let this = owner("hdfs:///a", 7);
        assert!(this.is_before(&owner("hdfs:///a", 8).name()));
        assert!(this.is_before(&owner("hdfs:///a", 1_000_000).name()));
        for other in [owner("hdfs:///a", 7), owner("hdfs:///a", 6), owner("hdfs:///b", 8)] {
            assert!(!this.is_before(&other.name()), "{other:?}");
        }
        assert!(!this.is_before("x"));
    }
}
