//! librdkafka's mock cluster with what tests need around it: producing, and reading into a ledger.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use spindle::clock::Clock;
use spindle::ids::{Offset, Partition, Position};
use spindle::source::{ClientSettings, Record, Source, State, Visit, Waker};

/// How long a test waits for something that should take far less.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Mock brokers and one topic `t`.
pub(crate) struct Mock {
    pub(crate) cluster: MockCluster<'static, DefaultProducerContext>,
    producer: BaseProducer,
    /// Records acknowledged per partition.
    pub(crate) produced: BTreeMap<i32, u64>,
}

impl Mock {
    pub(crate) fn new(brokers: i32, partitions: i32) -> Self {
        let cluster = MockCluster::new(brokers).unwrap();
        cluster.create_topic("t", partitions, brokers).unwrap();
        let producer = ClientConfig::new()
            .set("bootstrap.servers", cluster.bootstrap_servers())
            .set("linger.ms", "1")
            .set("batch.num.messages", "500")
            .set("reconnect.backoff.max.ms", "200")
            .create()
            .unwrap();
        Self { cluster, producer, produced: BTreeMap::new() }
    }

    /// Appends records with keys `k<n>` and returns when they are acknowledged.
    pub(crate) fn produce(&mut self, partition: i32, records: u64) {
        let from = self.produced.get(&partition).copied().unwrap_or_default();
        for n in from..from + records {
            let key = format!("k{n}");
            self.send(
                BaseRecord::<[u8], [u8]>::to("t").partition(partition).key(key.as_bytes()).payload(b"v"),
            );
        }
        self.flush();
        *self.produced.entry(partition).or_default() += records;
    }

    pub(crate) fn send(&self, record: BaseRecord<'_, [u8], [u8]>) {
        let mut record = record;
        while let Err((_, back)) = self.producer.send(record) {
            record = back;
            self.producer.poll(Duration::from_millis(10));
        }
    }

    pub(crate) fn flush(&self) {
        self.producer.flush(PATIENCE).unwrap();
    }

    pub(crate) fn settings(&self, user: &[(&str, &str)]) -> ClientSettings {
        let mut all: BTreeMap<String, String> =
            user.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        // New data wakes no waiting fetch of the mock.
        all.entry("fetch.wait.max.ms".to_owned()).or_insert("20".to_owned());
        all.entry("reconnect.backoff.max.ms".to_owned()).or_insert("200".to_owned());
        ClientSettings::new(&[self.cluster.bootstrap_servers()], "g", true, &all, 64 << 20)
    }
}

/// A source, its clock, and everything it has shown.
pub(crate) struct Reading {
    pub(crate) source: Source,
    pub(crate) waker: Waker,
    pub(crate) clock: Clock,
    pub(crate) ledger: Ledger,
}

/// Records by index; checks that offsets rise.
#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) records: BTreeMap<usize, u64>,
    last: BTreeMap<usize, Offset>,
    pub(crate) keys: Vec<Option<Vec<u8>>>,
}

impl Visit for Ledger {
    fn record(&mut self, index: usize, record: &Record<'_>) {
        if let Some(last) = self.last.insert(index, record.offset) {
            assert!(record.offset > last, "offset {} after {last}", record.offset);
        }
        *self.records.entry(index).or_default() += 1;
        self.keys.push(record.key.map(<[u8]>::to_vec));
    }
}

impl Reading {
    pub(crate) fn open(settings: &ClientSettings) -> Self {
        let (source, waker) = Source::open(settings).unwrap();
        Self { source, waker, clock: Clock::start(), ledger: Ledger::default() }
    }

    pub(crate) fn assign(&mut self, numbers: impl IntoIterator<Item = i32>) {
        let partitions: Vec<_> = numbers.into_iter().map(|n| (t(n), Position::at(0))).collect();
        self.source.assign(&partitions).unwrap();
    }

    /// Drains until the condition holds.
    pub(crate) fn until(&mut self, what: &str, mut done: impl FnMut(&Source, &Ledger) -> bool) {
        let end = self.clock.monotonic() + PATIENCE;
        while !done(&self.source, &self.ledger) {
            let now = self.clock.monotonic();
            if now > end {
                let progress: Vec<_> = self.source.progress().collect();
                panic!("waited in vain for: {what}; {:?}; {progress:#?}", self.ledger.records);
            }
            self.source.drain(now, Duration::from_millis(20), &mut self.ledger).unwrap();
        }
    }

    pub(crate) fn until_read(&mut self, records: u64) {
        self.until(&format!("{records} records"), |_, ledger| ledger.total() >= records);
        assert_eq!(self.ledger.total(), records);
    }

    /// Drains until the partition's state is as wanted.
    pub(crate) fn until_state(&mut self, number: i32, what: &str, wanted: fn(State<'_>) -> bool) {
        self.until(what, |source, _| wanted(state(source, number).2));
    }

    pub(crate) fn offset(&self, number: i32) -> Offset {
        state(&self.source, number).0
    }
}

impl Ledger {
    pub(crate) fn total(&self) -> u64 {
        self.records.values().sum()
    }
}

/// Next offset, log end and state of a partition.
pub(crate) fn state(source: &Source, number: i32) -> (Offset, Option<Offset>, State<'_>) {
    let progress = source.progress().find(|progress| progress.partition.number == number).unwrap();
    (progress.until.offset, progress.log_end, progress.state)
}

/// Partition `number` of topic `t`.
pub(crate) fn t(number: i32) -> Partition {
    Partition::new("t", number)
}
