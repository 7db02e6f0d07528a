//! `--master yarn`: submits the job, then shows its windows (client mode) or returns once it runs (cluster mode).

mod files;
mod prepare;

use std::borrow::Cow;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use self::files::Gathered;
use super::Usage;
use super::follow::{Event, Follower};
use super::parent;
use super::signals::{Meaning, Signals};
use super::submit::{DeployMode, Submission};
use crate::clock::Clock;
use crate::exit;
use crate::web::{Token, client};
use crate::wire::Secret;
use crate::yarn::{self, Application, FinalStatus, JavaError, Progress, ResourceManager, State};

/// How long the last cut, print and commit may take after a signal.
const STOP: Duration = Duration::from_secs(5);

/// YARN's `ContainerExitStatus.INVALID`: it came to nothing before a process was started.
const NOT_LAUNCHED: &str = "-1000";

/// Submits the job and does what the deploy mode says; returns the exit code.
pub(super) fn run(planned: Submission, deploy_mode: DeployMode) -> anyhow::Result<u8> {
    let clock = Clock::start();
    let rm = super::app::resource_manager()?;
    let secret = Secret::generate()?;
    let user = prepare::user(&planned);
    let Gathered { files, fetched, cache } = files::gather(&planned)?;
    if planned.replace
        && let Some(at) = prepare::checkpoint(&planned, &user)
    {
        super::owner::replace(&at, planned.login.as_ref())?;
    }
    let submission = prepare::submission(&planned, deploy_mode, &secret, &user, files)?;
    let submitted = yarn::submit(&submission, planned.proxy_user.as_deref(), |progress| match progress {
        Progress::Step(name, ms, detail) => tracing::info!(ms, detail, "{name}"),
        Progress::Warning(text) => tracing::warn!("{text}"),
    });
    let submitted = submitted.map_err(|error| match error {
        JavaError::Refused(why) => anyhow::Error::new(Usage(why)),
        error => error.into(),
    })?;
    drop((submission, fetched, cache));
    let took_ms = millis(clock);
    // Schedulers look for this very line.
    super::out::tell(&format!("Submitted application {}", submitted.app));
    let (am_mb, executor_mb) = (submitted.am_memory_mb, submitted.executor_memory_mb);
    tracing::info!(took_ms, am_mb, executor_mb, "submitted, containers as the scheduler rounds them");
    if !(planned.kill_on_exit || deploy_mode == DeployMode::Client && !planned.keep) {
        // The job outlives its client, so the client must not stop it when its parent is gone.
        parent::follow(Signal::KILL)?;
    }
    let job = Job { rm, id: submitted.app, user, token: Token::of_secret(&secret) };
    let wanted = Wanted {
        windows: deploy_mode == DeployMode::Client,
        until_over: deploy_mode == DeployMode::Client || planned.wait,
        kill: planned.kill_on_exit,
    };
    job.attend(&wanted, clock)
}

/// What the submitting client does once the job is submitted.
struct Wanted {
    /// Print its windows.
    windows: bool,
    /// Stay until it is over.
    until_over: bool,
    /// A signal kills it, where otherwise it stops it gracefully.
    kill: bool,
}

/// An application that was submitted here.
struct Job {
    rm: ResourceManager,
    id: String,
    user: String,
    token: Token,
}

impl Job {
    fn attend(self, wanted: &Wanted, clock: Clock) -> anyhow::Result<u8> {
        let (happened, events) = mpsc::channel();
        follow_signals(happened.clone(), clock)?;
        let follower = Follower::of(self.rm.clone(), self.id.clone(), wanted.windows);
        let driver = follower.driver();
        thread::Builder::new().name("follow".to_owned()).spawn(move || follower.run(&happened))?;
        let mut signals = 0;
        while let Ok(event) = events.recv() {
            match event {
                Event::Running if !wanted.until_over => {
                    self.say_how_to_go_on();
                    return Ok(exit::OK);
                }
                Event::Running => {
                    tracing::info!(took_ms = millis(clock), "the application master is registered")
                }
                Event::FirstWindow => tracing::info!(took_ms = millis(clock), "first window"),
                Event::Over(app) => return Ok(ended(&app)),
                Event::Lost(why) => {
                    let id = &self.id;
                    tracing::error!("{why}; contact to {id} is lost, it may still run: spindle status {id}");
                    return Ok(exit::CONTACT_LOST);
                }
                Event::Interrupted | Event::StdoutClosed => {
                    signals += 1;
                    let url = driver.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
                    match url {
                        Some(url) if signals == 1 && !wanted.kill => self.stop(url),
                        _ => self.kill()?,
                    }
                    if signals > 1 {
                        return Ok(exit::INTERRUPTED);
                    }
                }
            }
        }
        Ok(exit::CONTACT_LOST)
    }

