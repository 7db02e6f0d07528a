//! Becoming the owner of a cursor. Part of `CursorFile::open`.
//!
//! Where files have locks, the lock decides. In HDFS only two things are exclusive, and both are used: of several that
//! rename a file away one succeeds, and of several that create a file one does. So a newcomer that may take the cursor
//! renames the owner file away and creates its own.

use std::time::Duration;

use super::owner::{self, Because, CursorOwner, QUIET, Verdict};
use super::{CursorError, CursorFile, OwnerInfo, lock_file, owner_file, read_owner};
use crate::store::{Hold, Kind, Store};
use tokio_util::bytes::Bytes;

/// How often an owner file is looked at while it is watched.
const WATCH_EVERY: Duration = Duration::from_millis(500);
/// How often it is begun again because another newcomer was faster.
const CONTESTS_MAX: u32 = 5;
/// A lock that somebody looks at is held for that moment.
const HOLD_TRIES: u32 = 10;
const HOLD_AGAIN: Duration = Duration::from_millis(20);

/// Becomes the owner, in an epoch after `epoch`.
pub(super) async fn claim(
    store: Store,
    name: &str,
    who: OwnerInfo,
    epoch: u64,
    now: Duration,
) -> Result<CursorFile, CursorError> {
    let owner = CursorOwner {
        epoch,
        process: token(),
        host: who.host,
        pid: who.pid,
        since_ms: who.since_ms,
        beat: 0,
        free: false,
    };
    let mut file = CursorFile { store, name: name.to_owned(), owner, beaten: None, _hold: None };
    if has_locks(&file.store, name).await? {
        file._hold = Some(hold(&file.store, name).await?);
        let text = read_owner(&file.store, name).await?;
        file.owner.epoch = next_epoch(epoch, text.as_deref());
        file.write_owner().await?;
        return Ok(file);
    }
    file.beaten = Some(now);
    for _ in 0..CONTESTS_MAX {
        let text = permitted(&file.store, name).await?;
        file.owner.epoch = next_epoch(file.owner.epoch, text.as_deref());
        if take(&file, text.is_some()).await? {
            return Ok(file);
        }
    }
    Err(CursorError::Contested { path: file.path() })
}

fn next_epoch(before: u64, owner: Option<&[u8]>) -> u64 {
    let last = owner.and_then(CursorOwner::decode).map_or(0, |owner| owner.epoch);
    before.max(last).saturating_add(1)
}

async fn has_locks(store: &Store, name: &str) -> Result<bool, CursorError> {
    match store.held(&lock_file(name)).await {
        Ok(held) => Ok(held.is_some()),
        // Only a store with locks looks for the file.
        Err(error) if error.kind == Kind::Gone => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// Locks the cursor. The lock is a file of its own, which is never replaced: a lock is on what a name meant when it was
/// opened.
async fn hold(store: &Store, name: &str) -> Result<Hold, CursorError> {
    let lock = lock_file(name);
    match store.put_bytes(&lock, Bytes::new()).await {
        Err(error) if error.kind != Kind::Exists => return Err(error.into()),
        _ => {}
    }
    for attempt in 1.. {
        match store.hold(&lock).await {
            Ok(hold) => return Ok(hold),
            Err(error) if error.kind == Kind::Exists && attempt < HOLD_TRIES => store.pause(HOLD_AGAIN).await,
            Err(error) if error.kind == Kind::Exists => break,
            Err(error) => return Err(error.into()),
        }
    }
    let owner = owner::in_words(read_owner(store, name).await?.as_deref());
    Err(CursorError::Owned { path: store.name(name), owner })
}

/// Waits until taking the cursor is allowed, or known not to be. Returns the owner file that this was decided by.
async fn permitted(store: &Store, name: &str) -> Result<Option<Bytes>, CursorError> {
    let first = read_owner(store, name).await?;
    let mut now = first.clone();
    // By looks, not by a clock: where looking takes long, the owner is watched for longer.
    let mut watched = Duration::ZERO;
    loop {
        match owner::judge(first.as_deref(), now.as_deref(), watched) {
            Verdict::Take(Because::Quiet) => {
                let quiet_s = QUIET.as_secs();
                let owner = owner::in_words(now.as_deref());
                tracing::warn!(
                    cursor = store.name(name),
                    owner,
                    quiet_s,
                    "the cursor's owner is silent; taken over"
                );
                return Ok(now);
            }
            Verdict::Take(Because::Free | Because::Ended) => return Ok(now),
            Verdict::Refuse => {
                let owner = owner::in_words(now.as_deref());
                return Err(CursorError::Owned { path: store.name(name), owner });
            }
            Verdict::Watch => {}
        }
        if watched.is_zero() {
            let owner = owner::in_words(now.as_deref());
            tracing::info!(
                cursor = store.name(name),
                owner,
                "the cursor's owner did not say that it ended; watched for 15 s"
            );
        }
        store.pause(WATCH_EVERY).await;
        watched += WATCH_EVERY;
        now = read_owner(store, name).await?;
    }
}

/// Puts the own file in the place of the one that was judged. False if another was faster: then it must be found out again
/// who the owner is.
async fn take(file: &CursorFile, is_there: bool) -> Result<bool, CursorError> {
    let (store, owner) = (&file.store, owner_file(&file.name));
    let aside = format!("{owner}-before-{}-{}", file.owner.epoch, file.owner.process);
    if is_there {
        match store.rename(&owner, &aside).await {
            Ok(()) => {}
            Err(error) if error.kind == Kind::Gone => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
    let created = match store.put_bytes(&owner, file.owner.encode()).await {
        Ok(_) => true,
        Err(error) if error.kind == Kind::Exists => false,
        Err(error) => return Err(error.into()),
    };
    if is_there && let Err(error) = store.delete(&aside).await {
        // Nothing reads it.
        tracing::debug!(%error, "an owner file that was set aside stays");
    }
    Ok(created)
}

/// What no other process has.
fn token() -> String {
    format!("{:016x}", getrandom::u64().unwrap_or_default())
}
