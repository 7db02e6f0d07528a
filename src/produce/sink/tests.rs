//! The sink against mock brokers: partitions, back-pressure, refusals, transactions.

use std::collections::BTreeMap;

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::*;
use crate::clock::Clock;
use crate::config::SecretMap;
use crate::config::producer::Keyword;
use crate::random::Random;

const PATIENCE: Duration = Duration::from_secs(30);

struct Mock {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl Mock {
    fn new(partitions: i32) -> Self {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("t", partitions, 1).unwrap();
        Self { cluster }
    }

    fn kafka(&self, properties: &[(&str, &str)]) -> Kafka {
        let properties = properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Kafka {
            brokers: vec![self.cluster.bootstrap_servers()],
            topic: "t".to_owned(),
            properties: properties.collect::<SecretMap>(),
            ..Kafka::default()
        }
    }

    fn open(&self, keys: &[&str], properties: &[(&str, &str)]) -> Sink {
        Sink::open(&self.kafka(properties), &keywords(keys.iter().map(|key| (*key, None))), None).unwrap()
    }

    fn transactional(&self) -> Sink {
        Sink::open(&self.kafka(&[]), &keywords([("k", None)]), Some("id")).unwrap()
    }
}

fn keywords<'a>(list: impl IntoIterator<Item = (&'a str, Option<i32>)>) -> Keywords {
    let keyword = |(key, partition): (&str, Option<i32>)| Keyword {
        key: key.to_owned(),
        terms: vec![key.to_owned()],
        partition,
    };
    Keywords { list: list.into_iter().map(keyword).collect(), ..Keywords::default() }
}

/// Asks for reports until there are so many of them.
fn until(sink: &Sink, count: usize) -> Vec<Report> {
    let (clock, mut reports) = (Clock::start(), Vec::new());
    while reports.len() < count {
        sink.reports(&mut reports);
        assert!(clock.monotonic() < PATIENCE, "waited in vain for {count} reports: {reports:?}");
        thread::park_timeout(Duration::from_millis(1));
    }
    assert_eq!(reports.len(), count, "{reports:?}");
    reports
}

/// Number, partition and offset of reports that are all good.
fn acknowledged(reports: &[Report]) -> Vec<(u64, i32, Offset)> {
    let place = |report: &Report| match &report.outcome {
        Outcome::Acknowledged { partition, offset } => (report.number, partition.number, offset.unwrap()),
        Outcome::Failed { reason, .. } => panic!("{}: {reason}", report.number),
    };
    reports.iter().map(place).collect()
}

fn failed(report: &Report) -> (u64, &str, bool) {
    match &report.outcome {
        Outcome::Failed { reason, fatal } => (report.number, reason, *fatal),
        acknowledged => panic!("{acknowledged:?}"),
    }
}

/// MurmurHash2 as Kafka's Java client has it (`org.apache.kafka.common.utils.Utils.murmur2`), in its own words: in 64
/// bits, cut down to 32 after each step.
fn murmur2(key: &[u8]) -> i32 {
    const CUT: u64 = 0xffff_ffff;
    let times = |value: u64| (value * 0x5bd1_e995) & CUT;
    let mut hash = (0x9747_b28c ^ key.len() as u64) & CUT;
    let mut words = key.chunks_exact(4);
    for word in words.by_ref() {
        let mixed = times(
            u64::from(word[0])
                | u64::from(word[1]) << 8
                | u64::from(word[2]) << 16
                | u64::from(word[3]) << 24,
        );
        hash = times(hash) ^ times(mixed ^ (mixed >> 24));
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        let tail = rest.iter().rev().fold(0, |tail, byte| tail << 8 | u64::from(*byte));
        hash = times(hash ^ tail);
    }
    hash = times(hash ^ (hash >> 13));
    (hash ^ (hash >> 15)) as u32 as i32
}

fn partition_of(key: &str, partitions: i32) -> i32 {
    (murmur2(key.as_bytes()) & 0x7fff_ffff) % partitions
}

/// The first two are Kafka's own (`UtilsTest.testMurmur2`), the others the replaced producer's keys as Java hashed them.
#[test]
fn the_oracle_hashes_as_java_does() {
    for (key, hash) in [
        ("21", -973_932_308),
        ("foobar", -790_332_482),
        ("Bitcoin", 810_730_969),
        ("Blockchain", -1_194_752_659),
        ("IoT", -1_170_126_572),
        ("5G", -257_005_839),
    ] {
        assert_eq!(murmur2(key.as_bytes()), hash, "{key}");
    }
}

