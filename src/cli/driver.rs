//! `spindle driver`: what the application master runs. Its stdin and stdout belong to the shim.
//!
//! Only a decided end is told to the shim as the end of the application. Every other one (a signal, a shim that is
//! gone, an error that may pass) exits with a code of its own, and the ResourceManager starts another attempt.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use file_rotate::compression::Compression;
use file_rotate::suffix::AppendCount;
use file_rotate::{ContentLimit, FileRotate};
use tokio::net::unix::pipe;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{self, Instant};

use super::owner::{self, Wanted, Who};
use super::serve::{STOP, address, serve_http};
use super::submit::From;
use crate::clock::Clock;
use crate::config::Job;
use crate::config::log::Format;
use crate::driver::state::Outcome;
use crate::driver::{self, CheckpointSetup, Command, Ended, Observer, RunningAs, StartRules};
use crate::exit;
use crate::launch::Launcher;
use crate::launch::shim::{ContainerCommand, Ending, Hello, Shim, ShimError};
use crate::store::Login;
use crate::web::{self, DriverView, Token};
use crate::wire::Secret;

/// Size at which the windows' file is rotated, and how many old ones are kept.
const WINDOWS_BYTES_MAX: usize = 8 << 20;
const WINDOWS_FILES: usize = 4;
/// How long the client may take to fetch the last window.
const LAST_WINDOW: Duration = Duration::from_secs(2);
/// How often to look whether the client that follows the job is still there.
const FOLLOWER_LOOK: Duration = Duration::from_secs(1);

/// Arguments of `spindle driver`. The secret stands in a file, never here.
#[derive(Debug, Args)]
pub struct DriverArgs {
    /// The resolved job (`Job::to_handover`), readable by its owner only
    #[arg(long, value_name = "PATH")]
    pub job: PathBuf,
    /// Number of this attempt, from 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub attempt: u32,
    /// The secret that processes authenticate with
    #[arg(long, value_name = "PATH")]
    pub secret_file: PathBuf,
    /// The job's environment, readable by its owner only
    #[arg(long, value_name = "PATH")]
    pub env_file: Option<PathBuf>,
    /// Directory for logs and windows; the first of a list
    #[arg(long, value_name = "DIRECTORIES", env = "LOG_DIRS")]
    pub log_dir: Option<String>,
    /// Where the first attempt begins
    #[arg(long, value_name = "WHERE")]
    pub from: Option<From>,
    /// Name windows by the clock again where the checkpoint's are ahead of it
    #[arg(long)]
    pub relabel: bool,
    /// Fence the application that owns the checkpoint
    #[arg(long)]
    pub take_over: bool,
    /// Kerberos principal to ask HDFS as
    #[arg(long, value_name = "NAME", requires = "keytab")]
    pub principal: Option<String>,
    /// Kerberos keytab of it
    #[arg(long, value_name = "PATH", requires = "principal")]
    pub keytab: Option<PathBuf>,
    /// Stop gracefully when the client has not asked for windows for so long, milliseconds
    #[arg(long, value_name = "MS")]
    pub follow_ms: Option<u64>,
}

/// Runs the driver until the job is over or this attempt of it is.
pub fn run(args: &DriverArgs) -> anyhow::Result<u8> {
    if let Some(file) = &args.env_file {
        return Ok(super::environment::restart_with(file));
    }
    let stdout = claim_stdout().context("keep stdout for the application master")?;
    match prepare(args) {
        Ok((job, secret)) => super::block_on(attempt(args, job, secret, stdout)),
        Err(error) => {
            // There may be no log yet; YARN keeps stderr beside it.
            super::out::tell(&super::in_one_line(&error));
            Ok(exit::SETTINGS)
        }
    }
}

/// The job and the secret, with logging started on the way.
fn prepare(args: &DriverArgs) -> anyhow::Result<(Job, Secret)> {
    let shown = args.job.display();
    let text = fs::read_to_string(&args.job).with_context(|| format!("read the job {shown}"))?;
    let job = Job::from_handover(&text).map_err(|why| anyhow::anyhow!("read the job {shown}: {why}"))?;
    let log_dir = log_dir(args.log_dir.as_deref());
    super::start_logging_in(log_dir, "driver", job.log.level.as_str(), job.log.format == Format::Json)?;
    Ok((job, Secret::read(&args.secret_file)?))
}

