//! `spindle driver`: what the application master runs.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `spindle driver`. The secret stands in a file, never here.
#[derive(Debug, Args)]
pub struct DriverArgs {
    /// The resolved job (`Job::to_handover`), readable by its owner only
    #[arg(long, value_name = "PATH")]
    pub job: PathBuf,
    /// Number of this attempt, from 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub attempt: u32,
    /// The secret that processes authenticate with
    #[arg(long, value_name = "PATH")]
    pub secret_file: PathBuf,
}

/// Runs the driver. Not built yet.
pub fn run(_args: &DriverArgs) -> anyhow::Result<u8> {
    super::not_built("driver")
}