#[test]
fn keys_go_where_javas_producer_puts_them() {
    let seed = 20_261_130;
    let mut random = Random::with_seed(seed);
    let mut keys: Vec<String> = ["Bitcoin", "Blockchain", "IoT", "5G"].map(ToOwned::to_owned).into();
    for _ in 0..200 {
        let length = 1 + random.below(24);
        keys.push((0..length).map(|_| ['a', 'Z', '7', '-', 'ä', '中', '🦀'][random.below(7)]).collect());
    }
    let names: Vec<&str> = keys.iter().map(String::as_str).collect();
    for partitions in [6, 7] {
        let sink = Mock::new(partitions).open_kept(&names);
        for nth in 0..keys.len() {
            sink.1.send(nth as u64, Some(nth as u16), b"{}").unwrap();
        }
        for (number, partition, _) in acknowledged(&until(&sink.1, keys.len())) {
            let key = &keys[number as usize];
            assert_eq!(partition, partition_of(key, partitions), "{key:?} of {partitions}, seed {seed}");
        }
        assert_eq!(sink.1.partitions(), partitions);
    }
    assert_eq!(["Bitcoin", "Blockchain", "IoT", "5G"].map(|key| partition_of(key, 6)), [1, 1, 0, 5]);
}

impl Mock {
    fn open_kept(self, keys: &[&str]) -> (Self, Sink) {
        let sink = self.open(keys, &[]);
        (self, sink)
    }
}

#[test]
fn a_named_partition_beats_the_keys_own_and_a_null_key_may_go_anywhere() {
    let mock = Mock::new(6);
    let list = keywords([("5G", Some(2)), ("IoT", None)]);
    let sink = Sink::open(&mock.kafka(&[]), &list, None).unwrap();
    sink.send(1, Some(0), b"{}").unwrap();
    sink.send(2, Some(1), b"{}").unwrap();
    sink.send(u64::from(u32::MAX) + 7, None, b"{}").unwrap();
    let places: BTreeMap<u64, i32> = acknowledged(&until(&sink, 3))
        .into_iter()
        .map(|(number, partition, _)| (number, partition))
        .collect();
    assert_eq!((places[&1], places[&2]), (2, 0));
    assert!((0..6).contains(&places[&(u64::from(u32::MAX) + 7)]));
    let error = sink.send(4, Some(2), b"{}").unwrap_err();
    assert!(matches!(error, SendError::Broken(_)), "a post must not be lost by such a mistake: {error}");
}

#[test]
fn while_kafka_is_away_records_wait_and_then_the_queue_is_full() {
    let mock = Mock::new(1);
    let sink =
        mock.open(&["k"], &[("queue.buffering.max.messages", "50"), ("reconnect.backoff.max.ms", "200")]);
    sink.send(0, Some(0), b"{}").unwrap();
    acknowledged(&until(&sink, 1));
    assert_eq!(sink.0.producer().context().under_way(), 0);
    mock.cluster.broker_down(1).unwrap();
    let (clock, mut reports) = (Clock::start(), Vec::new());
    while sink.0.producer().context().outage().is_none() {
        sink.reports(&mut reports);
        assert!(clock.monotonic() < PATIENCE, "nothing tells that the broker is away");
        thread::park_timeout(Duration::from_millis(1));
    }
    assert_eq!(sink.trouble(), None, "nothing waits: it may be a quiet connection that was closed");
    for number in 1..=50 {
        sink.send(number, Some(0), b"{}").unwrap();
    }
    assert_eq!(sink.send(51, Some(0), b"{}"), Err(SendError::Full));
    // The client's default time-out of 5 min is not waited for here; that it is off is tested in `settings`.
    sink.reports(&mut reports);
    let trouble = sink.trouble().unwrap();
    assert!(trouble.starts_with("no Kafka broker can be reached"), "{trouble}");
    assert_eq!(reports, []);
    assert_eq!(sink.send(51, Some(0), b"{}"), Err(SendError::Full));
    assert_eq!(sink.broken(), None);
    mock.cluster.broker_up(1).unwrap();
    let places = acknowledged(&until(&sink, 50));
    assert_eq!(places, (1..=50).map(|n| (n, 0, n as Offset)).collect::<Vec<_>>(), "each once, in order");
    assert_eq!(sink.trouble(), None);
    sink.send(51, Some(0), b"{}").unwrap();
    assert_eq!(acknowledged(&until(&sink, 1)), [(51, 0, 51)]);
}

