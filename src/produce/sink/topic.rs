//! Looks whether the topic can take what the producer file wants to send, and makes it if it is missing. Part of
//! `Sink::open`; what is found decides in `judge`, which asks nobody.

use std::thread;
use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};

use super::SinkError;
use super::settings;
use crate::clock::Clock;
use crate::config::producer::{Create, CreateWith, Kafka, Keywords, Unmatched};
use crate::ids::TopicId;
use crate::source::Admin;
use crate::source::admin::{TopicInfo, TopicsRule};

/// How long making a topic may take, and how long its partitions may then be without a leader.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a topic that was made is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// How long a broker may take to tell the topic's settings, which only serve to say things early.
const SETTINGS_PATIENCE: Duration = Duration::from_secs(5);

/// What a sink must know of its topic.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) id: Option<TopicId>,
    pub(super) partitions: i32,
    /// `max.message.bytes`, where the broker tells.
    pub(super) batch_bytes_max: Option<i64>,
}

/// The topic's settings that decide what it takes; `None` where the broker does not tell.
#[derive(Debug, Default, PartialEq, Eq)]
struct Limits {
    batch_bytes_max: Option<i64>,
    in_sync_min: Option<usize>,
    compacted: bool,
}

/// Finds the topic, or makes it, and looks whether it takes these keywords. What hinders only for now is a warning.
pub(super) fn prepare(admin: &Admin, kafka: &Kafka, keywords: &Keywords) -> Result<Found, SinkError> {
    let topic = match describe(admin, kafka)? {
        Some(topic) => {
            warn_of_other_partitions(&topic, kafka);
            topic
        }
        None => make(admin, kafka, keywords)?,
    };
    let brokers = kafka.brokers.join(",");
    // A mock cluster has nobody to ask for settings.
    let answers =
        admin.controller_answers(&topic.name).map_err(|error| SinkError::of_admin(error, &brokers))?;
    let limits = if answers { limits(kafka) } else { Limits::default() };
    for warning in judge(&topic, &limits, keywords)? {
        tracing::warn!(topic = topic.name, "{warning}");
    }
    Ok(Found {
        id: topic.id,
        partitions: count(topic.partitions.len()),
        batch_bytes_max: limits.batch_bytes_max,
    })
}

/// The topic as it is; `None` if there is none.
fn describe(admin: &Admin, kafka: &Kafka) -> Result<Option<TopicInfo>, SinkError> {
    let brokers = kafka.brokers.join(",");
    let mut topics = admin
        .describe(&TopicsRule::Names(vec![kafka.topic.clone()]))
        .map_err(|error| SinkError::of_admin(error, &brokers))?;
    if let Some((_, reason)) = topics.unclear.pop() {
        return Err(if topics.denied.is_empty() {
            let action = format!("describe topic {}", kafka.topic);
            SinkError::Failed { action, reason, passing: true }
        } else {
            SinkError::Denied { brokers, reason, passing: false }
        });
    }
    Ok(topics.found.pop())
}

fn warn_of_other_partitions(topic: &TopicInfo, kafka: &Kafka) {
    let Create::With(with) = kafka.create else { return };
    let partitions = count(topic.partitions.len());
    if partitions != with.partitions {
        let wanted = with.partitions;
        tracing::warn!(
            topic = topic.name,
            partitions,
            wanted,
            "the topic is there, with other partitions than kafka.create says; it is taken as it is"
        );
    }
}

/// Makes the topic and waits until its partitions have leaders.
fn make(admin: &Admin, kafka: &Kafka, keywords: &Keywords) -> Result<TopicInfo, SinkError> {
    let Create::With(with) = kafka.create else {
        return Err(SinkError::NoTopic { topic: kafka.topic.clone() });
    };
    named_partitions(&kafka.topic, with.partitions, keywords)?;
    let clock = Clock::start();
    create(kafka, with)?;
    tracing::info!(
        topic = kafka.topic,
        partitions = with.partitions,
        replication = with.replication,
        "topic made"
    );
    loop {
        let topic = describe(admin, kafka);
        let is_ready = |topic: &TopicInfo| {
            count(topic.partitions.len()) == with.partitions && topic.partitions.iter().all(|p| p.leader >= 0)
        };
        match topic {
            Ok(Some(topic)) if is_ready(&topic) => return Ok(topic),
            Err(error) if !error.is_passing() => return Err(error),
            _ if clock.monotonic() < PATIENCE => thread::park_timeout(LOOK_AGAIN),
            _ => {
                let action = format!("wait for leaders of the new topic {}", kafka.topic);
                let reason = format!("there are none after {} s", PATIENCE.as_secs());
                return Err(SinkError::Failed { action, reason, passing: true });
            }
        }
    }
}

