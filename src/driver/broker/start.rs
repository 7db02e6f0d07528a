//! Where reading begins: what is counted, from where, and how long to wait for Kafka to say so. Feeds
//! [`Broker`](super::Broker)'s first answers.

use std::collections::BTreeMap;
use std::sync::mpsc as requests;
use std::time::Duration;

use super::{Request, StartRules, log_ranges, partitions_of};
use crate::config::{Job, OnDataLoss, Topics};
use crate::driver::keeper::Stream;
use crate::driver::state::Start;
use crate::ids::{Partition, Position};
use crate::source::admin::{Admin, TopicsRule};
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
        Topics::Named(names) => TopicsRule::Names(names.to_vec()),
        Topics::Matching(pattern) => TopicsRule::Pattern(pattern),
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

pub(super) fn found(admin: &Admin, rule: &TopicsRule) -> anyhow::Result<Stream> {
    let topics = admin.describe(rule)?.into_iter().map(|topic| (topic.name, topic.id)).collect();
    Ok(Stream { cluster: admin.cluster_id()?, topics })
}

/// Where every partition is read from, and what is lost by it. What comes out is numbers.
pub(super) fn resolve(
    admin: &Admin,
    rule: &TopicsRule,
    job: &Job,
    rules: StartRules,
    held: Option<&[(Partition, Position)]>,
) -> anyhow::Result<(Vec<Start>, Vec<Loss>)> {
    let topics = admin.describe(rule)?;
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
        Start { partition, position, log_end }
    };
    Ok((resolved.positions.into_iter().map(start).collect(), resolved.losses))
}