#[test]
fn a_record_too_large_for_the_client_is_refused_at_once() {
    let mock = Mock::new(1);
    let sink = mock.open(&[], &[("message.max.bytes", "2000")]);
    let error = sink.send(1, None, &[b'x'; 3_000]).unwrap_err();
    assert!(matches!(&error, SendError::Refused(why) if why.contains("too large")), "{error}");
    sink.send(2, None, &[b'x'; 1_500]).unwrap();
    assert_eq!(acknowledged(&until(&sink, 1)), [(2, 0, 0)]);
}

#[test]
fn what_follows_a_record_that_a_broker_refuses_goes_on_in_order() {
    let mock = Mock::new(1);
    // A record a batch, several under way at once.
    let sink = mock.open(&["k"], &[("batch.num.messages", "1"), ("linger.ms", "0")]);
    sink.send(0, Some(0), b"{}").unwrap();
    acknowledged(&until(&sink, 1));
    mock.cluster
        .request_errors(RDKafkaApiKey::Produce, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE]);
    for number in 1..=20 {
        sink.send(number, Some(0), b"{}").unwrap();
    }
    let reports = until(&sink, 20);
    let (number, reason, fatal) = failed(&reports[0]);
    assert!(number == 1 && !fatal && reason.contains("Message size too large"), "{reason}");
    let rest = acknowledged(&reports[1..]);
    assert_eq!(rest, (2..=20).map(|n| (n, 0, n as Offset - 1)).collect::<Vec<_>>(), "each once, in order");
    assert_eq!(sink.broken(), None);
}

