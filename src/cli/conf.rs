//! `spindle conf`: what a job file means, or what it may hold.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::jobfile;
use super::oss::OssArgs;
use super::out::print;
use crate::config::{Layers, schema};
use crate::exit;

/// Arguments of `spindle conf`.
#[derive(Debug, Args)]
pub struct ConfArgs {
    /// Job file: a path or oss://bucket/key
    #[arg(required_unless_present = "schema")]
    pub job: Option<PathBuf>,
    /// Print the JSON schema of job files
    #[arg(long, conflicts_with = "job")]
    pub schema: bool,
    /// Where a job file in OSS is.
    #[command(flatten)]
    pub oss: OssArgs,
}

/// Prints the validated job with every default and without secrets, or the schema.
pub fn run(args: &ConfArgs) -> anyhow::Result<u8> {
    super::start_warnings()?;
    let text = match &args.job {
        Some(file) => {
            let job = jobfile::load(file, &Layers::default(), &args.oss)?;
            serde_yaml::to_string(&job.shown()).context("write the job as YAML")?
        }
        None => serde_json::to_string_pretty(schema::schema()).context("write the schema as JSON")? + "\n",
    };
    print(&text)?;
    Ok(exit::OK)
}
