//! `spindle conf`: what a job or producer file means, or what it may hold.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::jobfile::{self, Either};
use super::oss::OssArgs;
use super::out::print;
use crate::config::{Layers, schema};
use crate::exit;

/// Arguments of `spindle conf`.
#[derive(Debug, Args)]
pub struct ConfArgs {
    /// Job or producer file: a path or oss://bucket/key
    #[arg(required_unless_present = "schema")]
    pub file: Option<PathBuf>,
    /// Print the JSON schema of job files, or of producer files
    #[arg(long, value_name = "KIND", num_args = 0..=1, default_missing_value = "job", conflicts_with = "file")]
    pub schema: Option<Kind>,
    /// Where a job file in OSS is.
    #[command(flatten)]
    pub oss: OssArgs,
}

/// Kinds of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Job files.
    Job,
    /// Producer files.
    Producer,
}

/// Prints the validated file with every default and without secrets, or the schema.
pub fn run(args: &ConfArgs) -> anyhow::Result<u8> {
    super::start_warnings()?;
    let text = match &args.file {
        Some(file) => {
            let shown = match jobfile::load_either(file, &Layers::default(), &args.oss)? {
                Either::Job(job) => job.shown(),
                Either::Producer(producer) => producer.shown(),
            };
            serde_yaml::to_string(&shown).context("write it as YAML")?
        }
        None => {
            let schema = match args.schema {
                Some(Kind::Producer) => schema::producer(),
                Some(Kind::Job) | None => schema::job(),
            };
            serde_json::to_string_pretty(schema.json()).context("write the schema as JSON")? + "\n"
        }
    };
    print(&text)?;
    Ok(exit::OK)
}
