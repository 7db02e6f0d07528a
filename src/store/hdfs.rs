//! HDFS as a store, by the crate `hdfs-native`.
//!
//! Seen on clusters of 2.8.5 to 3.4: a file that is being written reads as empty, a rename does not stop whoever
//! has the file open, lease recovery does, and `overwrite` destroys a file that another has open; so `overwrite`
//! is used for nothing but replacing a closed file by a rename.

mod classify;

use hdfs_native::client::FileStatus;
use hdfs_native::file::FileWriter;
use hdfs_native::{Client, ClientBuilder, WriteOptions};
use tokio::runtime::Handle;
use tokio_util::bytes::Bytes;

use super::Copies;
use super::Pieces;
use super::address::Address;
use super::backend::Entry;
use super::error::{Failure, Kind};
use classify::{failure, of_writer};

/// Directories are for the owner and his group, as YARN makes those of an application.
const DIRECTORY_MODE: u32 = 0o750;
const FILE_MODE: u32 = 0o640;

/// `hdfs-native`'s own retries, short: a NameNode that refuses connections costs it three minutes by default, and
/// whoever calls has patience of its own.
const FAILOVER: [(&str, &str); 3] = [
    ("dfs.client.failover.max.attempts", "4"),
    ("dfs.client.failover.sleep.base.millis", "100"),
    ("dfs.client.failover.sleep.max.millis", "1000"),
];

#[derive(Debug)]
pub(super) struct Hdfs {
    client: Client,
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
    pub(super) fn open(address: &Address, io: Handle) -> Result<Self, Failure> {
        let mut builder = ClientBuilder::new().with_config(FAILOVER).with_io_runtime(io);
        if !address.authority.is_empty() {
            builder = builder.with_url(format!("{}://{}", address.scheme.word(), address.authority));
        }
        let client = builder.build().map_err(|error| {
            let reason = failure(error).reason;
            Failure::invalid(format!("{reason}; name its host and port, or set HADOOP_CONF_DIR"))
        })?;
        Ok(Self { client, address: address.clone() })
    }

    pub(super) async fn make_dir(&self, path: &str, parents: bool) -> Result<(), Failure> {
        self.client.mkdirs(&self.path(path), DIRECTORY_MODE, parents).await.map_err(failure)
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
        self.client.rename(&self.path(from), &self.path(to), replace).await.map_err(failure)
    }

    pub(super) async fn delete(&self, path: &str) -> Result<(), Failure> {
        match self.client.delete(&self.path(path), true).await.map(|_| ()).map_err(failure) {
            Err(failure) if failure.kind == Kind::Gone => Ok(()),
            deleted => deleted,
        }
    }

    pub(super) async fn recover(&self, path: &str) -> Result<bool, Failure> {
        self.client.recover_lease(&self.path(path)).await.map_err(failure)
    }

    pub(super) async fn open_log(&self, path: &str, copies: Copies) -> Result<HdfsLog, Failure> {
        let options = WriteOptions::default().permission(FILE_MODE).overwrite(false).create_parent(false);
        let path = self.path(path);
        let writer = self.client.create(&path, options).await.map_err(failure)?;
        let raise = match copies {
            Copies::Usual => None,
            Copies::One => self.make_thin(path).await?,
        };
        Ok(HdfsLog { writer, raise })
    }

    /// Lets a new file's blocks have one copy. How many it should have only the NameNode's defaults tell, and those
    /// only by a file made with them.
    async fn make_thin(&self, path: String) -> Result<Option<Raise>, Failure> {
        let usual = self.client.get_file_info(&path).await.map_err(failure)?.replication;
        let Some(copies) = usual.filter(|copies| *copies > 1) else { return Ok(None) };
        self.client.set_replication(&path, 1).await.map_err(failure)?;
        Ok(Some(Raise { client: self.client.clone(), path, copies }))
    }

    pub(super) async fn list(&self, path: &str) -> Result<Vec<Entry>, Failure> {
        let found = self.client.list_status(&self.path(path), false).await.map_err(failure)?;
        Ok(found.iter().map(shown).collect())
    }

    pub(super) async fn look(&self, path: &str) -> Result<Option<Entry>, Failure> {
        match self.client.get_file_info(&self.path(path)).await.map_err(failure) {
            Ok(found) => Ok(Some(shown(&found))),
            Err(failure) if failure.kind == Kind::Gone => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    pub(super) async fn read(&self, path: &str, from: u64, length: u64) -> Result<Bytes, Failure> {
        let reader = self.client.read(&self.path(path)).await.map_err(failure)?;
        // Beyond its end the reader would panic.
        if (reader.file_length() as u64) < from + length {
            return Err(Failure::unavailable("it became shorter while it was read"));
        }
        let position = |at: u64| usize::try_from(at).map_err(|error| Failure::invalid(error.to_string()));
        reader.read_range(position(from)?, position(length)?).await.map_err(failure)
    }

    pub(super) async fn readable(&self, path: &str) -> Result<u64, Failure> {
        let reader = self.client.read(&self.path(path)).await.map_err(failure)?;
        Ok(reader.file_length() as u64)
    }

    fn path(&self, path: &str) -> String {
        self.address.absolute(path)
    }
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
