//! `spindle demo`: everything at work in one process tree, with nothing installed.

use std::net::{IpAddr, Ipv4Addr};

use clap::Args;
use tokio::sync::mpsc;

use super::local::{self, Options};
use super::out;
use crate::clock::Clock;
use crate::config::executors::INSTANCES_MAX;
use crate::config::{Http, Ports};
use crate::demo::{self, Demo};
use crate::driver::StartRules;
use crate::exit;
use crate::source::start::StartRule;

/// Arguments of `spindle demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// End after so many windows, at least 2; without it, run until Ctrl-C
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..))]
    pub windows: Option<u64>,
    /// Count real posts of Bluesky that hold these words, as in bitcoin,blockchain,iot,5g
    #[arg(long, value_name = "WORDS", value_delimiter = ',')]
    pub live: Vec<String>,
    /// Synthetic posts per second
    #[arg(long, value_name = "N", default_value = "1000", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rate: u32,
    /// Port of the page: one, a range, or 0 for any
    #[arg(long, value_name = "PORT", default_value = "4040-4056")]
    pub port: Ports,
    /// Executors
    #[arg(long, value_name = "N", default_value = "2", value_parser = clap::value_parser!(u32).range(1..=i64::from(INSTANCES_MAX)))]
    pub executors: u32,
}

/// Runs the demo.
pub fn run(args: &DemoArgs) -> anyhow::Result<u8> {
    super::start_logging("info", false)?;
    let setup = demo::Setup {
        windows: args.windows,
        rate: args.rate,
        live: args.live.clone(),
        executors: args.executors,
    };
    let mut demo = Demo::start(setup)?;
    let clock = Clock::start();
    let mut job = demo.job();
    job.http = Http { bind: IpAddr::V4(Ipv4Addr::LOCALHOST), port: args.port };
    let (people, asked) = mpsc::unbounded_channel();
    let (driver, commands) = mpsc::unbounded_channel();
    let (notes, noted) = mpsc::unbounded_channel();
    let options = Options {
        checkpoint: None,
        start: StartRules { fallback: StartRule::Earliest, forced: None },
        out: Box::new(std::io::stdout()),
        clock,
        commands: (people, commands),
        notes: Some(notes),
    };
    let code = super::block_on(async {
        let (code, followed) =
            tokio::join!(local::run(job, options), demo.follow(clock, noted, asked, driver));
        followed.and(code)
    })?;
    let (line, convincing) = demo.verdict();
    out::print(&format!("{line}\n"))?;
    Ok(if convincing { code } else { exit::FAILED })
}
