//! A log: appended to and synced piece by piece, each piece durable when `append` returns.

use std::mem;

use tokio::time;
use tokio_util::bytes::Bytes;

use super::backend::RawLog;
use super::error::Failure;
use super::{Copies, Store, StoreError, within};

/// Writes one log. After an error it is abandoned: what of the last piece is in the file is unknown, so the piece
/// belongs into another log.
#[derive(Debug)]
pub struct LogWriter {
    store: Store,
    path: String,
    raw: Option<RawLog>,
    bytes: u64,
}

impl Store {
    /// Creates a log that must not exist, in a directory that must. After an error other than `Exists` the file
    /// may be there all the same, empty; a log of another name takes its place.
    pub async fn open_log(&self, path: &str, copies: Copies) -> Result<LogWriter, StoreError> {
        let (store, owned) = (self.clone(), path.to_owned());
        // Not tried again: whether a file that is there then is this one's could not be told.
        let opened = self
            .handle()
            .spawn(async move { within(store.patience.call, store.inner.open_log(&owned, copies)).await });
        let raw = opened.await.unwrap_or_else(|error| Err(Failure::of_task(error)));
        let raw = raw.map_err(|failure| failure.of("create", self.name(path)))?;
        Ok(LogWriter { store: self.clone(), path: path.to_owned(), raw: Some(raw), bytes: 0 })
    }
}

impl LogWriter {
    /// Appends `piece` and makes it durable.
    ///
    /// In a task of its own, because a sync that is dropped half way destroys its writer, and one that hangs (a
    /// DataNode died) is ended by nothing else.
    pub async fn append(&mut self, piece: Bytes) -> Result<(), StoreError> {
        let length = piece.len() as u64;
        let outcome = match self.raw.take() {
            None => Err(Failure::unavailable("the log was abandoned after an error")),
            Some(raw) => {
                let inner = self.store.inner.clone();
                let mut task = self.store.handle().spawn(async move { inner.append(raw, piece).await });
                let deadline = self.store.patience.sync;
                match time::timeout(deadline, &mut task).await {
                    Ok(joined) => joined.unwrap_or_else(|error| Err(Failure::of_task(error))),
                    Err(_) => {
                        task.abort();
                        Err(Failure::unavailable(format!("not synced within {deadline:?}")))
                    }
                }
            }
        };
        self.raw = Some(outcome.map_err(|failure| failure.of("append to", self.name()))?);
        self.bytes += length;
        Ok(())
    }

    /// Closes the file. What was appended is durable without it, and whoever takes the log over closes it too.
    pub async fn close(mut self) -> Result<(), StoreError> {
        let Some(raw) = mem::take(&mut self.raw) else { return Ok(()) };
        let store = self.store.clone();
        let closed = self
            .store
            .handle()
            .spawn(async move { within(store.patience.call, store.inner.close(raw)).await });
        let closed = closed.await.unwrap_or_else(|error| Err(Failure::of_task(error)));
        closed.map_err(|failure| failure.of("close", self.name()))
    }

    /// Bytes appended.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Its path in the store.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Its name, for people.
    pub fn name(&self) -> String {
        self.store.name(&self.path)
    }
}
