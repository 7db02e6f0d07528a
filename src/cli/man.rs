//! `spindle man`: the man pages of a package, from what the command line itself declares.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _};

use crate::exit;

/// Arguments of `spindle man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Folder that the pages are written to
    pub folder: PathBuf,
}

/// Writes `spindle.1`, and a page for each command that people use.
pub fn run(args: &ManArgs) -> anyhow::Result<u8> {
    let shown = args.folder.display();
    clap_mangen::generate_to(super::Cli::command(), &args.folder)
        .with_context(|| format!("write man pages to {shown}"))?;
    Ok(exit::OK)
}
