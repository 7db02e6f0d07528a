//! Where reading begins: what is counted, from where, and how long to wait for Kafka to say so. Feeds
//! [`Broker`](super::Broker)'s first answers.

use std::collections::BTreeMap;
use std::sync::mpsc as requests;

mod patience;
mod presence;

use patience::{Kind, Obstacle, Patience, Verdict};
use presence::NotThere;

use super::{Request, StartRules, log_ranges, partitions_of};
use crate::clock::Clock;
use crate::config::{self, Job, OnDataLoss};
use crate::driver::keeper::Stream;
use crate::driver::state::Start;
use crate::ids::{Partition, Position};
use crate::source::admin::{Admin, AdminError, TopicInfo, TopicsRule};
use crate::source::start::{self, Loss, LossPolicy, StartError, StartRule};

/// A pattern is for whole names, as the job file says.
pub(super) fn topics_rule(job: &Job) -> anyhow::Result<TopicsRule> {
    Ok(match job.source.topics().map_err(anyhow::Error::msg)? {
        config::Topics::Named(names) => TopicsRule::Names(names.to_vec()),
        config::Topics::Matching(pattern) => TopicsRule::Pattern(pattern),
    })
}

/// A start's questions, asked until there is an answer or it is clear that there will be none.
pub(super) struct Questions<'a> {
    patience: Patience,
    clock: Clock,
    requests: &'a requests::Receiver<Request>,
}

impl<'a> Questions<'a> {
    /// `patient`: an earlier attempt has found everything.
    pub(super) fn new(job: &Job, patient: bool, requests: &'a requests::Receiver<Request>) -> Self {
        let skip_lost = job.source.on_data_loss == OnDataLoss::Earliest;
        Self { patience: Patience::new(patient, skip_lost), clock: Clock::start(), requests }
    }

    /// Asks one of them. `None`: the driver is over before there is an answer.
    pub(super) fn until<T>(
        &mut self,
        mut ask: impl FnMut(&Patience) -> anyhow::Result<T>,
    ) -> anyhow::Result<Option<T>> {
        loop {
            let error = match ask(&self.patience) {
                Ok(answer) => return Ok(Some(answer)),
                Err(error) => error,
            };
            let verdict = self.patience.judge(obstacles(&error), self.clock.monotonic());
            let Verdict::Again { after, tell } = verdict else { return Err(error) };
            if tell {
                tracing::warn!("wait for Kafka: {error:#}");
            }
            // Nothing is asked for before the start is known, so this only waits.
            if let Err(requests::RecvTimeoutError::Disconnected) = self.requests.recv_timeout(after) {
                return Ok(None);
            }
        }
    }
}

/// What stands in the way of a start, by an error.
fn obstacles(error: &anyhow::Error) -> Vec<Obstacle> {
    if let Some(missing) = error.downcast_ref::<NotThere>() {
        return missing.obstacles();
    }
    if let Some(StartError::Doubtful(losses)) = error.downcast_ref() {
        return losses.iter().map(|loss| (Kind::Doubtful, loss.partition.to_string())).collect();
    }
    let kind = match (error.downcast_ref(), error.downcast_ref()) {
        (Some(StartError::Lost(_)), _) | (_, Some(AdminError::Settings(_))) => Kind::Final,
        (Some(StartError::Unknown(_)), _) => Kind::Leaderless,
        (_, Some(AdminError::Denied { passing: false, .. })) => Kind::Denied,
        _ => Kind::Away,
    };
    vec![(kind, String::new())]
}

pub(super) fn found(admin: &Admin, rule: &TopicsRule, job: &Job) -> anyhow::Result<Stream> {
    let topics = topics(admin, rule, job)?.into_iter().map(|topic| (topic.name, topic.id)).collect();
    Ok(Stream { cluster: admin.cluster_id()?, topics })
}

/// The job's topics, all of which must be there; a pattern must match one.
fn topics(admin: &Admin, rule: &TopicsRule, job: &Job) -> anyhow::Result<Vec<TopicInfo>> {
    Ok(presence::complete(admin.describe(rule)?, rule, &job.source.brokers.join(","))?)
}

/// Where every partition is read from, and what is lost by it. What comes out is numbers. What looks lost is
/// lost once `patience` believes it.
pub(super) fn resolve(
    admin: &Admin,
    rule: &TopicsRule,
    job: &Job,
    rules: StartRules,
    held: Option<&[(Partition, Position)]>,
    patience: &Patience,
) -> anyhow::Result<(Vec<Start>, Vec<Loss>)> {
    let topics = topics(admin, rule, job)?;
    let partitions: Vec<_> = topics.iter().flat_map(partitions_of).collect();
    let ranges: BTreeMap<_, _> = log_ranges(admin, &partitions)?;
    let from_checkpoint = held.is_some();
    let held: BTreeMap<_, _> = match held {
        Some(held) => held.iter().cloned().collect(),
        None => committed(admin, &partitions)?,
    };
    let believed =
        held.keys().filter(|partition| patience.believes(&partition.to_string())).cloned().collect();
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
    let pattern = match rule {
        TopicsRule::Pattern(pattern) => Some(pattern),
        TopicsRule::Names(_) => None,
    };
    let facts = start::Facts {
        topics: &topics,
        ranges: &ranges,
        held: &held,
        at_time: &at_time,
        pattern,
        believed: &believed,
    };
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
        let earliest = resolved.oldest.contains(&partition);
        Start { partition, position, log_end, earliest }
    };
    Ok((resolved.positions.into_iter().map(start).collect(), resolved.losses))
}

/// What the group has committed for these partitions.
fn committed(admin: &Admin, partitions: &[Partition]) -> anyhow::Result<BTreeMap<Partition, Position>> {
    let positions = admin.committed(partitions)?;
    let mut committed: BTreeMap<_, _> =
        partitions.iter().cloned().zip(positions).filter_map(|(p, at)| Some((p, at?))).collect();
    let with_epoch = committed.iter().filter(|(_, position)| position.leader_epoch >= 0);
    let with_epoch: Vec<_> = with_epoch.map(|(partition, _)| partition.clone()).collect();
    start::forget_foreign_epochs(&mut committed, &admin.leader_epochs(&with_epoch)?);
    Ok(committed)
}
