//! Measures Spindle against a real Kafka; `scripts/bench` builds it, gives it a broker, and collects its rows.
//!
//! `preload`, `load` and `count-only` are the tools: a stream on disk, a steady stream, the baseline. The others
//! are the measurements; each prints one row of the table in the README and fails when its target is missed.

mod arguments;
mod stream;
mod topic;
mod produce;
mod count_only;
mod archive;
mod process;
#[path = "../support/containers.rs"]
mod containers;
#[path = "../support/streams/stub.rs"]
#[allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    reason = "a test's server, of which each program uses a part"
)]
mod stub;
mod run;
mod measure;
mod statistics;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let arguments = arguments::Arguments::parse();
    match arguments.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            statistics::say(&format!("bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
