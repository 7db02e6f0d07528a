//! The files of a submission: where they are, fetched if they are in OSS, and the hash of the program. Feeds `prepare`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tempfile::TempDir;

use crate::cli::Usage;
use crate::cli::oss::{Bar, OssArgs, wanted};
use crate::cli::submit::Submission;
use crate::oss::{Cache, Sha256Hex, is_oss};
use crate::yarn::{self, Files, Given};

/// Permission bits of a file of the job: it may hold a password.
const PRIVATE: u32 = 0o600;

/// What is to be put in place. What was fetched for it alone goes when the rest is dropped.
pub(super) struct Gathered {
    pub files: Files,
    pub fetched: Option<TempDir>,
    pub cache: Option<Cache>,
}

/// Finds and fetches everything that `planned` names.
pub(super) fn gather(planned: &Submission) -> anyhow::Result<Gathered> {
    // What is missing here is said before anything is fetched.
    let jar = given(&yarn::find_jar().map_err(|error| Usage(error.to_string()))?)?;
    let cache = match planned.job.files.iter().chain(&planned.binary).any(|file| is_oss(file)) {
        true => Some(Cache::of_user().context("find a place for files from OSS")?),
        false => None,
    };
    let binary = program(planned, cache.as_ref())?;
    let (files, fetched) = fetched(&planned.job.files, &planned.oss, cache.as_ref())?;
    Ok(Gathered { files: Files { binary, jar, files }, fetched, cache })
}

fn program(planned: &Submission, cache: Option<&Cache>) -> anyhow::Result<Given> {
    let flag = planned.sha256.as_ref();
    if let (Some(url), Some(cache)) = (planned.binary.as_ref().filter(|url| is_oss(url)), cache) {
        return from_oss(url, planned, cache);
    }
    let given = match &planned.binary {
        // The JVM reads it there, and compares.
        Some(url) if url.contains("://") => {
            return Ok(Given { path: url.clone(), sha256: flag.map(ToString::to_string) });
        }
        Some(path) => given(Path::new(path))?,
        None => given(&std::env::current_exe().context("find this binary")?)?,
    };
    match (flag, &given.sha256) {
        (Some(wanted), Some(found)) if wanted.as_str() != found => {
            bail!("--binary {}: its sha256 is {found}, but {wanted} was wanted by --sha256", given.path)
        }
        _ => Ok(given),
    }
}

fn from_oss(url: &str, planned: &Submission, cache: &Cache) -> anyhow::Result<Given> {
    let object = planned.oss.object("--binary", url)?;
    let fetched = crate::cli::block_on(async {
        let wanted = wanted(&object, planned.sha256.as_ref()).await?;
        if wanted.is_none() {
            tracing::warn!(
                "{}: no --sha256, and no object KEY.sha256: only its size is checked",
                object.url()
            );
        }
        let bar = Bar::of(&object);
        let by = wanted.as_ref().map(|(hash, from)| (hash, *from));
        Ok(cache.program(&object, by, &mut bar.tell()).await?)
    })?;
    let (sha256, cached) = (fetched.sha256.as_str(), fetched.cached);
    tracing::info!(sha256, cached, "program from {}", object.url());
    Ok(Given { path: absolute(&fetched.path)?, sha256: Some(sha256.to_owned()) })
}

/// Files in OSS, by where they are now; the others as they are.
fn fetched(
    files: &[String],
    oss: &OssArgs,
    cache: Option<&Cache>,
) -> anyhow::Result<(Vec<String>, Option<TempDir>)> {
    let Some(cache) = cache.filter(|_| files.iter().any(|file| is_oss(file))) else {
        return Ok((files.to_vec(), None));
    };
    let folder = tempfile::Builder::new().prefix(".files-").tempdir_in(cache.folder());
    let folder = folder.with_context(|| format!("make a folder in {}", cache.folder().display()))?;
    let mut paths = Vec::new();
    for (nth, file) in files.iter().enumerate() {
        paths.push(if is_oss(file) {
            fetch(file, &folder.path().join(nth.to_string()), oss)?
        } else {
            file.clone()
        });
    }
    Ok((paths, Some(folder)))
}

/// Into a folder of its own: the JVM is the one that knows which names may not be there twice.
fn fetch(file: &str, folder: &Path, oss: &OssArgs) -> anyhow::Result<String> {
    let object = oss.object("files", file)?;
    fs::create_dir(folder).with_context(|| format!("make the folder {}", folder.display()))?;
    let path: PathBuf = folder.join(object.url().file_name());
    crate::cli::block_on(async {
        let bar = Bar::of(&object);
        Ok(object.save(&path, PRIVATE, None, &mut bar.tell()).await?)
    })?;
    absolute(&path)
}

/// A file here, and its hash.
fn given(path: &Path) -> anyhow::Result<Given> {
    let read = || Sha256Hex::of_all(File::open(path)?);
    let sha256 = read().with_context(|| format!("read {}", path.display()))?;
    Ok(Given { path: absolute(path)?, sha256: Some(sha256.to_string()) })
}

/// The whole path of a file here, for another process.
pub(super) fn absolute(path: &Path) -> anyhow::Result<String> {
    let shown = path.display();
    let absolute = std::path::absolute(path).with_context(|| format!("find {shown}"))?;
    Ok(absolute.to_str().with_context(|| format!("{shown}: its name is not UTF-8"))?.to_owned())
}
