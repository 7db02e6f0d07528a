//! Closing logs that the writer has left. Part of the writer.
//!
//! HDFS lets nobody read a file that is open. An abandoned log holds durable slides, which snapshots may have to be
//! made of, and the next driver would have to wait for its lease. So it is closed in the background, by taking its
//! lease as a stranger would; the new log waits for none of it.

use tokio::sync::mpsc;

use super::Event;
use crate::store::{Kind, LogWriter, Store, StoreError};

/// How often closing is tried, each time for as long as the store waits for a take-over. With the pauses that is 40
/// minutes; after that the next driver does it.
const TRIES: u32 = 20;
/// Pause before each try, as a part of that time; before the first one, too. A DataNode that hangs is most often back
/// by then: one that comes back amid a recovery may refuse all later ones for a minute.
const PAUSE_PART: u32 = 3;

/// Closes a log that took everything it was given.
pub(super) fn close(log: LogWriter, store: &Store, events: &mpsc::UnboundedSender<Event>) {
    let (store, path, events) = (store.clone(), log.path().to_owned(), events.clone());
    store.handle().spawn(async move {
        if let Err(error) = log.close().await {
            tracing::debug!(%error, "close a log; its lease is taken");
            take_lease(&store, &path, &events).await;
        }
    });
}

/// Closes a log that failed: its writer is of no use any more.
pub(super) fn abandon(log: LogWriter, store: &Store, events: &mpsc::UnboundedSender<Event>) {
    let (store, path, events) = (store.clone(), log.path().to_owned(), events.clone());
    drop(log);
    store.handle().spawn(async move { take_lease(&store, &path, &events).await });
}

async fn take_lease(store: &Store, path: &str, events: &mpsc::UnboundedSender<Event>) {
    for _ in 0..TRIES {
        store.pause(store.patience().take_over / PAUSE_PART).await;
        if events.is_closed() {
            return;
        }
        match closed(store, path).await {
            Ok(()) => return,
            // Deleted as too old, or renamed by a driver that took over and closes it itself.
            Err(error) if error.kind == Kind::Gone => return,
            Err(error) => tracing::debug!(%error, "close an abandoned log"),
        }
    }
    tracing::warn!(
        path = store.name(path),
        "an abandoned log cannot be closed; the next driver waits for it"
    );
}

/// A log of which the store knows no bytes has nothing durable in it, and may never be closed: it is not waited for.
async fn closed(store: &Store, path: &str) -> Result<(), StoreError> {
    if store.begin_take_over(path).await? {
        return Ok(());
    }
    match store.look(path).await? {
        Some(log) if log.bytes > 0 => store.take_over(path).await,
        _ => Ok(()),
    }
}
