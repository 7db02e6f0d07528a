//! `spindle attach`: prints a running job's windows as they come. The job does not notice, nor when this one ends.

use std::sync::mpsc;
use std::thread;

use clap::Args;

use super::app::{App, Found};
use super::follow::{Event, Follower};
use crate::exit;

/// Arguments of `spindle attach`.
#[derive(Debug, Args)]
pub struct AttachArgs {
    /// Application id, unique running name, or the driver's URL
    pub app: App,
}

/// Prints windows until the job is over or nobody reads them.
pub fn run(args: &AttachArgs) -> anyhow::Result<u8> {
    super::start_logging("info", false)?;
    let found = Found::of(&args.app)?;
    let (url, status) = found.status()?;
    // The newest window first: an empty screen says nothing.
    let after_ms = status.window.map_or(0, |window| window.end_ms - 1);
    let follower = match found.application {
        Some((rm, app)) => Follower::attached(rm, app.id, after_ms),
        None => Follower::attached_at(url, after_ms),
    };
    let (happened, events) = mpsc::channel();
    thread::Builder::new().name("follow".to_owned()).spawn(move || follower.run(&happened))?;
    for event in events {
        match event {
            Event::Over(app) => return Ok(super::yarn::ended(&app)),
            Event::Lost(why) => {
                tracing::error!("{why}");
                return Ok(exit::CONTACT_LOST);
            }
            Event::StdoutClosed => return Ok(exit::OK),
            Event::Running | Event::FirstWindow | Event::Interrupted => {}
        }
    }
    Ok(exit::CONTACT_LOST)
}
