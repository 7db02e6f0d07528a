//! Finds a file that was renamed while nobody read it: log rotation moves a file away and begins another one under its name.
//! Feeds `reading`, which finishes the old one first.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::file::OpenFile;
use crate::produce::feed::archive::input::Input;

/// Most files whose beginning is looked at, those that were written last first.
const LOOKED_AT_MAX: usize = 1_000;

/// Opens the file that was read as `path` up to `bytes`, and begins with `head`, under the name that it has now. It lies in
/// the same directory, and may be packed by now. Of several the one that was written last counts: a copy has the name of an
/// older one.
pub(super) fn find(path: &str, bytes: u64, head: u64) -> io::Result<Option<(OpenFile, Input)>> {
    // A place before the first line says nothing about the file.
    let Some(directory) = directory(path).filter(|_| bytes > 0) else { return Ok(None) };
    for candidate in candidates(&directory, path)? {
        // Others may be unreadable, or gone by now. None of that is this file's.
        if !OpenFile::begins_with(&candidate, bytes, head).unwrap_or(false) {
            continue;
        }
        let Some(name) = candidate.to_str() else { continue };
        if let Ok(Some((file, input))) = OpenFile::again(name, bytes, head) {
            tracing::info!(file = ?path, rotated = ?name, "the cursor's file was renamed; it is finished first");
            return Ok(Some((file.named(path), input)));
        }
    }
    Ok(None)
}

fn directory(path: &str) -> Option<PathBuf> {
    let parent = Path::new(path).parent()?;
    Some(if parent.as_os_str().is_empty() { PathBuf::from(".") } else { parent.to_owned() })
}

/// The other files of the directory, those that were written last first.
fn candidates(directory: &Path, path: &str) -> io::Result<Vec<PathBuf>> {
    let mut files: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_file() && Path::new(path).file_name() != Some(&entry.file_name()) {
            files.push((metadata.modified()?, entry.path()));
        }
    }
    files.sort_by(|one, other| other.cmp(one));
    files.truncate(LOOKED_AT_MAX);
    Ok(files.into_iter().map(|(_, path)| path).collect())
}
