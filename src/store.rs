//! Files that outlive the process: one directory tree in HDFS or in the local file system. Feeds `checkpoint`.
//!
//! Dispatch is by enum: there are two stores, and none comes without a release. Every call has a deadline and is
//! retried within [`Patience`]; what an error means is decided in one place per store and said by [`Kind`]. An
//! outcome that got lost on its way is found out by looking, never assumed. Work is done by threads of the
//! store's own, so a caller that goes away leaves nothing half done and a large file holds nobody up.
//!
//! `hdfs://` and `viewfs://` go by the crate `hdfs-native`, configured by `HADOOP_CONF_DIR` as every Hadoop client:
//! name services, tokens, Kerberos. It knows no time-outs towards the NameNode, drops a writer's pipeline with a
//! dropped `hsync`, and hangs in `hsync` when a DataNode dies, so deadlines and writers are kept here.

mod address;
mod error;
mod io;
mod local;
mod hdfs;
mod backend;
mod moves;
mod log;
#[cfg(test)]
pub(crate) mod faults;

pub use address::{Address, AddressError};
pub use backend::{Entry, Hold};
pub use error::{Kind, StoreError, panicked};
pub use log::LogWriter;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time;
use tokio_util::bytes::Bytes;

use crate::clock::Clock;
use backend::Backend;
use error::Failure;
use io::Io;

/// A file's content, piece by piece.
pub type Pieces = Box<dyn Iterator<Item = Bytes> + Send>;

/// Makes a file's content anew for every attempt to write it.
pub type Content = Arc<dyn Fn() -> Pieces + Send + Sync>;

/// How many nodes must take a new file at once. HDFS makes the other copies afterwards.
///
/// `hdfs-native` cannot leave a DataNode out, and a NameNode gives one that hangs to new files until it is declared
/// dead, by default for ten minutes: with every node wanted, one that hangs is in most pipelines of a small cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copies {
    /// As many as the NameNode's defaults say.
    Usual,
    /// One: for when a node seems to hang.
    One,
}

/// How long to wait for a store.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For one call, or one piece of a large one.
    pub call: Duration,
    /// For a piece of a log to be durable. Shorter, because a DataNode that dies makes a sync hang for good.
    pub sync: Duration,
    /// For a call with its retries.
    pub retries: Duration,
    /// First wait before a call is tried again; it doubles, up to a few seconds.
    pub back_off: Duration,
    /// Until a file that was taken over is closed: DataNodes agree on its length first.
    pub take_over: Duration,
}

impl Default for Patience {
    /// A NameNode that restarts is away for half a minute; one of two dead DataNodes makes a take-over last 10 s.
    fn default() -> Self {
        Self {
            call: Duration::from_secs(10),
            sync: Duration::from_secs(5),
            retries: Duration::from_secs(60),
            back_off: Duration::from_millis(100),
            take_over: Duration::from_secs(90),
        }
    }
}

/// Who a store is asked as, where it wants to know: a Kerberos principal, proved by a keytab. Without one it is whoever
/// has a ticket, as `kinit` and MIT's variables `KRB5CCNAME` and `KRB5_CLIENT_KTNAME` say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// `user`, or `user@REALM`.
    pub principal: String,
    /// Keytab on this machine, with the principal's key.
    pub keytab: PathBuf,
}

/// One directory tree. Cheap to clone; paths are relative to its root.
#[derive(Debug, Clone)]
pub struct Store {
    address: Address,
    patience: Patience,
    clock: Clock,
    inner: Arc<Inner>,
}

/// What all clones share. Dropped last of all: the backend's tasks run on `io`.
#[derive(Debug)]
struct Inner {
    backend: Backend,
    io: Io,
    #[cfg(test)]
    faults: Arc<faults::Faults>,
}

/// Files are read in pieces of this size.
const READ_PIECE_BYTES: u64 = 32 << 20;
/// Longest wait before it is asked again whether a file is closed. Asking may begin the recovery anew (on 2.8.5 with
/// one of two DataNodes dead a file was not closed within 90 s when asked every second), so the waits outgrow it.
const ASK_AGAIN_MAX: Duration = Duration::from_secs(30);
/// After so much trying the log says so: who waits for a job to begin wants to know for what.
const TOLD_AFTER: Duration = Duration::from_secs(2);
/// Longest wait before a call is tried again.
const BACK_OFF_MAX: Duration = Duration::from_secs(3);

