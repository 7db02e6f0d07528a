//! The cursor file: how far the producer has come, in a local file or in HDFS, for one producer at a time. The run loop
//! saves what `ledger` says; a start goes on from there.
//!
//! One producer per cursor. A local cursor has a lock beside it (`NAME.lock`), which the kernel takes away from a process
//! that ended. HDFS knows no locks: there the owner's file (`NAME.owner`) has a beat that grows while the owner lives; see
//! `claim`. Whoever it is, the owner looks before each write whether the cursor is still its own.
//!
//! What remains in HDFS: an owner looks, is frozen for long enough to be taken for dead, and wakes up between its look and
//! its write. Then it puts an older cursor in the place of its successor's. That does no harm. The successor's next save
//! replaces it; and if the successor dies before that, the next start only goes on further back, with the older log
//! ends, so that what it reads again is recognized by ids or was never committed.

use std::time::Duration;

use tokio_util::bytes::Bytes;

use crate::config::producer::Cursor;
use crate::ids::Millis;
use crate::store::{Address, Hold, Kind, Patience, Store, StoreError};

mod claim;
mod error;
mod owner;
mod saved;

pub use error::CursorError;
use owner::{CursorOwner, Standing};
pub use saved::Saved;

/// How long the store may take. Short: what is not saved now is saved a second later.
const PATIENCE: Patience = Patience {
    call: Duration::from_secs(10),
    sync: Duration::from_secs(5),
    retries: Duration::from_secs(10),
    back_off: Duration::from_millis(100),
    take_over: Duration::from_secs(90),
};
/// Largest cursor file: ten thousand partitions have a fifth of it.
const CURSOR_BYTES_MAX: u64 = 2 << 20;
/// Largest owner file.
const OWNER_BYTES_MAX: u64 = 64 << 10;

/// Who wants the cursor; for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerInfo {
    /// This machine.
    pub host: String,
    /// This process on it.
    pub pid: u32,
    /// When it was started, by its own clock.
    pub since_ms: Millis,
}

/// What the cursor is for: one of something else is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purpose<'a> {
    /// The source's kind, as the producer file calls it.
    pub source: &'a str,
    /// Which server it is, if a cursor is good for one only; else empty.
    pub identity: &'a str,
    /// The topic.
    pub topic: &'a str,
}

/// A cursor file that is this process's own.
#[derive(Debug)]
pub struct CursorFile {
    store: Store,
    name: String,
    owner: CursorOwner,
    /// Where files have no locks: when the owner file last grew.
    beaten: Option<Duration>,
    /// Where files have locks.
    _hold: Option<Hold>,
}

impl CursorFile {
    /// Becomes the owner of the cursor and reads it; `None` if there is none yet. A cursor in HDFS whose owner did not end
    /// properly is watched for 15 s first.
    ///
    /// A file that is damaged, or was written for another source or topic, is an error: going on without it would send
    /// posts twice or leave some out. `now` is the caller's monotonic time.
    pub async fn open(
        cursor: &Cursor,
        who: OwnerInfo,
        purpose: Purpose<'_>,
        now: Duration,
    ) -> Result<(Self, Option<Saved>), CursorError> {
        let wrong = |reason: String| CursorError::Path { path: cursor.path.clone(), reason };
        let address = Address::parse(&cursor.path).map_err(|error| wrong(error.to_string()))?;
        let (directory, name) = address.split().ok_or_else(|| {
            wrong("its directory would be the root of the file system; name a file in a directory".to_owned())
        })?;
        let store = Store::open(&directory, PATIENCE)?;
        Self::open_in(store, &name, who, purpose, now).await
    }

