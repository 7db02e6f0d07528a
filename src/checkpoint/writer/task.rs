//! The writer itself: one log open at a time, one sync under way, slides that wait meanwhile share the next.
//!
//! After an error the log is abandoned, because what of the last piece is in it cannot be known; everything that was
//! not acknowledged is written again into a new one, and the old one is closed beside it. An error that looks like being fenced is believed only when
//! this attempt's directory is gone: a NameNode also closes the file of a driver that was away for very long.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::mpsc;

use super::abandoned;
use super::caution::Caution;
use super::roll::{Roll, joined};
use super::{Event, Limits, State};
use crate::checkpoint::frame::Identity;
use crate::checkpoint::head::Relabeled;
use crate::checkpoint::layout::{OWNER, attempt_dir, log_name};
use crate::checkpoint::log::{LogEncoder, Piece};
use crate::checkpoint::slide::Slide;
use crate::checkpoint::{Opened, Opening};
use crate::clock::Clock;
use crate::ids::{Millis, Partition, Position};
use crate::store::{Copies, Hold, Kind as StoreKind, LogWriter, Store, StoreError};

/// Longest wait after an error; the first is the store's, and it doubles.
const BACK_OFF_MAX: Duration = Duration::from_secs(5);

/// What the driver orders.
#[derive(Debug)]
pub(super) enum Order {
    Slide(u64, Box<Slide>),
    Base(u64, Box<State>),
    KeepSince(Millis),
    /// Not queued: what waits for it is in front.
    Settled,
    Close,
    /// A fault of its own, for tests.
    #[cfg(test)]
    Panic(&'static str),
}

/// Why the writer ends before it is told to.
pub(super) enum End {
    Fenced(StoreError),
    GivenUp(StoreError),
    /// The driver is gone.
    Dropped,
}

pub(super) struct Task {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) epoch: u64,
    pub(super) opening: Opening,
    pub(super) relabeled: Vec<Relabeled>,
    pub(super) limits: Limits,
    /// Locked for as long as this attempt writes.
    _hold: Option<Hold>,
    orders: mpsc::UnboundedReceiver<Order>,
    events: mpsc::UnboundedSender<Event>,
    /// Whether the first base waits for [`Order::Settled`].
    held: bool,
    /// Ordered and not durable.
    pub(super) queue: VecDeque<Order>,
    pub(super) open: Option<Open>,
    next_file: u64,
    /// The number that the next log gets because a base has it.
    pub(super) log_number: Option<u64>,
    /// Where reading stood at the last base, or when the checkpoint was opened.
    pub(super) positions: Vec<(Partition, Position)>,
    /// Number of the last durable slide.
    durable: u64,
    pub(super) failing: Option<(Duration, Duration)>,
    pub(super) keep_since_ms: Option<Millis>,
    pub(super) roll: Roll,
    caution: Caution,
}

/// The log being written.
pub(super) struct Open {
    pub(super) log: LogWriter,
    encoder: LogEncoder,
    copies: Copies,
}

impl Task {
    pub(super) fn new(
        opened: Opened,
        orders: mpsc::UnboundedReceiver<Order>,
        events: mpsc::UnboundedSender<Event>,
    ) -> Self {
        let held = opened.waits_for_results();
        let Opened { epoch, store, opening, hold, next_file, last, positions, .. } = opened;
        let Opened { keep_since_ms, relabeled, .. } = opened;
        Self {
            store,
            clock: Clock::start(),
            epoch,
            limits: opening.limits,
            opening,
            relabeled,
            _hold: hold,
            orders,
            events,
            held,
            queue: VecDeque::new(),
            open: None,
            next_file,
            log_number: None,
            positions,
            durable: last,
            failing: None,
            keep_since_ms,
            roll: Roll::default(),
            caution: Caution::default(),
        }
    }

    pub(super) async fn run(mut self) {
        let end = loop {
            match self.turn().await {
                Ok(true) => {}
                Ok(false) => {
                    self.tell(Event::Closed);
                    return;
                }
                Err(end) => break end,
            }
        };
        match end {
            End::Fenced(error) => self.tell(Event::Fenced(error)),
            End::GivenUp(error) => self.tell(Event::GivenUp(error)),
            End::Dropped => {}
        }
    }

    pub(super) fn tell(&self, event: Event) {
        // A driver that is gone need not be told.
        let _ = self.events.send(event);
    }