/// The first of YARN's log directories.
pub(super) fn log_dir(dirs: Option<&str>) -> Option<&Path> {
    dirs.and_then(|dirs| dirs.split(',').next()).filter(|dir| !dir.is_empty()).map(Path::new)
}

/// The descriptor that was stdout, for the shim alone; whatever else is printed goes to stderr from now on.
fn claim_stdout() -> io::Result<OwnedFd> {
    let shim = io::stdout().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdout(io::stderr())?;
    Ok(shim)
}

async fn attempt(args: &DriverArgs, job: Job, secret: Secret, stdout: OwnedFd) -> anyhow::Result<u8> {
    let stdin = io::stdin().as_fd().try_clone_to_owned().context("keep stdin")?;
    let input = pipe::Receiver::from_owned_fd(stdin).context("read from the application master")?;
    let output = pipe::Sender::from_owned_fd(stdout).context("write to the application master")?;
    let mut killed = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    tokio::select! {
        code = converse(args, job, secret, input, output) => code,
        // From YARN, a quarter of a second before SIGKILL: no time to do anything, and another attempt may follow.
        _ = killed.recv() => {
            tracing::warn!("SIGTERM: this attempt ends; nothing is told to YARN");
            Ok(exit::SHIM_GONE)
        }
    }
}

async fn converse(
    args: &DriverArgs,
    job: Job,
    secret: Secret,
    input: pipe::Receiver,
    output: pipe::Sender,
) -> anyhow::Result<u8> {
    let (hello, shim) = match Shim::meet(input, output).await {
        Ok(met) => met,
        Err(error) => return Ok(lost(&error)),
    };
    let http = web::bind(job.http.bind, job.http.port).await?;
    let executors = web::bind(job.http.bind, job.driver.port).await?;
    let at = format!("{}:{}", hello.host, address(&http)?.port());
    let driver = format!("{}:{}", hello.host, address(&executors)?.port());
    let (launched, launches) = mpsc::unbounded_channel();
    let command = command(args, &job, &driver);
    let (launcher, mut gone) = shim.start(at.clone(), command, launched);
    let ending = launcher.ending();
    let (orders, commands) = mpsc::unbounded_channel();
    let clock = Clock::start();
    let checkpoint = checkpoint(args, &job, &hello)?;
    let mut observer = Observer::new(&job, running_as(&hello, &at), clock.wall_ms());
    serve_http(http, &mut observer, Token::of_secret(&secret), orders.clone());
    let view = observer.view();
    if let Some(ms) = args.follow_ms {
        tokio::spawn(stop_without_follower(observer.view(), Duration::from_millis(ms), orders));
    }
    let setup = driver::Setup {
        attempt: args.attempt,
        start: start_rules(args, &job),
        checkpoint,
        clock,
        secret,
        executors,
        launcher: Launcher::Shim(launcher),
        launched: launches,
        commands,
        console: Some(Box::new(windows_file(args)?)),
        observer,
        notes: None,
        job,
    };
    let ended = tokio::select! {
        ended = driver::run(setup) => ended?,
        why = &mut gone => return Ok(lost(&why.unwrap_or(ShimError::Gone))),
    };
    view.delivered(LAST_WINDOW).await;
    end(ended, ending, gone).await
}

fn running_as(hello: &Hello, http: &str) -> RunningAs {
    RunningAs {
        app: hello.app.clone(),
        app_dir: hello.app_dir.clone(),
        attempt: hello.attempt,
        http: http.to_owned(),
    }
}

/// `--from` is for the start of the application: without a checkpoint to tell, for the first attempt.
fn start_rules(args: &DriverArgs, job: &Job) -> StartRules {
    let kept = job.checkpoint.resolve(&job.name, None).is_some();
    let forced = args.from.filter(|_| args.attempt == 1 || kept).and_then(From::forced);
    StartRules { fallback: super::submit::fallback(job.source.start), forced }
}

