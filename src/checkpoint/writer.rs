//! The driver's end of the writer: orders in, events out. Nothing here waits.

mod task;
mod abandoned;
mod roll;
mod caution;

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
    /// A new base is wanted after so many slides.
    pub roll_slides: u64,
    /// Or when the logs since the last one are as long as it, but at least this, bytes.
    pub roll_bytes: u64,
    /// How long the store may be away before the job fails.
    pub give_up: Duration,
}

impl Default for Limits {
    /// Reading a base and as much of logs again takes a second at the most.
    fn default() -> Self {
        Self { roll_slides: 600, roll_bytes: 8 << 20, give_up: Duration::from_secs(1_800) }
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
    /// A fault of the writer's own ended it: what the panic said.
    Died(String),
}

/// What the writer tells, in order; ends with the writer.
pub type Events = mpsc::UnboundedReceiver<Event>;

/// Makes slides durable, in order, on the store's own threads. What waits is bounded by the driver, which gets an event
/// for everything that became durable and holds windows up when too much did not.
///
/// Dropping it is what a crash is: what was acknowledged is durable, the rest may be.
#[derive(Debug)]
pub struct Writer {
    orders: mpsc::UnboundedSender<Order>,
    last: u64,
}

impl Opened {
    /// Begins to write, with `first` as this attempt's first base: no slide is acknowledged before it is durable. Where
    /// ends were put back and results are made, it waits for [`Writer::settled`].
    pub fn start(self, first: Box<State>) -> (Writer, Events) {
        // Events are one per sync or failure, and the driver takes them as they come.
        let (events, told) = mpsc::unbounded_channel();
        let (orders, taken) = mpsc::unbounded_channel();
        let last = self.last;
        let (store, fault) = (self.store.clone(), events.clone());
        let task = Task::new(self, taken, events);
        store.work(task.run(), move |reason| {
            // A driver that is gone need not be told.
            let _ = fault.send(Event::Died(reason));
        });
        let mut writer = Writer { orders, last };
        writer.base(first);
        (writer, told)
    }
}

impl Writer {
    /// The number that the next slide gets.
    pub fn next_number(&self) -> u64 {
        self.last + 1
    }

    /// Queues a slide behind those before it; returns its number.
    pub fn offer(&mut self, slide: Box<Slide>) -> u64 {
        self.last += 1;
        // A writer that is at its end has said so by an event.
        let _ = self.orders.send(Order::Slide(self.last, slide));
        self.last
    }

    /// Has a base written of the state after the last queued slide. If another is being written, that one is finished
    /// first; then [`Event::BaseWanted`] asks for the state as it is by then.
    pub fn base(&mut self, state: Box<State>) {
        let _ = self.orders.send(Order::Base(self.last, state));
    }

    /// Results show everything that was counted before this attempt, or never will. A first base that waited for it is
    /// written now.
    pub fn settled(&self) {
        let _ = self.orders.send(Order::Settled);
    }

    /// Keeps everything from which the slides after `end_ms` can be read again.
    pub fn keep_since(&self, end_ms: Millis) {
        let _ = self.orders.send(Order::KeepSince(end_ms));
    }

    #[cfg(test)]
    pub(crate) fn panic(&self, reason: &'static str) {
        let _ = self.orders.send(Order::Panic(reason));
    }

    /// Closes the log once everything offered is durable; [`Event::Closed`] says when.
    pub fn close(self) {
        let _ = self.orders.send(Order::Close);
    }
}
