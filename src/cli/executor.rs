//! `spindle executor`: what containers run.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;

use crate::executor;
use crate::ids::{Generation, Slot};

/// Arguments of `spindle executor`. The secret stands in a file, never here.
#[derive(Debug, Args)]
pub struct ExecutorArgs {
    /// Where the driver listens
    #[arg(long, value_name = "HOST:PORT", value_parser = host_port)]
    pub driver: String,
    /// The slot this process fills, from 0
    #[arg(long, value_name = "N")]
    pub slot: u32,
    /// How often the slot was started anew, from 0
    #[arg(long, value_name = "N")]
    pub generation: u32,
    /// The driver's attempt, from 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub attempt: u32,
    /// The secret that processes authenticate with
    #[arg(long, value_name = "PATH")]
    pub secret_file: PathBuf,
    /// Address on which metrics are served
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0")]
    pub http: IpAddr,
    /// How much is logged
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub log_level: String,
    /// Log JSON lines
    #[arg(long)]
    pub log_json: bool,
    /// Directory for logs, instead of stderr; the first of a list
    #[arg(long, value_name = "DIRECTORIES", env = "LOG_DIRS")]
    pub log_dir: Option<String>,
    /// The job's environment, readable by its owner only
    #[arg(long, value_name = "PATH")]
    pub env_file: Option<PathBuf>,
    /// The host's name as YARN knows it; without it: as the host knows itself
    #[arg(long, value_name = "NAME", env = "NM_HOST")]
    pub host: Option<String>,
    /// Die when the process that started this one dies
    #[arg(long)]
    pub die_with_parent: bool,
}

fn host_port(text: &str) -> Result<String, String> {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0) => {
            Ok(text.to_owned())
        }
        _ => Err("write host:port".to_owned()),
    }
}

/// Runs the executor.
pub fn run(args: &ExecutorArgs) -> anyhow::Result<u8> {
    if let Some(file) = &args.env_file {
        return Ok(super::environment::restart_with(file));
    }
    let log_dir = super::driver::log_dir(args.log_dir.as_deref());
    super::start_logging_in(log_dir, "executor", &args.log_level, args.log_json)?;
    let setup = executor::Setup {
        driver: args.driver.clone(),
        slot: Slot(args.slot),
        generation: Generation(args.generation),
        attempt: args.attempt,
        secret_file: args.secret_file.clone(),
        http: args.http,
        host: args.host.clone(),
        die_with_parent: args.die_with_parent,
    };
    super::block_on(executor::run(setup))
}
