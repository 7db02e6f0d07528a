//! The loop of a producer: takes what the source has, hands it to Kafka, enters the answers, keeps the cursor. What becomes
//! of a post is the ledger's decision; when to connect again is the feed's.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::bail;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::event::{Event, Kind, Overlap};
use super::feed::{Feed, FeedError, Progress};
use super::ledger::{Accounts, Ledger};
use super::sink::{Outcome, Report, SendError, Sink};
use super::view::View;
use crate::clock::Clock;

mod delivery;
mod keeping;
mod seldom;

use delivery::Delivery;
pub use keeping::Keeping;
use seldom::Seldom;

/// How long answers of Kafka may lie before they are entered, if nothing else happens. Each look costs a wake-up.
const LOOK: Duration = Duration::from_millis(50);
/// The same while Kafka's client has no room: it has again when the first of them come.
const LOOK_WHEN_FULL: Duration = Duration::from_millis(2);
/// How often what can be seen from outside is renewed.
const PUBLISH: Duration = Duration::from_millis(100);
/// After so long without room the source is told, so that it need not hold a connection for nothing.
const PATIENCE: Duration = Duration::from_secs(2);

/// After so long without an answer of Kafka to anything, the producer is not well.
const SILENCE: Duration = Duration::from_secs(30);

/// What ends a run early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Read nothing more, bring to Kafka what was read.
    Drain,
    /// At once.
    Abort,
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    /// What came and what became of it.
    pub accounts: Accounts,
    /// Events that were read and not entered.
    pub unread: usize,
    /// Whether the cursor is saved behind everything that is done; true without a cursor.
    pub saved: bool,
    /// Whether a restart finds again what was read and not sent.
    pub resumes: bool,
    /// Whether somebody did not want to wait.
    pub aborted: bool,
    /// Why it could not go on, if it was not to end.
    pub failure: Option<anyhow::Error>,
}

impl Ended {
    /// Whether nothing is left behind that will not come again.
    pub fn is_clean(&self) -> bool {
        let comes_again = self.remaining() == 0 || self.resumes;
        self.saved && comes_again && self.accounts.failed == 0 && self.failure.is_none()
    }

    /// What was read and is not in Kafka, in words.
    pub fn left(&self) -> Option<String> {
        let fate = match (self.remaining(), self.saved, self.resumes) {
            (0, true, _) => return None,
            (0, false, _) => {
                return Some("the cursor is not saved: the next start begins before what is done".to_owned());
            }
            (_, true, true) => "they are read again at the next start",
            (_, false, true) => "the cursor is not saved either: the next start begins before them",
            (_, _, false) => "they are lost: without a cursor nothing finds them again",
        };
        let (queued, open) = (self.accounts.queued() + self.unread as u64, self.accounts.in_flight());
        Some(format!("left: {queued} posts were not sent, {open} records were not acknowledged; {fate}"))
    }

    fn remaining(&self) -> u64 {
        self.accounts.queued() + self.accounts.in_flight() + self.unread as u64
    }
}

/// A producer at work.
pub struct Run {
    pub(super) feed: Feed,
    pub(super) sink: Sink,
    pub(super) ledger: Ledger,
    pub(super) keeping: Keeping,
    pub(super) clock: Clock,
    /// Until when posts may come that an earlier run had sent already.
    pub(super) expects_until: Duration,
    /// How long a stop may take.
    pub(super) drain: Duration,
    pub(super) view: watch::Sender<View>,
}

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The source is read.
    Reading,
    /// It is over; what it gave goes to Kafka, however long that takes.
    Finishing,
    /// The same until then.
    Draining(Duration),
}

impl Run {
    /// Works until the source is over, somebody stops it, or something fails for good.
    pub async fn run(self, mut stops: mpsc::UnboundedReceiver<Stop>) -> Ended {
        let now = self.clock.monotonic();
        let mut turns = Turns {
            phase: Phase::Reading,
            closed: false,
            events: VecDeque::new(),
            batch: Vec::new(),
            reports: Vec::new(),
            full_since: None,
            published: now,
            malformed: Seldom::default(),
            refused: Seldom::default(),
            forgot: Seldom::default(),
            forgotten: 0,
            answered: now,
            failure: None,
            delivery: Delivery::new(&self.sink, self.keeping.every()),
            run: self,
        };
        let aborted = match turns.turn_until_over(&mut stops).await {
            Ok(aborted) => aborted,
            Err(error) => {
                turns.failure = Some(error);
                false
            }
        };
        turns.end(aborted).await
    }
}

