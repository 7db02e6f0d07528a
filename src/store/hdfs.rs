//! HDFS as a store, by the crate `hdfs-native`.
//!
//! Seen on clusters of 2.8.5 to 3.4: a file that is being written reads as empty, a rename does not stop whoever
//! has the file open, lease recovery does, and `overwrite` destroys a file that another has open; so `overwrite`
//! is used for nothing but replacing a closed file by a rename.

mod classify;
mod namenodes;

use hdfs_native::HdfsError;
use hdfs_native::client::FileStatus;
use hdfs_native::file::{FileReader, FileWriter};
use hdfs_native::{Client, WriteOptions};
use tokio::runtime::Handle;
use tokio_util::bytes::Bytes;

use super::address::Address;
use super::backend::Entry;
use super::error::{Failure, Kind};
use super::{Copies, Login, Pieces};
use classify::{failure, of_writer};
use namenodes::NameNodes;

/// Directories are for the owner and his group, as YARN makes those of an application.
const DIRECTORY_MODE: u32 = 0o750;
const FILE_MODE: u32 = 0o640;

#[derive(Debug)]
pub(super) struct Hdfs {
    namenodes: NameNodes,
    address: Address,
}

/// A file open for appending.
pub(super) struct HdfsLog {
    writer: FileWriter,
    /// Of a file that began with one copy: what is to make more of it once it has a block.
    raise: Option<Raise>,
}

struct Raise {
    client: Client,
    path: String,
    copies: u32,
}

impl std::fmt::Debug for HdfsLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HdfsLog")
    }
}

impl Hdfs {
    pub(super) fn open(address: &Address, login: Option<&Login>, io: Handle) -> Result<Self, Failure> {
        let named = !address.authority.is_empty();
        let url = named.then(|| format!("{}://{}", address.scheme.word(), address.authority));
        let namenodes = NameNodes::new(url, login.cloned(), io).map_err(|error| {
            let reason = failure(error).reason;
            Failure::invalid(format!("{reason}; name its host and port, or set HADOOP_CONF_DIR"))
        })?;
        Ok(Self { namenodes, address: address.clone() })
    }

    pub(super) async fn make_dir(&self, path: &str, parents: bool) -> Result<(), Failure> {
        let path = self.path(path);
        let made = |client: Client| async move { client.mkdirs(&path, DIRECTORY_MODE, parents).await };
        self.namenodes.ask(made).await.map_err(failure)
    }

    pub(super) async fn create(&self, path: &str, pieces: Pieces, copies: Copies) -> Result<u64, Failure> {
        let mut log = self.open_log(path, copies).await?;
        let mut length = 0;
        for piece in pieces {
            length += piece.len() as u64;
            log.write(piece).await?;
        }
        log.sync().await?;
        log.close().await?;
        Ok(length)
    }

    pub(super) async fn rename(&self, from: &str, to: &str, replace: bool) -> Result<(), Failure> {
        let (from, to) = (self.path(from), self.path(to));
        let renamed = |client: Client| async move { client.rename(&from, &to, replace).await };
        self.namenodes.ask(renamed).await.map_err(failure)
    }

    pub(super) async fn delete(&self, path: &str) -> Result<(), Failure> {
        let path = self.path(path);
        let deleted = |client: Client| async move { client.delete(&path, true).await };
        match self.namenodes.ask(deleted).await.map(|_| ()).map_err(failure) {
            Err(failure) if failure.kind == Kind::Gone => Ok(()),
            deleted => deleted,
        }
    }

    pub(super) async fn recover(&self, path: &str) -> Result<bool, Failure> {
        let path = self.path(path);
        let begun = |client: Client| async move { client.recover_lease(&path).await };
        self.namenodes.ask(begun).await.map_err(failure)
    }

    pub(super) async fn open_log(&self, path: &str, copies: Copies) -> Result<HdfsLog, Failure> {
        let options = WriteOptions::default().permission(FILE_MODE).overwrite(false).create_parent(false);
        let path = self.path(path);
        let opened = |client: Client| async move {
            let writer = client.create(&path, options).await?;
            let raise = match copies {
                Copies::Usual => None,
                Copies::One => make_thin(client, path).await?,
            };
            Ok(HdfsLog { writer, raise })
        };
        self.namenodes.ask(opened).await.map_err(failure)
    }

    pub(super) async fn list(&self, path: &str) -> Result<Vec<Entry>, Failure> {
        let path = self.path(path);
        let listed = |client: Client| async move { client.list_status(&path, false).await };
        let found = self.namenodes.ask(listed).await.map_err(failure)?;
        Ok(found.iter().map(shown).collect())
    }

    pub(super) async fn look(&self, path: &str) -> Result<Option<Entry>, Failure> {
        let path = self.path(path);
        let looked = |client: Client| async move { client.get_file_info(&path).await };
        match self.namenodes.ask(looked).await.map_err(failure) {
            Ok(found) => Ok(Some(shown(&found))),
            Err(failure) if failure.kind == Kind::Gone => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    pub(super) async fn read(&self, path: &str, from: u64, length: u64) -> Result<Bytes, Failure> {
        let reader = self.reader(path).await?;
        // Beyond its end the reader would panic.
        if (reader.file_length() as u64) < from + length {
            return Err(Failure::unavailable("it became shorter while it was read"));
        }
        let position = |at: u64| usize::try_from(at).map_err(|error| Failure::invalid(error.to_string()));
        reader.read_range(position(from)?, position(length)?).await.map_err(failure)
    }

    pub(super) async fn readable(&self, path: &str) -> Result<u64, Failure> {
        let reader = self.reader(path).await?;
        Ok(reader.file_length() as u64)
    }

    /// Only NameNodes are asked for where the blocks are.
    async fn reader(&self, path: &str) -> Result<FileReader, Failure> {
        let path = self.path(path);
        let located = |client: Client| async move { client.read(&path).await };
        self.namenodes.ask(located).await.map_err(failure)
    }

    fn path(&self, path: &str) -> String {
        self.address.absolute(path)
    }
}

/// Lets a new file's blocks have one copy. How many it should have only the NameNode's defaults tell, and those only by
/// a file made with them.
async fn make_thin(client: Client, path: String) -> Result<Option<Raise>, HdfsError> {
    let usual = client.get_file_info(&path).await?.replication;
    let Some(copies) = usual.filter(|copies| *copies > 1) else { return Ok(None) };
    client.set_replication(&path, 1).await?;
    Ok(Some(Raise { client, path, copies }))
}

impl HdfsLog {
    /// Returns when every DataNode of the pipeline has it and the NameNode knows the length.
    pub(super) async fn append(&mut self, bytes: Bytes) -> Result<(), Failure> {
        self.write(bytes).await?;
        self.sync().await
    }

    pub(super) async fn close(&mut self) -> Result<(), Failure> {
        self.writer.close().await.map_err(of_writer)
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), Failure> {
        self.writer.write_bytes(bytes).await.map(|_| ()).map_err(of_writer)
    }

    async fn sync(&mut self) -> Result<(), Failure> {
        self.writer.hsync().await.map_err(of_writer)?;
        if let Some(Raise { client, path, copies }) = self.raise.take() {
            // What is written is durable all the same; the NameNode makes the copies when it can.
            if let Err(error) = client.set_replication(&path, copies).await {
                tracing::debug!(%error, path, "have more copies made");
            }
        }
        Ok(())
    }
}

fn shown(found: &FileStatus) -> Entry {
    let name = found.path.rsplit('/').next().unwrap_or_default().to_owned();
    Entry { name, bytes: found.length as u64, is_dir: found.isdir }
}
