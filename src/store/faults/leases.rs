//! What tells HDFS from a local directory, for tests: nobody can see whether a file is locked, a file that is being
//! written reads as empty, and only lease recovery closes one that its writer left.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard};

use super::{Failure, Kind};

/// What a NameNode knows of files that are open. Shared by all processes of a test.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    state: Mutex<Now>,
}

#[derive(Debug, Default)]
struct Now {
    /// By name alone: file numbers go on across attempts, so a directory that is renamed changes nothing.
    open: BTreeMap<String, Open>,
    stuck: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Writing,
    /// Its writer is fenced; DataNodes have yet to agree on its length.
    Recovering,
}

impl Leases {
    /// From now on no open file can be closed, as when its DataNodes are away; or it can be again.
    pub(crate) fn stuck(&self, stuck: bool) {
        self.now().stuck = stuck;
    }

    /// How many files are open.
    pub(crate) fn open(&self) -> usize {
        self.now().open.len()
    }

    pub(in super::super) fn opened(&self, path: &Path) {
        self.now().open.insert(name(path), Open::Writing);
    }

    pub(in super::super) fn closed(&self, path: &Path) {
        self.now().open.remove(&name(path));
    }

    /// Takes the lease. True if the file is closed now.
    pub(in super::super) fn recover(&self, path: &Path) -> bool {
        let mut now = self.now();
        if now.stuck
            && let Some(open) = now.open.get_mut(&name(path))
        {
            *open = Open::Recovering;
            return false;
        }
        now.open.remove(&name(path));
        true
    }

    pub(in super::super) fn is_open(&self, path: &Path) -> bool {
        self.now().open.contains_key(&name(path))
    }

    /// Refuses a writer whose file was taken over.
    pub(in super::super) fn may_write(&self, path: &Path) -> Result<(), Failure> {
        let fenced = || Failure::new(Kind::Fenced, "the lease was taken");
        let may = self.now().open.get(&name(path)) == Some(&Open::Writing);
        if may { Ok(()) } else { Err(fenced()) }
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.state.lock().unwrap()
    }
}

fn name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}
