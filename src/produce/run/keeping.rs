//! Keeping the cursor: saved every so often, one write at a time, behind everything that is done.

use std::future;
use std::time::Duration;

use anyhow::Context as _;
use tokio::task::{self, JoinError, JoinHandle};
use tokio::time::{self, Instant};

use super::super::cursor::{CursorError, CursorFile, Saved};
use super::super::event::Resume;
use super::super::ledger::Ledger;
use super::seldom::Seldom;
use crate::clock::Clock;

/// A cursor shows at least this often that its owner lives, also when there is nothing to save.
const BEAT: Duration = Duration::from_secs(5);
/// How long the end may take: a write under way, the last one with its retries, and giving the cursor up.
const LAST: Duration = Duration::from_secs(5);
/// The same for who does not want to wait.
const AT_ONCE: Duration = Duration::from_millis(300);
/// Wait between two tries of the last write.
const AGAIN: Duration = Duration::from_millis(200);
/// How often a cursor would be saved if there were one.
const EVERY: Duration = Duration::from_secs(1);

/// The cursor, if there is one.
#[derive(Default)]
pub struct Keeping(Option<Kept>);

struct Kept {
    every: Duration,
    clock: Clock,
    /// Not there while it is being written.
    file: Option<CursorFile>,
    writing: Option<JoinHandle<(CursorFile, Result<(), CursorError>)>>,
    /// How the last write ended, for the next turn.
    ended: Option<Result<Result<(), CursorError>, JoinError>>,
    /// What is being written.
    asked: Option<Saved>,
    asked_at: Duration,
    /// What was written last.
    saved: Saved,
    saved_at: Duration,
    failures: Seldom,
    failed: u64,
}

impl Keeping {
    /// Keeps `file`, which holds `saved`, and writes it each `every`.
    pub fn new(file: CursorFile, saved: Saved, every: Duration, clock: Clock) -> Self {
        let now = clock.monotonic();
        Self(Some(Kept {
            every,
            clock,
            file: Some(file),
            writing: None,
            ended: None,
            asked: None,
            asked_at: now,
            saved,
            saved_at: now,
            failures: Seldom::default(),
            failed: 0,
        }))
    }

    /// Where the source goes on, as it is saved; `None`: at its beginning.
    pub fn resume(&self) -> Option<&Resume> {
        self.0.as_ref()?.saved.resume.as_ref()
    }

    /// Whether the place where a stream began is to be saved before anything of it is sent: without it, what comes before
    /// the first acknowledgement is lost by a kill.
    pub(super) fn saves_first(&self, ledger: &Ledger) -> bool {
        let Some(kept) = &self.0 else { return false };
        kept.saved.resume.is_none() && ledger.resume().is_some() && ledger.accounts().sent == 0
    }

    /// Whether there is a cursor.
    pub(super) fn is_kept(&self) -> bool {
        self.0.is_some()
    }

    /// How often it is written; without a cursor, how often it would be.
    pub(super) fn every(&self) -> Duration {
        self.0.as_ref().map_or(EVERY, |kept| kept.every)
    }

    /// How long what is done has not been saved; zero when all is.
    pub(super) fn age(&self, ledger: &Ledger, now: Duration) -> Duration {
        let unsaved = self.0.as_ref().filter(|kept| kept.saved.resume.as_ref() != ledger.resume());
        unsaved.map_or(Duration::ZERO, |kept| now.saturating_sub(kept.saved_at))
    }

    /// Writes that failed.
    pub(super) fn failed(&self) -> u64 {
        self.0.as_ref().map_or(0, |kept| kept.failed)
    }

    /// Enters how a write ended, and begins the next one when it is due and everything acknowledged is done.
    ///
    /// # Errors
    /// The cursor is another producer's.
    pub(super) fn turn(&mut self, ledger: &Ledger, is_settled: bool, now: Duration) -> anyhow::Result<()> {
        let first = self.saves_first(ledger);
        let Some(kept) = &mut self.0 else { return Ok(()) };
        if let Some(ended) = kept.ended.take() {
            kept.enter(ended.context("save the cursor")?, now)?;
        }
        if now < kept.asked_at + kept.every && !first {
            return Ok(());
        }
        let next = kept.next(ledger);
        if kept.differs(&next) && is_settled {
            kept.write(next, now);
        } else if now >= kept.asked_at + BEAT.max(kept.every) {
            kept.beat(now);
        }
        Ok(())
    }

