use std::collections::BTreeMap;

use rdkafka::mocking::MockCluster;

use super::*;

fn ask(cluster: &MockCluster<'_, impl rdkafka::producer::ProducerContext>) -> Admin {
    let brokers = [cluster.bootstrap_servers()];
    let settings = ClientSettings::new(&brokers, "g", true, &BTreeMap::new(), 0);
    Admin::connect(&settings).unwrap().with_deadline(Duration::from_secs(5))
}

/// librdkafka leaves the partitions of a broker that does not answer without an error, and without an offset.
#[test]
fn a_leader_that_does_not_answer_says_nothing_about_its_logs() {
    let cluster = MockCluster::new(2).unwrap();
    cluster.create_topic("t", 2, 2).unwrap();
    cluster.partition_leader("t", 0, Some(1)).unwrap();
    cluster.partition_leader("t", 1, Some(2)).unwrap();
    let admin = ask(&cluster);
    let partitions = [Partition::new("t", 0), Partition::new("t", 1)];
    assert!(admin.log_range(&partitions).unwrap().iter().all(Result::is_ok));
    cluster.broker_down(2).unwrap();
    let ranges = admin.log_range(&partitions).unwrap();
    assert_eq!(ranges[0], Ok(LogRange { first: 0, end: 0, high: 0 }));
    let reason = ranges[1].clone().unwrap_err();
    assert!(!reason.is_empty());
    let times = admin.offsets_for_time(&partitions, 0).unwrap();
    assert_eq!((times[0].clone(), times[1].is_err()), (Ok(0), true));
}
