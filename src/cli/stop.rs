//! `spindle stop`: ends a job gracefully; on YARN it is killed when it has not ended by the deadline.

use std::thread;
use std::time::Duration;

use clap::Args;

use super::app::{App, Found};
use crate::clock::Clock;
use crate::config::Timespan;
use crate::exit;
use crate::web::client;
use crate::yarn::ResourceManager;

/// How often to look whether the job has ended.
const POLL: Duration = Duration::from_millis(50);
/// What a job may take beyond its deadline to end its processes.
const GRACE: Duration = Duration::from_secs(3);

/// Arguments of `spindle stop`.
#[derive(Debug, Args)]
pub struct StopArgs {
    /// Application id, unique running name, or the driver's URL
    pub app: App,
    /// Kill the job when it has not ended by then
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub deadline: Timespan,
}

/// Stops the job, and waits until it has ended.
pub fn run(args: &StopArgs) -> anyhow::Result<u8> {
    super::start_logging("info", false)?;
    stop(args)
}

/// The same for who logs already.
pub(super) fn stop(args: &StopArgs) -> anyhow::Result<u8> {
    let found = Found::of(&args.app)?;
    let (url, token) = found.driver()?;
    let deadline = args.deadline.get();
    client::stop(&url, &token, deadline)?;
    match &found.application {
        Some((rm, app)) => wait_until_over(rm, &app.id, &app.user, deadline),
        None => wait_until_gone(&url, deadline),
    }
}

/// The ResourceManager says how it ended.
fn wait_until_over(rm: &ResourceManager, id: &str, user: &str, deadline: Duration) -> anyhow::Result<u8> {
    let clock = Clock::start();
    loop {
        let app = rm.application(id)?;
        if app.is_over() {
            return Ok(super::yarn::ended(&app));
        }
        if clock.monotonic() > deadline + GRACE {
            tracing::warn!("{id} has not ended in {} s: killing it", deadline.as_secs());
            rm.kill(id, user)?;
            return Ok(exit::KILLED);
        }
        thread::park_timeout(POLL);
    }
}

/// A driver that has ended answers no more.
fn wait_until_gone(url: &str, deadline: Duration) -> anyhow::Result<u8> {
    let clock = Clock::start();
    while client::get_status(url).is_ok() {
        if clock.monotonic() > deadline + GRACE {
            let waited = clock.monotonic().as_secs();
            tracing::error!("{url} still answers {waited} s after it was told to stop");
            return Ok(exit::CONTACT_LOST);
        }
        thread::park_timeout(POLL);
    }
    Ok(exit::OK)
}
