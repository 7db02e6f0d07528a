//! The command line: one type per command, parsed and checked before anything runs. `main` calls `parse`, `run`.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use crate::store::Patience;
use crate::{config, exit, logging};

mod out;
mod parent;
mod signals;
mod serve;
mod environment;
mod jobfile;
mod oss;
mod local;
mod owner;
mod follow;
mod yarn;
pub mod app;
pub mod submit;
pub mod stop;
pub mod kill;
pub mod list;
pub mod status;
pub mod attach;
pub mod logs;
pub mod scale;
pub mod checkpoint;
pub mod verify;
pub mod conf;
pub mod init;
pub mod fetch;
pub mod completions;
pub mod man;
pub mod produce;
pub mod demo;
pub mod driver;
pub mod executor;
pub mod later;

/// For commands that look into a store: people do not wait for a minute to be told that HDFS is away.
const STORE_PATIENCE: Patience = Patience {
    call: Duration::from_secs(10),
    sync: Duration::from_secs(10),
    retries: Duration::from_secs(5),
    back_off: Duration::from_millis(100),
    take_over: Duration::ZERO,
};

/// Exact sliding-window counts of Kafka keys, on YARN or locally.
#[derive(Parser)]
#[command(name = "spindle", version, propagate_version = true, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What is to be done.
#[derive(Subcommand)]
pub enum Command {
    /// Run a job; takes the flags of spark-submit
    Submit(Box<submit::SubmitArgs>),
    /// Stop a job gracefully: last window, checkpoint, commit
    Stop(stop::StopArgs),
    /// Stop a job at once
    Kill(kill::KillArgs),
    /// List the running jobs
    List(list::ListArgs),
    /// Show how a job is doing
    Status(status::StatusArgs),
    /// Print a running job's windows as they come
    Attach(attach::AttachArgs),
    /// Print a job's logs
    Logs(logs::LogsArgs),
    /// Write a bundle for support, without secrets
    Dump(later::AppArgs),
    /// Change the number of executors while the job runs
    Scale(scale::ScaleArgs),
    /// Read a social stream into Kafka
    Produce(produce::ProduceArgs),
    /// Show the job's partitions: leader, replicas, offsets, lag
    Topic(later::TopicArgs),
    /// Check everything that a submit needs
    Doctor(later::DoctorArgs),
    /// Recount snapshotted windows from Kafka
    Verify(verify::VerifyArgs),
    /// Show what is in a checkpoint
    #[command(subcommand)]
    Checkpoint(checkpoint::CheckpointCommand),
    /// Validate a job file and print it with every default
    Conf(conf::ConfArgs),
    /// Write a commented job file
    Init(init::InitArgs),
    /// Tell Prometheus where the running jobs are
    Sd(later::SdArgs),
    /// Fetch a file from OSS
    Fetch(fetch::FetchArgs),
    /// Print a completion script for a shell
    Completions(completions::CompletionsArgs),
    /// Write the man pages
    #[command(hide = true)]
    Man(man::ManArgs),
    /// Show everything at work, with nothing installed
    Demo(demo::DemoArgs),
    /// What the application master runs; not for people
    #[command(hide = true)]
    Driver(driver::DriverArgs),
    /// What containers run; not for people
    #[command(hide = true)]
    Executor(executor::ExecutorArgs),
}

/// The command line is wrong, or asks for what cannot be had: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// Reads a command line, the program's name first. The error also carries the text of `--help` and `--version`.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, clap::Error> {
    Cli::try_parse_from(args).map(|cli| cli.command)
}

/// Does what `command` says. Returns the exit code.
pub fn run(command: Command) -> anyhow::Result<u8> {
    match command {
        Command::Submit(args) => submit::run(&args),
        Command::Stop(args) => stop::run(&args),
        Command::Kill(args) => kill::run(&args),
        Command::List(args) => list::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Attach(args) => attach::run(&args),
        Command::Logs(args) => logs::run(&args),
        Command::Scale(args) => scale::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Checkpoint(command) => checkpoint::run(&command),
        Command::Conf(args) => conf::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Fetch(args) => fetch::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Produce(args) => produce::run(&args),
        Command::Driver(args) => driver::run(&args),
        Command::Executor(args) => executor::run(&args),
        Command::Dump(_) => not_built("dump"),
        Command::Topic(_) => not_built("topic"),
        Command::Doctor(_) => not_built("doctor"),
        Command::Sd(_) => not_built("sd"),
    }
}

/// The exit code of an error: 2 where the user can mend it by writing something else, 1 otherwise.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    let wrong_usage = error.is::<Usage>() || error.is::<config::JobError>();
    if wrong_usage { exit::USAGE } else { exit::FAILED }
}

/// An error and its causes in one line. Many say themselves what caused them; that is not said twice.
pub fn in_one_line(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |line, cause| match line.as_str() {
        "" => cause,
        said if said.ends_with(&cause) => line,
        said => format!("{said}: {cause}"),
    })
}

/// Starts the logs of a process that runs for longer than a question, on stderr.
fn start_logging(level: &str, json: bool) -> anyhow::Result<()> {
    Ok(logging::start(level, log_format(json), None)?)
}

/// Starts the logs of a command that answers at once: what Spindle itself warns of, on stderr.
fn start_warnings() -> anyhow::Result<()> {
    Ok(logging::start("off,spindle=warn", log_format(false), None)?)
}

/// Starts the logs of a container's process: in `NAME.log` of YARN's log directory, where there is one.
fn start_logging_in(dir: Option<&Path>, name: &str, level: &str, json: bool) -> anyhow::Result<()> {
    let file = dir.map(|dir| dir.join(format!("{name}.log")));
    Ok(logging::start(level, log_format(json), file.as_deref())?)
}

fn log_format(json: bool) -> logging::Format {
    if json { logging::Format::Json } else { logging::Format::Text }
}

/// Runs a process's loop on this thread: the thread that starts executors must live as long as they do.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("start the runtime")?.block_on(work)
}

/// The answer of commands that later work builds.
fn not_built(command: &str) -> anyhow::Result<u8> {
    Err(Usage(format!("{command} is not built yet")).into())
}

#[cfg(test)]
mod tests;