/// What the loop keeps between its turns.
struct Turns {
    run: Run,
    phase: Phase,
    /// Whether the source has handed over what it had read when its end was near.
    closed: bool,
    /// Read, not entered yet: there was no room.
    events: VecDeque<Event>,
    batch: Vec<Event>,
    reports: Vec<Report>,
    /// Since when there is no room.
    full_since: Option<Duration>,
    published: Duration,
    malformed: Seldom,
    refused: Seldom,
    forgot: Seldom,
    forgotten: u64,
    /// When Kafka last had answered for everything, or answered at all.
    answered: Duration,
    /// Why the source is over, if it was not to be.
    failure: Option<anyhow::Error>,
    delivery: Delivery,
}

impl Turns {
    /// True if somebody did not want to wait.
    async fn turn_until_over(&mut self, stops: &mut mpsc::UnboundedReceiver<Stop>) -> anyhow::Result<bool> {
        loop {
            if self.phase != Phase::Reading && !self.closed {
                self.closed = true;
                self.run.feed.close(&mut self.batch).await;
                self.events.extend(self.batch.drain(..));
            }
            let now = self.run.clock.monotonic();
            self.take_events(now);
            let sink_is_full = self.send(now)?;
            self.enter_answers(now)?;
            let hurry = self.phase != Phase::Reading && self.run.ledger.queued() == 0;
            self.delivery.turn(&self.run.sink, &mut self.run.ledger, hurry, now)?;
            self.run.keeping.turn(&self.run.ledger, self.delivery.is_settled(), now)?;
            if now >= self.run.expects_until {
                self.run.expects_until = Duration::MAX;
                self.run.ledger.expect_no_more();
            }
            if now >= self.published + PUBLISH {
                self.publish(now);
            }
            if self.is_over(now) {
                return Ok(false);
            }
            let reads = self.wants_more(now);
            let due = self.due(now, sink_is_full);
            tokio::select! {
                fed = self.run.feed.next(&mut self.batch), if reads => self.fed(fed),
                stop = stops.recv() => match stop {
                    Some(Stop::Drain) => self.begin_draining(),
                    Some(Stop::Abort) | None => return Ok(true),
                },
                () = self.run.keeping.progress() => {}
                () = self.delivery.progress() => {}
                () = sleep_until(due) => {}
            }
        }
    }

    /// A source that fails is over: what it gave before still goes to Kafka.
    fn fed(&mut self, fed: Result<Progress, FeedError>) {
        self.events.extend(self.batch.drain(..));
        match fed {
            Ok(Progress::More) => {}
            Ok(Progress::Finished) => self.phase = Phase::Finishing,
            Err(error) => {
                self.failure = Some(error.into());
                self.begin_draining();
            }
        }
    }

    /// Enters events while there is room.
    fn take_events(&mut self, now: Duration) {
        while self.run.ledger.has_room()
            && let Some(event) = self.events.pop_front()
        {
            if let Kind::Malformed(reason) = event.kind
                && let Some(times) = self.malformed.now(now)
            {
                tracing::warn!(?reason, times, "not readable as a post; counted as malformed");
            }
            if let Kind::Gap(gap) = event.kind {
                let (from, until) = (gap.from_ms, gap.until_ms);
                tracing::warn!(from, until, seconds = (until - from) / 1_000, "the source has a gap");
            }
            self.run.ledger.take(event, now);
        }
    }

    /// Whether to read on. A source that is not read on for a while is told so.
    fn wants_more(&mut self, now: Duration) -> bool {
        let has_room = self.events.is_empty() && self.run.ledger.has_room();
        match (has_room, self.full_since) {
            (true, _) => self.full_since = None,
            (false, None) => self.full_since = Some(now),
            (false, Some(since)) if now >= since + PATIENCE => self.run.feed.pause(),
            (false, Some(_)) => {}
        }
        has_room && self.phase == Phase::Reading
    }

    /// Hands to Kafka what waits. True if it takes no more for now.
    fn send(&mut self, now: Duration) -> anyhow::Result<bool> {
        if self.run.keeping.saves_first(&self.run.ledger) {
            return Ok(false);
        }
        if !self.delivery.may_send(&self.run.sink, &self.run.ledger, now)? {
            return Ok(false);
        }
        while let Some((number, post)) = self.run.ledger.next() {
            match self.run.sink.send(number, post.keyword, &post.json) {
                Ok(()) => self.run.ledger.sent(),
                Err(SendError::Full) => return Ok(true),
                Err(SendError::Refused(why)) => {
                    self.run.ledger.sent();
                    self.fail(number, &why, now);
                }
                Err(SendError::Broken(why)) => bail!("{why}"),
            }
        }
        Ok(false)
    }

