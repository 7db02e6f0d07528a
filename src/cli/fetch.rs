//! `spindle fetch`: one file from OSS, whole and checked, or nothing.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::oss::{Bar, OssArgs, wanted};
use super::out;
use crate::exit;
use crate::oss::{Object, Sha256Hex};

/// Permission bits of a file that is fetched: what a bucket keeps private stays private.
const FILE: u32 = 0o600;

/// Arguments of `spindle fetch`. No `Debug`: somebody may write credentials into an address.
#[derive(Args)]
pub struct FetchArgs {
    /// What to fetch: oss://bucket/key, or ossref://bucket/key
    pub url: String,
    /// File or folder to write to; without it: the last part of the key, here
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// SHA-256 that it must have; without it: what the object KEY.sha256 says, where there is one
    #[arg(long, value_name = "HEX")]
    pub sha256: Option<Sha256Hex>,
    /// Where it is.
    #[command(flatten)]
    pub oss: OssArgs,
}

/// Fetches, and prints hash and name as `sha256sum` does.
pub fn run(args: &FetchArgs) -> anyhow::Result<u8> {
    super::start_warnings()?;
    let object = args.oss.object("fetch", &args.url)?;
    let name = object.url().file_name();
    let path = match &args.output {
        Some(folder) if folder.is_dir() => folder.join(name),
        Some(file) => file.clone(),
        None => PathBuf::from(name),
    };
    let sha256 = super::block_on(async {
        let mut interrupts = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
        let mut hangs_up = signal(SignalKind::hangup()).context("listen for SIGHUP")?;
        let mut terminates = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
        // Dropped half-way, a download leaves nothing behind.
        tokio::select! {
            fetched = fetch(&object, args.sha256.as_ref(), &path) => fetched,
            _ = interrupts.recv() => Err(anyhow!("interrupted; nothing was kept")),
            _ = hangs_up.recv() => Err(anyhow!("the terminal is gone; nothing was kept")),
            _ = terminates.recv() => Err(anyhow!("ended by a signal; nothing was kept")),
        }
    })?;
    out::print(&format!("{sha256}  {}\n", path.display().to_string().escape_debug()))?;
    Ok(exit::OK)
}

async fn fetch(
    object: &Object,
    flag: Option<&Sha256Hex>,
    path: &std::path::Path,
) -> anyhow::Result<Sha256Hex> {
    let wanted = wanted(object, flag).await?;
    let bar = Bar::of(object);
    let by = wanted.as_ref().map(|(hash, from)| (hash, *from));
    let sha256 = object.save(path, FILE, by, &mut bar.tell()).await?;
    drop(bar);
    if wanted.is_none() && io::stderr().is_terminal() {
        out::tell("only its size was checked: no --sha256, and no object KEY.sha256 beside it");
    }
    Ok(sha256)
}
