//! When records may be handed over, and from when on what Kafka acknowledged counts as done. Without transactions: always,
//! at once. With them: in a transaction, and when that is committed.

use std::future;
use std::time::Duration;

use anyhow::Context as _;
use tokio::task::{self, JoinError, JoinHandle};

use super::super::ledger::Ledger;
use super::super::sink::{Outcome, Report, Sink, TransactionError};

/// How long a commit, or its abort, may take before it is asked for again.
const WAIT: Duration = Duration::from_secs(30);

/// What is promised about records.
pub(super) enum Delivery {
    /// Each record counts for itself.
    Idempotent,
    /// Records count together.
    Transactions {
        /// How long one is open.
        every: Duration,
        /// Where the current one is.
        state: State,
    },
}

/// Where a transaction is.
pub(super) enum State {
    /// None is open; everything acknowledged is committed.
    Settled,
    /// Open since then.
    Open(Duration),
    /// Nothing is handed over until this is done.
    Ending(Ending, JoinHandle<Result<(), TransactionError>>),
    /// Its outcome, for the next turn.
    Ended(Ending, Result<Result<(), TransactionError>, JoinError>),
}

/// How a transaction is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Commit,
    Abort,
}

impl Delivery {
    /// With transactions if the sink has them, one each `every`.
    pub(super) fn new(sink: &Sink, every: Duration) -> Self {
        if sink.is_transactional() {
            Self::Transactions { every, state: State::Settled }
        } else {
            Self::Idempotent
        }
    }

    /// Whether a record may be handed over; begins a transaction for one that waits. What is sent again after an abort goes
    /// into one transaction, however long that takes: the ledger takes no part of it for answered.
    pub(super) fn may_send(&mut self, sink: &Sink, ledger: &Ledger, now: Duration) -> anyhow::Result<bool> {
        let Self::Transactions { every, state } = self else { return Ok(true) };
        match *state {
            State::Settled if ledger.next().is_some() => {
                sink.begin().context("begin a transaction")?;
                *state = State::Open(now);
                Ok(true)
            }
            State::Open(since) => Ok(now < since + *every || ledger.sends_again()),
            State::Settled | State::Ending(..) | State::Ended(..) => Ok(false),
        }
    }

    /// Commits a transaction when Kafka has answered for all of it and it is old enough, or at once in a `hurry`; and
    /// enters how one ended.
    pub(super) fn turn(
        &mut self,
        sink: &Sink,
        ledger: &mut Ledger,
        hurry: bool,
        now: Duration,
    ) -> anyhow::Result<()> {
        let Self::Transactions { every, state } = self else { return Ok(()) };
        *state = match std::mem::replace(state, State::Settled) {
            State::Open(_) if let Some(reason) = sink.must_abort() => {
                tracing::warn!(reason, "Kafka gave a transaction up; its records are sent again");
                begin(sink, Ending::Abort)
            }
            State::Open(since) if (hurry || now >= since + *every) && ledger.is_answered() => {
                begin(sink, Ending::Commit)
            }
            State::Ended(Ending::Commit, Ok(Ok(()))) => {
                ledger.committed();
                State::Settled
            }
            State::Ended(Ending::Abort, Ok(Ok(()))) => {
                forget_answers(sink, ledger);
                ledger.aborted();
                State::Settled
            }
            State::Ended(ending, Ok(Err(TransactionError::Unfinished(reason)))) => {
                tracing::warn!(reason, ?ending, "Kafka does not end a transaction yet; asked again");
                begin(sink, ending)
            }
            State::Ended(_, Ok(Err(TransactionError::MustAbort(reason)))) => {
                tracing::warn!(reason, "Kafka gave a transaction up; its records are sent again");
                begin(sink, Ending::Abort)
            }
            State::Ended(_, Ok(Err(error))) => return Err(error).context("end a transaction"),
            State::Ended(_, Err(error)) => return Err(error).context("end a transaction"),
            other => other,
        };
        Ok(())
    }

    /// Whether everything acknowledged is done.
    pub(super) fn is_settled(&self) -> bool {
        match self {
            Self::Idempotent => true,
            Self::Transactions { state, .. } => matches!(state, State::Settled),
        }
    }

    /// Returns when a transaction has ended; never while none is ending. Cancel-safe.
    pub(super) async fn progress(&mut self) {
        let Self::Transactions { state, .. } = self else { return future::pending().await };
        let State::Ending(ending, work) = state else { return future::pending().await };
        let outcome = work.await;
        *state = State::Ended(*ending, outcome);
    }
}

/// Ends a transaction, on a thread that may wait.
fn begin(sink: &Sink, ending: Ending) -> State {
    let sink = sink.clone();
    let work = move || match ending {
        Ending::Commit => sink.commit(WAIT),
        Ending::Abort => sink.abort(WAIT),
    };
    State::Ending(ending, task::spawn_blocking(work))
}

/// After an abort all answers mean nothing, but for those that refuse a record for good.
fn forget_answers(sink: &Sink, ledger: &mut Ledger) {
    let mut reports = Vec::new();
    loop {
        sink.reports(&mut reports);
        if reports.is_empty() {
            return;
        }
        for Report { number, outcome } in reports.drain(..) {
            if let Outcome::Failed { fatal: false, .. } = outcome {
                ledger.failed(number);
            }
        }
    }
}
