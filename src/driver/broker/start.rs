//! Where reading begins: what is counted, from where, and how long to wait for Kafka to say so. Feeds
//! [`Broker`](super::Broker)'s first answers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::mpsc as requests;
use std::time::Duration;

use super::{Request, StartRules, log_ranges, partitions_of};
use crate::config::{self, Job, OnDataLoss};
use crate::driver::keeper::Stream;
use crate::driver::state::Start;
use crate::ids::{Partition, Position};
use crate::source::admin::{Admin, TopicInfo, Topics, TopicsRule};
use crate::source::start::{self, Loss, LossPolicy, StartError, StartRule};

/// How long a start waits for partitions without a leader.
const LEADERLESS: Duration = Duration::from_secs(10);
/// How often it asks again.
const LEADERLESS_EVERY: Duration = Duration::from_millis(250);
/// How often an attempt that waits for Kafka asks it again.
const KAFKA_EVERY: Duration = Duration::from_secs(2);

/// A pattern is for whole names, as the job file says.
pub(super) fn topics_rule(job: &Job) -> anyhow::Result<TopicsRule> {
    Ok(match job.source.topics().map_err(anyhow::Error::msg)? {
        config::Topics::Named(names) => TopicsRule::Names(names.to_vec()),
        config::Topics::Matching(pattern) => TopicsRule::Pattern(pattern),
    })
}

/// How long a start waits for Kafka.
pub(super) struct Patience<'a> {
    /// Whether an earlier attempt has found everything: then what is not there now comes back, as it does for a job
    /// that runs.
    pub(super) patient: bool,
    pub(super) requests: &'a requests::Receiver<Request>,
}

impl Patience<'_> {
    /// Asks until there is an answer, or it is clear that there will be none. A topic that was just made, or whose
    /// broker just came up, has its leaders a moment later. `None`: the driver is over before that.
    pub(super) fn until<T>(&self, mut ask: impl FnMut() -> anyhow::Result<T>) -> anyhow::Result<Option<T>> {
        let mut tries_left = LEADERLESS.as_millis() / LEADERLESS_EVERY.as_millis();
        let mut told = false;
        loop {
            let error = match ask() {
                Ok(answer) => return Ok(Some(answer)),
                Err(error) => error,
            };
            let every = match error.downcast_ref() {
                Some(StartError::Lost(_)) => return Err(error),
                Some(StartError::Unknown(_)) if tries_left > 0 => {
                    tries_left -= 1;
                    LEADERLESS_EVERY
                }
                _ if self.patient => {
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!("wait for Kafka: {error:#}");
                    }
                    KAFKA_EVERY
                }
                _ => return Err(error),
            };
            // Nothing is asked for before the start is known, so this only waits.
            if let Err(requests::RecvTimeoutError::Disconnected) = self.requests.recv_timeout(every) {
                return Ok(None);
            }
        }
    }
}

pub(super) fn found(admin: &Admin, rule: &TopicsRule, job: &Job) -> anyhow::Result<Stream> {
    let topics = topics(admin, rule, job)?.into_iter().map(|topic| (topic.name, topic.id)).collect();
    Ok(Stream { cluster: admin.cluster_id()?, topics })
}

/// The job's topics, all of which must be there; a pattern must match one.
fn topics(admin: &Admin, rule: &TopicsRule, job: &Job) -> anyhow::Result<Vec<TopicInfo>> {
    Ok(complete(admin.describe(rule)?, rule, &job.source.brokers.join(","))?)
}

fn complete(topics: Topics, rule: &TopicsRule, brokers: &str) -> Result<Vec<TopicInfo>, NotThere> {
    let Topics { found, mut absent, unclear, denied: _ } = topics;
    if matches!(rule, TopicsRule::Pattern(_)) && found.is_empty() && unclear.is_empty() {
        absent.push(rule.to_string());
    }
    if absent.is_empty() && unclear.is_empty() {
        return Ok(found);
    }
    Err(NotThere { absent, unclear, brokers: brokers.to_owned() })
}

/// Topics without which reading cannot begin.
#[derive(Debug, thiserror::Error)]
struct NotThere {
    /// The cluster says that there are none of these names, or that nothing matches this pattern.
    absent: Vec<String>,
    /// The cluster could not say, and why.
    unclear: Vec<(String, String)>,
    brokers: String,
}