    /// The same in a store that is open.
    async fn open_in(
        store: Store,
        name: &str,
        who: OwnerInfo,
        purpose: Purpose<'_>,
        now: Duration,
    ) -> Result<(Self, Option<Saved>), CursorError> {
        store.make_root().await?;
        // Before it is claimed: whoever cannot use it shall not have it.
        let epoch = read(&store, name, purpose).await?.map_or(0, |(epoch, _)| epoch);
        let file = claim::claim(store, name, who, epoch, now).await?;
        // And again: an earlier owner may have saved until then.
        match read(&file.store, name, purpose).await {
            Ok(saved) => Ok((file, saved.map(|(_, saved)| saved))),
            Err(error) => {
                // The error says more than that the file is not marked free.
                drop(file.close().await);
                Err(error)
            }
        }
    }

    /// Writes how far the producer has come; afterwards that is durable, and before that the old file is whole. May take
    /// 20 s where the store is away; what comes back then may be tried again, unless
    /// [`CursorError::is_final`]. `now` is the caller's monotonic time.
    pub async fn save(&mut self, saved: &Saved, now: Duration) -> Result<(), CursorError> {
        self.beat(now).await?;
        let text = saved::encode(saved, self.owner.epoch);
        self.store.replace(&self.name, Bytes::from(text)).await?;
        Ok(())
    }

    /// Shows others that the owner lives, and looks whether it still is the owner. To be called every few seconds also
    /// when there is nothing to save: in HDFS an owner that is silent for 15 s is taken for dead.
    pub async fn beat(&mut self, now: Duration) -> Result<(), CursorError> {
        let is_due = self.beaten.is_some_and(|last| now.saturating_sub(last) >= owner::BEAT);
        match self.standing().await? {
            Standing::Lost(by) => return Err(self.lost(by)),
            Standing::Ours if !is_due => return Ok(()),
            Standing::Ours | Standing::Overwritten => self.write_owner().await?,
            // By somebody who takes it over, or by hand: whoever creates it has it.
            Standing::Missing => self.create_owner().await?,
        }
        self.beaten = self.beaten.map(|_| now);
        Ok(())
    }

    /// Gives the cursor up, so that the next start does not wait.
    pub async fn close(mut self) -> Result<(), CursorError> {
        if let Standing::Ours = self.standing().await? {
            self.owner.free = true;
            self.write_owner().await?;
        }
        Ok(())
    }

    /// The file's full name, for people.
    pub fn path(&self) -> String {
        self.store.name(&self.name)
    }

    async fn standing(&self) -> Result<Standing, CursorError> {
        let text = read_owner(&self.store, &self.name).await?;
        Ok(self.owner.standing(text.as_deref()))
    }

    async fn write_owner(&mut self) -> Result<(), CursorError> {
        self.owner.beat += 1;
        self.store.replace(&owner_file(&self.name), self.owner.encode()).await?;
        Ok(())
    }

    async fn create_owner(&mut self) -> Result<(), CursorError> {
        self.owner.beat += 1;
        match self.store.put_bytes(&owner_file(&self.name), self.owner.encode()).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind == Kind::Exists => Err(self.lost("another producer".to_owned())),
            Err(error) => Err(error.into()),
        }
    }

    fn lost(&self, by: String) -> CursorError {
        CursorError::Lost { path: self.path(), by }
    }
}

fn owner_file(name: &str) -> String {
    format!("{name}.owner")
}

fn lock_file(name: &str) -> String {
    format!("{name}.lock")
}

/// The cursor and the epoch in which it was written; `None` if there is no file.
async fn read(store: &Store, name: &str, purpose: Purpose<'_>) -> Result<Option<(u64, Saved)>, CursorError> {
    let Some(text) = gone_is_none(store.read(name, CURSOR_BYTES_MAX).await)? else { return Ok(None) };
    let path = store.name(name);
    let (epoch, saved) = saved::decode(&text, &path)?;
    saved.check(purpose, &path)?;
    Ok(Some((epoch, saved)))
}

async fn read_owner(store: &Store, name: &str) -> Result<Option<Bytes>, StoreError> {
    gone_is_none(store.read(&owner_file(name), OWNER_BYTES_MAX).await)
}

fn gone_is_none<T>(outcome: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind == Kind::Gone => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