impl Store {
    /// Opens the tree under `address`, which need not exist yet. Does not ask the store anything.
    pub fn open(address: &Address, patience: Patience) -> Result<Self, StoreError> {
        Self::open_as(None, address, patience)
    }

    /// The same, as somebody.
    pub fn open_as(login: Option<&Login>, address: &Address, patience: Patience) -> Result<Self, StoreError> {
        let io = Io::start().map_err(|failure| failure.of("start threads for", address.to_string()))?;
        let backend = Backend::open(address, login, io.handle())
            .map_err(|failure| failure.of("read the configuration of", address.to_string()))?;
        Ok(Self::with(address.clone(), patience, backend, io))
    }

    fn with(address: Address, patience: Patience, backend: Backend, io: Io) -> Self {
        let inner = Inner {
            backend,
            io,
            #[cfg(test)]
            faults: Arc::default(),
        };
        Self { address, patience, clock: Clock::start(), inner: Arc::new(inner) }
    }

    /// Where the tree is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// How long it waits.
    pub fn patience(&self) -> Patience {
        self.patience
    }

    /// The full name of `path`, for people.
    pub fn name(&self, path: &str) -> String {
        self.address.join(path)
    }

    /// Where the store's own work runs; never on the caller's thread.
    pub fn handle(&self) -> Handle {
        self.inner.io.handle()
    }

    /// Runs a worker on the store's threads. If it panics, `died` gets the reason: whoever waits for the worker's next
    /// word would wait for ever.
    pub(crate) fn work(
        &self,
        worker: impl Future<Output = ()> + Send + 'static,
        died: impl FnOnce(String) + Send + 'static,
    ) {
        let worker = self.handle().spawn(worker);
        self.handle().spawn(async move {
            if let Err(error) = worker.await
                && let Some(reason) = panicked(error)
            {
                died(reason);
            }
        });
    }

    /// Makes the root with all its parents.
    pub async fn make_root(&self) -> Result<(), StoreError> {
        self.call("make directory", "", |raw, path| async move { raw.make_dir(&path, true).await }).await
    }

    /// Makes a directory in one that exists: a directory that was renamed away must not come back. One that is
    /// there already is fine; making one is not exclusive.
    pub async fn make_dir(&self, path: &str) -> Result<(), StoreError> {
        self.call("make directory", path, |raw, path| async move { raw.make_dir(&path, false).await }).await
    }

    /// What a directory holds, by name ascending; [`Kind::Gone`] if there is none.
    pub async fn list(&self, path: &str) -> Result<Vec<Entry>, StoreError> {
        self.call("list", path, |raw, path| async move { raw.list(&path).await }).await
    }

    /// A file or directory, `None` if there is none. The length of a file that is being written is what was
    /// synced.
    pub async fn look(&self, path: &str) -> Result<Option<Entry>, StoreError> {
        self.call("look at", path, |raw, path| async move { raw.look(&path).await }).await
    }

    /// A whole closed file; [`Kind::Invalid`] if it is longer than `bytes_max`.
    pub async fn read(&self, path: &str, bytes_max: u64) -> Result<Bytes, StoreError> {
        let length = self.call("read", path, move |raw, path| async move {
            let length = raw.look(&path).await?.ok_or_else(Failure::gone)?.bytes;
            if length > bytes_max {
                return Err(Failure::invalid(format!(
                    "{length} bytes are more than the {bytes_max} allowed"
                )));
            }
            if raw.readable(&path).await? < length {
                return Err(Failure::unavailable("it is still being written"));
            }
            Ok(length)
        });
        self.read_first(path, length.await?).await
    }

    /// The first bytes of a file, at most `bytes_max`. In HDFS the last block of a file that is open for writing is
    /// not among them.
    pub async fn read_so_far(&self, path: &str, bytes_max: u64) -> Result<Bytes, StoreError> {
        let readable = self.call("read", path, |raw, path| async move { raw.readable(&path).await });
        self.read_first(path, readable.await?.min(bytes_max)).await
    }

    /// Piece by piece: the deadline is for a call, and a file has any length.
    async fn read_first(&self, path: &str, length: u64) -> Result<Bytes, StoreError> {
        let mut bytes = Vec::new();
        loop {
            let from = bytes.len() as u64;
            let piece = (length - from).min(READ_PIECE_BYTES);
            if piece == 0 {
                return Ok(bytes.into());
            }
            let read =
                self.call("read", path, move |raw, path| async move { raw.read(&path, from, piece).await });
            bytes.extend_from_slice(&read.await?);
        }
    }