fn create(kafka: &Kafka, with: CreateWith) -> Result<(), SinkError> {
    let failed = |reason: String| SinkError::Create { topic: kafka.topic.clone(), reason };
    let topic = NewTopic::new(&kafka.topic, with.partitions, TopicReplication::Fixed(with.replication));
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE)).request_timeout(Some(PATIENCE));
    let made = ask(kafka, |client| async move { client.create_topics([&topic], &options).await });
    let made = made.map_err(|error| failed(error.to_string()))?;
    match made.into_iter().next() {
        // Somebody else was faster.
        Some(Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(()),
        Some(Err((_, code))) => Err(failed(code.to_string())),
        None => Err(failed("no answer".to_owned())),
    }
}

/// Asks for the topic's settings. That may be forbidden, and is not worth failing for.
fn limits(kafka: &Kafka) -> Limits {
    let options = AdminOptions::new().request_timeout(Some(SETTINGS_PATIENCE));
    let resource = ResourceSpecifier::Topic(&kafka.topic);
    let told = ask(kafka, |client| async move { client.describe_configs([&resource], &options).await });
    let resource = match told.map(|mut told| told.pop()) {
        Ok(Some(Ok(resource))) => resource,
        refused => {
            tracing::debug!(?refused, topic = kafka.topic, "the topic's settings are not known");
            return Limits::default();
        }
    };
    read_limits(|name| value(&resource, name))
}

fn value<'a>(resource: &'a ConfigResource, name: &str) -> Option<&'a str> {
    resource.get(name)?.value.as_deref()
}

fn read_limits<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Limits {
    Limits {
        batch_bytes_max: get("max.message.bytes").and_then(|bytes| bytes.parse().ok()),
        in_sync_min: get("min.insync.replicas").and_then(|min| min.parse().ok()),
        compacted: get("cleanup.policy")
            .is_some_and(|policy| policy.split(',').any(|word| word.trim() == "compact")),
    }
}

/// Runs a request of rdkafka's admin client, which is asynchronous, on this thread.
fn ask<T, F>(kafka: &Kafka, request: impl FnOnce(AdminClient<DefaultClientContext>) -> F) -> KafkaResult<T>
where
    F: Future<Output = KafkaResult<T>>,
{
    let client = settings::maker(kafka).create()?;
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.map_err(|error| rdkafka::error::KafkaError::AdminOpCreation(error.to_string()))?;
    runtime.block_on(request(client))
}

/// Whether the topic takes what these keywords send, and warnings of what hinders for now.
fn judge(topic: &TopicInfo, limits: &Limits, keywords: &Keywords) -> Result<Vec<String>, SinkError> {
    named_partitions(&topic.name, count(topic.partitions.len()), keywords)?;
    if limits.compacted && keywords.unmatched == Unmatched::NullKey {
        return Err(SinkError::Compacted { topic: topic.name.clone() });
    }
    let min = limits.in_sync_min.unwrap_or(1);
    let mut warnings = Vec::new();
    for partition in &topic.partitions {
        let (replicas, in_sync) = (partition.replicas.len(), partition.isr.len());
        if replicas < min {
            let (topic, partition) = (topic.name.clone(), partition.number);
            return Err(SinkError::TooFewReplicas { topic, partition, replicas, min });
        }
        if partition.leader < 0 {
            warnings.push(format!("partition {} has no leader; its records wait", partition.number));
        } else if in_sync < min {
            warnings.push(format!(
                "partition {} has {in_sync} of {replicas} replicas in sync and min.insync.replicas is {min}; its records \
                 wait",
                partition.number
            ));
        }
    }
    // One line for a thousand partitions whose broker is away.
    let more = warnings.len().saturating_sub(WARNINGS_MAX);
    warnings.truncate(WARNINGS_MAX);
    if more > 0 {
        warnings.push(format!("the same holds for {more} more partitions"));
    }
    Ok(warnings)
}

/// Most partitions that are warned of one by one.
const WARNINGS_MAX: usize = 3;