/// The broker does not say which record it means.
#[test]
fn records_of_a_refused_batch_go_once_more_each_alone() {
    let mock = Mock::new(1);
    let sink = mock.open(&["k"], &[("linger.ms", "300")]);
    let (good, bad) =
        (RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR, RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    // The batch of four, then each of them.
    mock.cluster.request_errors(RDKafkaApiKey::Produce, &[bad, good, good, bad, good]);
    for number in 1..=4 {
        sink.send(number, Some(0), b"{}").unwrap();
    }
    let mut reports = until(&sink, 1);
    assert_eq!(sink.send(5, Some(0), b"{}"), Err(SendError::Full), "nothing shares a batch with them");
    reports.extend(until(&sink, 3));
    let third = reports.remove(2);
    assert_eq!((failed(&third).0, failed(&third).2), (3, false));
    assert_eq!(acknowledged(&reports), [(1, 0, 0), (2, 0, 1), (4, 0, 2)]);
    sink.send(6, Some(0), b"{}").unwrap();
    assert_eq!(acknowledged(&until(&sink, 1)), [(6, 0, 3)]);
}

#[test]
fn a_topic_that_may_not_be_written_ends_the_sink() {
    let mock = Mock::new(1);
    let sink = mock.open(&[], &[]);
    let denied = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    mock.cluster.request_errors(RDKafkaApiKey::Produce, &[denied]);
    sink.send(1, None, b"{}").unwrap();
    let reports = until(&sink, 1);
    let (number, reason, fatal) = failed(&reports[0]);
    assert!(number == 1 && fatal && reason.contains("allow the user Write"), "{reason}");
    let error = sink.send(2, None, b"{}").unwrap_err();
    assert!(matches!(&error, SendError::Broken(why) if why.contains("allow the user Write")), "{error}");
}

#[test]
fn what_is_missing_is_named_when_the_sink_is_opened() {
    let mock = Mock::new(6);
    let open = |kafka: &Kafka, list: &Keywords| Sink::open(kafka, list, None).unwrap_err();
    let error = open(&Kafka { topic: "u".to_owned(), ..mock.kafka(&[]) }, &keywords([]));
    assert!(matches!(error, SinkError::NoTopic { .. }) && !error.is_passing(), "{error}");
    assert!(error.to_string().contains("topic u does not exist"), "{error}");
    let error = open(&mock.kafka(&[]), &keywords([("5G", Some(6))]));
    assert!(error.to_string().contains("keyword \"5G\" goes to partition 6"), "{error}");
}

#[test]
fn log_ends_are_those_of_all_partitions() {
    let mock = Mock::new(3);
    let sink = Sink::open(&mock.kafka(&[]), &keywords([("a", Some(2))]), None).unwrap();
    for number in 0..5 {
        sink.send(number, Some(0), b"{}").unwrap();
    }
    until(&sink, 5);
    let ends: Vec<_> =
        sink.ends().unwrap().into_iter().map(|(partition, end)| (partition.to_string(), end)).collect();
    let named = |name: &str, end| (name.to_owned(), end);
    assert_eq!(ends, [named("t/0", 0), named("t/1", 0), named("t/2", 5)]);
}

#[test]
fn a_transaction_takes_records_between_its_begin_and_its_commit() {
    let mock = Mock::new(1);
    let sink = mock.transactional();
    assert_eq!(sink.send(1, Some(0), b"{}"), Err(SendError::Full), "none is open");
    for round in 0..3 {
        sink.begin().unwrap();
        for number in 0..10 {
            sink.send(round * 10 + number, Some(0), b"{}").unwrap();
        }
        // Nobody asks for reports meanwhile.
        sink.commit(PATIENCE).unwrap();
        let numbers: Vec<u64> = acknowledged(&until(&sink, 10)).iter().map(|(number, ..)| *number).collect();
        assert_eq!(numbers, (round * 10..round * 10 + 10).collect::<Vec<_>>());
        assert_eq!(sink.send(99, Some(0), b"{}"), Err(SendError::Full), "it is over");
    }
}

#[test]
fn an_aborted_transaction_reports_none_of_its_records_as_failed() {
    let mock = Mock::new(1);
    let sink = mock.transactional();
    sink.begin().unwrap();
    sink.send(1, Some(0), b"{}").unwrap();
    acknowledged(&until(&sink, 1));
    mock.cluster.broker_round_trip_time(1, Duration::from_millis(200)).unwrap();
    for number in 2..=100 {
        sink.send(number, Some(0), b"{}").unwrap();
    }
    sink.abort(PATIENCE).unwrap();
    let mut reports = Vec::new();
    sink.reports(&mut reports);
    acknowledged(&reports);
    commit_one(&sink, 101);
}

/// Sends and commits a record. Behind an aborted transaction the next one may have to be aborted too, see `Sink::abort`.
fn commit_one(sink: &Sink, number: u64) {
    let mut why = Vec::new();
    while why.len() < 3 {
        sink.begin().unwrap();
        let sent = sink.send(number, Some(0), b"{}");
        match sink.commit(PATIENCE) {
            Ok(()) => {
                sent.unwrap();
                let mut reports = Vec::new();
                sink.reports(&mut reports);
                assert_eq!(acknowledged(&reports).last().map(|(number, ..)| *number), Some(number));
                return;
            }
            Err(error @ TransactionError::MustAbort(_)) => why.push(error),
            Err(error) => panic!("{error}"),
        }
        sink.abort(PATIENCE).unwrap();
    }
    panic!("{why:?}");
}

#[test]
fn a_record_that_kafka_refuses_has_its_transaction_aborted() {
    let mock = Mock::new(1);
    let sink = mock.transactional();
    sink.begin().unwrap();
    sink.send(1, Some(0), b"{}").unwrap();
    acknowledged(&until(&sink, 1));
    let invalid = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_RECORD];
    mock.cluster.request_errors(RDKafkaApiKey::Produce, &invalid);
    sink.send(2, Some(0), b"{}").unwrap();
    let (_, reports) = until_must_abort(&sink);
    assert_eq!(reports, [], "it may have been another of its batch");
    assert_eq!(sink.send(3, Some(0), b"{}"), Err(SendError::Full), "it is over");
    let error = sink.commit(PATIENCE).unwrap_err();
    assert!(matches!(error, TransactionError::MustAbort(_)), "{error}");
    sink.abort(PATIENCE).unwrap();

    mock.cluster.request_errors(RDKafkaApiKey::Produce, &invalid);
    sink.begin().unwrap();
    sink.send(2, Some(0), b"{}").unwrap();
    assert_eq!(sink.send(3, Some(0), b"{}"), Err(SendError::Full), "it goes alone");
    let reports = until(&sink, 1);
    let (number, _, fatal) = failed(&reports[0]);
    assert_eq!((number, fatal), (2, false));
    until_must_abort(&sink);
    sink.abort(PATIENCE).unwrap();
    commit_one(&sink, 1);
}

