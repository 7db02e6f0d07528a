//! Produces records and keeps the books: what was acknowledged, per key.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::{ClientConfig, ClientContext};

use crate::job::PATIENCE;
use crate::seen::Counts;

/// Writes to one topic.
pub(crate) struct Writer {
    pub(crate) producer: BaseProducer<Failures>,
    failed: Arc<AtomicU64>,
    log: Arc<Mutex<Vec<String>>>,
    topic: String,
    /// What the topic holds once [`Writer::flush`] has returned.
    pub(crate) counts: Counts,
}

/// Counts records that were not taken, and keeps what the client says of itself.
pub(crate) struct Failures(Arc<AtomicU64>, Arc<Mutex<Vec<String>>>);

impl ClientContext for Failures {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        self.1.lock().unwrap().push(format!("{facility}: {message}"));
    }
}

impl ProducerContext for Failures {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        self.0.fetch_add(u64::from(result.is_err()), Ordering::Relaxed);
    }
}

impl Writer {
    /// Each record once: the producer is idempotent.
    pub(crate) fn new(brokers: &str, topic: &str) -> Self {
        Self::with(brokers, topic, &[("enable.idempotence", "true")])
    }

    /// A producer with these properties.
    pub(crate) fn with(brokers: &str, topic: &str, properties: &[(&str, &str)]) -> Self {
        let (failed, log) = (Arc::default(), Arc::default());
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers).set("linger.ms", "5").set("message.max.bytes", "1048000");
        config.set("reconnect.backoff.max.ms", "200");
        // It gets over an answer that does not come before PATIENCE is over: the defaults are a minute and more.
        config.set("request.timeout.ms", "10000").set("socket.timeout.ms", "10000");
        config.set("topic.metadata.refresh.interval.ms", "5000");
        // A topic that a test deletes stays deleted: brokers would let a producer make it anew.
        config.set("allow.auto.create.topics", "false");
        for (name, value) in properties {
            config.set(*name, *value);
        }
        let producer = config.create_with_context(Failures(Arc::clone(&failed), Arc::clone(&log))).unwrap();
        Self { producer, failed, log, topic: topic.to_owned(), counts: Counts::new() }
    }

    /// Sends a record with this key, to where its key belongs.
    pub(crate) fn key(&mut self, key: Option<&[u8]>) {
        *self.counts.entry(key.map(<[u8]>::to_vec)).or_default() += 1;
        let record = BaseRecord::<[u8], [u8]>::to(&self.topic).payload(b"v");
        self.send(match key {
            Some(key) => record.key(key),
            None => record,
        });
    }

    /// Sends a record with this key to one partition.
    pub(crate) fn to(&mut self, partition: i32, key: Option<&[u8]>) {
        *self.counts.entry(key.map(<[u8]>::to_vec)).or_default() += 1;
        let record = BaseRecord::<[u8], [u8]>::to(&self.topic).partition(partition).payload(b"v");
        self.send(match key {
            Some(key) => record.key(key),
            None => record,
        });
    }

    /// Sends records with keys `k0`, `k1`, ... to one partition.
    pub(crate) fn numbered(&mut self, partition: i32, records: u32) {
        for n in 0..records {
            let key = format!("k{n}").into_bytes();
            let to = BaseRecord::<[u8], [u8]>::to(&self.topic).partition(partition);
            self.send(to.key(&key).payload(b"v"));
            *self.counts.entry(Some(key)).or_default() += 1;
        }
    }

    /// Sends a record with this timestamp to partition 0.
    pub(crate) fn at(&mut self, time_ms: i64) {
        *self.counts.entry(None).or_default() += 1;
        let to = BaseRecord::<[u8], [u8]>::to(&self.topic).partition(0);
        self.send(to.payload(b"v").timestamp(time_ms));
    }

    /// Sends a value and headers under the null key; counted by the caller.
    pub(crate) fn value(&self, value: &[u8], headers: &[(&str, &[u8])]) {
        let add = |all: OwnedHeaders, (name, value): &(&str, &[u8])| {
            all.insert(Header { key: name, value: Some(*value) })
        };
        let headers = headers.iter().fold(OwnedHeaders::new(), add);
        self.send(BaseRecord::<[u8], [u8]>::to(&self.topic).payload(value).headers(headers));
    }

    /// Waits until every record is acknowledged; returns how many the topic holds.
    pub(crate) fn flush(&self) -> u64 {
        if let Err(error) = self.producer.flush(PATIENCE) {
            let (left, log) = (self.producer.in_flight_count(), self.log.lock().unwrap().join("\n"));
            panic!("{left} records not acknowledged: {error}\n{log}");
        }
        assert_eq!(self.failed.load(Ordering::Relaxed), 0, "records were not taken");
        self.counts.values().sum()
    }

    fn send(&self, record: BaseRecord<'_, [u8], [u8]>) {
        let mut record = record;
        while let Err((_, back)) = self.producer.send(record) {
            record = back;
            self.producer.poll(Duration::from_millis(10));
        }
    }
}
