//! Reading a topic again, against mock brokers.

use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};

use super::*;
use crate::config::SecretMap;

const PATIENCE: Duration = Duration::from_secs(30);

struct Mock {
    cluster: MockCluster<'static, DefaultProducerContext>,
    producer: BaseProducer,
}

impl Mock {
    fn new(partitions: i32) -> Self {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("t", partitions, 1).unwrap();
        let brokers = cluster.bootstrap_servers();
        let producer =
            ClientConfig::new().set("bootstrap.servers", brokers).set("linger.ms", "1").create().unwrap();
        Self { cluster, producer }
    }

    /// Appends values `NUMBER.FROM` and so on.
    fn produce(&self, number: i32, values: std::ops::Range<u32>) {
        for value in values {
            let value = format!("{number}.{value}");
            let record = BaseRecord::<[u8], [u8]>::to("t").partition(number).payload(value.as_bytes());
            self.producer.send(record.key(b"k")).unwrap();
        }
        self.producer.flush(PATIENCE).unwrap();
    }

    fn kafka(&self) -> Kafka {
        // The mock answers a waiting fetch only when its time is up.
        let properties = [("fetch.wait.max.ms".to_owned(), "20".to_owned())];
        Kafka {
            brokers: vec![self.cluster.bootstrap_servers()],
            topic: "t".to_owned(),
            properties: properties.into_iter().collect::<SecretMap>(),
            ..Kafka::default()
        }
    }

    fn recall(&self, from: &[(i32, Offset)]) -> (Recalled, Vec<String>) {
        let from = from.iter().map(|(number, offset)| (Partition::new("t", *number), *offset)).collect();
        let mut seen = Vec::new();
        let each = |partition: i32, offset: Offset, key: Option<&[u8]>, value: &[u8]| {
            assert_eq!(key, Some(&b"k"[..]));
            let value = String::from_utf8(value.to_owned()).unwrap();
            // Each partition's values are numbered on from 0, as its offsets are.
            assert_eq!(format!("{partition}.{offset}"), value);
            seen.push(value);
        };
        let recalled = recall(&self.kafka(), false, &from, PATIENCE, each).unwrap();
        seen.sort_unstable();
        (recalled, seen)
    }
}

fn names(number: i32, values: std::ops::Range<u32>) -> Vec<String> {
    let mut names: Vec<String> = values.map(|value| format!("{number}.{value}")).collect();
    names.sort_unstable();
    names
}

#[test]
fn everything_behind_the_cursors_offsets_is_shown_once() {
    let mock = Mock::new(3);
    mock.produce(0, 0..5_000);
    mock.produce(1, 0..10);
    let (recalled, seen) = mock.recall(&[(0, 3_000), (1, 10), (2, 0)]);
    assert_eq!(seen, names(0, 3_000..5_000));
    assert_eq!(recalled.records, 2_000);
    assert!(recalled.lanes.iter().all(|lane| lane.begin == Begin::Saved), "{recalled:?}");
}

#[test]
fn a_log_that_ends_before_the_cursor_is_read_from_its_beginning_and_a_new_partition_too() {
    let mock = Mock::new(3);
    mock.produce(0, 0..5);
    mock.produce(1, 0..5);
    mock.produce(2, 0..5);
    let (recalled, seen) = mock.recall(&[(0, 9), (1, 4)]);
    let expected = [names(0, 0..5), names(1, 4..5), names(2, 0..5)].concat();
    assert_eq!(seen, expected);
    let begins: Vec<_> = recalled.lanes.iter().map(|lane| lane.begin).collect();
    assert_eq!(begins, [Begin::Cut(9), Begin::Saved, Begin::Added]);
}

#[test]
fn a_cursor_that_knows_nothing_has_nothing_read() {
    let mock = Mock::new(2);
    mock.produce(0, 0..5);
    let (recalled, seen) = mock.recall(&[]);
    assert_eq!((recalled.records, seen.len()), (0, 0));
}

/// A batch may hold records of before and after.
#[test]
fn what_lies_behind_the_end_is_not_shown() {
    let (mut seen, values) = (Vec::new(), [b"0", b"1", b"2", b"3"]);
    let each = |partition: i32, offset: Offset, _: Option<&[u8]>, value: &[u8]| {
        seen.push((partition, offset, value.to_owned()));
    };
    let mut show = Show { ends: BTreeMap::from([(5, (7, 2))]), each, records: 0 };
    for (offset, value) in (0..).zip(values) {
        show.record(5, &Record::given(None, Some(value), offset, None, &[]));
    }
    show.record(6, &Record::given(None, Some(b"of another"), 0, None, &[]));
    show.record(5, &Record::given(None, None, 1, None, &[]));
    assert_eq!(show.records, 2);
    assert_eq!(seen, [(7, 0, b"0".to_vec()), (7, 1, b"1".to_vec())]);
}

#[test]
fn brokers_that_are_away_end_it_with_what_is_waited_for() {
    let mock = Mock::new(1);
    mock.produce(0, 0..5);
    mock.cluster.broker_down(1).unwrap();
    let from = BTreeMap::from([(Partition::new("t", 0), 0)]);
    let within = Duration::from_millis(500);
    let error = recall(&mock.kafka(), false, &from, within, |_, _, _, _| {}).unwrap_err();
    assert!(error.is_passing() && error.to_string().contains("could be reached"), "{error}");
}

/// Time is up as soon as something is waited for.
#[test]
fn a_deadline_says_how_far_it_came_and_what_to_do() {
    let mock = Mock::new(1);
    mock.produce(0, 0..5);
    let kafka = mock.kafka();
    let lanes = [Lane { partition: Partition::new("t", 0), from: 0, until: 9, begin: Begin::Saved }];
    let mut reader = Reader { kafka: &kafka, clock: Clock::start(), within: Duration::ZERO, topic_id: None };
    let settings = settings::reader(&kafka, false);
    let mut shown = 0;
    let error = reader.read(&settings, &lanes, |_, _, _, _| shown += 1).unwrap_err().to_string();
    let expected = format!("not done after 0 s and {shown} records, waiting for t/0");
    assert!(error.contains(&expected), "{error}");
    assert!(error.contains("check the brokers"), "{error}");
}
