//! `--master local[N]`: the driver in this process, executors as its children. Also what the demo runs on.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::Ipv4Addr;

use anyhow::Context;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::serve::{STOP, address, serve_http};
use super::signals::{Kind, Meaning, Signals};
use crate::clock::Clock;
use crate::config::Job;
use crate::config::log::Format;
use crate::driver::state::Outcome;
use crate::driver::{self, CheckpointSetup, Command, Ended, Note, Observer, RunningAs, StartRules};
use crate::exit;
use crate::launch::local::LocalCommand;
use crate::launch::{Launcher, LocalLauncher};
use crate::web::{self, LocalToken};
use crate::wire::Secret;

/// Local jobs have one attempt: nobody starts them again.
pub(super) const ATTEMPT: u32 = 1;

/// What beside the job decides a local run.
pub(super) struct Options {
    pub start: StartRules,
    /// The checkpoint, if the job has one.
    pub checkpoint: Option<CheckpointSetup>,
    /// Where windows are printed.
    pub out: Box<dyn Write + Send>,
    pub clock: Clock,
    /// Where signals go, and where the driver's orders come from: the ends of one channel, unless somebody stands
    /// between them.
    pub commands: (mpsc::UnboundedSender<Command>, mpsc::UnboundedReceiver<Command>),
    pub notes: Option<mpsc::UnboundedSender<Note>>,
}

/// Runs `job` until it is stopped or fails; returns the exit code.
pub(super) async fn run(job: Job, options: Options) -> anyhow::Result<u8> {
    let secret = Secret::generate()?;
    let dir =
        tempfile::Builder::new().prefix("spindle-").tempdir().context("make a directory for the secret")?;
    let listener = web::bind(Ipv4Addr::LOCALHOST.into(), job.driver.port).await?;
    let (launched, launches) = mpsc::unbounded_channel();
    let command = command(&job, &dir, &secret, &listener)?;
    let (orders, commands) = options.commands;
    let signals = tokio::spawn(follow_signals(Signals::listen(options.clock)?, orders.clone()));
    let http = web::bind(job.http.bind, job.http.port).await?;
    let at = address(&http)?;
    let token = LocalToken::create(at.port())?;
    let running =
        RunningAs { app: "local".to_owned(), app_dir: None, attempt: ATTEMPT, http: at.to_string() };
    let mut observer = Observer::new(&job, running, options.clock.wall_ms());
    serve_http(http, &mut observer, token.token().clone(), orders.clone());
    tracing::info!("status and metrics at http://{at}");
    let setup = driver::Setup {
        job,
        attempt: ATTEMPT,
        start: options.start,
        checkpoint: options.checkpoint,
        clock: options.clock,
        secret,
        executors: listener,
        launcher: Launcher::Local(LocalLauncher::new(command, launched)),
        launched: launches,
        commands,
        console: Some(options.out),
        observer,
        notes: options.notes,
    };
    let ended = driver::run(setup).await?;
    signals.abort();
    drop(token);
    Ok(exit_code(&ended))
}

fn exit_code(ended: &Ended) -> u8 {
    match ended {
        Ended::Finished(Outcome::Stopped(stop)) => {
            if let Some(caveat) = stop.caveat() {
                tracing::warn!("{caveat}");
            }
            exit::OK
        }
        Ended::Finished(Outcome::Failed(reason)) => {
            tracing::error!("{reason}");
            exit::FAILED
        }
        Ended::Fenced(reason) => {
            tracing::error!("{reason}");
            exit::FENCED
        }
        Ended::Aborted => exit::INTERRUPTED,
    }
}

/// How executors are started: with this very binary; the secret in a file that only its owner can read.
fn command(
    job: &Job,
    dir: &TempDir,
    secret: &Secret,
    listener: &TcpListener,
) -> anyhow::Result<LocalCommand> {
    let secret_file = dir.path().join("secret");
    secret.write(&secret_file)?;
    let driver = address(listener)?.to_string();
    let secret_file = secret_file.to_str().context("the temporary directory's name is not UTF-8")?;
    let attempt = ATTEMPT.to_string();
    let http = Ipv4Addr::LOCALHOST.to_string();
    let level = job.log.level.as_str();
    let mut args = vec!["executor", "--driver", &driver, "--attempt", &attempt, "--secret-file", secret_file];
    args.extend(["--http", &http, "--log-level", level, "--die-with-parent"]);
    if job.log.format == Format::Json {
        args.push("--log-json");
    }
    Ok(LocalCommand {
        program: std::env::current_exe().context("find this binary")?,
        args: args.into_iter().map(ToOwned::to_owned).collect(),
        env: job.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect::<BTreeMap<_, _>>(),
    })
}

/// The first signal stops gracefully, a second Ctrl-C at once.
async fn follow_signals(mut signals: Signals, orders: mpsc::UnboundedSender<Command>) {
    while let Some(signal) = signals.next().await {
        let at_once = signal == (Kind::Interrupt, Meaning::Again);
        let order = if at_once { Command::Abort } else { Command::Stop { within: STOP } };
        if orders.send(order).is_err() {
            return;
        }
    }
}
