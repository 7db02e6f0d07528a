//! Executors wanted -> processes running. The driver says what is to run, a launcher converges on it.
//!
//! One enum, so that the driver's loop is the same wherever executors run.

pub mod local;

use std::io;

use crate::ids::{Generation, Slot};
use crate::metrics::ExitClass;
pub use local::LocalLauncher;

/// What a launcher tells the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LaunchEvent {
    /// The process has started.
    Started(Slot, Generation),
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
    },
}

/// Where executors run.
#[derive(Debug)]
pub enum Launcher {
    /// As child processes of the driver.
    Local(LocalLauncher),
}

impl Launcher {
    /// Makes exactly these generations run. Returns at once; what happens is told by [`LaunchEvent`]s.
    pub fn converge(&mut self, slots: &[(Slot, Generation)]) {
        match self {
            Self::Local(local) => local.converge(slots),
        }
    }

    /// Ends everything that still runs: waits a moment for processes that end by themselves.
    pub async fn finish(self) -> io::Result<()> {
        match self {
            Self::Local(local) => local.finish().await,
        }
    }
}
