//! What the client says: of records, of brokers, of itself. Collected here between two calls of `Sink::reports`.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::ProducerContext;

use super::meaning::{self, Meaning};
use super::settings::cut;
use super::suspects::Suspects;
use super::{Outcome, Report};
use crate::ids::Partition;

/// Facility of the one line, of level error, by which librdkafka says that a transaction can only be aborted
/// (`rd_kafka_txn_set_abortable_error0`, rdkafka_txnmgr.c). No call asks for it, and it may come without a failed record.
const ABORTABLE: &str = "TXNERR";

/// The client's context.
pub(super) struct Deliveries {
    topic: Arc<str>,
    transactional: bool,
    /// Whether records share batches: then a refusal may mean another one.
    shared_batches: bool,
    /// Whether there are suspects: so that without them nothing has to be locked.
    suspicious: AtomicBool,
    /// Events so far.
    served: AtomicU64,
    /// Records that were handed over and not heard of. The client's own count has its events in it, too.
    under_way: AtomicU64,
    inbox: Mutex<Inbox>,
}

#[derive(Default)]
struct Inbox {
    reports: Vec<Report>,
    innocent: Vec<Again>,
    suspects: Suspects,
    /// What a connection failed with last, since the last acknowledgement.
    reason: Option<String>,
    /// Whether no broker could be reached since then, or they refused: in words.
    outage: Option<&'static str>,
    /// Whether the log says so.
    told: bool,
    /// Why the open transaction can only be aborted.
    must_abort: Option<String>,
}

/// A record that goes once more: it was refused because of others in its batch, or may have been.
pub(super) struct Again {
    pub(super) number: u64,
    pub(super) key: Option<Box<[u8]>>,
    pub(super) json: Box<[u8]>,
    pub(super) partition: i32,
}

impl Deliveries {
    pub(super) fn new(topic: Arc<str>, transactional: bool, shared_batches: bool) -> Self {
        Self {
            topic,
            transactional,
            shared_batches,
            suspicious: AtomicBool::new(false),
            served: AtomicU64::new(0),
            under_way: AtomicU64::new(0),
            inbox: Mutex::default(),
        }
    }

    /// How many events there were.
    pub(super) fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    /// A record is about to be handed over.
    pub(super) fn sent(&self) {
        self.under_way.fetch_add(1, Ordering::Relaxed);
    }

    /// One was heard of, or not taken.
    pub(super) fn came_back(&self) {
        self.under_way.fetch_sub(1, Ordering::Release);
    }

    /// How many records are under way.
    pub(super) fn under_way(&self) -> u64 {
        self.under_way.load(Ordering::Acquire)
    }

    /// Moves what there is to `reports`, and returns what is to be sent again.
    pub(super) fn take(&self, reports: &mut Vec<Report>) -> Vec<Again> {
        let mut inbox = self.inbox();
        reports.append(&mut inbox.reports);
        std::mem::take(&mut inbox.innocent)
    }

    /// Keeps what could not be sent again yet.
    pub(super) fn keep(&self, mut innocent: Vec<Again>) {
        let mut inbox = self.inbox();
        innocent.append(&mut inbox.innocent);
        inbox.innocent = innocent;
    }

    /// Reports a record that could not be sent again.
    pub(super) fn failed(&self, number: u64, reason: String, fatal: bool) {
        self.inbox().reports.push(Report { number, outcome: Outcome::Failed { reason, fatal } });
    }

    /// Whether this record may be handed to the client now. `idle` says whether nothing is under way.
    pub(super) fn admits(&self, number: u64, idle: impl FnOnce() -> bool) -> bool {
        !self.suspicious.load(Ordering::Acquire)
            || self.of_suspects(|suspects| suspects.admit(number, idle()))
    }

    /// A record that is to be sent alone now. `idle` says whether nothing is under way.
    pub(super) fn next_alone(&self, idle: impl FnOnce() -> bool) -> Option<Again> {
        if !self.suspicious.load(Ordering::Acquire) || !self.inbox().innocent.is_empty() || !idle() {
            return None;
        }
        self.of_suspects(Suspects::next)
    }

    /// The client did not take a record that was to go alone.
    pub(super) fn not_sent(&self, number: u64, record: Option<Again>) {
        if self.suspicious.load(Ordering::Acquire) {
            self.of_suspects(|suspects| suspects.not_sent(number, record));
        }
    }

    fn of_suspects<T>(&self, change: impl FnOnce(&mut Suspects) -> T) -> T {
        let mut inbox = self.inbox();
        let result = change(&mut inbox.suspects);
        self.suspicious.store(inbox.suspects.any(), Ordering::Release);
        result
    }

