//! The two stores behind one face: single calls, without deadline or retry, which [`super::Store`] adds.

use std::fs::File;

use tokio::runtime::Handle;
use tokio_util::bytes::Bytes;

use super::address::{Address, Scheme};
use super::error::Failure;
use super::hdfs::{Hdfs, HdfsLog};
use super::local::{Local, LocalLog};
use super::{Copies, Inner, Login, Pieces};

/// A file or directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its name in its directory.
    pub name: String,
    /// Length; 0 for a directory.
    pub bytes: u64,
    /// Whether it is a directory.
    pub is_dir: bool,
}

/// Keeps a local file locked while it lives.
#[derive(Debug)]
pub struct Hold {
    _locked: Option<File>,
}

#[derive(Debug)]
pub(super) enum Backend {
    Hdfs(Box<Hdfs>),
    Local(Local),
}

/// A log open for appending.
#[derive(Debug)]
pub(super) enum RawLog {
    Hdfs(Box<HdfsLog>),
    Local(LocalLog),
}

impl Backend {
    pub(super) fn open(address: &Address, login: Option<&Login>, io: Handle) -> Result<Self, Failure> {
        Ok(match address.scheme {
            Scheme::File => Self::Local(Local::new(address)),
            Scheme::Hdfs | Scheme::ViewFs => Self::Hdfs(Box::new(Hdfs::open(address, login, io)?)),
        })
    }
}

/// Single calls. Those that change something go through `step`, where tests make them fail.
impl Inner {
    pub(super) async fn make_dir(&self, path: &str, parents: bool) -> Result<(), Failure> {
        self.step(async {
            match &self.backend {
                Backend::Hdfs(hdfs) => hdfs.make_dir(path, parents).await,
                Backend::Local(local) => local.make_dir(path, parents).await,
            }
        })
        .await
    }

    /// Creates a file that must not exist, fills it and makes it durable. Returns its length.
    pub(super) async fn create(&self, path: &str, pieces: Pieces, copies: Copies) -> Result<u64, Failure> {
        self.step(async {
            match &self.backend {
                Backend::Hdfs(hdfs) => hdfs.create(path, pieces, copies).await,
                Backend::Local(local) => local.create(path, pieces).await,
            }
        })
        .await
    }

    pub(super) async fn rename(&self, from: &str, to: &str, replace: bool) -> Result<(), Failure> {
        self.step(async {
            match &self.backend {
                Backend::Hdfs(hdfs) => hdfs.rename(from, to, replace).await,
                Backend::Local(local) => local.rename(from, to, replace).await,
            }
        })
        .await
    }

    pub(super) async fn delete(&self, path: &str) -> Result<(), Failure> {
        self.step(async {
            match &self.backend {
                Backend::Hdfs(hdfs) => hdfs.delete(path).await,
                Backend::Local(local) => local.delete(path).await,
            }
        })
        .await
    }

    /// Whether the file is closed now.
    pub(super) async fn recover(&self, path: &str) -> Result<bool, Failure> {
        self.step(async {
            match &self.backend {
                Backend::Hdfs(hdfs) => hdfs.recover(path).await,
                Backend::Local(local) => {
                    let there = local.look(path).await?.map(|_| true).ok_or_else(Failure::gone);
                    #[cfg(test)]
                    let there =
                        there.map(|_| self.leases().is_none_or(|leases| leases.recover(path.as_ref())));
                    there
                }
            }
        })
        .await
    }

    pub(super) async fn open_log(&self, path: &str, copies: Copies) -> Result<RawLog, Failure> {
        self.step(async {
            match &self.backend {
                Backend::Hdfs(hdfs) => {
                    hdfs.open_log(path, copies).await.map(|log| RawLog::Hdfs(Box::new(log)))
                }
                Backend::Local(local) => {
                    let log = local.open_log(path).await?;
                    #[cfg(test)]
                    self.leases().inspect(|leases| leases.opened(path.as_ref()));
                    Ok(RawLog::Local(log))
                }
            }
        })
        .await
    }

