//! Transactions of a sink: all records between `begin` and `commit` become visible at once, or none does.
//!
//! rdkafka has delivery reports come as events, and librdkafka's `commit` and `abort` wait until those are taken
//! (`rd_kafka_flush`, rdkafka.c). So both calls here take them meanwhile themselves: nobody else has to, and
//! `Sink::reports` may go on being called.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer};

use super::deliveries::Deliveries;
use super::{Sink, SinkError, TransactionError, meaning, settings};
use crate::clock::Clock;

/// How long the coordinator may take to end what an earlier producer had open.
const SESSION_PATIENCE: Duration = Duration::from_secs(30);
/// Shortest wait that librdkafka is asked for. One that passes before its main thread has answered leaves an answer behind,
/// which the next call takes for its own (`rd_kafka_txn_op_req`, rdkafka_txnmgr.c): a commit would seem done, or a
/// begin, that is not. With waits of 100 ms that was seen; the thread never blocks, so seconds are enough.
const WAIT_MIN: Duration = Duration::from_secs(5);
/// How often delivery reports are taken during an abort.
const SERVE_EVERY: Duration = Duration::from_millis(10);

/// Ends what an earlier producer of this id had open, and fences it.
pub(super) fn begin_session(
    producer: &BaseProducer<Deliveries>,
    id: &str,
    brokers: &str,
) -> Result<(), SinkError> {
    let Err(error) = producer.init_transactions(SESSION_PATIENCE) else { return Ok(()) };
    super::serve(producer);
    let code = error.rdkafka_error_code();
    let said = match producer.context().reason() {
        Some(reason) if code == Some(RDKafkaErrorCode::OperationTimedOut) => reason,
        _ => settings::cut(&words(&error)).to_owned(),
    };
    Err(match code {
        Some(
            RDKafkaErrorCode::TransactionalIdAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed,
        ) => SinkError::Denied { brokers: brokers.to_owned(), reason: said, passing: false },
        Some(RDKafkaErrorCode::InvalidTransactionTimeout) => {
            let remedy = "lower transaction.timeout.ms in kafka.properties, or raise the brokers' \
                          transaction.max.timeout.ms";
            SinkError::Transactions { id: id.to_owned(), reason: format!("{said}; {remedy}"), passing: false }
        }
        _ => SinkError::Transactions {
            id: id.to_owned(),
            reason: format!(
                "{said}; transactions need brokers from 0.11 on, and as many as \
                             transaction.state.log.replication.factor says"
            ),
            passing: !is_fatal(&error),
        },
    })
}

impl Sink {
    /// Begins a transaction; records are taken from now on.
    pub fn begin(&self) -> Result<(), TransactionError> {
        self.0.producer().begin_transaction().map_err(|error| self.why(&error))?;
        self.0.takes.store(true, Ordering::Release);
        Ok(())
    }

    /// Commits the transaction: waits until all of its records are acknowledged, and for the coordinator. Records are
    /// taken again after the next [`Sink::begin`]. Blocks for `within` and 5 s more at most.
    ///
    /// Nobody else needs to ask for reports meanwhile; those that come are kept. After [`TransactionError::Unfinished`]
    /// the commit goes on, and the call is made again to see its end. Afterwards a record counts as acknowledged only
    /// if its report says so: one that Kafka refused makes the commit fail.
    pub fn commit(&self, within: Duration) -> Result<(), TransactionError> {
        self.0.takes.store(false, Ordering::Release);
        let clock = Clock::start();
        let producer = self.0.producer();
        producer.flush(within).map_err(|error| self.why(&error))?;
        let left = within.saturating_sub(clock.monotonic()).max(WAIT_MIN);
        producer.commit_transaction(left).map_err(|error| self.why(&error))
    }

    /// Aborts the transaction. Every record that was sent since [`Sink::begin`] is the caller's again, and is to be sent
    /// in the next one, but for those that were reported as refused. Reports of it as acknowledged mean nothing.
    /// Blocks for `within`, or 5 s, at most.
    ///
    /// Behind a refused record the next transaction may have to be aborted, too: librdkafka leaves a gap in the numbers of
    /// records, which the broker points out, and asks for a new epoch only then (`rd_kafka_txn_set_abortable_error`).
    pub fn abort(&self, within: Duration) -> Result<(), TransactionError> {
        self.0.takes.store(false, Ordering::Release);
        let is_over = AtomicBool::new(false);
        let aborted = thread::scope(|scope| {
            let server = thread::Builder::new().name("kafka-abort".to_owned()).spawn_scoped(scope, || {
                while !is_over.load(Ordering::Acquire) {
                    self.0.serve();
                    thread::park_timeout(SERVE_EVERY);
                }
            });
            // Without a thread to be had, what `Sink::reports` takes elsewhere must do.
            let aborted = self.0.producer().abort_transaction(within.max(WAIT_MIN));
            is_over.store(true, Ordering::Release);
            drop(server.map(|server| server.thread().unpark()));
            aborted
        });
        aborted.map_err(|error| self.why(&error))?;
        // What the client said of this transaction must not be taken for the next one's.
        self.0.serve();
        self.0.producer().context().aborted();
        Ok(())
    }

    /// Why the open transaction can only be aborted, if so. Then not all of its records are answered, ever: call
    /// [`Sink::abort`], and do not wait for answers. `None` again after that, and of a sink that is [`Sink::broken`]. Costs
    /// a lock; [`Sink::reports`] is what looks for it.
    pub fn must_abort(&self) -> Option<String> {
        // An error that ends the sink fails records as one that ends only the transaction does.
        self.0.producer().context().must_abort().filter(|_| self.broken().is_none())
    }

    /// What a transaction's error means.
    fn why(&self, error: &KafkaError) -> TransactionError {
        if let Some(reason) = self.broken() {
            return TransactionError::Fatal(reason);
        }
        let reason = settings::cut(&words(error)).to_owned();
        match error {
            // Flushing fails in no other way.
            KafkaError::Flush(_) => TransactionError::Unfinished(reason),
            KafkaError::Transaction(error) if error.is_fatal() => {
                let remedy = meaning::remedy(error.code());
                TransactionError::Fatal(format!("{reason}{remedy}"))
            }
            KafkaError::Transaction(error) if error.txn_requires_abort() => {
                TransactionError::MustAbort(reason)
            }
            KafkaError::Transaction(error) if error.is_retriable() => TransactionError::Unfinished(reason),
            _ => TransactionError::Fatal(reason),
        }
    }
}

fn words(error: &KafkaError) -> String {
    match error {
        KafkaError::Transaction(error) => error.string(),
        other => other.to_string(),
    }
}

fn is_fatal(error: &KafkaError) -> bool {
    matches!(error, KafkaError::Transaction(error) if error.is_fatal())
}
