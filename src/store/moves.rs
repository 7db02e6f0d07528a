//! Files that appear whole or not at all: a temporary name, then a rename. What became of a rename whose answer
//! got lost is found out by looking.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time;
use tokio_util::bytes::Bytes;

use super::error::Failure;
use super::{Content, Copies, Inner, Pieces, Store, StoreError, within};

/// Names that begin so are unfinished files; nothing reads them.
const TEMPORARY: &str = ".tmp-";

impl Store {
    /// Whether a name is that of an unfinished file.
    pub fn is_temporary(name: &str) -> bool {
        name.starts_with(TEMPORARY)
    }

    /// Writes a file that must not exist, whole: readers see all of it or nothing. Its directory must exist.
    /// Returns its length.
    pub async fn put(&self, path: &str, content: Content) -> Result<u64, StoreError> {
        self.write(path, content, false).await
    }

    /// [`Store::put`] for few bytes.
    pub async fn put_bytes(&self, path: &str, bytes: Bytes) -> Result<u64, StoreError> {
        self.put(path, few(bytes)).await
    }

    /// Writes a file whole, in place of the one that may be there: readers see the old or the new one.
    pub async fn replace(&self, path: &str, bytes: Bytes) -> Result<u64, StoreError> {
        self.write(path, few(bytes), true).await
    }

    /// Renames a file or directory to a name that must be free. Done by somebody else is done too: whoever moves
    /// a thing that has several movers must have its name to itself, or not mind.
    pub async fn rename(&self, from: &str, to: &str) -> Result<(), StoreError> {
        self.moved(from, to, false).await
    }

    /// Renames a file to a name that another file may have: readers see that one or this.
    pub async fn rename_over(&self, from: &str, to: &str) -> Result<(), StoreError> {
        self.moved(from, to, true).await
    }

    async fn write(&self, path: &str, content: Content, replace: bool) -> Result<u64, StoreError> {
        let failed = |failure: Failure| failure.of("write", self.name(path));
        let number = getrandom::u64().map_err(|error| failed(Failure::unavailable(error.to_string())))?;
        let (above, name) = path.rfind('/').map_or(("", path), |slash| path.split_at(slash + 1));
        let stem = format!("{above}{TEMPORARY}{name}-{number:016x}");
        let (raw, deadline) = (Arc::clone(&self.inner), self.patience.call);
        // Each attempt has a name of its own: an earlier one's writer may still hold its file.
        let written = self.persist("write", move |attempt| {
            let (raw, content, temporary) = (Arc::clone(&raw), content.clone(), format!("{stem}-{attempt}"));
            let copies = if attempt == 0 { Copies::Usual } else { Copies::One };
            async move {
                match create(&raw, &temporary, content(), copies, deadline).await {
                    Ok(length) => Ok((temporary, length)),
                    Err(failure) => {
                        // Garbage at worst; what went wrong is more important.
                        let _ = within(deadline, raw.delete(&temporary)).await;
                        Err(failure)
                    }
                }
            }
        });
        let (temporary, length) = written.await.map_err(failed)?;
        let moved = self.moved(&temporary, path, replace).await;
        if moved.is_err() {
            let _ = self.delete(&temporary).await;
        }
        moved.map(|()| length)
    }

    async fn moved(&self, from: &str, to: &str, replace: bool) -> Result<(), StoreError> {
        let (raw, deadline) = (Arc::clone(&self.inner), self.patience.call);
        let (source, target): (Arc<str>, Arc<str>) = (from.into(), to.into());
        let doubtful = Arc::new(AtomicBool::new(false));
        let moved = self.persist("rename", move |_| {
            let (raw, source, target) = (Arc::clone(&raw), Arc::clone(&source), Arc::clone(&target));
            let doubtful = Arc::clone(&doubtful);
            async move {
                let failure = match within(deadline, raw.rename(&source, &target, replace)).await {
                    Ok(()) => return Ok(()),
                    Err(failure) => failure,
                };
                let in_doubt = failure.kind.is_passing() | doubtful.load(Ordering::Relaxed);
                doubtful.store(in_doubt, Ordering::Relaxed);
                match within(deadline, seen(&raw, &source, &target)).await {
                    Ok((false, true)) if in_doubt => Ok(()),
                    Ok((true, true)) if !replace => Err(Failure::exists()),
                    _ => Err(failure),
                }
            }
        });
        let name = || format!("{} to {}", self.name(from), self.name(to));
        moved.await.map_err(|failure| failure.of("rename", name()))
    }
}

/// Writes one file. Its length is anything, so the deadline is for each piece.
async fn create(
    raw: &Inner,
    path: &str,
    pieces: Pieces,
    copies: Copies,
    deadline: Duration,
) -> Result<u64, Failure> {
    let taken = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&taken);
    let counted = pieces.inspect(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    let mut created = pin!(raw.create(path, Box::new(counted), copies));
    loop {
        let before = taken.load(Ordering::Relaxed);
        match time::timeout(deadline, &mut created).await {
            Ok(created) => return created,
            Err(_) if taken.load(Ordering::Relaxed) > before => {}
            Err(_) => return Err(Failure::unavailable(format!("not written on within {deadline:?}"))),
        }
    }
}

/// Which of two names something has.
async fn seen(raw: &Inner, one: &str, other: &str) -> Result<(bool, bool), Failure> {
    Ok((raw.look(one).await?.is_some(), raw.look(other).await?.is_some()))
}

fn few(bytes: Bytes) -> Content {
    Arc::new(move || Box::new(std::iter::once(bytes.clone())))
}