    /// What a failed record means, after suspicion: `None` if it is not known yet.
    fn judge(&self, inbox: &mut Inbox, code: RDKafkaErrorCode, record: Again) -> Option<bool> {
        let number = record.number;
        let was_alone = inbox.suspects.answered(number);
        match meaning::of(code, self.transactional) {
            Meaning::Refused if was_alone || !self.shared_batches => return Some(false),
            Meaning::Fatal => return Some(true),
            Meaning::Refused if !self.transactional => inbox.suspects.wait(record),
            Meaning::Innocent => inbox.innocent.push(record),
            meaning @ (Meaning::Refused | Meaning::Void) => {
                if was_alone || meaning == Meaning::Refused {
                    inbox.suspects.expect(number);
                }
                inbox.gave_up(&code.to_string());
            }
        }
        None
    }

    /// Why no broker took a record since the last one that did. A broker that closes a quiet connection looks alike: it
    /// is an outage only when records wait.
    pub(super) fn outage(&self) -> Option<String> {
        let inbox = self.inbox();
        let what = inbox.outage?;
        Some(inbox.reason.as_ref().map_or_else(|| what.to_owned(), |reason| format!("{what}: {reason}")))
    }

    /// What a connection failed with last.
    pub(super) fn reason(&self) -> Option<String> {
        self.inbox().reason.clone()
    }

    /// Says once per outage that records wait.
    pub(super) fn tell_of_outage(&self) {
        let mut inbox = self.inbox();
        if let Some(what) = inbox.outage
            && !std::mem::replace(&mut inbox.told, true)
        {
            tracing::warn!(reason = ?inbox.reason, "{what}; records wait");
        }
    }

    /// Why the open transaction can only be aborted.
    pub(super) fn must_abort(&self) -> Option<String> {
        self.inbox().must_abort.clone()
    }

    /// Notes that the open transaction can only be aborted. The first reason stays.
    pub(super) fn gave_up(&self, reason: &str) {
        self.inbox().gave_up(reason);
    }

    /// Forgets it: that transaction is aborted.
    pub(super) fn aborted(&self) {
        self.inbox().must_abort = None;
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self) {
        self.served.fetch_add(1, Ordering::Relaxed);
    }
}

impl Inbox {
    fn acknowledged(&mut self) {
        (self.reason, self.outage) = (None, None);
        if std::mem::take(&mut self.told) {
            tracing::info!("Kafka takes records again");
        }
    }

    fn gave_up(&mut self, reason: &str) {
        self.must_abort.get_or_insert_with(|| cut(reason).to_owned());
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = usize;

    fn delivery(&self, delivered: &DeliveryResult<'_>, number: usize) {
        self.count();
        self.heard(delivered, number as u64);
        // Last: a record counts as under way until it is known what became of it.
        self.came_back();
    }
}

impl Deliveries {
    fn heard(&self, delivered: &DeliveryResult<'_>, number: u64) {
        let mut inbox = self.inbox();
        let (error, message) = match delivered {
            Ok(message) => {
                inbox.acknowledged();
                if inbox.suspects.answered(number) {
                    self.suspicious.store(inbox.suspects.any(), Ordering::Release);
                }
                let partition = Partition { topic: Arc::clone(&self.topic), number: message.partition() };
                let offset = Some(message.offset()).filter(|offset| *offset >= 0);
                let outcome = Outcome::Acknowledged { partition, offset };
                inbox.reports.push(Report { number, outcome });
                return;
            }
            Err((error, message)) => (error, message),
        };
        let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
        let record = Again {
            number,
            key: message.key().map(Into::into),
            json: message.payload().unwrap_or_default().into(),
            partition: message.partition(),
        };
        let fatal = self.judge(&mut inbox, code, record);
        self.suspicious.store(inbox.suspects.any(), Ordering::Release);
        let Some(fatal) = fatal else { return };
        let reason = format!("{code}{}", meaning::remedy(code));
        inbox.reports.push(Report { number, outcome: Outcome::Failed { reason, fatal } });
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.count();
        let message = cut(message);
        if self.transactional && facility == ABORTABLE && matches!(level, RDKafkaLogLevel::Error) {
            self.gave_up(message);
        }
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                tracing::error!(facility, ?message, "kafka client");
            }
            // What of this matters comes as a report, or as the reason why brokers cannot be reached, once.
            _ => tracing::debug!(facility, ?message, "kafka client"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.count();
        tracing::debug!(reason = ?cut(reason), "kafka client error");
        let mut inbox = self.inbox();
        match error.rdkafka_error_code() {
            // It says less than what was said before it.
            Some(RDKafkaErrorCode::AllBrokersDown) => {
                inbox.outage = Some("no Kafka broker can be reached");
                return;
            }
            // `Sink::broken` says it.
            Some(RDKafkaErrorCode::Fatal) => return,
            Some(
                RDKafkaErrorCode::Authentication
                | RDKafkaErrorCode::SaslAuthenticationFailed
                | RDKafkaErrorCode::SSL,
            ) => inbox.outage = Some("Kafka refuses the connection"),
            _ => {}
        }
        inbox.reason = Some(cut(reason).to_owned());
    }

    fn stats_raw(&self, _: &[u8]) {
        self.count();
    }
}
