//! What a topic holds, read by a client of its own.

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::job::PATIENCE;

/// A record as it lies in its partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) partition: i32,
    pub(crate) key: Option<String>,
    pub(crate) value: Vec<u8>,
}

/// Every committed record of the topic, partition by partition.
pub(crate) fn read(brokers: &str, topic: &str, partitions: i32) -> Vec<Found> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "reads-it-all")
        .set("enable.partition.eof", "true")
        .set("enable.auto.commit", "false")
        .set("fetch.wait.max.ms", "20")
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions {
        list.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&list).unwrap();
    let mut found = Vec::new();
    let mut open = partitions;
    while open > 0 {
        match consumer.poll(PATIENCE).expect("the end of a partition") {
            Ok(message) => found.push(Found {
                partition: message.partition(),
                key: message.key().map(|key| String::from_utf8(key.to_vec()).unwrap()),
                value: message.payload().unwrap().to_vec(),
            }),
            Err(rdkafka::error::KafkaError::PartitionEOF(_)) => open -= 1,
            Err(error) => panic!("{error}"),
        }
    }
    found.sort_by_key(|record| record.partition);
    found
}
