//! Executors wanted -> processes running. The driver says what is to run, a launcher converges on it.
//!
//! One enum, so that the driver's loop is the same wherever executors run.

pub mod local;
pub mod shim;

use std::io;

use crate::ids::{Generation, Slot};
use crate::metrics::ExitClass;
pub use local::LocalLauncher;
pub use shim::ShimLauncher;

/// The complete set of executors that are to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Number of the order; a higher one replaces a lower one.
    pub revision: u64,
    /// What is to run.
    pub slots: Vec<(Slot, Generation)>,
}

/// Where an executor runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// YARN's id of its container.
    pub container: String,
    /// The host's name as YARN knows it.
    pub host: String,
    /// The NodeManager's page with its logs.
    pub log_url: Option<String>,
}

/// What a launcher tells the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LaunchEvent {
    /// The process has started; where, if that is not here.
    Started(Slot, Generation, Option<Place>),
    /// The process has ended, or could not be started.
    Exited {
        /// Its slot.
        slot: Slot,
        /// Its generation.
        generation: Generation,
        /// How, for metrics.
        class: ExitClass,
        /// How, in words.
        how: String,
        /// Where it ran, if that was not here.
        host: Option<String>,
    },
    /// Executors cannot be placed: how many, for how long, why.
    Waiting(String),
}

/// Where executors run.
#[derive(Debug)]
pub enum Launcher {
    /// As child processes of the driver.
    Local(LocalLauncher),
    /// In YARN containers.
    Shim(ShimLauncher),
}

impl Launcher {
    /// Makes exactly these generations run, unless a higher order has come before. Returns at once; what happens is
    /// told by [`LaunchEvent`]s.
    pub fn converge(&mut self, target: &Target) {
        match self {
            Self::Local(local) => local.converge(target),
            Self::Shim(shim) => shim.converge(target),
        }
    }

    /// The next generation of `slot` had better not run on `host`.
    pub fn failed_on(&mut self, slot: Slot, host: String) {
        if let Self::Shim(shim) = self {
            shim.failed_on(slot, host);
        }
    }

    /// So much of the window is filled, percent.
    pub fn progress(&mut self, percent: u8) {
        if let Self::Shim(shim) = self {
            shim.progress(percent);
        }
    }

    /// Ends everything that still runs: waits a moment for processes that end by themselves.
    pub async fn finish(self) -> io::Result<()> {
        match self {
            Self::Local(local) => local.finish().await,
            // The shim stops every container when it leaves the ResourceManager.
            Self::Shim(_) => Ok(()),
        }
    }
}
