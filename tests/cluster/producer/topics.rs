//! What is looked at before the first record: the topic, its partitions, its replicas, who may write.

use rdkafka::admin::{NewTopic, TopicReplication};
use spindle::config::producer::{Create, CreateWith, Kafka, Unmatched};
use spindle::produce::sink::{Sink, SinkError};

use super::{acknowledged, kafka, keywords, send, until};
use crate::cluster::named;
use crate::kafka::{Topic, admin, brokers, options, unique, wait};

fn open(kafka: &Kafka) -> Result<Sink, SinkError> {
    Sink::open(kafka, &keywords([("5G", Some(5)), ("IoT", None)]), None)
}

/// A topic with one setting.
fn with_setting(name: &str, setting: (&str, &str)) -> Topic {
    let name = unique(name);
    let new = NewTopic::new(&name, 6, TopicReplication::Fixed(1)).set(setting.0, setting.1);
    wait(admin().create_topics([&new], &options())).unwrap().remove(0).unwrap();
    Topic::adopt(&name)
}

#[test]
fn a_topic_that_is_missing_is_named_or_made() {
    let name = unique("made");
    let missing = kafka(&brokers(), &name, &[]);
    let error = open(&missing).unwrap_err();
    assert!(matches!(error, SinkError::NoTopic { .. }) && !error.is_passing(), "{error}");
    let made = |partitions, replication| Kafka {
        create: Create::With(CreateWith { partitions, replication }),
        ..missing.clone()
    };
    let error = open(&made(6, 2)).unwrap_err();
    assert!(matches!(&error, SinkError::Create { reason, .. } if reason.contains("eplication")), "{error}");
    let error = open(&made(5, 1)).unwrap_err();
    assert!(matches!(error, SinkError::NoPartition { partition: 5, last: 4, .. }), "{error}");
    assert!(matches!(open(&missing), Err(SinkError::NoTopic { .. })), "nothing was made in passing");

    let sink = open(&made(6, 1)).unwrap();
    let _goes = Topic::adopt(&name);
    assert_eq!(sink.partitions(), 6);
    let mut reports = Vec::new();
    send(&sink, 1, Some(0), b"{}", &mut reports);
    until(&sink, 1, &mut reports);
    assert_eq!(acknowledged(&reports)[&1], (5, 0));
    let again = open(&made(7, 1)).unwrap();
    assert_eq!((again.partitions(), again.topic_id()), (6, sink.topic_id()), "it is taken as it is");
    assert!(sink.topic_id().is_some());
}

#[test]
fn too_few_partitions_are_named() {
    let topic = Topic::create("few", 5);
    let error = open(&kafka(&brokers(), &topic.name, &[])).unwrap_err().to_string();
    let expected = format!("keyword \"5G\" goes to partition 5, and topic {} has only 0 to 4;", topic.name);
    assert!(error.starts_with(&expected), "{error}");
}

#[test]
fn a_topic_that_could_never_be_written_is_refused() {
    let topic = with_setting("isr", ("min.insync.replicas", "2"));
    let error = open(&kafka(&brokers(), &topic.name, &[])).unwrap_err();
    assert!(matches!(error, SinkError::TooFewReplicas { replicas: 1, min: 2, .. }), "{error}");
    let topic = with_setting("compacted", ("cleanup.policy", "compact"));
    let error = open(&kafka(&brokers(), &topic.name, &[])).unwrap_err();
    assert!(matches!(error, SinkError::Compacted { .. }), "{error}");
    let mut list = keywords([("IoT", None)]);
    list.unmatched = Unmatched::Drop;
    Sink::open(&kafka(&brokers(), &topic.name, &[]), &list, None).unwrap();
}

#[test]
fn a_wrong_password_is_told_and_brokers_that_are_away_too() {
    let login = |password| {
        let properties = [
            ("security.protocol", "SASL_PLAINTEXT"),
            ("sasl.mechanism", "PLAIN"),
            ("sasl.username", "spindle"),
            ("sasl.password", password),
        ];
        kafka(&named("SPINDLE_KAFKA_SASL"), "t", &properties)
    };
    let error = open(&login("wrong")).unwrap_err();
    assert!(matches!(error, SinkError::Denied { passing: false, .. }), "{error}");
    let told = error.to_string();
    assert!(told.contains("sasl.* and ssl.* in kafka.properties") && !told.contains("wrong"), "{told}");
    assert!(matches!(open(&login("weaver")), Err(SinkError::NoTopic { .. })));
    let error = open(&kafka("127.0.0.1:1", "t", &[])).unwrap_err();
    assert!(matches!(error, SinkError::Unreachable { .. }) && error.is_passing(), "{error}");
    assert!(error.to_string().contains("check kafka.brokers"), "{error}");
}
