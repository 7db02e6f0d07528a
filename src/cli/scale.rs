//! `spindle scale`: more or fewer executors while the job runs.

use clap::Args;

use super::app::{App, Found};
use crate::config::executors::INSTANCES_MAX;
use crate::exit;
use crate::web::client;

/// Arguments of `spindle scale`.
#[derive(Debug, Args)]
pub struct ScaleArgs {
    /// Application id, unique running name, or the driver's URL
    pub app: App,
    /// Wanted executors
    #[arg(value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(INSTANCES_MAX)))]
    pub executors: u32,
}

/// Changes the number of wanted executors.
pub fn run(args: &ScaleArgs) -> anyhow::Result<u8> {
    let (url, token) = Found::of(&args.app)?.driver()?;
    client::scale(&url, &token, args.executors)?;
    Ok(exit::OK)
}