    /// Does the next thing. False when everything is done.
    async fn turn(&mut self) -> Result<bool, End> {
        if self.queue.is_empty() || self.held {
            self.wait().await?;
        }
        while let Ok(order) = self.orders.try_recv() {
            self.take(order);
        }
        match self.queue.front() {
            None | Some(Order::Settled) => {}
            Some(_) if self.held => {}
            Some(Order::Slide(..)) => self.write_slides().await?,
            Some(Order::Base(..)) => self.write_base().await?,
            Some(Order::KeepSince(end_ms)) => {
                self.keep_since_ms = Some(*end_ms);
                self.queue.pop_front();
            }
            Some(Order::Close) => {
                self.close().await;
                return Ok(false);
            }
            #[cfg(test)]
            Some(Order::Panic(reason)) => panic!("{reason}"),
        }
        Ok(true)
    }

    fn take(&mut self, order: Order) {
        match order {
            Order::Settled => self.held = false,
            order => self.queue.push_back(order),
        }
    }

    async fn wait(&mut self) -> Result<(), End> {
        let under_way = self.roll.under_way.as_mut();
        let based = async {
            match under_way {
                Some(task) => joined(task.await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            order = self.orders.recv() => match order {
                Some(order) => self.take(order),
                None => return Err(End::Dropped),
            },
            written = based => self.based(written),
        }
        Ok(())
    }

    /// Appends what waits, up to the next base, and syncs.
    async fn write_slides(&mut self) -> Result<(), End> {
        self.look_for_base().await;
        if let Err(error) = self.open_log().await {
            return self.failed(error).await;
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        let slides = self.queue.iter().map_while(|order| match order {
            Order::Slide(number, slide) => Some((*number, &**slide)),
            _ => None,
        });
        let piece = open.encoder.piece(self.durable, self.opening.length_ms, slides);
        let Some(Piece { bytes: piece, slides, last: number, end_ms }) = piece else { return Ok(()) };
        let (began, bytes) = (self.clock.monotonic(), piece.len() as u64);
        let copies = open.copies;
        if let Err(error) = open.log.append(piece.into()).await {
            if let Some(open) = self.open.take() {
                abandoned::abandon(open.log, &self.store, &self.events);
            }
            self.caution.failed(copies);
            return self.failed(error).await;
        }
        let took = self.clock.monotonic() - began;
        self.queue.drain(..slides);
        (self.durable, self.failing) = (number, None);
        let slides = slides as u64;
        self.roll.bytes += bytes;
        self.roll.slides += slides;
        self.tell(Event::Durable { number, end_ms, slides, took, bytes });
        if self.caution.took(copies, slides) {
            self.leave_log();
        }
        self.want_base();
        Ok(())
    }

    async fn open_log(&mut self) -> Result<(), StoreError> {
        if self.open.is_some() {
            return Ok(());
        }
        let number = self.log_number.take().unwrap_or_else(|| self.number());
        let path = format!("{}/{}", attempt_dir(self.epoch), log_name(number));
        let copies = self.caution.copies();
        let log = self.store.open_log(&path, copies).await?;
        let identity = Identity { epoch: self.epoch, number };
        let encoder = LogEncoder::new(identity).relabeled(self.relabeled.clone());
        self.open = Some(Open { log, encoder, copies });
        Ok(())
    }

    /// Goes on in another log. What is in this one is durable; closing waits for DataNodes, and nobody for closing.
    pub(super) fn leave_log(&mut self) {
        if let Some(open) = self.open.take() {
            abandoned::close(open.log, &self.store, &self.events);
        }
    }

    pub(super) fn number(&mut self) -> u64 {
        self.next_file += 1;
        self.next_file - 1
    }

    /// Decides what an error means; waits before the next attempt.
    pub(super) async fn failed(&mut self, error: StoreError) -> Result<(), End> {
        self.open = None;
        if matches!(error.kind, StoreKind::Fenced | StoreKind::Gone) {
            let own = format!("{}/{OWNER}", attempt_dir(self.epoch));
            if let Ok(None) = self.store.look(&own).await {
                return Err(End::Fenced(error));
            }
        }
        let now = self.clock.monotonic();
        let (since, wait) = *self.failing.get_or_insert((now, self.store.patience().back_off));
        if now - since >= self.limits.give_up {
            return Err(End::GivenUp(error));
        }
        self.tell(Event::Behind { since: now - since, error });
        self.store.pause(wait.min(self.limits.give_up)).await;
        self.failing = Some((since, (wait * 2).min(BACK_OFF_MAX)));
        if self.events.is_closed() { Err(End::Dropped) } else { Ok(()) }
    }

    async fn close(&mut self) {
        if let Some(task) = self.roll.under_way.take() {
            let written = joined(task.await);
            self.based(written);
        }
        if let Some(open) = self.open.take()
            && let Err(error) = open.log.close().await
        {
            // Whoever takes over closes it; everything in it is durable.
            tracing::debug!(%error, "close the log");
        }
    }
}
