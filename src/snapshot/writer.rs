//! The driver's end of the snapshot writer: a bounded queue in, events out. Nothing here waits.

mod task;
mod publish;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;

use super::claim::Owner;
use super::plan::Plan;
use super::slide::Slide;
use crate::checkpoint::Lost;
use crate::ids::Millis;
use crate::store::Store;
use task::Task;

/// What a writer is made from.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The snapshot directory.
    pub store: Store,
    /// Which windows are written, and how.
    pub plan: Plan,
    /// Who writes.
    pub owner: Owner,
    /// The checkpoint: what was not visible is made of its past.
    pub checkpoint: Store,
    /// The last end that was recovered from it; live slides come after. `None` if it was empty.
    pub until_ms: Option<Millis>,
    /// Whether ends are put back behind that one (`--relabel`): then everything up to there becomes visible at once, and
    /// [`Event::Settled`] says so.
    pub relabeled: bool,
    /// Key numbers in the checkpoint are at most this.
    pub ids_max: usize,
    /// Slides that wait may take so much memory, bytes; beyond it they are read back from the checkpoint later.
    pub queue_bytes: usize,
}

/// What the writer has to tell.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Every window up to this end is visible.
    Visible {
        /// The newest of them.
        through_ms: Millis,
    },
    /// Ends were put back, and everything from before is visible, as far as the checkpoint still has it.
    Settled,
    /// The store, or the checkpoint's, did not take or give something; it is tried again. One of these per failure.
    Behind {
        /// For how long nothing has worked.
        since: Duration,
        /// What it said.
        error: String,
    },
    /// These slides are not in the checkpoint any more: windows that ended with them are missing.
    Lost(Lost),
    /// A later attempt writes. Nothing of this one becomes visible any more.
    Fenced,
    /// The directory holds the snapshots of another job; nothing is written.
    Refused {
        /// Its address.
        path: String,
        /// That job's name.
        app: String,
    },
    /// Everything durable is visible, and no more comes.
    Closed,
    /// A fault of the writer's own ended it: what the panic said.
    Died(String),
}

/// What the writer tells, in order; ends with the writer.
pub type Events = mpsc::UnboundedReceiver<Event>;

/// Makes windows visible, in order, on the store's own threads.
///
/// Dropping it is what a crash is: what was not visible is made of the checkpoint by the next attempt.
#[derive(Debug)]
pub struct Writer {
    orders: mpsc::UnboundedSender<Order>,
    /// Closed and not durable yet.
    closed: VecDeque<Closed>,
    /// The last end that was dropped, of those that are durable: what comes next has to say so.
    gap_ms: Option<Millis>,
    waiting: Arc<AtomicUsize>,
    queue_bytes: usize,
    dropped: u64,
}

#[derive(Debug)]
enum Closed {
    Kept(Box<Slide>, usize),
    Dropped(Millis),
}

impl Closed {
    fn end_ms(&self) -> Millis {
        match self {
            Self::Kept(slide, _) => slide.end_ms,
            Self::Dropped(end_ms) => *end_ms,
        }
    }
}

#[derive(Debug)]
enum Order {
    /// A durable slide, and the memory it takes.
    Slide(Box<Slide>, usize),
    /// Slides up to this end are durable and were dropped.
    Gap(Millis),
    Close,
}

/// Begins to write, as the module's head says.
pub fn start(setup: Setup) -> (Writer, Events) {
    // Events are few, and the driver takes them as they come.
    let (events, told) = mpsc::unbounded_channel();
    // Bounded by `Setup::queue_bytes`: each slide in it is counted in `waiting`.
    let (orders, taken) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let (store, queue_bytes, fault) = (setup.store.clone(), setup.queue_bytes, events.clone());
    let task = Task::new(setup, taken, events, Arc::clone(&waiting));
    store.work(task.run(), move |reason| {
        // A driver that is gone need not be told.
        let _ = fault.send(Event::Died(reason));
    });
    (Writer { orders, closed: VecDeque::new(), gap_ms: None, waiting, queue_bytes, dropped: 0 }, told)
}

impl Writer {
    /// Takes a slide that is closed; its end is later than every one before. It is kept to itself until it is durable.
    pub fn closed(&mut self, slide: Slide) {
        let bytes = slide.bytes();
        let waiting = self.waiting.load(Ordering::Relaxed);
        let dropping = matches!(self.closed.back(), Some(Closed::Dropped(_)))
            || self.closed.is_empty() && self.gap_ms.is_some();
        // Having begun to drop, it goes on until half is gone: reading back is for many slides at once.
        let room = if dropping { self.queue_bytes / 2 } else { self.queue_bytes };
        if waiting + bytes > room && waiting > 0 {
            self.dropped += 1;
            self.closed.push_back(Closed::Dropped(slide.end_ms));
        } else {
            self.waiting.fetch_add(bytes, Ordering::Relaxed);
            self.closed.push_back(Closed::Kept(Box::new(slide), bytes));
        }
    }

    /// Every slide up to this end is durable.
    pub fn durable(&mut self, end_ms: Millis) {
        while self.closed.front().is_some_and(|slide| slide.end_ms() <= end_ms) {
            match self.closed.pop_front() {
                Some(Closed::Kept(slide, bytes)) => {
                    if let Some(gap_ms) = self.gap_ms.take() {
                        self.order(Order::Gap(gap_ms));
                    }
                    self.order(Order::Slide(slide, bytes));
                }
                Some(Closed::Dropped(end_ms)) => self.gap_ms = Some(end_ms),
                None => {}
            }
        }
    }

    /// How many slides have found no room, and are read back from the checkpoint when there is some.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Has what is durable made visible; [`Event::Closed`] says when.
    pub fn close(mut self) {
        if let Some(gap_ms) = self.gap_ms.take() {
            self.order(Order::Gap(gap_ms));
        }
        self.order(Order::Close);
    }

    fn order(&self, order: Order) {
        // A writer that is at its end has said so by an event.
        let _ = self.orders.send(order);
    }
}
