//! Which range of each partition is read again, and why: decided by the cursor's offsets and by how far the logs reach.

use std::collections::BTreeMap;

use crate::ids::{Offset, Partition};
use crate::source::admin::LogRange;

/// A partition's range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// The partition.
    pub partition: Partition,
    /// The first offset that is read.
    pub from: Offset,
    /// The offset before which reading ends: the log's end when it was asked for (high watermark).
    pub until: Offset,
    /// Why it begins there.
    pub begin: Begin,
}

/// Why reading begins where it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// The cursor says so.
    Saved,
    /// The cursor's offset is not in the log any more: what lay between was deleted (retention), and posts in it cannot
    /// be recognized.
    Expired(Offset),
    /// The log ends before the cursor's offset: it was cut off, or the topic was made anew. It is read from its beginning.
    Cut(Offset),
    /// The partition was added since.
    Added,
    /// The cursor knows other partitions up to a higher number and not this one. It is not read.
    Unknown,
}

/// A lane for each partition of the topic.
pub(super) fn plan(from: &BTreeMap<Partition, Offset>, logs: &BTreeMap<Partition, LogRange>) -> Vec<Lane> {
    let highest = from.keys().map(|partition| partition.number).max();
    let lane = |(partition, log): (&Partition, &LogRange)| {
        let (begin, first) = match from.get(partition) {
            Some(&saved) if saved > log.high => (Begin::Cut(saved), log.first),
            Some(&saved) if saved < log.first => (Begin::Expired(saved), log.first),
            Some(&saved) => (Begin::Saved, saved),
            None if highest.is_some_and(|highest| partition.number > highest) => (Begin::Added, log.first),
            None => (Begin::Unknown, log.high),
        };
        Lane { partition: partition.clone(), from: first, until: log.high, begin }
    };
    logs.iter().map(lane).collect()
}

impl Lane {
    /// Says what is not as the cursor has it.
    pub(super) fn log(&self) {
        let (partition, from, until) = (self.partition.to_string(), self.from, self.until);
        match self.begin {
            Begin::Saved => tracing::debug!(partition, from, until, "read again"),
            Begin::Added => tracing::info!(
                partition,
                from,
                until,
                "the partition was added since the cursor was saved; read from its beginning"
            ),
            Begin::Expired(saved) => tracing::warn!(
                partition,
                saved,
                from,
                "records behind the cursor's offset have expired; posts that were among them are sent again"
            ),
            Begin::Cut(saved) => tracing::warn!(
                partition,
                saved,
                until,
                "the log ends before the cursor's offset: it was cut off, or the topic was made anew; read from its beginning"
            ),
            Begin::Unknown => tracing::warn!(
                partition,
                "the cursor does not know this partition; posts that are in it already may be sent again"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_partition_begins_where_the_cursor_says_or_for_a_reason_of_its_own() {
        let p = |number| Partition::new("t", number);
        let log = |first, end, high| LogRange { first, end, high };
        let from = BTreeMap::from([(p(0), 5), (p(1), 5), (p(2), 11), (p(3), 8), (p(6), 0)]);
        let logs = BTreeMap::from([
            (p(0), log(0, 10, 10)),
            (p(1), log(7, 10, 10)),
            (p(2), log(2, 10, 10)),
            // Read committed: an open transaction of others begins at 6, and our own posts may lie behind it.
            (p(3), log(0, 6, 9)),
            (p(4), log(1, 10, 10)),
            (p(6), log(0, 0, 0)),
            (p(7), log(3, 10, 10)),
        ]);
        let planned: Vec<_> = plan(&from, &logs)
            .into_iter()
            .map(|lane| (lane.partition.number, lane.from, lane.until, lane.begin))
            .collect();
        let expected = [
            (0, 5, 10, Begin::Saved),
            (1, 7, 10, Begin::Expired(5)),
            (2, 2, 10, Begin::Cut(11)),
            (3, 8, 9, Begin::Saved),
            (4, 10, 10, Begin::Unknown),
            (6, 0, 0, Begin::Saved),
            (7, 3, 10, Begin::Added),
        ];
        assert_eq!(planned, expected);
        let nothing = plan(&BTreeMap::new(), &logs);
        assert!(nothing.iter().all(|lane| lane.begin == Begin::Unknown && lane.from == lane.until));
    }
}
