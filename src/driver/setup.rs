//! What a driver is given by whoever starts it, and what it gives back.

use std::io::Write;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::broker::StartRules;
use super::keeper::CheckpointSetup;
use super::observe::Observer;
use super::state::{Outcome, SlideReport};
use crate::clock::Clock;
use crate::config::Job;
use crate::ids::{Millis, Session};
use crate::launch::{LaunchEvent, Launcher};
use crate::wire::Secret;

/// Everything a driver needs, made by whoever starts it.
pub struct Setup {
    /// The job.
    pub job: Job,
    /// Driver attempt, from 1.
    pub attempt: u32,
    /// Where reading begins when nothing durable says otherwise, or in spite of it.
    pub start: StartRules,
    /// Where the checkpoint is; `None`: there is none.
    pub checkpoint: Option<CheckpointSetup>,
    /// The clock.
    pub clock: Clock,
    /// What executors prove themselves with.
    pub secret: Secret,
    /// Where executors connect.
    pub executors: TcpListener,
    /// Who runs executors.
    pub launcher: Launcher,
    /// What the launcher tells.
    pub launched: mpsc::UnboundedReceiver<LaunchEvent>,
    /// Orders from people: signals, HTTP.
    pub commands: mpsc::UnboundedReceiver<Command>,
    /// Where windows are printed; `None` prints none.
    pub console: Option<Box<dyn Write + Send>>,
    /// Who watches: metrics, page, status.
    pub observer: Observer,
    /// Gets every slide's own counts and every printed window, for those who keep books.
    pub notes: Option<mpsc::UnboundedSender<Note>>,
}

/// An order from people.
#[derive(Debug)]
pub enum Command {
    /// Last cut, print, commit, finish; after the deadline, finish without.
    Stop {
        /// How long that may take.
        within: Duration,
    },
    /// Finish at once.
    Abort,
    /// So many executors are wanted from now on.
    Scale(u32),
}

/// Something that happened, for those who keep books.
#[derive(Debug)]
pub enum Note {
    /// A slide closed.
    Slide(SlideReport),
    /// A window's last byte is printed.
    Printed {
        /// The window's end.
        end_ms: Millis,
        /// How long after it.
        delay: Duration,
    },
    /// An executor is ready.
    Executor {
        /// Its session.
        session: Session,
        /// Its process id.
        pid: u32,
    },
}

/// How a driver ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// As the state decided.
    Finished(Outcome),
    /// Another driver has its checkpoint.
    Fenced(String),
    /// Told to stop at once.
    Aborted,
}