    fn enter_answers(&mut self, now: Duration) -> anyhow::Result<()> {
        self.run.sink.reports(&mut self.reports);
        let mut reports = std::mem::take(&mut self.reports);
        if !reports.is_empty() || self.run.ledger.in_flight() == 0 {
            self.answered = now;
        }
        for Report { number, outcome } in reports.drain(..) {
            match outcome {
                Outcome::Acknowledged { partition, offset } => {
                    self.run.ledger.acknowledged(number, partition.number, offset);
                }
                Outcome::Failed { reason, fatal: true } => bail!("Kafka takes no more records: {reason}"),
                Outcome::Failed { reason, fatal: false } => self.fail(number, &reason, now),
            }
        }
        self.reports = reports;
        if let Some(reason) = self.run.sink.broken() {
            bail!("Kafka takes no more records: {reason}");
        }
        Ok(())
    }

    fn fail(&mut self, number: u64, reason: &str, now: Duration) {
        self.run.ledger.failed(number);
        if let Some(times) = self.refused.now(now) {
            tracing::warn!(reason, times, "Kafka refused a record for good; counted as failed");
        }
    }

    fn begin_draining(&mut self) {
        if matches!(self.phase, Phase::Draining(_)) {
            return;
        }
        let until = self.run.clock.monotonic() + self.run.drain;
        self.phase = Phase::Draining(until);
    }

    fn is_over(&self, now: Duration) -> bool {
        let empty =
            self.events.is_empty() && self.run.ledger.queued() == 0 && self.run.ledger.in_flight() == 0;
        match self.phase {
            Phase::Reading => false,
            Phase::Finishing => empty && self.delivery.is_settled(),
            Phase::Draining(until) => (empty && self.delivery.is_settled()) || now >= until,
        }
    }

    /// When to look again though nothing has happened.
    fn due(&self, now: Duration, sink_is_full: bool) -> Instant {
        let look = match sink_is_full {
            true => LOOK_WHEN_FULL,
            false if self.run.ledger.in_flight() > 0 => LOOK,
            false => PUBLISH,
        };
        let until_end = match self.phase {
            Phase::Draining(until) => until.saturating_sub(now),
            Phase::Reading | Phase::Finishing => look,
        };
        Instant::now() + look.min(until_end)
    }

    fn publish(&mut self, now: Duration) {
        self.published = now;
        let forgotten = self.run.ledger.forgot_early();
        if forgotten > self.forgotten
            && let Some(times) = self.forgot.now(now)
        {
            tracing::warn!(
                times,
                "more ids than can be remembered: some are forgotten before cursor.dedupe is over"
            );
        }
        self.forgotten = forgotten;
        let view = View {
            accounts: self.run.ledger.accounts().clone(),
            reconnects: self.run.feed.reconnects().unwrap_or_default(),
            undelivered: self.run.feed.undelivered(),
            trouble: self.trouble(now),
            cursor_age: self.run.keeping.age(&self.run.ledger, now),
            cursor_failures: self.run.keeping.failed(),
        };
        self.run.view.send_replace(view);
    }

    fn trouble(&self, now: Duration) -> Option<String> {
        let silence = now.saturating_sub(self.answered);
        let silent =
            || (silence >= SILENCE).then(|| format!("Kafka has not answered for {} s", silence.as_secs()));
        self.run.feed.health().err().or_else(|| self.run.sink.trouble()).or_else(silent)
    }

    async fn end(mut self, aborted: bool) -> Ended {
        // Without a place to resume from, a source that goes on exactly where it was begins at its beginning.
        let begins_anew = self.run.feed.overlap() == Overlap::None;
        let resumes = self.run.keeping.is_kept() && (self.run.ledger.resume().is_some() || begins_anew);
        let saved = match self.run.keeping.end(&self.run.ledger, self.delivery.is_settled(), aborted).await {
            Ok(saved) => saved,
            Err(error) => {
                self.failure.get_or_insert(error);
                false
            }
        };
        self.publish(self.run.clock.monotonic());
        let accounts = self.run.ledger.accounts().clone();
        Ended { accounts, unread: self.events.len(), saved, resumes, aborted, failure: self.failure }
    }
}