impl fmt::Display for NotThere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { absent, unclear, brokers } = self;
        let mut parts = Vec::new();
        if let [only] = absent.as_slice() {
            parts.push(format!("topic {only} does not exist on {brokers}: create it, or correct source.topics or source.brokers"));
        } else if !absent.is_empty() {
            let absent = absent.join(", ");
            parts.push(format!("topics {absent} do not exist on {brokers}: create them, or correct source.topics or source.brokers"));
        }
        parts.extend(
            unclear.iter().map(|(topic, reason)| format!("describe topic {topic} on {brokers}: {reason}")),
        );
        f.write_str(&parts.join("; "))
    }
}

/// Where every partition is read from, and what is lost by it. What comes out is numbers.
pub(super) fn resolve(
    admin: &Admin,
    rule: &TopicsRule,
    job: &Job,
    rules: StartRules,
    held: Option<&[(Partition, Position)]>,
) -> anyhow::Result<(Vec<Start>, Vec<Loss>)> {
    let topics = topics(admin, rule, job)?;
    let partitions: Vec<_> = topics.iter().flat_map(partitions_of).collect();
    let ranges: BTreeMap<_, _> = log_ranges(admin, &partitions)?;
    let from_checkpoint = held.is_some();
    let held: BTreeMap<_, _> = match held {
        Some(held) => held.iter().cloned().collect(),
        None => {
            let committed = admin.committed(&partitions)?;
            partitions.iter().cloned().zip(committed).filter_map(|(p, at)| Some((p, at?))).collect()
        }
    };
    let forced = rules.forced.filter(|_| !from_checkpoint);
    let at_time = match forced.unwrap_or(rules.fallback) {
        StartRule::Timestamp(time_ms) => {
            let offsets = admin.offsets_for_time(&partitions, time_ms)?;
            partitions
                .iter()
                .cloned()
                .zip(offsets)
                .filter_map(|(p, offset)| Some((p, offset.ok()?)))
                .collect()
        }
        StartRule::Latest | StartRule::Earliest => BTreeMap::new(),
    };
    let facts = start::Facts { topics: &topics, ranges: &ranges, held: &held, at_time: &at_time };
    let policy = match job.source.on_data_loss {
        OnDataLoss::Fail => LossPolicy::Fail,
        OnDataLoss::Earliest => LossPolicy::Earliest,
    };
    let resolved = start::resolve_start(facts, rules.fallback, forced, policy)?;
    for partition in &resolved.new {
        tracing::info!(%partition, "a partition without a position is new, and read from its beginning");
    }
    let start = |(partition, position): (Partition, Position)| {
        let log_end = ranges.get(&partition).map(|range| range.end);
        let earliest = false;
        Start { partition, position, log_end, earliest }
    };
    Ok((resolved.positions.into_iter().map(start).collect(), resolved.losses))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &str) -> TopicInfo {
        TopicInfo { name: name.to_owned(), id: None, partitions: Vec::new() }
    }

    fn refused(topics: Topics, rule: &TopicsRule) -> String {
        complete(topics, rule, "b:1").unwrap_err().to_string()
    }

    #[test]
    fn exactly_the_topics_that_are_missing_are_named() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let rule = TopicsRule::Names(names(&["a", "b", "c", "d"]));
        let found = vec![topic("a")];
        let there = complete(Topics { found: found.clone(), ..Topics::default() }, &rule, "b:1").unwrap();
        assert_eq!(there, found);
        let told =
            refused(Topics { found: found.clone(), absent: names(&["b"]), ..Topics::default() }, &rule);
        assert!(told.starts_with("topic b does not exist on b:1: create it"), "{told}");
        let unclear = vec![("d".to_owned(), "authorization failed".to_owned())];
        let some = Topics { found, absent: names(&["b", "c"]), unclear, denied: names(&["d"]) };
        let told = refused(some, &rule);
        assert!(told.starts_with("topics b, c do not exist"), "{told}");
        assert!(told.ends_with("; describe topic d on b:1: authorization failed"), "{told}");
    }

    #[test]
    fn a_pattern_must_match_a_topic() {
        let rule = TopicsRule::Pattern(regex::Regex::new("^x-.*$").unwrap());
        let told = refused(Topics::default(), &rule);
        assert!(told.starts_with("topic ^x-.*$ does not exist"), "{told}");
    }
}
