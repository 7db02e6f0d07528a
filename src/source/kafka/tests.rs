//! One partition that stops again and again, beside one that is well.

use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::*;
use crate::clock::Clock;
use crate::ids::TopicId;
use crate::source::{Record, State};

type Cluster = MockCluster<'static, DefaultProducerContext>;

/// Where reading goes on, by index; every offset comes once and in order.
#[derive(Default)]
struct Next([i64; 2]);

impl Visit for Next {
    fn record(&mut self, index: usize, record: &Record<'_>) {
        assert_eq!(record.offset, self.0[index], "partition with index {index}");
        self.0[index] += 1;
    }
}

fn produce(cluster: &Cluster, records: i64) {
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", cluster.bootstrap_servers()).create().unwrap();
    for partition in 0..2 {
        for _ in 0..records {
            let record = BaseRecord::<[u8], [u8]>::to("t").partition(partition).payload(b"v");
            producer.send(record).unwrap_or_else(|(error, _)| panic!("{error}"));
        }
    }
    producer.flush(Duration::from_secs(10)).unwrap();
}

fn open(cluster: &Cluster) -> KafkaSource {
    let user = [("fetch.wait.max.ms".to_owned(), "20".to_owned())].into();
    let settings = ClientSettings::new(&[cluster.bootstrap_servers()], "g", true, &user, 64 << 20);
    KafkaSource::open(&settings).unwrap().0
}

#[test]
fn a_partition_that_flaps_does_not_cost_the_others_what_they_fetched() {
    let cluster: Cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("t", 2, 1).unwrap();
    produce(&cluster, 1_000);
    let mut source = open(&cluster);
    let flapping = Partition::new("t", 1);
    source.assign(&[(Partition::new("t", 0), Position::at(0)), (flapping.clone(), Position::at(0))]).unwrap();
    let mut next = Next::default();
    let mut clients = vec![Arc::as_ptr(&source.client)];
    // Its time is not the machine's: a slide is half a second, in which it is given up and given back.
    let mut now = Duration::ZERO;
    for slide in 0..60 {
        now = Duration::from_millis(500) * slide;
        source.drain(now, Duration::from_millis(5), &mut next).unwrap();
        source.release(std::slice::from_ref(&flapping)).unwrap();
        source.assign(&[(flapping.clone(), Position::at(next.0[1]))]).unwrap();
        let client = Arc::as_ptr(&source.client);
        if clients.last() != Some(&client) {
            clients.push(client);
        }
    }
    // Within 30 s: after 0.5, 1.5, 3.5, 7.5, 15.5 s.
    assert_eq!(clients.len(), 6);
    let waits = |source: &KafkaSource| {
        source.progress().any(|p| matches!(p.state, State::Unreachable(why) if why.contains("several times")))
    };
    assert!(waits(&source));
    produce(&cluster, 500);
    let clock = Clock::start();
    while next.0 != [1_500, 1_500] {
        assert!(clock.monotonic() < Duration::from_secs(20), "{:?}", next.0);
        now += Duration::from_millis(500);
        source.drain(now, Duration::from_millis(50), &mut next).unwrap();
    }
    assert!(!waits(&source));
}

/// The client has read the topic that had the name before, and has released it since.
#[test]
fn a_client_that_remembers_another_topic_of_that_name_is_replaced() {
    let cluster: Cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("t", 2, 1).unwrap();
    produce(&cluster, 100);
    let mut source = open(&cluster);
    let mut next = Next::default();
    let clock = Clock::start();
    source.assign(&[(Partition::new("t", 0), Position::at(0))]).unwrap();
    while next.0[0] != 100 {
        source.drain(clock.monotonic(), Duration::from_millis(50), &mut next).unwrap();
        assert!(clock.monotonic() < Duration::from_secs(20));
    }
    let id = source.topic_ids["t"].clone();
    source.release(&[Partition::new("t", 0)]).unwrap();
    source.topic_ids.insert("t".to_owned(), native::topic_id_text(TopicId([7; 16])));

    next.0[0] = 0;
    let topic_id = Some(TopicId(STANDARD_NO_PAD.decode(&id).unwrap().try_into().unwrap()));
    source.assign(&[(Partition::new("t", 1), Position { topic_id, ..Position::at(0) })]).unwrap();
    while next.0[0] != 100 {
        source.drain(clock.monotonic(), Duration::from_millis(50), &mut next).unwrap();
        assert!(clock.monotonic() < Duration::from_secs(40), "{:?}", source.progress().collect::<Vec<_>>());
    }
}
