//! The driver's end of the writer: a bounded queue in, events out. Nothing here waits.

mod task;
mod roll;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;

use super::Opened;
use super::slide::Slide;
use crate::count::RingImage;
use crate::ids::{Millis, Partition, Position};
use crate::store::StoreError;
use task::{Order, Task};

/// Bounds of the writer.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Slides that wait to be durable at most; beyond it windows wait.
    pub queue_slides: usize,
    /// The same in bytes.
    pub queue_bytes: usize,
    /// A new base is wanted after so many slides.
    pub roll_slides: u64,
    /// Or when the logs since the last one are as long as it, but at least this, bytes.
    pub roll_bytes: u64,
    /// How long the store may be away before the job fails.
    pub give_up: Duration,
}

impl Default for Limits {
    /// Slides of ten minutes wait; reading a base and as much of logs again takes a second at the most.
    fn default() -> Self {
        Self {
            queue_slides: 600,
            queue_bytes: 64 << 20,
            roll_slides: 600,
            roll_bytes: 8 << 20,
            give_up: Duration::from_secs(1_800),
        }
    }
}

/// The driver's state for a base, as it is after the last offered slide.
#[derive(Debug)]
pub struct State {
    /// That slide's end; `None` before the first.
    pub end_ms: Option<Millis>,
    /// Driver attempt.
    pub attempt: u32,
    /// How many slides in a row, up to that one, were the whole truth.
    pub whole: u64,
    /// Where every partition is to be read on.
    pub positions: Vec<(Partition, Position)>,
    /// The window.
    pub ring: RingImage,
}

/// What became of a slide that was offered.
#[derive(Debug)]
pub enum Offered {
    /// It waits to be written, under this number.
    Queued(u64),
    /// Too much waits already: it comes back, to be offered again before any other.
    Full(Box<Slide>),
}

/// What the writer has to tell.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Every slide up to this one is durable.
    Durable {
        /// Its number.
        number: u64,
        /// Its end.
        end_ms: Millis,
        /// How many slides this sync was for.
        slides: u64,
        /// How long it took, from the first byte.
        took: Duration,
        /// What it added to the log, bytes.
        bytes: u64,
    },
    /// A base is durable; after the first one, so is where reading started.
    Based {
        /// Number of the last slide in it.
        number: u64,
        /// Its length.
        bytes: u64,
        /// Length of everything that is kept.
        kept_bytes: u64,
        /// How long writing it took.
        took: Duration,
    },
    /// A base is wanted, soon.
    BaseWanted,
    /// The store did not take something; it is tried again. One of these per failure.
    Behind {
        /// For how long nothing has become durable.
        since: Duration,
        /// What it said.
        error: StoreError,
    },
    /// A base could not be written, or old files could not be deleted; the log goes on.
    BaseFailed(StoreError),
    /// Another driver has taken over. Nothing of this one becomes durable any more.
    Fenced(StoreError),
    /// The store was away for [`Limits::give_up`].
    GivenUp(StoreError),
    /// Everything offered is durable and the log is closed.
    Closed,
}

/// What the writer tells, in order; ends with the writer.
pub type Events = mpsc::UnboundedReceiver<Event>;

/// Makes slides durable, in order, on the store's own threads.
///
/// Dropping it is what a crash is: what was acknowledged is durable, the rest may be.
#[derive(Debug)]
pub struct Writer {
    orders: mpsc::UnboundedSender<Order>,
    waiting: Arc<Waiting>,
    limits: Limits,
    last: u64,
}

/// What is queued: the writer takes from it what has become durable.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    slides: AtomicUsize,
    bytes: AtomicUsize,
}

impl Waiting {
    fn add(&self, bytes: usize) {
        self.slides.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn take(&self, bytes: usize) {
        self.slides.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Opened {
    /// Begins to write, with `first` as this attempt's first base: no slide is acknowledged before it is durable.
    pub fn start(self, first: State) -> (Writer, Events) {
        // Events are one per sync or failure, and the driver takes them as they come.
        let (events, told) = mpsc::unbounded_channel();
        // Bounded by `Limits`: each slide in it is counted in `waiting`, and of bases there is one at a time.
        let (orders, taken) = mpsc::unbounded_channel();
        let waiting = Arc::new(Waiting::default());
        let limits = self.opening.limits;
        let last = self.last;
        let handle = self.store.handle();
        let task = Task::new(self, taken, events, Arc::clone(&waiting));
        handle.spawn(task.run());
        let mut writer = Writer { orders, waiting, limits, last };
        writer.base(first);
        (writer, told)
    }
}

impl Writer {
    /// Queues a slide behind those before it.
    pub fn offer(&mut self, slide: Slide) -> Offered {
        if !self.has_room() {
            return Offered::Full(Box::new(slide));
        }
        let bytes = slide.bytes();
        self.last += 1;
        self.waiting.add(bytes);
        // A writer that is at its end has said so by an event.
        let _ = self.orders.send(Order::Slide(self.last, bytes, Box::new(slide)));
        Offered::Queued(self.last)
    }

    /// Whether the next slide will be taken.
    pub fn has_room(&self) -> bool {
        let (slides, bytes) = self.queued();
        slides < self.limits.queue_slides && bytes < self.limits.queue_bytes
    }

    /// Has a base written of the state after the last queued slide. One that comes while another is being written is
    /// dropped.
    pub fn base(&mut self, state: State) {
        let _ = self.orders.send(Order::Base(self.last, Box::new(state)));
    }

    /// Keeps everything from which the slides after `end_ms` can be read again.
    pub fn keep_since(&self, end_ms: Millis) {
        let _ = self.orders.send(Order::KeepSince(end_ms));
    }

    /// How many slides wait to be durable, and their bytes.
    pub fn queued(&self) -> (usize, usize) {
        (self.waiting.slides.load(Ordering::Relaxed), self.waiting.bytes.load(Ordering::Relaxed))
    }

    /// Closes the log once everything offered is durable; [`Event::Closed`] says when.
    pub fn close(self) {
        let _ = self.orders.send(Order::Close);
    }
}
