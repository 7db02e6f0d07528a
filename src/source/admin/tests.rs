//! Questions against a mock cluster: what a leader does not say, and how long a question takes.

use std::collections::BTreeMap;

use rdkafka::mocking::MockCluster;

use super::*;

fn ask(cluster: &MockCluster<'_, impl rdkafka::producer::ProducerContext>) -> Admin {
    let brokers = [cluster.bootstrap_servers()];
    let settings = ClientSettings::new(&brokers, "g", true, &BTreeMap::new(), 0);
    Admin::connect(&settings).unwrap().with_deadline(Duration::from_secs(5))
}

/// Broker 1 leads t/0, broker 2 leads t/1, and both have answered.
fn two_leaders(
    cluster: &MockCluster<'_, impl rdkafka::producer::ProducerContext>,
) -> (Admin, [Partition; 2]) {
    cluster.create_topic("t", 2, 2).unwrap();
    cluster.partition_leader("t", 0, Some(1)).unwrap();
    cluster.partition_leader("t", 1, Some(2)).unwrap();
    let admin = ask(cluster);
    let partitions = [Partition::new("t", 0), Partition::new("t", 1)];
    assert!(admin.log_range(&partitions).unwrap().iter().all(Result::is_ok));
    (admin, partitions)
}

/// The broker that is away may be the first to be asked who leads what: then nothing is known that time.
fn ranges(admin: &Admin, partitions: &[Partition]) -> Vec<Result<LogRange, String>> {
    (0..4).find_map(|_| admin.log_range(partitions).ok()).unwrap()
}

/// librdkafka leaves the partitions of a broker that does not answer without an error, and without an offset.
#[test]
fn a_leader_that_does_not_answer_says_nothing_about_its_logs() {
    let cluster = MockCluster::new(2).unwrap();
    let (admin, partitions) = two_leaders(&cluster);
    cluster.broker_down(2).unwrap();
    let ranges = ranges(&admin, &partitions);
    assert_eq!(ranges[0], Ok(LogRange { first: 0, end: 0, high: 0 }));
    let reason = ranges[1].clone().unwrap_err();
    assert!(!reason.is_empty());
    let times = admin.offsets_for_time(&partitions, 0).unwrap();
    assert_eq!((times[0].clone(), times[1].is_err()), (Ok(0), true));
}

/// Its answers come long after the question was given up.
#[test]
fn a_leader_that_hangs_hides_no_other() {
    let cluster = MockCluster::new(2).unwrap();
    let (admin, partitions) = two_leaders(&cluster);
    cluster.broker_round_trip_time(2, Duration::from_secs(600)).unwrap();
    let ranges = ranges(&admin, &partitions);
    assert_eq!((ranges[0].is_ok(), ranges[1].is_err()), (true, true));
}

#[test]
fn an_access_rule_on_one_topic_hides_no_other() {
    let cluster = MockCluster::new(1).unwrap();
    for topic in ["closed", "open"] {
        cluster.create_topic(topic, 1, 1).unwrap();
    }
    let denied = rdkafka::types::RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    cluster.topic_error("closed", denied).unwrap();
    let names = ["absent", "closed", "open"].map(ToOwned::to_owned).to_vec();
    let topics = ask(&cluster).describe(&TopicsRule::Names(names)).unwrap();
    assert_eq!(topics.found.iter().map(|topic| topic.name.as_str()).collect::<Vec<_>>(), ["open"]);
    assert_eq!(topics.absent, ["absent"]);
    assert_eq!(topics.denied, ["closed"]);
    assert!(topics.unclear[0].1.contains("authorization"), "{:?}", topics.unclear);
}
