//! The real broker that tests use, named by `SPINDLE_KAFKA`; topics of their own.

use std::collections::BTreeMap;
use std::future::Future;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use spindle::clock::Clock;
use spindle::source::ClientSettings;

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Brokers under test.
pub(crate) fn brokers() -> String {
    std::env::var("SPINDLE_KAFKA").unwrap_or_else(|_| {
        panic!(
            "SPINDLE_KAFKA is not set: start a cluster (scripts/cluster up) and name its broker, HOST:PORT"
        )
    })
}

pub(crate) fn settings(group: &str, read_committed: bool) -> ClientSettings {
    ClientSettings::new(&[brokers()], group, read_committed, &BTreeMap::new(), 64 << 20)
}

/// A name that no other run uses.
pub(crate) fn unique(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("spindle-test-{name}-{}-{}-{next}", Clock::start().wall_ms(), process::id())
}

/// A topic that is deleted when dropped.
pub(crate) struct Topic {
    pub(crate) name: String,
    partitions: i32,
}

impl Topic {
    pub(crate) fn create(name: &str, partitions: i32) -> Self {
        Self::named(&unique(name), partitions)
    }

    /// With this very name.
    pub(crate) fn named(name: &str, partitions: i32) -> Self {
        let topic = Self { name: name.to_owned(), partitions };
        topic.recreate();
        topic
    }

    /// One that is there already.
    pub(crate) fn adopt(name: &str) -> Self {
        Self { name: name.to_owned(), partitions: 1 }
    }

    pub(crate) fn recreate(&self) {
        // The name of a topic just deleted is free a moment later.
        let clock = Clock::start();
        loop {
            let topic = NewTopic::new(&self.name, self.partitions, TopicReplication::Fixed(1));
            let result = wait(admin().create_topics([&topic], &options())).unwrap().remove(0);
            match result {
                Ok(_) => return,
                Err((_, code)) => assert!(clock.monotonic() < PATIENCE, "create {}: {code}", self.name),
            }
        }
    }

    pub(crate) fn delete(&self) {
        wait(admin().delete_topics(&[&self.name], &options())).unwrap().remove(0).unwrap();
    }

    /// Deletes the records of a partition below the offset.
    pub(crate) fn expire(&self, partition: i32, before: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.name, partition, Offset::Offset(before)).unwrap();
        wait(admin().delete_records(&list, &options())).unwrap();
    }

    pub(crate) fn produce(&self, partition: i32, records: u32) {
        let producer = producer(&[]);
        self.send(&producer, partition, records);
        producer.flush(PATIENCE).unwrap();
    }

    pub(crate) fn send(&self, producer: &BaseProducer, partition: i32, records: u32) {
        for n in 0..records {
            let key = format!("k{n}");
            let to = BaseRecord::<[u8], [u8]>::to(&self.name).partition(partition);
            let mut record = to.key(key.as_bytes()).payload(b"v");
            while let Err((_, back)) = producer.send(record) {
                record = back;
                producer.poll(Duration::from_millis(10));
            }
        }
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        drop(wait(admin().delete_topics(&[&self.name], &options())));
    }
}

pub(crate) fn producer(properties: &[(&str, &str)]) -> BaseProducer {
    let mut config = ClientConfig::new();
    // A topic that a test deletes stays deleted: brokers would let a producer make it anew.
    config.set("bootstrap.servers", brokers()).set("linger.ms", "5").set("allow.auto.create.topics", "false");
    for (name, value) in properties {
        config.set(*name, *value);
    }
    config.create().unwrap()
}

/// Asks the broker under test.
pub(crate) fn admin() -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", brokers()).create().unwrap()
}

pub(crate) fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(PATIENCE)).request_timeout(Some(PATIENCE))
}

pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
