//! `source.file` and `source.stdin`: archives of posts, one JSON text a line, at their own speed or any other.
//!
//! A thread reads, decompresses and makes events (`reading`); here they are taken from it, each when it is due (`pace`).
//! Blank lines are no events: they are not counted anywhere.

use std::io::{self, Read};
use std::sync::mpsc::{self as std_mpsc, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::health::Health;
use super::{BATCHES, Batch, FeedError, Progress};
use crate::config::producer::source::{self, Speed};
use crate::produce::event::{Event, Kind, Resume};
use crate::produce::shape::Reader;

mod files;
mod gate;
mod input;
mod pace;
mod reading;

use gate::Gate;
use pace::Pace;
use reading::{Reading, Step};

/// How often a file that is followed is looked at when there was nothing new.
const LOOK: Duration = Duration::from_millis(200);
/// How long a stop may take.
const CLOSE: Duration = Duration::from_secs(1);

/// An archive that is being read.
#[derive(Debug)]
pub(super) struct Archive {
    batches: mpsc::Receiver<Batch>,
    /// Events that are here, but not due yet.
    waiting: std::vec::IntoIter<Event>,
    /// When the first of them is due.
    due: Option<Instant>,
    pace: Option<Pace>,
    health: Health,
    /// What standard input is read through; `None` for files, which can be read again.
    gate: Option<Gate>,
    closed: bool,
    /// Tells the thread to end, by being dropped.
    _stop: std_mpsc::Sender<()>,
}

impl Archive {
    /// A file or a directory. With `drops`, posts without a keyword are not kept by whoever takes them.
    pub(super) fn file(
        config: &source::File,
        frames: Reader,
        drops: bool,
        resume: Option<Resume>,
    ) -> anyhow::Result<Self> {
        let health = Health::default();
        let reading = Reading::of_files(config, frames, drops, resume, health.clone())?;
        Self::start(reading, config.speed, health, None)
    }

    /// Standard input.
    pub(super) fn stdin(config: &source::Stdin, frames: Reader, drops: bool) -> anyhow::Result<Self> {
        Self::stream(io::stdin(), config.speed, frames, drops)
    }

    /// Bytes that come once.
    fn stream(
        raw: impl Read + Send + 'static,
        speed: Speed,
        frames: Reader,
        drops: bool,
    ) -> anyhow::Result<Self> {
        let gate = Gate::default();
        let reading = Reading::of_stream(gate.clone().input(raw), frames, drops);
        Self::start(reading, speed, Health::default(), Some(gate))
    }

    fn start(reading: Reading, speed: Speed, health: Health, gate: Option<Gate>) -> anyhow::Result<Self> {
        let (outlet, batches) = mpsc::channel(BATCHES);
        let (stop, stopped) = std_mpsc::channel();
        // A thread and no task: reading standard input cannot be interrupted, and a runtime waits for its tasks.
        let run = move || read(reading, &outlet, &stopped);
        thread::Builder::new().name("archive".to_owned()).spawn(run).context("start the reader's thread")?;
        let pace = match speed {
            Speed::Max => None,
            Speed::Times(thousandths) => Some(Pace::new(thousandths)),
        };
        let waiting = Vec::new().into_iter();
        Ok(Self { batches, waiting, due: None, pace, health, gate, closed: false, _stop: stop })
    }

    pub(super) fn health(&self) -> Result<(), String> {
        self.health.check()
    }

    /// Reads nothing more. What was read from standard input is handed over at once, be it due or not.
    pub(super) async fn close(&mut self, events: &mut Vec<Event>) {
        self.closed = true;
        let waiting = std::mem::take(&mut self.waiting);
        let Some(gate) = &self.gate else {
            self.batches.close();
            return;
        };
        events.extend(waiting);
        if gate.close() {
            // The thread waits for input, and so will send nothing more.
            self.batches.close();
        }
        let until = Instant::now() + CLOSE;
        loop {
            match timeout_at(until, self.batches.recv()).await {
                Ok(Some(Batch::Events(batch))) => events.extend(batch),
                // That it was closed, mostly.
                Ok(Some(Batch::Failed(_) | Batch::Finished) | None) => break,
                Err(_) => {
                    tracing::warn!("standard input took too long to stop; what it still holds is left");
                    break;
                }
            }
        }
        self.batches.close();
    }

    pub(super) async fn next(&mut self, events: &mut Vec<Event>) -> Result<Progress, FeedError> {
        if self.closed {
            return Ok(Progress::Finished);
        }
        if self.waiting.as_slice().is_empty() {
            match self.batches.recv().await {
                Some(Batch::Events(batch)) => self.waiting = batch.into_iter(),
                Some(Batch::Failed(error)) => return Err(error),
                Some(Batch::Finished) => return Ok(Progress::Finished),
                None => return Err(FeedError("the reader of the archive ended by mistake".to_owned())),
            }
        }
        let Some(pace) = &mut self.pace else {
            events.extend(self.waiting.by_ref());
            return Ok(Progress::More);
        };
        // One that is due comes alone or with others that are: the first one is waited for, and then is.
        loop {
            if let Some(due) = self.due.take() {
                sleep_until(due).await;
            }
            let now = Instant::now();
            let before = events.len();
            while let Some(event) = self.waiting.as_slice().first() {
                self.due = due(event, pace, now).filter(|due| *due > now);
                if self.due.is_some() {
                    break;
                }
                events.extend(self.waiting.next());
            }
            if events.len() > before {
                return Ok(Progress::More);
            }
        }
    }
}

/// When an event is due; `None` if it does not say when it was written.
fn due(event: &Event, pace: &mut Pace, now: Instant) -> Option<Instant> {
    match &event.kind {
        Kind::Post(post) => post.time_ms.map(|time_ms| pace.due(now, time_ms)),
        Kind::Control | Kind::Malformed(_) | Kind::Gap(_) => None,
    }
}

/// Reads until the end, or until nobody takes what is read.
fn read(mut reading: Reading, outlet: &mpsc::Sender<Batch>, stopped: &std_mpsc::Receiver<()>) {
    loop {
        let mut events = Vec::new();
        let step = reading.step(&mut events);
        if !events.is_empty() && outlet.blocking_send(Batch::Events(events)).is_err() {
            return;
        }
        let last = match step {
            Ok(Step::More) => continue,
            Ok(Step::NothingNew) => match stopped.recv_timeout(LOOK) {
                Err(RecvTimeoutError::Timeout) => continue,
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            },
            Ok(Step::End) => Batch::Finished,
            Err(error) => Batch::Failed(error),
        };
        // Nobody need be there any more.
        let _ = outlet.blocking_send(last);
        return;
    }
}

#[cfg(test)]
mod tests;
