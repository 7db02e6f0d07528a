//! The local file system as a store: durable means `fsync` of the file and of the directory that names it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use tokio::task;
use tokio_util::bytes::Bytes;

use super::Pieces;
use super::address::Address;
use super::backend::Entry;
use super::error::{Failure, Kind};

/// Absolute paths under one root.
#[derive(Debug)]
pub(super) struct Local {
    root: PathBuf,
}

/// A log and where it should be.
#[derive(Debug)]
pub(super) struct LocalLog {
    file: File,
    path: PathBuf,
}

impl Local {
    pub(super) fn new(address: &Address) -> Self {
        Self { root: address.absolute("").into() }
    }

    pub(super) async fn make_dir(&self, path: &str, parents: bool) -> Result<(), Failure> {
        let path = self.path(path);
        blocking(move || {
            let made = if parents { fs::create_dir_all(&path) } else { fs::create_dir(&path) };
            match made {
                Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
                made => made.map_err(failure).and_then(|()| sync_above(&path)),
            }
        })
        .await
    }

    pub(super) async fn create(&self, path: &str, pieces: Pieces) -> Result<u64, Failure> {
        let path = self.path(path);
        blocking(move || {
            let mut file = OpenOptions::new().write(true).create_new(true).open(&path).map_err(failure)?;
            let mut length = 0;
            for piece in pieces {
                file.write_all(&piece).map_err(failure)?;
                length += piece.len() as u64;
            }
            file.sync_all().map_err(failure)?;
            Ok(length)
        })
        .await
    }

    pub(super) async fn rename(&self, from: &str, to: &str, replace: bool) -> Result<(), Failure> {
        let (from, to) = (self.path(from), self.path(to));
        blocking(move || {
            if replace {
                fs::rename(&from, &to).map_err(failure)?;
            } else {
                rename_new(&from, &to)?;
            }
            sync_above(&to)
        })
        .await
    }

    pub(super) async fn delete(&self, path: &str) -> Result<(), Failure> {
        let path = self.path(path);
        blocking(move || {
            let deleted = match fs::symlink_metadata(&path) {
                Ok(found) if found.is_dir() => fs::remove_dir_all(&path),
                Ok(_) => fs::remove_file(&path),
                Err(error) => Err(error),
            };
            match deleted {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                deleted => deleted.map_err(failure),
            }
        })
        .await
    }

    pub(super) async fn list(&self, path: &str) -> Result<Vec<Entry>, Failure> {
        let path = self.path(path);
        blocking(move || {
            let mut entries = Vec::new();
            for entry in fs::read_dir(&path).map_err(failure)? {
                let entry = entry.map_err(failure)?;
                let name = entry.file_name().to_string_lossy().into_owned();
                match entry.metadata() {
                    Ok(found) => entries.push(shown(name, &found)),
                    // Gone since it was listed.
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    Err(error) => return Err(failure(error)),
                }
            }
            Ok(entries)
        })
        .await
    }

    pub(super) async fn look(&self, path: &str) -> Result<Option<Entry>, Failure> {
        let full = self.path(path);
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        blocking(move || match fs::metadata(&full) {
            Ok(found) => Ok(Some(shown(name, &found))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failure(error)),
        })
        .await
    }

    pub(super) async fn read(&self, path: &str, from: u64, length: u64) -> Result<Bytes, Failure> {
        let path = self.path(path);
        blocking(move || {
            let mut bytes = Vec::new();
            let mut file = File::open(&path).map_err(failure)?;
            file.seek(SeekFrom::Start(from)).map_err(failure)?;
            file.take(length).read_to_end(&mut bytes).map_err(failure)?;
            if (bytes.len() as u64) < length {
                return Err(Failure::unavailable("it became shorter while it was read"));
            }
            Ok(bytes.into())
        })
        .await
    }

    pub(super) async fn open_log(&self, path: &str) -> Result<LocalLog, Failure> {
        let path = self.path(path);
        blocking(move || {
            let file = OpenOptions::new().append(true).create_new(true).open(&path).map_err(failure)?;
            file.sync_all().map_err(failure)?;
            sync_above(&path)?;
            Ok(LocalLog { file, path })
        })
        .await
    }

    pub(super) async fn hold(&self, path: &str) -> Result<File, Failure> {
        let path = self.path(path);
        blocking(move || {
            let file = File::open(&path).map_err(failure)?;
            match file.try_lock() {
                Ok(()) => Ok(file),
                Err(TryLockError::WouldBlock) => Err(Failure::new(Kind::Exists, "a live process holds it")),
                Err(TryLockError::Error(error)) => Err(failure(error)),
            }
        })
        .await
    }

    pub(super) async fn held(&self, path: &str) -> Result<bool, Failure> {
        match self.hold(path).await {
            Ok(_) => Ok(false),
            Err(failure) if failure.kind == Kind::Exists => Ok(true),
            Err(failure) => Err(failure),
        }
    }

    fn path(&self, path: &str) -> PathBuf {
        if path.is_empty() { self.root.clone() } else { self.root.join(path) }
    }
}

impl LocalLog {
    #[cfg(test)]
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Durable only if the file is still where it was: a driver that takes over renames its directory and reads
    /// after that, so what was synced before the rename is read, and what comes later is not acknowledged.
    pub(super) async fn append(mut self, bytes: Bytes) -> Result<Self, Failure> {
        blocking(move || {
            self.file.write_all(&bytes).map_err(failure)?;
            self.file.sync_data().map_err(failure)?;
            let fenced = || Failure::new(Kind::Fenced, "the file is not where it was");
            let there = match fs::metadata(&self.path) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Err(fenced()),
                there => there.map_err(failure)?,
            };
            let own = self.file.metadata().map_err(failure)?;
            if (there.dev(), there.ino()) != (own.dev(), own.ino()) {
                return Err(fenced());
            }
            Ok(self)
        })
        .await
    }
}

fn shown(name: String, found: &fs::Metadata) -> Entry {
    let is_dir = found.is_dir();
    Entry { name, bytes: if is_dir { 0 } else { found.len() }, is_dir }
}

/// Renames without overwriting. Kernels before 3.15 and some file systems cannot; there a second link to the file
/// does it, and a directory is only protected from an existing one.
fn rename_new(from: &Path, to: &Path) -> Result<(), Failure> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS) => {}
        renamed => return renamed.map_err(|errno| failure(errno.into())),
    }
    if !from.is_dir() {
        fs::hard_link(from, to).map_err(failure)?;
        return fs::remove_file(from).map_err(failure);
    }
    if to.exists() {
        return Err(Failure::exists());
    }
    fs::rename(from, to).map_err(failure)
}

/// Makes the name of a new file durable.
fn sync_above(path: &Path) -> Result<(), Failure> {
    let above = path.parent().unwrap_or(path);
    File::open(above).and_then(|directory| directory.sync_all()).map_err(failure)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let done = task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Failure::of_task(error)))
}

fn failure(error: std::io::Error) -> Failure {
    let kind = match error.kind() {
        ErrorKind::NotFound => Kind::Gone,
        ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty => Kind::Exists,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Kind::Denied,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Kind::Full,
        ErrorKind::NotADirectory | ErrorKind::IsADirectory | ErrorKind::InvalidFilename => Kind::Invalid,
        _ => Kind::Unavailable,
    };
    Failure::new(kind, error.to_string())
}
