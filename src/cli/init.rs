//! `spindle init`: a commented job file to begin with.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::Usage;
use super::out::print;
use crate::exit;

/// The file that `init` writes: the one that the documentation explains.
const TEMPLATE: &str = include_str!("../../conf/tweets.yaml");

/// Arguments of `spindle init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Where to write it
    #[arg(default_value = "job.yaml")]
    pub path: PathBuf,
}

/// Writes the file. One that is there already is left alone.
pub fn run(args: &InitArgs) -> anyhow::Result<u8> {
    let path = args.path.display();
    let mut file = match OpenOptions::new().write(true).create_new(true).open(&args.path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(
                Usage(format!("{path}: is there already and is not overwritten; name another file")).into()
            );
        }
        Err(error) => return Err(Usage(format!("{path}: cannot be written: {error}")).into()),
    };
    file.write_all(TEMPLATE.as_bytes()).with_context(|| format!("write {path}"))?;
    print(&format!("wrote {path}; check it by: spindle conf {path}\n"))?;
    Ok(exit::OK)
}
