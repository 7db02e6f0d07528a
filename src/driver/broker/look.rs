//! What the job's topics look like now: partitions, leaders, how far their logs reach.

use super::{log_ranges, partitions_of};
use crate::driver::state::Facts;
use crate::source::admin::{Admin, AdminError, TopicInfo, TopicsRule};

/// Asks about every partition of every topic of the rule.
pub(super) fn look(admin: &Admin, rule: &TopicsRule) -> anyhow::Result<(Vec<TopicInfo>, Vec<Facts>)> {
    let topics = match admin.describe(rule) {
        Err(AdminError::NoTopic { .. }) => Vec::new(),
        other => other?,
    };
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
    Ok((topics, facts))
}
