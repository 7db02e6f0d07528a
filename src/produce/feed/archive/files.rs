//! Which file comes next: the one that is configured, or those of a directory in the order of their names. Feeds
//! `reading`.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, bail};

/// A file that is made within the same tick of the file system's clock as the change before leaves no trace in the
/// directory's time. So many looks, 200 ms apart, are longer than the coarsest tick, which is 2 s (FAT).
const UNSETTLED_LOOKS: u32 = 12;

/// The files of an archive.
#[derive(Debug)]
pub(super) enum Files {
    /// One file; with `follow` again, when another one is there under its name.
    One { path: String, follow: bool, given: bool },
    /// All regular files of a directory, hidden ones apart. With `follow` also those that appear later, if their names
    /// come after all others.
    Directory {
        path: String,
        follow: bool,
        waiting: VecDeque<String>,
        last: Option<String>,
        changes: Changes,
    },
}

/// When a directory that is followed is listed again. Listing a large one at each look would keep a core busy.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// When the directory was changed last, as of the last look.
    modified: Option<SystemTime>,
    /// How many looks are still to list it, though it seems unchanged.
    unsettled: u32,
}

impl Changes {
    /// Whether to list a directory that was changed last at `modified`.
    fn is_due(&mut self, modified: SystemTime) -> bool {
        if self.modified.replace(modified) != Some(modified) {
            self.unsettled = UNSETTLED_LOOKS;
            return true;
        }
        let is_due = self.unsettled > 0;
        self.unsettled = self.unsettled.saturating_sub(1);
        is_due
    }
}

impl Files {
    /// The files at `path`; of a directory, those from `from` on.
    pub(super) fn open(path: &str, follow: bool, from: Option<&str>) -> anyhow::Result<Self> {
        let metadata = fs::metadata(path).with_context(|| format!("open source.file.path {path}"))?;
        let path = path.to_owned();
        if metadata.is_file() {
            return Ok(Self::One { path, follow, given: false });
        }
        if !metadata.is_dir() {
            bail!("{path} is neither a file nor a directory; pipe it into source.stdin");
        }
        let names = names(&path).with_context(|| format!("list {path}"))?;
        if names.is_empty() && !follow {
            bail!("there are no files in {path}; name another directory, or set source.file.follow");
        }
        let from = from.and_then(|file| Path::new(file).strip_prefix(&path).ok()?.to_str());
        let waiting =
            names.into_iter().filter(|name| from.is_none_or(|from| name.as_str() >= from)).collect();
        // What lies before the first one is done already, also if that one is gone.
        let changes = Changes::default();
        Ok(Self::Directory { path, follow, waiting, last: from.map(str::to_owned), changes })
    }

    pub(super) fn follow(&self) -> bool {
        match self {
            Self::One { follow, .. } | Self::Directory { follow, .. } => *follow,
        }
    }

    /// As the configuration names them.
    pub(super) fn path(&self) -> &str {
        match self {
            Self::One { path, .. } | Self::Directory { path, .. } => path,
        }
    }

    /// The next file, if there is one now.
    pub(super) fn next(&mut self) -> io::Result<Option<String>> {
        match self {
            Self::One { path, follow, given } => {
                let there = !*follow || fs::exists(&*path)?;
                Ok((there && !std::mem::replace(given, true)).then(|| path.clone()))
            }
            Self::Directory { path, waiting, last, .. } => {
                let next = waiting.pop_front();
                if let Some(name) = &next {
                    *last = Some(name.clone());
                }
                Ok(next.map(|name| format!("{}/{name}", path.trim_end_matches('/'))))
            }
        }
    }

    /// Gives the current file again: another one has its name, or it was cut.
    pub(super) fn again(&mut self) {
        match self {
            Self::One { given, .. } => *given = false,
            Self::Directory { waiting, last, .. } => {
                if let Some(last) = last {
                    waiting.push_front(last.clone());
                }
            }
        }
    }

    /// Whether there is a file behind the current one. Looks into the directory that is followed.
    pub(super) fn has_more(&mut self) -> io::Result<bool> {
        let Self::Directory { path, follow: true, waiting, last, changes } = self else { return Ok(false) };
        if waiting.is_empty() && changes.is_due(fs::metadata(&*path)?.modified()?) {
            let later = |name: &String| last.as_ref().is_none_or(|last| name > last);
            *waiting = names(path)?.into_iter().filter(later).collect();
        }
        Ok(!waiting.is_empty())
    }
}

/// The names of the files in a directory, in their order.
fn names(directory: &str) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let is_file = match kind.is_symlink() {
            true => fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_file()),
            false => kind.is_file(),
        };
        if !is_file {
            continue;
        }
        match entry.file_name().into_string() {
            Ok(name) if name.starts_with('.') => {}
            Ok(name) => names.push(name),
            Err(name) => {
                let message = format!("the file name {name:?} is not UTF-8; rename the file");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
            }
        }
    }
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::Duration;

    use tempfile::TempDir;

    use super::*;

    /// Makes a file, and lets the directory look as if it was changed at `modified`.
    fn make(directory: &TempDir, name: &str, modified: SystemTime) {
        fs::write(directory.path().join(name), "").unwrap();
        File::open(directory.path()).unwrap().set_modified(modified).unwrap();
    }

    #[test]
    fn a_followed_directory_is_listed_when_it_has_changed() {
        let directory = TempDir::new().unwrap();
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_946_400);
        make(&directory, "1", modified);
        let mut files = Files::open(directory.path().to_str().unwrap(), true, None).unwrap();
        assert!(files.next().unwrap().is_some_and(|name| name.ends_with("/1")));
        assert!(!files.has_more().unwrap());
        make(&directory, "2", modified);
        assert!(files.has_more().unwrap(), "made within the same tick");
        assert!(files.next().unwrap().is_some());
        let until_settled = (0..100).position(|_| {
            let listed = matches!(&files, Files::Directory { changes, .. } if changes.unsettled > 0);
            assert!(!files.has_more().unwrap());
            !listed
        });
        assert!(until_settled.is_some_and(|looks| looks * 200 >= 2_000), "{until_settled:?}");
        make(&directory, "3", modified);
        assert!(!files.has_more().unwrap(), "it is not listed while it seems unchanged");
        make(&directory, "3", modified + Duration::from_nanos(1));
        assert!(files.has_more().unwrap());
    }
}
