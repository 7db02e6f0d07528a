//! Kafka, where posts go: an idempotent producer that tells of every record what became of it. Fed by the run loop from
//! `ledger`, which its reports go back to.
//!
//! A record that Kafka cannot take now waits, however long Kafka is away; then librdkafka's queue fills, and
//! [`Sink::send`] says [`SendError::Full`]. Nothing here waits for room.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::config::producer::{Kafka, Keyword, Keywords};
use crate::ids::{Offset, Partition, TopicId};
use crate::source::{Admin, ClientSettings};

mod deliveries;
mod error;
mod meaning;
pub(super) mod settings;
mod suspects;
mod topic;
mod transactions;

use deliveries::{Again, Deliveries};
pub use error::{SendError, SinkError, TransactionError};
use meaning::Meaning;

/// Most events that one look at the client takes: so that an endless stream of log lines cannot hold the caller up.
const POLLS_MAX: usize = 1_000;

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The post's number, as it was given to [`Sink::send`].
    pub number: u64,
    /// What Kafka said.
    pub outcome: Outcome,
}

/// What Kafka said of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All replicas in sync have it. Within a transaction that is worth nothing before the commit.
    Acknowledged {
        /// Where it is.
        partition: Partition,
        /// At which offset. `None` where Kafka only said that it had the record already: an earlier answer got lost.
        offset: Option<Offset>,
    },
    /// It is not in Kafka.
    Failed {
        /// In Kafka's words.
        reason: String,
        /// False: Kafka refused this very record, and takes others. True: the sink is at its end, and the record may be
        /// sent again by the next one.
        fatal: bool,
    },
}

/// A topic that records are sent to. Cheap to clone; all clones are one producer.
#[derive(Clone)]
pub struct Sink(Arc<Inner>);

struct Inner {
    /// There until it is dropped.
    producer: Option<BaseProducer<Deliveries>>,
    /// How its topic is asked after. A client of its own that lived on would cost a megabyte and three threads.
    reader: ClientSettings,
    brokers: String,
    topic: Arc<str>,
    topic_id: Option<TopicId>,
    partitions: i32,
    /// Key and named partition of each keyword.
    keywords: Vec<(Box<[u8]>, Option<i32>)>,
    transactional: bool,
    /// Whether records are taken: with transactions only between `begin` and `commit`.
    takes: AtomicBool,
}

impl Sink {
    /// Connects to Kafka and looks whether records can be sent: that brokers answer, that the topic exists (it is made if
    /// `create` says so), that it has the partitions that keywords name, and enough replicas. What only hinders for now
    /// is a warning. With a transactional id it also ends what an earlier producer of that id had open, and fences it.
    ///
    /// Blocks for at most a minute and a half.
    pub fn open(
        kafka: &Kafka,
        keywords: &Keywords,
        transactional_id: Option<&str>,
    ) -> Result<Self, SinkError> {
        let brokers = kafka.brokers.join(",");
        let reader = settings::reader(kafka, false);
        let admin = Admin::connect(&reader).map_err(|error| SinkError::of_admin(error, &brokers))?;
        let found = topic::prepare(&admin, kafka, keywords)?;
        let topic: Arc<str> = kafka.topic.as_str().into();
        let config = settings::producer(kafka, transactional_id, found.batch_bytes_max);
        let shared_batches = config.get("batch.num.messages") != Some("1");
        let context = Deliveries::new(Arc::clone(&topic), transactional_id.is_some(), shared_batches);
        let producer: BaseProducer<Deliveries> =
            config.create_with_context(context).map_err(|error| SinkError::Settings(error.to_string()))?;
        if let Some(id) = transactional_id {
            transactions::begin_session(&producer, id, &brokers)?;
        }
        let place = |keyword: &Keyword| (keyword.key.as_bytes().into(), keyword.partition);
        Ok(Self(Arc::new(Inner {
            producer: Some(producer),
            reader,
            brokers,
            topic,
            topic_id: found.id,
            partitions: found.partitions,
            keywords: keywords.list.iter().map(place).collect(),
            transactional: transactional_id.is_some(),
            takes: AtomicBool::new(transactional_id.is_none()),
        })))
    }

