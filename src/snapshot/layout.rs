//! Names in a snapshot directory, and what lies there.
//!
//! `dt=YYYY-MM-DD/hh=HH/windows-<first>-<last>.jsonl.gz`: rows, named by the first and the last window end in it.
//! `_ranges-<same name>` beside it: what was read. `latest.json`: the newest window. `_staging/`: files under way.
//! Names that begin with `_` or `.` are hidden from Hive and Spark.

use super::plan::Hour;
use crate::ids::Millis;
use crate::store::{Entry, Kind, Store, StoreError};

/// The newest window.
pub(super) const LATEST: &str = "latest.json";
/// Where files are written before they get their names.
pub(super) const STAGING: &str = "_staging";
/// Longest file of rows or ranges read, bytes.
pub(super) const FILE_BYTES_MAX: u64 = 4 << 30;
const RANGES: &str = "_ranges-";

/// Name of a file of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileName {
    /// The first window end in it.
    pub first_ms: Millis,
    /// The last window end in it.
    pub last_ms: Millis,
    /// Whether it is compressed.
    pub gzip: bool,
}

impl FileName {
    /// The name of the file of rows.
    pub fn rows(&self) -> String {
        let end = if self.gzip { ".gz" } else { "" };
        format!("windows-{:013}-{:013}.jsonl{end}", self.first_ms, self.last_ms)
    }

    /// The name of the hidden file of ranges beside it.
    pub fn ranges(&self) -> String {
        format!("{RANGES}{}", self.rows())
    }

    /// The partition that both are in.
    pub fn hour(&self) -> Hour {
        Hour::of(self.last_ms)
    }

    /// The path of one of its names.
    pub(super) fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.hour().dir())
    }

    fn parse(name: &str) -> Option<Self> {
        let ends = name.strip_prefix("windows-")?;
        let plain = ends.strip_suffix(".gz");
        let ends = plain.unwrap_or(ends).strip_suffix(".jsonl")?;
        let (first, last) = ends.split_once('-')?;
        let (first_ms, last_ms) = (first.parse().ok()?, last.parse().ok()?);
        Some(Self { first_ms, last_ms, gzip: plain.is_some() })
    }
}

/// One partition's files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Partition {
    /// Files of rows, ascending.
    pub rows: Vec<FileName>,
    /// Files of ranges without rows: whoever wrote them died in between.
    pub orphans: Vec<String>,
}

impl Partition {
    pub(super) async fn list(store: &Store, hour: Hour) -> Result<Self, StoreError> {
        let entries = list(store, &hour.dir()).await?;
        let mut rows: Vec<_> = entries.iter().filter_map(|entry| FileName::parse(&entry.name)).collect();
        rows.sort_unstable();
        let is_orphan = |name: &&str| {
            let of = name.strip_prefix(RANGES).and_then(FileName::parse);
            of.is_some_and(|of| !rows.contains(&of))
        };
        let names = entries.iter().map(|entry| entry.name.as_str());
        let orphans = names.filter(is_orphan).map(ToOwned::to_owned).collect();
        Ok(Self { rows, orphans })
    }
}

/// Every partition that is there, ascending.
pub(super) async fn hours(store: &Store) -> Result<Vec<Hour>, StoreError> {
    let mut hours = Vec::new();
    for day in list(store, "").await?.iter().filter(|entry| entry.is_dir && entry.name.starts_with("dt=")) {
        let within = list(store, &day.name).await?;
        hours.extend(within.iter().filter_map(|entry| Hour::parse(&day.name, &entry.name)));
    }
    hours.sort_unstable();
    Ok(hours)
}

/// Every file of rows whose windows end after `since_ms` and at `until_ms` at the latest, at least one of them;
/// ascending.
pub(super) async fn files(
    store: &Store,
    since_ms: Millis,
    until_ms: Millis,
) -> Result<Vec<FileName>, StoreError> {
    let mut files = Vec::new();
    for hour in hours(store).await? {
        if hour.end_ms() > since_ms {
            files.extend(Partition::list(store, hour).await?.rows);
        }
    }
    files.retain(|file| file.last_ms > since_ms && file.first_ms <= until_ms);
    files.sort_unstable();
    Ok(files)
}

/// A directory's entries; none if there is no such directory.
pub(super) async fn list(store: &Store, path: &str) -> Result<Vec<Entry>, StoreError> {
    match store.list(path).await {
        Err(error) if error.kind == Kind::Gone => Ok(Vec::new()),
        listed => listed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_made() {
        for gzip in [false, true] {
            let name = FileName { first_ms: 1_795_428_060_000, last_ms: 1_795_431_600_000, gzip };
            assert_eq!(FileName::parse(&name.rows()), Some(name));
        }
        for other in ["_ranges-windows-1-2.jsonl", "windows-1.jsonl", "windows-1-2.json", "latest.json"] {
            assert_eq!(FileName::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_file_says_what_is_in_it() {
        let name = FileName { first_ms: 1_795_428_060_000, last_ms: 1_795_431_600_000, gzip: true };
        let path = name.path(&name.ranges());
        assert_eq!(path, "dt=2026-11-23/hh=10/_ranges-windows-1795428060000-1795431600000.jsonl.gz");
    }
}
