//! The writer itself: one file at a time, each tried until it is visible or the writer is fenced.
//!
//! First, and after slides were dropped, it reads the checkpoint's past behind the last visible window; the builder
//! makes the same of it as of live slides.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;

use super::{Event, Order, Setup};
use crate::checkpoint::{History, Lost, OpenError};
use crate::clock::Clock;
use crate::ids::Millis;
use crate::snapshot::builder::{Builder, File};
use crate::snapshot::claim::{Refused, take};
use crate::snapshot::slide::Slide;

/// Longest wait after an error; the first is the store's, and it doubles.
const BACK_OFF_MAX: Duration = Duration::from_secs(30);
/// How often it is looked whether a log of this very attempt can be read: HDFS shows one only when it is closed.
const PAST_EVERY: Duration = Duration::from_secs(10);
/// A log is closed with the next base, and an abandoned one by the checkpoint's writer. One that cannot be read for so
/// long is passed over: what is in it is lost to readers, and the rest is not.
const PAST_PATIENCE: Duration = Duration::from_secs(3_600);

/// Why the writer ends before it is told to.
pub(super) enum End {
    Fenced,
    Foreign(String),
    /// The driver is gone.
    Dropped,
}

pub(super) struct Task {
    pub(super) setup: Setup,
    orders: mpsc::UnboundedReceiver<Order>,
    events: mpsc::UnboundedSender<Event>,
    waiting: Arc<AtomicUsize>,
    clock: Clock,
    /// Since when nothing works, and how long to wait next.
    pub(super) failing: Option<(Duration, Duration)>,
    /// Every window up to here is visible.
    pub(super) through_ms: Option<Millis>,
    /// Number of the slide that ended then, where it is known.
    pub(super) through: Option<u64>,
    builder: Builder,
}

impl Task {
    pub(super) fn new(
        setup: Setup,
        orders: mpsc::UnboundedReceiver<Order>,
        events: mpsc::UnboundedSender<Event>,
        waiting: Arc<AtomicUsize>,
    ) -> Self {
        let builder = Builder::new(setup.plan.clone(), None);
        let clock = Clock::start();
        Self {
            setup,
            orders,
            events,
            waiting,
            clock,
            failing: None,
            through_ms: None,
            through: None,
            builder,
        }
    }

    pub(super) async fn run(mut self) {
        match self.work().await {
            Ok(()) => self.tell(Event::Closed),
            Err(End::Fenced) => self.tell(Event::Fenced),
            Err(End::Foreign(app)) => {
                let path = self.setup.store.address().to_string();
                self.tell(Event::Refused { path, app });
            }
            Err(End::Dropped) => {}
        }
    }

    pub(super) fn tell(&self, event: Event) {
        // A driver that is gone need not be told.
        let _ = self.events.send(event);
    }

    async fn work(&mut self) -> Result<(), End> {
        self.take().await?;
        if let Some(until_ms) = self.setup.until_ms {
            self.catch_up(until_ms, true).await?;
        }
        if self.setup.relabeled {
            self.settle().await?;
        }
        loop {
            match self.orders.recv().await {
                Some(Order::Slide(slide, bytes)) => {
                    let files = self.builder.push(&slide);
                    self.publish_all(files).await?;
                    self.waiting.fetch_sub(bytes, Ordering::Relaxed);
                }
                Some(Order::Gap(until_ms)) => self.catch_up(until_ms, false).await?,
                Some(Order::Close) => {
                    let last = self.builder.finish();
                    return self.publish_all(last).await;
                }
                None => return Err(End::Dropped),
            }
        }
    }

    /// Stops earlier writers and finds out what is visible.
    async fn take(&mut self) -> Result<(), End> {
        loop {
            match take(&self.setup.store, &self.setup.plan, &self.setup.owner).await {
                Ok(newest) => {
                    self.through_ms = newest.map(|newest| newest.end_ms);
                    self.through = newest.and_then(|newest| newest.slide);
                    self.failing = None;
                    self.begin_anew();
                    if let Some(through_ms) = self.through_ms {
                        self.tell(Event::Visible { through_ms });
                    }
                    return Ok(());
                }
                Err(Refused::Fenced) => return Err(End::Fenced),
                Err(Refused::Foreign(app)) => return Err(End::Foreign(app)),
                Err(Refused::Store(error)) => self.failed(error.to_string()).await?,
            }
        }
    }