    /// Hands a record over: the key and the partition are the keyword's; without a keyword the key is null, and
    /// librdkafka chooses a partition. The bytes are copied. Never waits.
    pub fn send(&self, number: u64, keyword: Option<u16>, json: &[u8]) -> Result<(), SendError> {
        let inner = &*self.0;
        if !inner.takes.load(Ordering::Acquire) {
            return Err(SendError::Full);
        }
        let mut record = record(&inner.topic, number, json)?;
        if let Some(nth) = keyword {
            let keyword = inner.keywords.get(usize::from(nth));
            let (key, partition) =
                keyword.ok_or_else(|| SendError::Broken(format!("there is no keyword {nth}")))?;
            record.key = Some(key);
            record.partition = *partition;
        }
        let context = inner.producer().context();
        if !context.admits(number, || context.under_way() == 0) {
            return Err(SendError::Full);
        }
        inner.hand_over(record).map_err(|error| {
            context.not_sent(number, None);
            self.not_taken(&error)
        })
    }

    /// Looks what Kafka has said, and appends it. Never waits. To be called every few milliseconds while records are
    /// under way; any number of threads may.
    pub fn reports(&self, reports: &mut Vec<Report>) {
        self.0.serve();
        if self.0.waits() {
            self.0.producer().context().tell_of_outage();
        }
        let innocent = self.0.producer().context().take(reports);
        if !innocent.is_empty() {
            self.send_again(innocent);
        }
        self.send_alone();
    }

    /// Why the sink is at its end, if it is: another producer with its transactional id has begun, idempotence was lost,
    /// or access was taken away. Costs nothing.
    pub fn broken(&self) -> Option<String> {
        let (code, reason) = self.0.producer().client().fatal_error()?;
        Some(format!("{}{}", settings::cut(&reason), meaning::remedy(code)))
    }

    /// Why records wait, if no broker takes them.
    pub fn trouble(&self) -> Option<String> {
        self.0.waits().then(|| self.0.producer().context().outage())?
    }

    /// Where the logs of the topic's partitions end now, whether committed or not. Blocks for at most 20 s.
    ///
    /// Of the partitions that there were when the sink was opened.
    pub fn ends(&self) -> Result<BTreeMap<Partition, Offset>, SinkError> {
        let inner = &*self.0;
        let partitions: Vec<Partition> =
            (0..inner.partitions).map(|number| Partition::new(Arc::clone(&inner.topic), number)).collect();
        let ranges = Admin::connect(&inner.reader).and_then(|admin| admin.log_range(&partitions));
        let ranges = ranges.map_err(|error| SinkError::of_admin(error, &inner.brokers))?;
        let mut ends = BTreeMap::new();
        for (partition, range) in partitions.into_iter().zip(ranges) {
            let action = || format!("ask where the log of {partition} ends");
            let range =
                range.map_err(|reason| SinkError::Failed { action: action(), reason, passing: true })?;
            ends.insert(partition, range.high);
        }
        Ok(ends)
    }

    /// Whether records are sent in transactions.
    pub fn is_transactional(&self) -> bool {
        self.0.transactional
    }

    /// How many partitions the topic had when the sink was opened.
    pub fn partitions(&self) -> i32 {
        self.0.partitions
    }

    /// The topic's identity, `None` on brokers before 2.8: another one means that the topic was made anew.
    pub fn topic_id(&self) -> Option<TopicId> {
        self.0.topic_id
    }

