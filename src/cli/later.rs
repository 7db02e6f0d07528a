//! Arguments of commands that are not built yet: each moves to a file of its own with its command.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::app::App;

/// A command about one running job.
#[derive(Debug, Args)]
pub struct AppArgs {
    /// Application id, unique running name, or the driver's URL
    pub app: App,
}

/// Arguments of `spindle topic`.
#[derive(Debug, Args)]
pub struct TopicArgs {
    /// Job file
    pub job: PathBuf,
    /// Go on showing it as it changes
    #[arg(long)]
    pub watch: bool,
}

/// Arguments of `spindle doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Job file
    pub job: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `spindle sd`.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct SdArgs {
    /// Answer Prometheus by HTTP
    #[arg(long, value_name = "ADDRESS", value_parser = listen_address)]
    pub listen: Option<SocketAddr>,
    /// Write a file that Prometheus reads
    #[arg(long, value_name = "PATH")]
    pub file: Option<PathBuf>,
}

/// `:9400` is that port on every address.
fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let full = if text.starts_with(':') { format!("0.0.0.0{text}") } else { text.to_owned() };
    full.parse().map_err(|_| "write :port or address:port".to_owned())
}