    /// Returns when a write has ended; never while there is none. Cancel-safe.
    pub(super) async fn progress(&mut self) {
        let Some(kept) = &mut self.0 else { return future::pending().await };
        let Some(writing) = &mut kept.writing else { return future::pending().await };
        let ended = writing.await;
        kept.writing = None;
        kept.ended = Some(ended.map(|(file, outcome)| {
            kept.file = Some(file);
            outcome
        }));
    }

    /// The last write, and the cursor is free for others. True if it holds everything that is done.
    ///
    /// # Errors
    /// The cursor is another producer's.
    pub(super) async fn end(
        &mut self,
        ledger: &Ledger,
        is_settled: bool,
        at_once: bool,
    ) -> anyhow::Result<bool> {
        let until = Instant::now() + if at_once { AT_ONCE } else { LAST };
        if self.0.as_ref().is_some_and(|kept| kept.writing.is_some()) {
            let _ = time::timeout_at(until, self.progress()).await;
        }
        let Some(mut kept) = self.0.take() else { return Ok(true) };
        let Some(mut file) = kept.file.take() else { return Ok(false) };
        if let Some(ended) = kept.ended.take() {
            kept.enter(ended.context("save the cursor")?, kept.clock.monotonic())?;
        }
        let last = kept.next(ledger);
        let mut saved = !kept.differs(&last);
        if !saved && !at_once && is_settled {
            let tried = time::timeout_at(until, save_at_last(&mut file, &last, kept.clock));
            saved = tried.await.unwrap_or(Ok(false))?;
        }
        match time::timeout_at(until, file.close()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "the cursor could not be given up; the next start may have to wait")
            }
            Err(_) => {
                tracing::warn!("the cursor could not be given up in time; the next start may have to wait")
            }
        }
        Ok(saved)
    }
}

/// Saves until that succeeds.
async fn save_at_last(file: &mut CursorFile, last: &Saved, clock: Clock) -> Result<bool, CursorError> {
    while let Err(error) = file.save(last, clock.monotonic()).await {
        if error.is_final() {
            return Err(error);
        }
        tracing::warn!(%error, "the cursor cannot be saved; tried again");
        time::sleep(AGAIN).await;
    }
    Ok(true)
}

impl Kept {
    fn next(&self, ledger: &Ledger) -> Saved {
        Saved {
            resume: ledger.resume().cloned(),
            ends: ledger.saved_ends(),
            saved_ms: self.clock.wall_ms(),
            ..self.saved.clone()
        }
    }

    /// Whether there is more to save than when.
    fn differs(&self, next: &Saved) -> bool {
        Saved { saved_ms: self.saved.saved_ms, ..next.clone() } != self.saved
    }

    fn write(&mut self, next: Saved, now: Duration) {
        let Some(mut file) = self.file.take() else { return };
        self.asked = Some(next.clone());
        self.asked_at = now;
        self.writing = Some(task::spawn(async move {
            let outcome = file.save(&next, now).await;
            (file, outcome)
        }));
    }

    fn beat(&mut self, now: Duration) {
        let Some(mut file) = self.file.take() else { return };
        self.asked_at = now;
        self.writing = Some(task::spawn(async move {
            let outcome = file.beat(now).await;
            (file, outcome)
        }));
    }

    fn enter(&mut self, outcome: Result<(), CursorError>, now: Duration) -> Result<(), CursorError> {
        let asked = self.asked.take();
        match outcome {
            Ok(()) => {
                self.saved = asked.unwrap_or_else(|| self.saved.clone());
                self.saved_at = now;
            }
            Err(error) if error.is_final() => return Err(error),
            Err(error) => {
                self.failed += 1;
                if let Some(times) = self.failures.now(now) {
                    tracing::warn!(%error, times, "the cursor cannot be saved; tried again");
                }
            }
        }
        Ok(())
    }
}