    /// What the client's refusal to take a record means.
    fn not_taken(&self, error: &KafkaError) -> SendError {
        let Some(code) = error.rdkafka_error_code() else { return SendError::Broken(error.to_string()) };
        match code {
            RDKafkaErrorCode::QueueFull => SendError::Full,
            RDKafkaErrorCode::State if self.0.transactional => {
                // Not over by a commit, so it must be aborted.
                if self.0.takes.load(Ordering::Acquire) {
                    self.0
                        .producer()
                        .context()
                        .gave_up("the client takes no more records in this transaction");
                }
                SendError::Full
            }
            _ if meaning::of(code, false) == Meaning::Refused => SendError::Refused(code.to_string()),
            _ => {
                SendError::Broken(self.broken().unwrap_or_else(|| format!("{code}{}", meaning::remedy(code))))
            }
        }
    }

    /// Sends records again that were refused because of others in their batch. Behind what was sent meanwhile: that they
    /// come is worth more than their order.
    fn send_again(&self, innocent: Vec<Again>) {
        let mut left = innocent.into_iter();
        while let Some(one) = left.next() {
            if let Some(one) = self.resend(one) {
                self.0.producer().context().keep(std::iter::once(one).chain(left).collect());
                return;
            }
        }
    }

    /// Sends the next record that may have been refused because of others, when nothing is under way: so it has a batch
    /// to itself.
    fn send_alone(&self) {
        let producer = self.0.producer();
        let Some(record) = producer.context().next_alone(|| producer.context().under_way() == 0) else {
            return;
        };
        let number = record.number;
        if let Some(record) = self.resend(record) {
            producer.context().not_sent(number, Some(record));
        }
    }

    /// Sends a record again. It comes back if there is no room; if it is not taken at all, that is its report.
    fn resend(&self, one: Again) -> Option<Again> {
        let producer = self.0.producer();
        let mut record = record(&self.0.topic, one.number, &one.json).ok()?;
        record.key = one.key.as_deref();
        record.partition = Some(one.partition);
        let error = self.0.hand_over(record).err()?;
        let (reason, fatal) = match self.not_taken(&error) {
            SendError::Full => return Some(one),
            SendError::Refused(reason) => (reason, false),
            SendError::Broken(reason) => (reason, true),
        };
        producer.context().not_sent(one.number, None);
        producer.context().failed(one.number, reason, fatal);
        None
    }
}

impl Inner {
    fn producer(&self) -> &BaseProducer<Deliveries> {
        self.producer.as_ref().expect("there until it is dropped")
    }

    fn hand_over(&self, record: BaseRecord<'_, [u8], [u8], usize>) -> Result<(), KafkaError> {
        let context = self.producer().context();
        context.sent();
        let sent = self.producer().send(record).map_err(|(error, _)| error);
        if sent.is_err() {
            context.came_back();
        }
        sent
    }

    /// Whether records are under way.
    fn waits(&self) -> bool {
        self.producer().context().under_way() > 0
    }

    fn serve(&self) {
        serve(self.producer());
    }
}

/// Takes the client's events. A poll takes one, and what kind it was only the context sees.
fn serve(producer: &BaseProducer<Deliveries>) {
    for _ in 0..POLLS_MAX {
        let served = producer.context().served();
        producer.poll(Duration::ZERO);
        if producer.context().served() == served {
            break;
        }
    }
}

impl Drop for Inner {
    /// Closed in a thread of its own: that joins the client's threads, and waits for what is under way.
    fn drop(&mut self) {
        let producer = self.producer.take();
        // Without a thread to be had it is closed here: the closure is dropped with what it holds.
        drop(thread::Builder::new().name("kafka-close".to_owned()).spawn(move || drop(producer)));
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sink").field("topic", &self.0.topic).finish_non_exhaustive()
    }
}

/// A record whose report comes with the post's number. The client keeps that in the place of a pointer, so it costs no
/// memory.
fn record<'a>(
    topic: &'a str,
    number: u64,
    json: &'a [u8],
) -> Result<BaseRecord<'a, [u8], [u8], usize>, SendError> {
    let number = usize::try_from(number);
    let number =
        number.map_err(|_| SendError::Broken("more posts than this machine can count".to_owned()))?;
    Ok(BaseRecord::with_opaque_to(topic, number).payload(json))
}

#[cfg(test)]
mod tests;
