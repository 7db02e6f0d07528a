//! Rolling: a base in the background, a new log at once, and what is deleted afterwards. Part of the writer.

use std::time::Duration;

use tokio::task::{JoinError, JoinHandle};

use super::Event;
use super::task::{End, Order, Task};
use crate::checkpoint::frame::Identity;
use crate::checkpoint::layout::{attempt_dir, base_name};
use crate::checkpoint::retain::{Ends, retain};
use crate::store::StoreError;

/// A base that could not be written is wanted again after so long.
const BASE_AGAIN: Duration = Duration::from_secs(60);

/// When the next base is due, and the one under way.
#[derive(Default)]
pub(super) struct Roll {
    pub(super) base_bytes: u64,
    pub(super) bytes: u64,
    pub(super) slides: u64,
    pub(super) wanted: bool,
    /// A base came while one was under way: another is wanted as soon as that one is written.
    pub(super) again: bool,
    pub(super) not_before: Duration,
    pub(super) under_way: Option<JoinHandle<Written>>,
    pub(super) ends: Ends,
}

/// A base that was written, or not.
pub(super) struct Written {
    pub(super) outcome: Result<(u64, Duration), StoreError>,
    pub(super) kept: Result<u64, StoreError>,
    pub(super) number: u64,
    pub(super) ends: Ends,
}

/// What became of the task that writes a base; `None` if the store is shutting down. Its fault is the writer's: bases
/// would fail in silence, and logs grow.
pub(super) fn joined(outcome: Result<Written, JoinError>) -> Option<Written> {
    match outcome {
        Ok(written) => Some(written),
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => None,
    }
}

impl Task {
    /// Begins a base, and with it a new log. The first one of an attempt is waited for.
    pub(super) async fn write_base(&mut self) -> Result<(), End> {
        self.look_for_base().await;
        let Some(Order::Base(slide, state)) = self.queue.pop_front() else { return Ok(()) };
        if self.roll.under_way.is_some() {
            // The driver had a reason of its own, such as a topic that was recreated, and its log has begun already.
            self.roll.again = true;
            return Ok(());
        }
        let first = self.roll.base_bytes == 0;
        self.leave_log();
        let number = self.number();
        self.log_number = Some(number);
        let identity = Identity { epoch: self.epoch, number };
        let fingerprint = self.opening.fingerprint.following(&self.positions, &state.positions);
        self.opening.fingerprint = fingerprint.clone();
        self.positions.clone_from(&state.positions);
        let end_ms = state.end_ms;
        let content = state.relabeled_base(
            slide,
            self.opening.length_ms,
            fingerprint,
            identity,
            self.relabeled.clone(),
        );
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
    pub(super) async fn look_for_base(&mut self) {
        if self.roll.under_way.as_ref().is_some_and(JoinHandle::is_finished)
            && let Some(task) = self.roll.under_way.take()
        {
            let written = joined(task.await);
            self.based(written);
        }
    }

    pub(super) fn based(&mut self, written: Option<Written>) {
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
                if self.roll.again && !self.roll.wanted {
                    self.roll.wanted = true;
                    self.tell(Event::BaseWanted);
                }
            }
            Err(error) => {
                self.roll.not_before = self.clock.monotonic() + BASE_AGAIN;
                self.roll.slides = self.limits.roll_slides;
                self.tell(Event::BaseFailed(error));
            }
        }
    }

    pub(super) fn want_base(&mut self) {
        let due = self.roll.slides >= self.limits.roll_slides
            || self.roll.bytes >= self.limits.roll_bytes.max(self.roll.base_bytes);
        let may = self.roll.under_way.is_none() && self.clock.monotonic() >= self.roll.not_before;
        if due && may && !self.roll.wanted {
            self.roll.wanted = true;
            self.tell(Event::BaseWanted);
        }
    }
}