    /// Appends and syncs; hands the log back, which after an error nobody may use.
    pub(super) async fn append(&self, log: RawLog, bytes: Bytes) -> Result<RawLog, Failure> {
        #[cfg(test)]
        let bytes = self.torn(bytes);
        self.step(async {
            match log {
                RawLog::Hdfs(mut log) => log.append(bytes).await.map(|()| RawLog::Hdfs(log)),
                RawLog::Local(log) => {
                    #[cfg(test)]
                    self.leases().map_or(Ok(()), |leases| leases.may_write(log.path()))?;
                    log.append(bytes).await.map(RawLog::Local)
                }
            }
        })
        .await
    }

    pub(super) async fn close(&self, log: RawLog) -> Result<(), Failure> {
        self.step(async {
            match log {
                RawLog::Hdfs(mut log) => log.close().await,
                #[cfg(test)]
                RawLog::Local(log) => {
                    self.leases().inspect(|leases| leases.closed(log.path()));
                    Ok(())
                }
                #[cfg(not(test))]
                RawLog::Local(_) => Ok(()),
            }
        })
        .await
    }

    pub(super) async fn list(&self, path: &str) -> Result<Vec<Entry>, Failure> {
        self.step(async {
            let mut entries = match &self.backend {
                Backend::Hdfs(hdfs) => hdfs.list(path).await?,
                Backend::Local(local) => local.list(path).await?,
            };
            entries.sort_unstable();
            Ok(entries)
        })
        .await
    }

    pub(super) async fn look(&self, path: &str) -> Result<Option<Entry>, Failure> {
        self.step(async {
            match &self.backend {
                Backend::Hdfs(hdfs) => hdfs.look(path).await,
                Backend::Local(local) => local.look(path).await,
            }
        })
        .await
    }

    /// `length` bytes from `from` on, all of which must be readable.
    pub(super) async fn read(&self, path: &str, from: u64, length: u64) -> Result<Bytes, Failure> {
        self.step(async {
            match &self.backend {
                Backend::Hdfs(hdfs) => hdfs.read(path, from, length).await,
                Backend::Local(local) => local.read(path, from, length).await,
            }
        })
        .await
    }

    /// How much of a file can be read now: less than its length while HDFS has it open for writing.
    pub(super) async fn readable(&self, path: &str) -> Result<u64, Failure> {
        #[cfg(test)]
        if self.leases().is_some_and(|leases| leases.is_open(path.as_ref())) {
            return Ok(0);
        }
        match &self.backend {
            Backend::Hdfs(hdfs) => hdfs.readable(path).await,
            Backend::Local(local) => Ok(local.look(path).await?.ok_or_else(Failure::gone)?.bytes),
        }
    }

    pub(super) async fn hold(&self, path: &str) -> Result<Hold, Failure> {
        #[cfg(test)]
        if self.leases().is_some() {
            return Ok(Hold { _locked: None });
        }
        match &self.backend {
            Backend::Hdfs(_) => Ok(Hold { _locked: None }),
            Backend::Local(local) => local.hold(path).await.map(|file| Hold { _locked: Some(file) }),
        }
    }

    pub(super) async fn held(&self, path: &str) -> Result<Option<bool>, Failure> {
        #[cfg(test)]
        if self.leases().is_some() {
            return Ok(None);
        }
        match &self.backend {
            Backend::Hdfs(_) => Ok(None),
            Backend::Local(local) => local.held(path).await.map(Some),
        }
    }

    #[cfg(test)]
    fn leases(&self) -> Option<&super::faults::Leases> {
        self.faults.leases()
    }

    #[cfg(not(test))]
    async fn step<T>(&self, call: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        call.await
    }

    #[cfg(test)]
    async fn step<T>(&self, call: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        self.faults.around(call).await
    }

    #[cfg(test)]
    fn torn(&self, bytes: Bytes) -> Bytes {
        self.faults.torn(bytes)
    }
}
