//! Names in a checkpoint's directory, and what lies there.
//!
//! `a-<epoch>/` belongs to one driver attempt, `a-<epoch>.fenced/` to none any more. In it are `owner`,
//! `base-<number>` and `log-<number>`. File numbers go on across attempts; a base and the log that begins with it
//! have the same number. Digits are padded, so that names sort as numbers do.

use crate::store::{Kind, Store, StoreError};

const FENCED: &str = ".fenced";
/// Who owns the attempt's directory.
pub(super) const OWNER: &str = "owner";

/// The directory of an attempt.
pub(super) fn attempt_dir(epoch: u64) -> String {
    format!("a-{epoch:06}")
}

/// What that directory is called once nobody may write in it.
pub(super) fn fenced_dir(epoch: u64) -> String {
    format!("{}{FENCED}", attempt_dir(epoch))
}

pub(super) fn base_name(number: u64) -> String {
    format!("base-{number:010}")
}

pub(super) fn log_name(number: u64) -> String {
    format!("log-{number:010}")
}

/// A base or a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileInfo {
    /// Its number.
    pub number: u64,
    /// Its length; of one that is being written, what was synced.
    pub bytes: u64,
}

/// One attempt's directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptDir {
    /// The attempt's epoch.
    pub epoch: u64,
    /// Whether nobody may write in it any more.
    pub fenced: bool,
    /// Whether the attempt got as far as owning it.
    pub owned: bool,
    /// Its bases, ascending.
    pub bases: Vec<FileInfo>,
    /// Its logs, ascending.
    pub logs: Vec<FileInfo>,
}

impl AttemptDir {
    /// Its directory's name.
    pub fn name(&self) -> String {
        if self.fenced { fenced_dir(self.epoch) } else { attempt_dir(self.epoch) }
    }

    /// The path of one of its bases.
    pub fn base(&self, number: u64) -> String {
        format!("{}/{}", self.name(), base_name(number))
    }

    /// The path of one of its logs.
    pub fn log(&self, number: u64) -> String {
        format!("{}/{}", self.name(), log_name(number))
    }

    pub(super) fn owner(&self) -> String {
        format!("{}/{OWNER}", self.name())
    }
}

/// Every attempt's directory, by epoch ascending; none if there is no checkpoint. Other names are left alone.
pub async fn survey(store: &Store) -> Result<Vec<AttemptDir>, StoreError> {
    let listed = match store.list("").await {
        Err(error) if error.kind == Kind::Gone => return Ok(Vec::new()),
        listed => listed?,
    };
    let mut found: Vec<AttemptDir> = Vec::new();
    for entry in listed.iter().filter(|entry| entry.is_dir) {
        let Some((epoch, fenced)) = parse_dir(&entry.name) else { continue };
        let files = match store.list(&entry.name).await {
            // Renamed or deleted since it was listed: whoever did so goes on from there.
            Err(error) if error.kind == Kind::Gone => continue,
            files => files?,
        };
        let numbered = |prefix: &str| -> Vec<FileInfo> {
            let number = |name: &str| name.strip_prefix(prefix)?.parse().ok();
            let info = |entry: &crate::store::Entry| {
                Some(FileInfo { number: number(&entry.name)?, bytes: entry.bytes })
            };
            let mut numbered: Vec<FileInfo> = files.iter().filter_map(info).collect();
            numbered.sort_unstable_by_key(|file| file.number);
            numbered
        };
        let owned = files.iter().any(|file| file.name == OWNER);
        let (bases, logs) = (numbered("base-"), numbered("log-"));
        found.push(AttemptDir { epoch, fenced, owned, bases, logs });
    }
    found.sort_by_key(|attempt| attempt.epoch);
    Ok(found)
}

fn parse_dir(name: &str) -> Option<(u64, bool)> {
    let digits = name.strip_prefix("a-")?;
    let (digits, fenced) = digits.strip_suffix(FENCED).map_or((digits, false), |digits| (digits, true));
    digits.parse().ok().map(|epoch| (epoch, fenced))
}

/// What a path within a checkpoint is: (epoch, whether a base, number).
pub(super) fn parse_file(dir: &str, name: &str) -> Option<(u64, bool, u64)> {
    let (epoch, _) = parse_dir(dir)?;
    let base = name.strip_prefix("base-").map(|digits| (true, digits));
    let (is_base, digits) = base.or_else(|| name.strip_prefix("log-").map(|digits| (false, digits)))?;
    Some((epoch, is_base, digits.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_made() {
        assert_eq!(parse_dir(&attempt_dir(7)), Some((7, false)));
        assert_eq!(parse_dir(&fenced_dir(1_234_567)), Some((1_234_567, true)));
        assert_eq!(parse_file("a-000007.fenced", &base_name(12)), Some((7, true, 12)));
        assert_eq!(parse_file("a-000007", &log_name(12)), Some((7, false, 12)));
        for other in ["a-", "a-x", "b-1", "a-1.old", "x"] {
            assert_eq!(parse_dir(other), None);
        }
    }
}
