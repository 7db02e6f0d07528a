//! The writer itself: one log open at a time, one sync under way, slides that wait meanwhile share the next.
//!
//! After an error the log is abandoned, because what of the last piece is in it cannot be known; everything that was
//! not acknowledged is written again into a new one. An error that looks like being fenced is believed only when
//! this attempt's directory is gone: a NameNode also closes the file of a driver that was away for very long.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{Event, Limits, State, Waiting};
use crate::checkpoint::base::Base;
use crate::checkpoint::frame::{self, Identity, Kind, PAYLOAD_BYTES_MAX};
use crate::checkpoint::head::{self, BaseHead, FORMAT, LogHead};
use crate::checkpoint::layout::{OWNER, attempt_dir, base_name, log_name};
use crate::checkpoint::retain::{Ends, retain};
use crate::checkpoint::slide::{Slide, Table};
use crate::checkpoint::{Opened, Opening};
use crate::clock::Clock;
use crate::ids::Millis;
use crate::store::{Hold, Kind as StoreKind, LogWriter, Store, StoreError};

/// Longest wait after an error; the first is the store's, and it doubles.
const BACK_OFF_MAX: Duration = Duration::from_secs(5);
/// A base that could not be written is wanted again after so long.
const BASE_AGAIN: Duration = Duration::from_secs(60);
/// One sync carries at most so much, unless a single slide is larger.
const BATCH_BYTES: usize = 8 << 20;

/// What the driver orders.
#[derive(Debug)]
pub(super) enum Order {
    Slide(u64, usize, Box<Slide>),
    Base(u64, Box<State>),
    KeepSince(Millis),
    Close,
}

/// Why the writer ends before it is told to.
enum End {
    Fenced(StoreError),
    GivenUp(StoreError),
    /// The driver is gone.
    Dropped,
}

pub(super) struct Task {
    store: Store,
    clock: Clock,
    epoch: u64,
    opening: Opening,
    limits: Limits,
    /// Locked for as long as this attempt writes.
    _hold: Hold,
    orders: mpsc::UnboundedReceiver<Order>,
    events: mpsc::UnboundedSender<Event>,
    waiting: Arc<Waiting>,
    /// Ordered and not durable.
    queue: VecDeque<Order>,
    open: Option<Open>,
    next_file: u64,
    /// The number that the next log gets because a base has it.
    log_number: Option<u64>,
    /// Number of the last durable slide.
    durable: u64,
    failing: Option<(Duration, Duration)>,
    keep_since_ms: Option<Millis>,
    roll: Roll,
}

/// The log being written.
struct Open {
    log: LogWriter,
    identity: Identity,
    table: Table,
    /// Whether the log's head has been written.
    begun: bool,
}

/// When the next base is due, and the one under way.
#[derive(Default)]
struct Roll {
    base_bytes: u64,
    bytes: u64,
    slides: u64,
    wanted: bool,
    not_before: Duration,
    under_way: Option<JoinHandle<Written>>,
    ends: Ends,
}

/// A base that was written, or not.
struct Written {
    outcome: Result<(u64, Duration), StoreError>,
    kept: Result<u64, StoreError>,
    number: u64,
    ends: Ends,
}