/// Only the first attempt may fence another application: a later one that finds another owner was fenced itself.
fn checkpoint(args: &DriverArgs, job: &Job, hello: &Hello) -> anyhow::Result<Option<CheckpointSetup>> {
    let Some(at) = job.checkpoint.resolve(&job.name, None) else { return Ok(None) };
    let who = Who { app: hello.app.clone(), attempt: args.attempt, host: hello.host.clone() };
    let take_over = args.take_over && args.attempt == 1;
    let login = args.principal.clone().zip(args.keytab.clone());
    let login = login.map(|(principal, keytab)| Login { principal, keytab });
    let wanted = Wanted { from: args.from, relabel: args.relabel, take_over };
    owner::checkpoint(job, &at, who, login.as_ref(), wanted).map(Some)
}

/// How executors are started: with the binary that YARN has put beside them.
fn command(args: &DriverArgs, job: &Job, driver: &str) -> ContainerCommand {
    let attempt = args.attempt.to_string();
    let secret = args.secret_file.to_string_lossy();
    let mut argv = vec!["./spindle", "executor", "--driver", driver, "--attempt", &attempt];
    argv.extend(["--secret-file", &secret, "--log-level", job.log.level.as_str()]);
    if job.log.format == Format::Json {
        argv.push("--log-json");
    }
    if !job.env.is_empty() {
        argv.extend(["--env-file", "env.json"]);
    }
    ContainerCommand {
        argv: argv.into_iter().map(ToOwned::to_owned).collect(),
        memory_mb: job.executors.memory.mib(),
        cores: job.executors.cores,
        exclude: job.yarn.exclude_nodes.clone(),
        label: job.yarn.label.clone(),
    }
}

/// Windows lie beside the logs, where `yarn logs` finds them.
fn windows_file(args: &DriverArgs) -> anyhow::Result<FileRotate<AppendCount>> {
    let dir = log_dir(args.log_dir.as_deref()).unwrap_or(Path::new("."));
    let limit = ContentLimit::BytesSurpassed(WINDOWS_BYTES_MAX);
    let suffixes = AppendCount::new(WINDOWS_FILES);
    Ok(FileRotate::new(dir.join("windows"), suffixes, limit, Compression::None, None))
}

/// A client in client mode asks for windows all the time; when it is gone, nobody wants them.
async fn stop_without_follower(
    view: std::sync::Arc<DriverView>,
    patience: Duration,
    orders: mpsc::UnboundedSender<Command>,
) {
    let began = Instant::now();
    loop {
        time::sleep(FOLLOWER_LOOK).await;
        if view.followed().unwrap_or(began).elapsed() > patience {
            tracing::warn!(
                seconds = patience.as_secs(),
                "the client is gone, the job stops; --keep lets it go on"
            );
            let _ = orders.send(Command::Stop { within: STOP });
            return;
        }
    }
}

async fn end(ended: Ended, ending: Ending, gone: oneshot::Receiver<ShimError>) -> anyhow::Result<u8> {
    let (failed, code) = match ended {
        Ended::Finished(Outcome::Stopped(stop)) => {
            if let Some(caveat) = stop.caveat() {
                tracing::warn!("{caveat}");
            }
            (None, exit::OK)
        }
        Ended::Finished(Outcome::Failed(reason)) => {
            tracing::error!("{reason}");
            (Some(reason), exit::FAILED)
        }
        // Another attempt finds out who has it, and whether that is the end of the application.
        Ended::Fenced(reason) => {
            tracing::error!("{reason}");
            return Ok(exit::FENCED);
        }
        Ended::Aborted => return Ok(exit::SHIM_GONE),
    };
    if let Err(error) = ending.finish(failed, gone).await {
        tracing::error!("{error}");
        return Ok(exit::SHIM_GONE);
    }
    Ok(code)
}

fn lost(error: &ShimError) -> u8 {
    tracing::error!("{error}");
    match error {
        ShimError::Protocol(_) => exit::SHIM_PROTOCOL,
        ShimError::Gone | ShimError::Silent { .. } | ShimError::Io(_) => exit::SHIM_GONE,
    }
}
