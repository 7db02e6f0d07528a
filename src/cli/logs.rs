//! `spindle logs`: what driver, shim and executors have logged, by Hadoop's own command.

use std::process::{Command, Stdio};

use anyhow::Context as _;
use clap::Args;

use super::Usage;
use super::app::{App, Found};
use crate::exit;

/// Arguments of `spindle logs`.
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// Application id or unique running name
    pub app: App,
    /// Passed on to `yarn logs`, as in `-- -containerId container_1_2_01_000001`
    #[arg(last = true)]
    pub rest: Vec<String>,
}

/// Prints the logs of an application, running or over.
pub fn run(args: &LogsArgs) -> anyhow::Result<u8> {
    let id = match &args.app {
        App::Id(id) => id.clone(),
        named => match Found::of(named)?.application {
            Some((_, app)) => app.id,
            None => {
                return Err(Usage(format!("{named}: not on YARN; a local job logs to its terminal")).into());
            }
        },
    };
    let mut yarn = Command::new("yarn");
    yarn.args(["logs", "-applicationId", &id]).args(&args.rest).stdin(Stdio::null());
    let status = yarn.status().context("run yarn logs: put Hadoop's bin folder on the PATH")?;
    Ok(if status.success() { exit::OK } else { exit::FAILED })
}