impl Task {
    pub(super) fn new(
        opened: Opened,
        orders: mpsc::UnboundedReceiver<Order>,
        events: mpsc::UnboundedSender<Event>,
        waiting: Arc<Waiting>,
    ) -> Self {
        let Opened { epoch, store, opening, hold, next_file, last, .. } = opened;
        Self {
            store,
            clock: Clock::start(),
            epoch,
            limits: opening.limits,
            opening,
            _hold: hold,
            orders,
            events,
            waiting,
            queue: VecDeque::new(),
            open: None,
            next_file,
            log_number: None,
            durable: last,
            failing: None,
            keep_since_ms: None,
            roll: Roll::default(),
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

    fn tell(&self, event: Event) {
        // A driver that is gone need not be told.
        let _ = self.events.send(event);
    }

    /// Does the next thing. False when everything is done.
    async fn turn(&mut self) -> Result<bool, End> {
        if self.queue.is_empty() {
            self.wait().await?;
        }
        while let Ok(order) = self.orders.try_recv() {
            self.queue.push_back(order);
        }
        match self.queue.front() {
            None => {}
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
        }
        Ok(true)
    }

    async fn wait(&mut self) -> Result<(), End> {
        let under_way = self.roll.under_way.as_mut();
        let based = async {
            match under_way {
                Some(task) => task.await.ok(),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            order = self.orders.recv() => match order {
                Some(order) => self.queue.push_back(order),
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
        let mut piece = Vec::new();
        if !open.begun {
            let head = LogHead {
                format: FORMAT,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                after: self.durable,
                length_ms: self.opening.length_ms,
            };
            frame::put(&mut piece, open.identity, Kind::Head, 0, &head::encode(&head));
        }
        let mut last = None;
        let mut slides = 0;
        for order in &self.queue {
            let Order::Slide(number, _, slide) = order else { break };
            let payload = open.table.encode(slide);
            assert!(
                payload.len() <= PAYLOAD_BYTES_MAX,
                "driver.memory ends the job before a slide has 2^30 bytes"
            );
            frame::put(&mut piece, open.identity, Kind::Slide, *number, &payload);
            last = Some((*number, slide.end_ms));
            slides += 1;
            if piece.len() >= BATCH_BYTES {
                break;
            }
        }
        let Some((number, end_ms)) = last else { return Ok(()) };
        let (began, bytes) = (self.clock.monotonic(), piece.len() as u64);
        if let Err(error) = open.log.append(piece.into()).await {
            self.open = None;
            return self.failed(error).await;
        }
        open.begun = true;
        let took = self.clock.monotonic() - began;
        for order in self.queue.drain(..slides) {
            if let Order::Slide(_, bytes, _) = order {
                self.waiting.take(bytes);
            }
        }
        (self.durable, self.failing) = (number, None);
        let slides = slides as u64;
        self.roll.bytes += bytes;
        self.roll.slides += slides;
        self.tell(Event::Durable { number, end_ms, slides, took, bytes });
        self.want_base();
        Ok(())
    }

    async fn open_log(&mut self) -> Result<(), StoreError> {
        if self.open.is_some() {
            return Ok(());
        }
        let number = self.log_number.take().unwrap_or_else(|| self.number());
        let path = format!("{}/{}", attempt_dir(self.epoch), log_name(number));
        let log = self.store.open_log(&path).await?;
        let identity = Identity { epoch: self.epoch, number };
        self.open = Some(Open { log, identity, table: Table::default(), begun: false });
        Ok(())
    }

    fn number(&mut self) -> u64 {
        self.next_file += 1;
        self.next_file - 1
    }

    /// Begins a base, and with it a new log. The first one of an attempt is waited for.
    async fn write_base(&mut self) -> Result<(), End> {
        self.look_for_base().await;
        let Some(Order::Base(slide, state)) = self.queue.pop_front() else { return Ok(()) };
        if self.roll.under_way.is_some() {
            // It was not asked for; the one that is being written does.
            return Ok(());
        }
        let first = self.roll.base_bytes == 0;
        if let Some(open) = self.open.take() {
            // Its content is durable; closing waits for DataNodes, and nothing waits for closing.
            let handle = self.store.handle();
            handle.spawn(open.log.close());
        }
        let number = self.number();
        self.log_number = Some(number);
        let State { end_ms, attempt, whole, positions, ring } = *state;
        let head = BaseHead {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            slide,
            end_ms,
            attempt,
            whole,
            length_ms: self.opening.length_ms,
            fingerprint: self.opening.fingerprint.clone(),
            positions,
        };
        let content = Base { head, ring }.content(Identity { epoch: self.epoch, number });
        let mut ends = std::mem::take(&mut self.roll.ends);
        ends.insert((self.epoch, number), end_ms);
        self.roll = Roll { base_bytes: self.roll.base_bytes, ..Roll::default() };
        let (store, clock, keep_since_ms) = (self.store.clone(), self.clock, self.keep_since_ms);
        let path = format!("{}/{}", attempt_dir(self.epoch), base_name(number));
        if first {
            let began = clock.monotonic();
            loop {
                match store.put(&path, content.clone()).await {
                    Ok(bytes) => {
                        let kept = retain(&store, keep_since_ms, &mut ends).await;
                        let outcome = Ok((bytes, clock.monotonic() - began));
                        self.failing = None;
                        self.based(Some(Written { outcome, kept, number: slide, ends }));
                        return Ok(());
                    }
                    Err(error) => self.failed(error).await?,
                }
            }
        }
        self.roll.under_way = Some(self.store.handle().spawn(async move {
            let began = clock.monotonic();
            let outcome = store.put(&path, content).await.map(|bytes| (bytes, clock.monotonic() - began));
            let kept = retain(&store, keep_since_ms, &mut ends).await;
            Written { outcome, kept, number: slide, ends }
        }));
        Ok(())
    }

    /// Takes the result of the base under way, if there is one.
    async fn look_for_base(&mut self) {
        if self.roll.under_way.as_ref().is_some_and(JoinHandle::is_finished)
            && let Some(task) = self.roll.under_way.take()
        {
            let written = task.await.ok();
            self.based(written);
        }
    }

    fn based(&mut self, written: Option<Written>) {
        self.roll.under_way = None;
        // A store that is shutting down.
        let Some(Written { outcome, kept, number, ends }) = written else { return };
        self.roll.ends = ends;
        let kept_bytes = match &kept {
            Ok(bytes) => *bytes,
            Err(error) => {
                self.tell(Event::BaseFailed(error.clone()));
                0
            }
        };
        match outcome {
            Ok((bytes, took)) => {
                self.roll.base_bytes = bytes;
                self.tell(Event::Based { number, bytes, kept_bytes, took });
            }
            Err(error) => {
                self.roll.not_before = self.clock.monotonic() + BASE_AGAIN;
                self.roll.slides = self.limits.roll_slides;
                self.tell(Event::BaseFailed(error));
            }
        }
    }

    fn want_base(&mut self) {
        let due = self.roll.slides >= self.limits.roll_slides
            || self.roll.bytes >= self.limits.roll_bytes.max(self.roll.base_bytes);
        let may = self.roll.under_way.is_none() && self.clock.monotonic() >= self.roll.not_before;
        if due && may && !self.roll.wanted {
            self.roll.wanted = true;
            self.tell(Event::BaseWanted);
        }
    }

    /// Decides what an error means; waits before the next attempt.
    async fn failed(&mut self, error: StoreError) -> Result<(), End> {
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
            let written = task.await.ok();
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
