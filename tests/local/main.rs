//! Runs the built binary on this machine, as people and schedulers do.
#![expect(clippy::unwrap_used, reason = "in tests, helpers as well")]

#[path = "../support/process.rs"]
#[allow(dead_code, reason = "each test program uses a part")]
mod process;
#[path = "../support/seen.rs"]
#[allow(dead_code, reason = "each test program uses a part")]
mod seen;
#[path = "../support/job.rs"]
#[allow(dead_code, reason = "each test program uses a part")]
mod job;
#[path = "../support/produce.rs"]
#[allow(dead_code, reason = "each test program uses a part")]
mod produce;
#[path = "../support/checkpoint.rs"]
#[allow(dead_code, reason = "each test program uses a part")]
mod checkpoint;
#[path = "../support/snapshots.rs"]
#[allow(dead_code, reason = "each test program uses a part")]
mod snapshots;
#[path = "../support/oss/stand_in.rs"]
#[allow(dead_code, reason = "each test program uses a part")]
mod oss_server;
#[path = "../support/scrape.rs"]
#[allow(dead_code, reason = "each test program uses a part")]
mod scrape;
#[path = "../support/topic.rs"]
#[allow(dead_code, reason = "each test program uses a part")]
mod topic;
#[path = "../support/streams/stub.rs"]
#[allow(dead_code, reason = "each test program uses a part")]
mod stub;
mod mock;
mod jobfile;
mod commands;
mod launcher;
mod jar;
mod checkpoints;
mod owners;
mod verify;
mod brokers;
mod ends;
mod stalls;
mod clocks;
mod strangers;
mod keys;
mod producer;
mod demo;
mod shim;
mod follow;
#[expect(clippy::print_stdout, reason = "says why it did not run")]
mod service;
mod oss;
mod streams;

use std::path::Path;

use assert_cmd::Command;

/// The built program, in directory `dir`.
fn spindle(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spindle"));
    command.current_dir(dir).env_remove("SPINDLE_LOG");
    command
}