    fn begin_anew(&mut self) {
        self.builder = Builder::new(self.setup.plan.clone(), self.through_ms).behind(self.through);
    }

    /// Ends are put back (`--relabel`), and those up to the last one are passed over. What is not visible of the past
    /// becomes so now: the next attempt does not look for it behind its own ends.
    async fn settle(&mut self) -> Result<(), End> {
        let open = self.builder.finish();
        self.publish_all(open).await?;
        self.tell(Event::Settled);
        Ok(())
    }

    /// Hands every slide up to `until_ms` that is not in a visible file to the builder. `settled` says that nothing more
    /// can become readable.
    async fn catch_up(&mut self, until_ms: Millis, settled: bool) -> Result<(), End> {
        let began = self.clock.monotonic();
        loop {
            let waits = !settled && self.clock.monotonic() - began <= PAST_PATIENCE;
            match self.replay(until_ms, settled, waits).await? {
                Ok(reached) if reached >= Some(until_ms) => {
                    self.failing = None;
                    return Ok(());
                }
                Ok(reached) if !waits => {
                    let after_ms = reached.max(self.through_ms);
                    if self.through_ms < Some(until_ms) {
                        self.lost(Lost { after_ms, until_ms });
                    }
                    return Ok(());
                }
                Ok(_) => self.pause(PAST_EVERY).await?,
                // It never can be: by a later version, or without a base that is whole.
                Err(error @ OpenError::Unreadable { .. }) => {
                    tracing::warn!(%error, "read the checkpoint's past");
                    self.lost(Lost { after_ms: self.through_ms, until_ms });
                    return Ok(());
                }
                Err(error) => self.failed(error.to_string()).await?,
            }
        }
    }

    /// Goes through the past once, as far as it can be read; where it waits for a log to be closed, up to there.
    /// Returns the last end it came to.
    async fn replay(
        &mut self,
        until_ms: Millis,
        settled: bool,
        waits: bool,
    ) -> Result<Result<Option<Millis>, OpenError>, End> {
        self.begin_anew();
        let after_ms = self.through_ms;
        // What is settled is of earlier attempts.
        let epoch = settled.then_some(self.setup.owner.epoch);
        let opened = History::open(&self.setup.checkpoint, after_ms, epoch, self.setup.ids_max).await;
        let mut history = match opened {
            Ok(Some(history)) if waits => history,
            Ok(Some(history)) => history.past_open_logs(),
            Ok(None) => return Ok(Ok(None)),
            Err(error) => return Ok(Err(error)),
        };
        history.lost().into_iter().for_each(|lost| self.lost(lost));
        while history.reached_ms() < Some(until_ms) {
            let mut files = Vec::new();
            let (builder, plan) = (&mut self.builder, &self.setup.plan);
            let read = history.log(|past| {
                if past.behind_loss {
                    builder.lost();
                }
                if past.slide.end_ms <= until_ms {
                    files.extend(builder.push(&Slide::past(past, plan)));
                }
            });
            match read.await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => return Ok(Err(error)),
            }
            history.lost().into_iter().for_each(|lost| self.lost(lost));
            self.publish_all(files).await?;
        }
        Ok(Ok(history.reached_ms()))
    }

    fn lost(&mut self, lost: Lost) {
        self.builder.lost();
        self.tell(Event::Lost(lost));
    }

    async fn publish_all(&mut self, files: impl IntoIterator<Item = File>) -> Result<(), End> {
        for file in files {
            self.publish(&file).await?;
        }
        Ok(())
    }

    /// Says what went wrong and waits before the next attempt.
    pub(super) async fn failed(&mut self, error: String) -> Result<(), End> {
        let now = self.clock.monotonic();
        let first = self.setup.store.patience().back_off;
        let (since, wait) = *self.failing.get_or_insert((now, first));
        self.tell(Event::Behind { since: now - since, error });
        self.failing = Some((since, (wait * 2).min(BACK_OFF_MAX)));
        self.pause(wait).await
    }

    async fn pause(&self, wait: Duration) -> Result<(), End> {
        self.setup.store.pause(wait).await;
        if self.events.is_closed() { Err(End::Dropped) } else { Ok(()) }
    }
}
