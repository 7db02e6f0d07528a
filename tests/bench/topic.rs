//! Topics of the benchmark: made, counted, removed.

use std::time::Duration;

use anyhow::{Context, bail};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::RDKafkaErrorCode;

/// Partitions of every topic here.
pub(crate) const PARTITIONS: i32 = 6;
const DEADLINE: Duration = Duration::from_secs(20);
/// Looks at a topic that is being made or removed, this far apart.
const LOOKS: usize = 100;
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A topic that goes when this does.
pub(crate) struct Live {
    brokers: String,
    name: String,
}

impl Live {
    /// Makes an empty topic; `what` becomes part of its name.
    pub(crate) fn create(brokers: &str, what: &str) -> anyhow::Result<Self> {
        let name = format!("bench-{what}-{}", std::process::id());
        create(brokers, &name)?;
        Ok(Self { brokers: brokers.to_owned(), name })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Err(error) = delete(&self.brokers, &self.name) {
            crate::statistics::say(&format!("remove topic {}: {error:#}", self.name));
        }
    }
}

/// Makes the topic and waits until every partition answers.
pub(crate) fn create(brokers: &str, name: &str) -> anyhow::Result<()> {
    let topic = NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(1));
    let admin = admin(brokers)?;
    let options = AdminOptions::new().operation_timeout(Some(DEADLINE));
    let made = block_on(admin.create_topics([&topic], &options))?;
    if let Some(Err((_, code))) = made?.into_iter().next() {
        bail!("create topic {name}: {code}");
    }
    for _ in 0..LOOKS {
        if records(brokers, name)?.is_some() {
            return Ok(());
        }
        wait();
    }
    bail!("topic {name} is not there after it was created")
}

/// Removes the topic and waits until it is gone.
pub(crate) fn delete(brokers: &str, name: &str) -> anyhow::Result<()> {
    let admin = admin(brokers)?;
    let options = AdminOptions::new().operation_timeout(Some(DEADLINE));
    if let Some(Err((_, code))) = block_on(admin.delete_topics(&[name], &options))??.into_iter().next() {
        bail!("delete topic {name}: {code}");
    }
    for _ in 0..LOOKS {
        if records(brokers, name)?.is_none() {
            return Ok(());
        }
        wait();
    }
    bail!("topic {name} is still there after it was deleted")
}

/// How many records it holds; `None` when it is not there.
pub(crate) fn records(brokers: &str, name: &str) -> anyhow::Result<Option<u64>> {
    let consumer: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", brokers).set("group.id", "bench").create()?;
    let metadata = consumer.fetch_metadata(Some(name), DEADLINE).context("ask for the topic")?;
    let Some(topic) = metadata.topics().iter().find(|topic| topic.name() == name) else { return Ok(None) };
    if topic.partitions().len() != PARTITIONS as usize {
        return Ok(None);
    }
    let mut sum = 0;
    for partition in 0..PARTITIONS {
        match consumer.fetch_watermarks(name, partition, DEADLINE) {
            Ok((first, end)) => sum += (end - first).unsigned_abs(),
            Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::NotLeaderForPartition) => {
                return Ok(None);
            }
            Err(error) => return Err(error).context("ask for the log's ends"),
        }
    }
    Ok(Some(sum))
}

fn admin(brokers: &str) -> anyhow::Result<AdminClient<DefaultClientContext>> {
    ClientConfig::new().set("bootstrap.servers", brokers).create().context("create an admin client")
}

fn block_on<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work))
}

#[expect(clippy::disallowed_methods, reason = "a broker does not tell when a topic is ready")]
fn wait() {
    std::thread::sleep(LOOK_EVERY);
}
