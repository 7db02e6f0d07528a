//! What the job's topics look like now: partitions, leaders, how far their logs reach.

use std::sync::Arc;

use super::{log_ranges, partitions_of};
use crate::driver::state::Facts;
use crate::source::admin::{Admin, TopicInfo, Topics, TopicsRule};

/// What a look has found.
#[derive(Debug)]
pub(in crate::driver) struct Looked {
    /// The topics that are there.
    pub(in crate::driver) topics: Vec<TopicInfo>,
    /// Each of their partitions.
    pub(in crate::driver) facts: Vec<Facts>,
    /// Topics of which the cluster could not say whether they are there: nothing follows from their absence.
    pub(in crate::driver) unclear: Vec<Arc<str>>,
}

/// Asks about every partition of every topic of the rule.
pub(super) fn look(admin: &Admin, rule: &TopicsRule) -> anyhow::Result<Looked> {
    let Topics { found: topics, unclear, .. } = admin.describe(rule)?;
    let partitions: Vec<_> = topics.iter().flat_map(partitions_of).collect();
    let ranges = log_ranges(admin, &partitions)?;
    let of_topics = topics.iter().flat_map(|topic| topic.partitions.iter().map(move |_| topic));
    let facts = partitions.iter().zip(of_topics).map(|(partition, topic)| Facts {
        partition: partition.clone(),
        topic_id: topic.id,
        log: ranges.get(partition).copied(),
    });
    let facts = facts.collect();
    let unclear = unclear.into_iter().map(|(topic, _)| topic.into()).collect();
    Ok(Looked { topics, facts, unclear })
}
