//! What the driver shows to HTTP and what HTTP asks of the driver: one value to read, one bounded queue of orders.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::feed::{Feed, PrintedText};
use super::status::Status;

/// Orders that may wait for the driver; one more is refused.
const ACTIONS_MAX: usize = 16;

/// The driver's answer to an order: taken, or why not.
pub type Reply = oneshot::Sender<Result<(), String>>;

/// Something that a client with the token asks for.
#[derive(Debug)]
pub enum Action {
    /// Take the last cut and end.
    Stop {
        /// How long it may take; `None` leaves it to the driver.
        deadline: Option<Duration>,
        /// To be answered at once, not when the job has ended.
        reply: Reply,
    },
    /// Run so many executors from now on.
    Scale {
        /// How many, at least 1.
        executors: u32,
        /// To be answered at once, not when they run.
        reply: Reply,
    },
}

/// All that HTTP may read, as of one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// How the job does.
    pub status: Status,
    /// The newest window as the json sink writes it; `None` before the first.
    pub window_json: Option<Arc<str>>,
    /// Every process of the job that serves metrics, the driver among them.
    pub processes: Vec<Process>,
}

/// One process that serves metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// What it is.
    pub role: Role,
    /// `host:port` under which Prometheus reaches it.
    pub address: String,
}

/// What a process of a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The driver.
    Driver,
    /// The executor of this slot.
    Executor {
        /// The slot's number.
        slot: u32,
    },
}

/// The driver as HTTP sees it.
#[derive(Debug)]
pub struct DriverView {
    snapshot: Mutex<Arc<Snapshot>>,
    feed: Feed,
    actions: mpsc::Sender<Action>,
}

impl DriverView {
    /// The view, and the queue from which the driver takes orders. `burst` windows may be printed at once.
    pub fn new(first: Snapshot, burst: usize) -> (Arc<Self>, mpsc::Receiver<Action>) {
        let (actions, orders) = mpsc::channel(ACTIONS_MAX);
        (Arc::new(Self { snapshot: Mutex::new(Arc::new(first)), feed: Feed::new(burst), actions }), orders)
    }

    /// Replaces what is shown. Never waits for a reader.
    pub fn publish(&self, snapshot: Snapshot) {
        *self.snapshot.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(snapshot);
    }

    /// What is shown now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A window was printed: those who follow the job get it.
    pub fn printed(&self, window: PrintedText) {
        self.feed.add(window);
    }

    /// When a follower last asked for windows; `None` before the first.
    pub fn followed(&self) -> Option<Instant> {
        self.feed.followed()
    }

    /// Until whoever follows the job has been given its newest window, at most for so long.
    pub async fn delivered(&self, patience: Duration) {
        if self.followed().is_some() {
            self.feed.delivered(patience).await;
        }
    }

    pub(super) fn feed(&self) -> &Feed {
        &self.feed
    }

    /// Hands an order to the driver; says why not when the driver is gone or drowned in orders.
    pub(super) fn order(&self, action: Action) -> Result<(), &'static str> {
        self.actions.try_send(action).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => "the driver has too many orders waiting; try again",
            mpsc::error::TrySendError::Closed(_) => "the driver is ending",
        })
    }
}
