//! As whom a driver takes the job's checkpoint, and how the owner before it is made to end (`--replace`).

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use rustix::process::{self, Pid, Signal};
use sha2::{Digest, Sha256};

use super::app::{App, resource_manager};
use super::stop::{self, StopArgs};
use super::submit::From;
use crate::checkpoint::{Force, HasEnded, Owner, Sight};
use crate::clock::Clock;
use crate::config::{CheckpointAt, Job, Timespan};
use crate::driver::{CheckpointSetup, SnapshotSetup};
use crate::executor::own_host;
use crate::exit;
use crate::snapshot::Plan;
use crate::store::{Address, Login, Patience, Store};
use crate::wire;

/// How long the owner may take to stop.
const STOP: Timespan = Timespan::from_secs(30);
/// How often to look whether it has.
const POLL: Duration = Duration::from_millis(50);

/// A driver, as owners are named.
pub(super) struct Who {
    /// Application id; of a local run something that no other run has.
    pub app: String,
    /// Driver attempt, from 1.
    pub attempt: u32,
    /// Host that it runs on.
    pub host: String,
}

impl Who {
    /// A local run: nobody starts it again, so that it has one attempt.
    pub(super) fn local(attempt: u32) -> Self {
        let host = own_host();
        let app = format!("local-{host}-{}-{}", std::process::id(), Clock::start().wall_ms());
        Self { app, attempt, host }
    }
}

fn store(path: &str, login: Option<&Login>) -> anyhow::Result<Store> {
    Ok(Store::open_as(login, &Address::parse(path)?, Patience::default())?)
}

/// What the person who submits wants of the checkpoint.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// Where to begin.
    pub from: Option<From>,
    /// Whether window ends that are ahead of now are put back.
    pub relabel: bool,
    /// Whether its owner is fenced.
    pub take_over: bool,
}

/// What the driver of `job` needs to take the checkpoint at `at`.
pub(super) fn checkpoint(
    job: &Job,
    at: &CheckpointAt,
    who: Who,
    login: Option<&Login>,
    wanted: Wanted,
) -> anyhow::Result<CheckpointSetup> {
    let Wanted { from, relabel, take_over } = wanted;
    let shown = serde_json::to_vec(&job.shown()).context("write the job down")?;
    let Who { app, attempt, host } = who;
    let owner = Owner {
        app,
        attempt,
        job: job.name.clone(),
        host,
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        config: wire::hex(&Sha256::digest(shown)),
        since_ms: Clock::start().wall_ms(),
        process: Some(token()?),
    };
    let has_ended: HasEnded = Arc::new(has_ended);
    let snapshots = job.snapshots.as_ref().map(|section| -> anyhow::Result<_> {
        Ok(SnapshotSetup { store: store(&section.path, login)?, plan: Plan::new(&job.name, section) })
    });
    Ok(CheckpointSetup {
        store: store(&at.path, login)?,
        owner,
        force: if take_over { Force::TakeOver } else { Force::No },
        fresh: !matches!(from, None | Some(From::Checkpoint)),
        required: from == Some(From::Checkpoint),
        relabel,
        wait: at.wait,
        give_up: at.give_up.get(),
        has_ended,
        snapshots: snapshots.transpose()?,
    })
}

/// No other process has the same.
fn token() -> anyhow::Result<String> {
    let random = || getrandom::u64().context("get random numbers from the system");
    Ok(format!("{:016x}{:016x}", random()?, random()?))
}

/// The ResourceManager knows of applications, the kernel of processes on this host; otherwise nobody can tell.
fn has_ended(owner: &Owner) -> Option<bool> {
    if owner.app.starts_with("application_") {
        return Some(resource_manager().ok()?.application(&owner.app).ok()?.is_over());
    }
    (owner.host == own_host()).then(|| !runs(owner))
}

fn pid(owner: &Owner) -> Option<Pid> {
    i32::try_from(owner.pid).ok().and_then(Pid::from_raw)
}

fn runs(owner: &Owner) -> bool {
    pid(owner).is_some_and(|pid| process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

/// Stops whoever owns the checkpoint gracefully, and waits until it has ended.
pub(super) fn replace(at: &CheckpointAt, login: Option<&Login>) -> anyhow::Result<()> {
    let store = store(&at.path, login)?;
    let sight = super::block_on(async { Ok(Sight::look(&store).await?) })?;
    let Some(owner) = sight.owner.filter(|owner| sight.held != Some(false) && has_ended(owner) != Some(true))
    else {
        tracing::info!(path = at.path, "nobody owns the checkpoint");
        return Ok(());
    };
    let Owner { app, job, host, .. } = &owner;
    tracing::info!(app, job, host, "stopping the owner of the checkpoint");
    if app.starts_with("application_") {
        let code = stop::stop(&StopArgs { app: App::Id(app.clone()), deadline: STOP })?;
        anyhow::ensure!(
            matches!(code, exit::OK | exit::KILLED),
            "{app} did not end; end it, or fence it by --take-over"
        );
        return Ok(());
    }
    anyhow::ensure!(
        *host == own_host(),
        "the checkpoint is owned by job {job} on {host}; stop it there, or fence it by --take-over"
    );
    let pid = pid(&owner).context("the checkpoint's owner names no process; --take-over fences it")?;
    process::kill_process(pid, Signal::TERM).with_context(|| format!("stop job {job}, process {pid:?}"))?;
    let clock = Clock::start();
    while runs(&owner) {
        anyhow::ensure!(
            clock.monotonic() < STOP.get(),
            "job {job} has not ended in {} s; end it, or fence it by --take-over",
            STOP.get().as_secs()
        );
        thread::park_timeout(POLL);
    }
    Ok(())
}
