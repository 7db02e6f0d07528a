//! What the job's topics look like now: partitions, leaders, how far their logs reach.

use std::sync::Arc;

use super::{log_ranges, partitions_of};
use crate::driver::state::Facts;
use crate::source::admin::{Admin, TopicInfo, Topics, TopicsRule};

/// What a look has found.
pub(super) struct Looked {
    /// The topics that are there.
    pub(super) topics: Vec<TopicInfo>,
    /// Each of their partitions.
    pub(super) facts: Vec<Facts>,
    /// Topics of which the cluster could not say whether they are there: nothing follows from their absence.
    pub(super) unclear: Vec<Arc<str>>,
}

/// Asks about every partition of every topic of the rule.
pub(super) fn look(admin: &Admin, rule: &TopicsRule) -> anyhow::Result<Looked> {
    let Topics { found: topics, unclear, .. } = admin.describe(rule)?;
    let partitions: Vec<_> = topics.iter().flat_map(partitions_of).collect();
    let ranges = log_ranges(admin, &partitions)?;
    let infos = topics.iter().flat_map(|topic| topic.partitions.iter().map(move |info| (topic, info)));
    let facts = partitions.iter().zip(infos).map(|(partition, (topic, info))| Facts {
        partition: partition.clone(),
        topic_id: topic.id,
        led: info.leader >= 0,
        log: ranges.get(partition).map(|range| (range.first, range.high)),
    });
    let facts = facts.collect();
    let unclear = unclear.into_iter().map(|(topic, _)| topic.into()).collect();
    Ok(Looked { topics, facts, unclear })
}
