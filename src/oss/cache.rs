//! Programs that were fetched, by their content, so that a second submit does not fetch them again. Feeds `cli`.
//!
//! `$XDG_CACHE_HOME/spindle`, else `~/.cache/spindle`: a folder that only its owner can use. What lies there is hashed before
//! it is used. Where there can be no such folder, a new temporary one takes its place, and goes with the command.

use std::env;
use std::fs::{self, DirBuilder, File, FileTimes, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::getuid;
use tempfile::TempDir;

use super::checksum::Sha256Hex;
use super::download::Tell;
use super::error::{FetchError, Why};
use super::object::Object;
use crate::clock::Clock;

/// How many programs are kept.
const PROGRAMS_MAX: usize = 4;
/// What a fetch leaves behind that was killed goes after this time.
const LEFT_BEHIND: Duration = Duration::from_secs(24 * 60 * 60);
/// Permission bits of a program.
const PROGRAM: u32 = 0o755;

/// When something was used last, and where it is.
type Used = (SystemTime, PathBuf);

/// The folder.
#[derive(Debug)]
pub struct Cache {
    folder: PathBuf,
    /// Removes the folder with this value, if it is not to be kept.
    _temporary: Option<TempDir>,
}

/// A program, and what was to be done for it.
#[derive(Debug)]
pub struct Fetched {
    /// Where it is.
    pub path: PathBuf,
    /// Its content.
    pub sha256: Sha256Hex,
    /// Whether it was here already.
    pub cached: bool,
}

impl Cache {
    /// The user's, or a temporary one if that cannot be used; the log says why then.
    pub fn of_user() -> io::Result<Self> {
        let named = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let home = env::home_dir().map(|home| home.join(".cache"));
        let usual = named.or(home).map(|folder| folder.join("spindle"));
        let no_home = || io::Error::new(io::ErrorKind::NotFound, "there is neither XDG_CACHE_HOME nor HOME");
        let why = match usual.ok_or_else(no_home).and_then(Self::open) {
            Ok(cache) => return Ok(cache),
            Err(why) => why,
        };
        tracing::warn!("what is fetched from OSS is not kept: {why}");
        // A name that nobody can know, and so nobody can take first.
        let temporary = tempfile::Builder::new()
            .prefix("spindle-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir()?;
        Ok(Self { folder: temporary.path().to_owned(), _temporary: Some(temporary) })
    }

    /// The one in this folder, which is made if need be.
    pub fn open(folder: PathBuf) -> io::Result<Self> {
        let failed =
            |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", folder.display()));
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed)?;
        let found = fs::symlink_metadata(&folder).map_err(failed)?;
        // XDG_CACHE_HOME may name a folder in which others can put things.
        if !found.is_dir() || found.uid() != getuid().as_raw() || found.mode() & 0o077 != 0 {
            let why = "is not a folder that only you can use; remove it, or set XDG_CACHE_HOME";
            let why = format!("{} {why}", folder.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
        }
        let cache = Self { folder, _temporary: None };
        cache.sweep()?;
        Ok(cache)
    }

    /// The folder, for what is to lie where only its owner can use it, for a moment.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The program `object`, from here if `wanted` names a hash (and where that is from) and it is here.
    pub async fn program(
        &self,
        object: &Object,
        wanted: Option<(&Sha256Hex, &str)>,
        tell: Tell<'_>,
    ) -> Result<Fetched, FetchError> {
        if let Some((wanted, _)) = wanted
            && let Some(path) = self.find(wanted)
        {
            return Ok(Fetched { path, sha256: wanted.clone(), cached: true });
        }
        let failed = |source| object.failed(Why::File { path: self.folder.display().to_string(), source });
        self.make_room().map_err(failed)?;
        let unfinished = tempfile::Builder::new().prefix(".new-").tempdir_in(&self.folder).map_err(failed)?;
        let arrived = unfinished.path().join("program");
        let sha256 = object.save(&arrived, PROGRAM, wanted, tell).await?;
        let path = self.folder.join(sha256.as_str());
        fs::rename(&arrived, &path).map_err(failed)?;
        Ok(Fetched { path, sha256, cached: false })
    }

    /// The program with this content, if it is here and not damaged.
    fn find(&self, wanted: &Sha256Hex) -> Option<PathBuf> {
        let path = self.folder.join(wanted.as_str());
        let file = File::open(&path).ok()?;
        if Sha256Hex::of_all(&file).ok()? != *wanted {
            return None;
        }
        // The one that was not used for longest is the next to go.
        let _ = file.set_times(FileTimes::new().set_modified(now()));
        Some(path)
    }

    /// Removes what a fetch that was killed has left behind: it may hold passwords.
    fn sweep(&self) -> io::Result<()> {
        let old = |used| now().duration_since(used).is_ok_and(|age| age > LEFT_BEHIND);
        let (_, others) = self.content()?;
        others.iter().filter(|(used, _)| old(*used)).for_each(|(_, path)| remove(path));
        Ok(())
    }

    /// Programs and other things, with the time of their last use.
    fn content(&self) -> io::Result<(Vec<Used>, Vec<Used>)> {
        let (mut programs, mut others) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(&self.folder)?.map_while(Result::ok) {
            let (path, Ok(found)) = (entry.path(), entry.metadata()) else { continue };
            let is_program = entry.file_name().to_str().is_some_and(|name| name.parse::<Sha256Hex>().is_ok());
            let kind = if is_program { &mut programs } else { &mut others };
            kind.push((found.modified()?, path));
        }
        Ok((programs, others))
    }

    /// Leaves room for one more program.
    fn make_room(&self) -> io::Result<()> {
        let (mut programs, _) = self.content()?;
        programs.sort();
        let surplus = (programs.len() + 1).saturating_sub(PROGRAMS_MAX);
        programs.iter().take(surplus).for_each(|(_, path)| remove(path));
        Ok(())
    }
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(Clock::start().wall_ms().try_into().unwrap_or(0))
}

/// What cannot be removed stays until the next time.
fn remove(path: &Path) {
    let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
}