    /// Deletes a file or a whole directory; one that is not there is fine.
    pub async fn delete(&self, path: &str) -> Result<(), StoreError> {
        self.call("delete", path, |raw, path| async move { raw.delete(&path).await }).await
    }

    /// Takes a file away from whoever has it open for writing: afterwards it is closed, its length is final and
    /// the old writer's next sync fails. A local file needs no closing; there the old writer notices by itself
    /// that its file is not where it was.
    pub async fn take_over(&self, path: &str) -> Result<(), StoreError> {
        let began = self.clock.monotonic();
        let mut wait = self.patience.back_off;
        loop {
            if self.begin_take_over(path).await? {
                return Ok(());
            }
            let waited = self.clock.monotonic() - began;
            if waited > self.patience.take_over {
                let reason = format!("not closed after {} s; are its DataNodes up?", waited.as_secs());
                return Err(Failure::unavailable(reason).of("take over", self.name(path)));
            }
            self.pause(wait).await;
            wait = (wait * 2).min(ASK_AGAIN_MAX);
        }
    }

    /// The same without waiting for the end of it, which DataNodes may take seconds to come to: of several files all
    /// are better begun first. True if the file is closed already; if not, the old writer's next sync fails all the
    /// same, and so does one that is under way, unless what it wrote is in the length that is seen from now on.
    pub async fn begin_take_over(&self, path: &str) -> Result<bool, StoreError> {
        self.call("take over", path, |raw, path| async move { raw.recover(&path).await }).await
    }

    /// Locks a local file for as long as the hold lives; in HDFS, which knows no locks, it is empty.
    pub async fn hold(&self, path: &str) -> Result<Hold, StoreError> {
        self.call("lock", path, |raw, path| async move { raw.hold(&path).await }).await
    }

    /// Whether some process holds a local file; `None` in HDFS, which cannot tell.
    pub async fn held(&self, path: &str) -> Result<Option<bool>, StoreError> {
        self.call("look who locks", path, |raw, path| async move { raw.held(&path).await }).await
    }

    /// Waits, by the store's own timer.
    pub async fn pause(&self, wait: Duration) {
        // Only a store that is shutting down cancels it, and then nobody waits.
        let _ = self.handle().spawn(time::sleep(wait)).await;
    }

    /// Runs `work` on the store's threads until it succeeds, fails for good or patience ends.
    async fn call<T, F>(
        &self,
        action: &'static str,
        path: &str,
        work: impl Fn(Arc<Inner>, Arc<str>) -> F + Send + 'static,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let (raw, relative, deadline) = (Arc::clone(&self.inner), Arc::from(path), self.patience.call);
        let tried = self.persist(action, move |_| {
            let work = work(Arc::clone(&raw), Arc::clone(&relative));
            within(deadline, work)
        });
        tried.await.map_err(|failure| failure.of(action, self.name(path)))
    }

    /// Attempts, numbered from 0, until one succeeds, fails for good or patience ends; on the store's threads.
    async fn persist<T, F>(
        &self,
        action: &'static str,
        mut attempt: impl FnMut(u32) -> F + Send + 'static,
    ) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let (patience, clock) = (self.patience, self.clock);
        let tried = self.handle().spawn(async move {
            let began = clock.monotonic();
            let (mut wait, mut told) = (patience.back_off, false);
            for number in 0.. {
                let failure = match attempt(number).await {
                    Ok(value) => return Ok(value),
                    Err(failure) => failure,
                };
                let waited = clock.monotonic() - began;
                if !failure.kind.is_passing() || waited + wait > patience.retries {
                    return Err(failure);
                }
                if !told && waited >= TOLD_AFTER {
                    told = true;
                    tracing::warn!(
                        action,
                        reason = failure.reason,
                        "the store does not do this yet; tried again"
                    );
                }
                time::sleep(wait).await;
                wait = (wait * 2).min(BACK_OFF_MAX);
            }
            Err(Failure::unavailable("tried too often"))
        });
        tried.await.unwrap_or_else(|error| Err(Failure::of_task(error)))
    }
}

/// One call within its deadline.
async fn within<T>(deadline: Duration, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let late = |_| Err(Failure::unavailable(format!("no answer within {deadline:?}")));
    time::timeout(deadline, work).await.unwrap_or_else(late)
}

#[cfg(test)]
pub(crate) mod tests;