    /// From a thread of its own: a driver that hangs must not keep a second signal from being heard.
    fn stop(&self, url: String) {
        let (id, token) = (self.id.clone(), self.token.clone());
        tracing::info!("stopping {id}: last cut, print, commit; once more kills it");
        thread::spawn(move || {
            if let Err(error) = client::stop(&url, &token, STOP) {
                tracing::error!("{error}; once more kills {id}");
            }
        });
    }

    fn kill(&self) -> anyhow::Result<()> {
        tracing::warn!("killing {}", self.id);
        Ok(self.rm.kill(&self.id, &self.user)?)
    }

    fn say_how_to_go_on(&self) {
        let id = &self.id;
        tracing::info!(
            "{id} runs. Watch it: spindle attach {id}; ask: spindle status {id}; end: spindle stop {id}"
        );
    }
}

/// What the end of an application means here.
pub(super) fn ended(app: &Application) -> u8 {
    let Application { id, diagnostics, .. } = app;
    let why = app.why().unwrap_or("no reason given");
    match (app.state, app.final_status) {
        (State::Finished, FinalStatus::Succeeded) => {
            tracing::info!("{id} ended: SUCCEEDED");
            exit::OK
        }
        (State::Killed, _) | (_, FinalStatus::Killed) => {
            tracing::error!("{id} was killed: {why}");
            exit::KILLED
        }
        _ => {
            let meaning = container_code(diagnostics).map_or(String::new(), |words| format!(": {words}"));
            tracing::error!("{id} failed: {why}{meaning}; see: spindle logs {id}");
            exit::FAILED
        }
    }
}

/// What the exit code of the application master's container means, which YARN only quotes.
fn container_code(diagnostics: &str) -> Option<Cow<'static, str>> {
    let (_, rest) = diagnostics.split_once("exitCode: ")?;
    let code = rest.split(|c: char| !c.is_ascii_digit() && c != '-').next()?;
    if code == NOT_LAUNCHED {
        // Of the stack trace that follows, the first line says which file and why.
        let (_, cause) = rest.lines().find_map(|line| line.split_once("Exception: "))?;
        return Some(format!("a node could not fetch what it is to run: {cause}; submit again").into());
    }
    let words = match code.parse().ok()? {
        exit::DRIVER_GONE => "the driver ended before it could say why",
        exit::DRIVER_SILENT => "the driver did not answer its application master",
        exit::SHIM_PROTOCOL => "jar and program do not understand each other; are they of one version?",
        exit::RESOURCE_MANAGER => "the ResourceManager turned the application master away",
        exit::BINARY => {
            "the program in the staging folder is not the one that was submitted, by its sha256; \
             delete it there and submit again"
        }
        exit::SETTINGS => "its settings or files cannot be used",
        _ => return None,
    };
    Some(words.into())
}

/// Passes on what asks for an end, from a thread of its own.
fn follow_signals(happened: Sender<Event>, clock: Clock) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut signals = {
        let _entered = runtime.enter();
        Signals::listen(clock)?
    };
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            while let Some((_, meaning)) = signals.next().await {
                if meaning != Meaning::Echo && happened.send(Event::Interrupted).is_err() {
                    return;
                }
            }
        });
    })?;
    Ok(())
}

fn millis(clock: Clock) -> u64 {
    u64::try_from(clock.monotonic().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_masters_container_is_told_in_words() {
        let code = |code: &str| {
            container_code(&format!(
                "Application x failed 1 times due to AM Container for y exited with  exitCode: {code}\nFor more"
            ))
        };
        assert!(code("18").unwrap().contains("is not the one that was submitted"));
        assert_eq!(
            (code("1"), code("-104"), code("-1000"), container_code("Killed by ann")),
            (None, None, None, None)
        );
        let gone = code(
            "-1000\nFailing this attempt.Diagnostics: Failed to download { hdfs://n/a } \
            java.io.FileNotFoundException: File does not exist: hdfs://n/a\n\tat x",
        )
        .unwrap();
        let told = "a node could not fetch what it is to run: File does not exist: hdfs://n/a; submit again";
        assert_eq!(gone, told);
    }
}
