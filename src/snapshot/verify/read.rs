//! A file of rows and the ranges beside it, read back. Part of `verify`.

use tokio_util::bytes::Bytes;

use crate::snapshot::facts::{Facts, lines};
use crate::snapshot::layout::{FILE_BYTES_MAX, FileName};
use crate::snapshot::rows::{Reader, Written};
use crate::store::{Kind, Store, StoreError};

/// Why a file is of no use.
#[derive(Debug)]
pub(super) enum Failed {
    Store(StoreError),
    Damaged { path: String, error: String },
}

/// A file of rows with its ranges.
#[derive(Debug)]
pub(super) struct Content {
    /// Its path.
    pub path: String,
    /// Every slide, by end ascending; none if the file of ranges is not there.
    pub facts: Vec<Facts>,
    pub rows: Rows,
}

/// Rows that are not read yet: of a million keys there are gigabytes.
#[derive(Debug)]
pub(super) struct Rows {
    bytes: Bytes,
    gzip: bool,
}

impl Content {
    pub(super) async fn read(store: &Store, name: &FileName) -> Result<Self, Failed> {
        let path = name.path(&name.rows());
        let rows = store.read(&path, FILE_BYTES_MAX).await.map_err(Failed::Store)?;
        let beside = name.path(&name.ranges());
        let facts = match store.read(&beside, FILE_BYTES_MAX).await {
            Err(error) if error.kind == Kind::Gone => Vec::new(),
            read => facts(&read.map_err(Failed::Store)?, name.gzip)
                .map_err(|error| Failed::Damaged { path: store.name(&beside), error })?,
        };
        Ok(Self { path: store.name(&path), facts, rows: Rows { bytes: rows, gzip: name.gzip } })
    }
}

fn facts(bytes: &Bytes, gzip: bool) -> Result<Vec<Facts>, String> {
    let text = |line: Result<String, _>| line.map_err(|error: std::io::Error| error.to_string());
    let parse = |line: String| serde_json::from_str(&line).map_err(|error| error.to_string());
    lines(bytes.clone(), gzip).map(|line| text(line).and_then(parse)).collect()
}

impl Rows {
    /// The windows, one after the other; ends after the first thing that cannot be read.
    pub(super) fn windows(self) -> impl Iterator<Item = Result<Written, String>> {
        let mut lines = lines(self.bytes, self.gzip);
        let mut reader = Some(Reader::default());
        std::iter::from_fn(move || {
            loop {
                let open = reader.as_mut()?;
                let done = match lines.next() {
                    Some(line) => line.map_err(|error| error.to_string()).and_then(|line| open.line(&line)),
                    None => {
                        let last = open.finish();
                        reader = None;
                        return last.map(Ok);
                    }
                };
                match done {
                    Ok(None) => {}
                    Ok(Some(window)) => return Some(Ok(window)),
                    Err(error) => {
                        reader = None;
                        return Some(Err(error));
                    }
                }
            }
        })
    }
}