#[test]
fn a_commit_that_takes_too_long_is_made_again() {
    let mock = Mock::new(1);
    let sink = mock.transactional();
    sink.begin().unwrap();
    sink.send(1, Some(0), b"{}").unwrap();
    acknowledged(&until(&sink, 1));
    mock.cluster.broker_down(1).unwrap();
    // Once while the coordinator is waited for, once while an acknowledgement is.
    for number in [2, 3] {
        let error = sink.commit(Duration::from_millis(300)).unwrap_err();
        assert!(matches!(error, TransactionError::Unfinished(_)), "{error}");
        mock.cluster.broker_up(1).unwrap();
        sink.commit(PATIENCE).unwrap();
        sink.begin().unwrap();
        mock.cluster.broker_down(1).unwrap();
        sink.send(number, Some(0), b"{}").unwrap();
    }
}

/// Waits until the sink says that the transaction must be aborted.
fn until_must_abort(sink: &Sink) -> (String, Vec<Report>) {
    let (clock, mut reports) = (Clock::start(), Vec::new());
    loop {
        sink.reports(&mut reports);
        if let Some(reason) = sink.must_abort() {
            return (reason, reports);
        }
        assert!(
            clock.monotonic() < PATIENCE,
            "nothing says that the transaction must be aborted: {reports:?}"
        );
        thread::park_timeout(Duration::from_millis(1));
    }
}

/// A sink with an open transaction, whose second record the broker answers with this error.
fn with_error(code: RDKafkaRespErr) -> (Mock, Sink) {
    let mock = Mock::new(1);
    let sink = mock.transactional();
    sink.begin().unwrap();
    sink.send(1, Some(0), b"{}").unwrap();
    acknowledged(&until(&sink, 1));
    assert_eq!(sink.must_abort(), None);
    mock.cluster.request_errors(RDKafkaApiKey::Produce, &[code]);
    sink.send(2, Some(0), b"{}").unwrap();
    (mock, sink)
}

#[test]
fn a_transaction_that_the_broker_gave_up_is_told_without_waiting_for_its_reports() {
    let (_mock, sink) = with_error(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID);
    let (reason, reports) = until_must_abort(&sink);
    assert!(!reason.is_empty() && reports.is_empty(), "{reason}, {reports:?}");
    sink.abort(PATIENCE).unwrap();
    assert_eq!(sink.must_abort(), None);
    commit_one(&sink, 2);
    assert_eq!(sink.must_abort(), None);
}

/// For the record that was sent first of those under way, librdkafka takes this for a bug of its own.
#[test]
fn an_error_that_ends_the_sink_is_not_told_as_one_of_the_transaction() {
    let (_mock, sink) = with_error(RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    let clock = Clock::start();
    while sink.broken().is_none() {
        sink.reports(&mut Vec::new());
        assert_eq!(sink.must_abort(), None);
        assert!(clock.monotonic() < PATIENCE, "nothing tells it");
        thread::park_timeout(Duration::from_millis(1));
    }
    // With all that came along.
    sink.commit(PATIENCE).unwrap_err();
    sink.reports(&mut Vec::new());
    assert_eq!(sink.must_abort(), None);
}

/// No record fails by itself: the coordinator refuses to have its partition in the transaction.
#[test]
fn a_transaction_that_the_coordinator_gave_up_is_told_too() {
    let mock = Mock::new(1);
    let sink = mock.transactional();
    let refused = RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING;
    mock.cluster.request_errors(RDKafkaApiKey::AddPartitionsToTxn, &[refused]);
    sink.begin().unwrap();
    sink.send(1, Some(0), b"{}").unwrap();
    let (reason, reports) = until_must_abort(&sink);
    assert!(reason.contains("Current transaction failed") && reports.is_empty(), "{reason}, {reports:?}");
    sink.abort(PATIENCE).unwrap();
    commit_one(&sink, 1);
}