fn named_partitions(topic: &str, partitions: i32, keywords: &Keywords) -> Result<(), SinkError> {
    for keyword in &keywords.list {
        if let Some(partition) = keyword.partition.filter(|partition| *partition >= partitions) {
            let (topic, key, last) = (topic.to_owned(), keyword.key.clone(), partitions - 1);
            return Err(SinkError::NoPartition { topic, key, partition, last });
        }
    }
    Ok(())
}

fn count(partitions: usize) -> i32 {
    i32::try_from(partitions).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::producer::Keyword;
    use crate::source::admin::PartitionInfo;

    fn topic(partitions: &[(i32, usize, usize)]) -> TopicInfo {
        let brokers = |copies: usize| (1..=count(copies)).collect::<Vec<i32>>();
        let info = |(number, (leader, replicas, isr)): (usize, &(i32, usize, usize))| PartitionInfo {
            number: count(number),
            leader: *leader,
            replicas: brokers(*replicas),
            isr: brokers(*isr),
        };
        TopicInfo {
            name: "t".to_owned(),
            id: None,
            partitions: partitions.iter().enumerate().map(info).collect(),
        }
    }

    fn keywords(partition: Option<i32>, unmatched: Unmatched) -> Keywords {
        let keyword = Keyword { key: "5G".to_owned(), terms: vec!["5G".to_owned()], partition };
        Keywords { list: vec![keyword], unmatched, ..Keywords::default() }
    }

    fn in_sync(min: usize) -> Limits {
        Limits { in_sync_min: Some(min), ..Limits::default() }
    }

    fn refused(topic: &TopicInfo, limits: &Limits, keywords: &Keywords) -> String {
        judge(topic, limits, keywords).unwrap_err().to_string()
    }

    #[test]
    fn a_partition_that_a_keyword_names_must_be_there() {
        let of = |partition| keywords(Some(partition), Unmatched::NullKey);
        let five = topic(&[(1, 1, 1); 5]);
        assert_eq!(judge(&five, &in_sync(1), &of(4)).unwrap(), Vec::<String>::new());
        let error = refused(&five, &in_sync(1), &of(5));
        assert!(
            error.starts_with("keyword \"5G\" goes to partition 5, and topic t has only 0 to 4;"),
            "{error}"
        );
    }

    #[test]
    fn too_few_copies_are_an_error_and_too_few_in_sync_a_warning() {
        let plain = keywords(None, Unmatched::NullKey);
        let judged =
            |partitions: &[(i32, usize, usize)], min| judge(&topic(partitions), &in_sync(min), &plain);
        assert!(judged(&[(1, 3, 2)], 2).unwrap().is_empty());
        let error = refused(&topic(&[(1, 3, 3), (1, 1, 1)]), &in_sync(2), &plain);
        assert!(
            error.contains("partition 1 of topic t has 1 replicas and min.insync.replicas is 2"),
            "{error}"
        );
        let warnings = judged(&[(1, 3, 3), (1, 3, 1), (-1, 3, 0)], 2).unwrap();
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].contains("partition 1 has 1 of 3 replicas in sync"), "{warnings:?}");
        assert!(warnings[1].contains("partition 2 has no leader"), "{warnings:?}");
        let many = judged(&[(-1, 1, 0); 10], 1).unwrap();
        assert_eq!(many.len(), 4);
        assert!(many[3].contains("7 more partitions"), "{many:?}");
    }

    #[test]
    fn a_compacted_topic_takes_no_posts_without_a_key() {
        let limits = read_limits(|name| (name == "cleanup.policy").then_some("delete, compact"));
        let error = refused(&topic(&[(1, 1, 1)]), &limits, &keywords(None, Unmatched::NullKey));
        assert!(error.contains("topic t is compacted"), "{error}");
        judge(&topic(&[(1, 1, 1)]), &limits, &keywords(None, Unmatched::Drop)).unwrap();
    }

    #[test]
    fn the_topics_settings_are_read() {
        let told =
            [("max.message.bytes", "1048588"), ("min.insync.replicas", "2"), ("cleanup.policy", "delete")];
        let get = |name: &str| told.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        let limits = Limits { batch_bytes_max: Some(1_048_588), in_sync_min: Some(2), compacted: false };
        assert_eq!(read_limits(get), limits);
        assert_eq!(read_limits(|_| None), Limits::default());
    }
}
