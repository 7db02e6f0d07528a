//! `spindle kill`: ends an application at once, by the ResourceManager.

use std::thread;
use std::time::Duration;

use clap::Args;

use super::Usage;
use super::app::{App, Found};
use crate::clock::Clock;
use crate::exit;

/// How long the ResourceManager may take to end what it was told to kill.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often to look.
const POLL: Duration = Duration::from_millis(100);

/// Arguments of `spindle kill`.
#[derive(Debug, Args)]
pub struct KillArgs {
    /// Application id or unique running name
    pub app: App,
}

/// Kills the application, and waits until it is over. One that is over already is no error.
pub fn run(args: &KillArgs) -> anyhow::Result<u8> {
    let Some((rm, app)) = Found::of(&args.app)?.application else {
        let app = &args.app;
        return Err(Usage(format!("{app}: not on YARN; end it by spindle stop {app}, or by a signal")).into());
    };
    if app.is_over() {
        super::out::tell(&format!("{} is over already: {}", app.id, app.state));
        return Ok(exit::OK);
    }
    rm.kill(&app.id, &app.user)?;
    let clock = Clock::start();
    while !rm.application(&app.id)?.is_over() {
        if clock.monotonic() > PATIENCE {
            super::out::tell(&format!("{} is still not over", app.id));
            return Ok(exit::CONTACT_LOST);
        }
        thread::park_timeout(POLL);
    }
    Ok(exit::OK)
}
