//! The wait for other producers' open transactions: committed records behind the beginning of one cannot be read before it
//! ends. Part of `recall`, which would overlook its own posts there.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use super::{Lane, failed};
use crate::clock::Clock;
use crate::config::producer::Kafka;
use crate::ids::{Offset, Partition};
use crate::produce::sink::SinkError;
use crate::source::Admin;

/// How often the brokers are asked.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// After this long the log says what is waited for.
const SAY_AFTER: Duration = Duration::from_secs(2);

/// Waits until each lane can be read to its end: until its last stable offset, first that of `ends`, is there. By `until`
/// on this clock it gives up.
pub(super) fn wait(
    admin: &Admin,
    kafka: &Kafka,
    lanes: &[Lane],
    mut ends: BTreeMap<Partition, Offset>,
    (clock, until): (Clock, Duration),
) -> Result<(), SinkError> {
    let (begun, mut said) = (clock.monotonic(), false);
    loop {
        let hidden = hidden(lanes, &ends);
        let Some((first, stable, end)) = hidden.first() else { return Ok(()) };
        let now = clock.monotonic();
        let (partitions, brokers) = (hidden.len(), kafka.brokers.join(","));
        if now >= until {
            let reason = format!(
                "a transaction of another producer is open in {first} since offset {stable}, and hides committed records \
                 up to {end}; {partitions} partitions are affected; find its transactional.id and end it: \
                 kafka-transactions.sh --bootstrap-server {brokers} list, describe --transactional-id ID, and abort \
                 --topic {} --partition {} --start-offset {stable}, or wait until its transaction.timeout.ms is over",
                first.topic, first.number
            );
            return Err(failed(kafka, reason));
        }
        if !said && now >= begun + SAY_AFTER {
            said = true;
            tracing::warn!(
                partition = %first,
                stable,
                end,
                partitions,
                "waits for other producers' open transactions, which hide committed records; kafka-transactions.sh list and \
                 describe show their transactional.id, abort ends one that hangs"
            );
        }
        thread::park_timeout(ASK_EVERY.min(until - now));
        let asked: Vec<Partition> = hidden.into_iter().map(|(partition, ..)| partition).collect();
        let ranges = admin.log_range(&asked).map_err(|error| SinkError::of_admin(error, &brokers))?;
        // One whose leader cannot tell just now is asked again.
        for (partition, range) in asked.into_iter().zip(ranges) {
            if let Ok(range) = range {
                ends.insert(partition, range.end);
            }
        }
    }
}

/// The lanes that cannot be read to their end: partition, last stable offset, end.
fn hidden(lanes: &[Lane], ends: &BTreeMap<Partition, Offset>) -> Vec<(Partition, Offset, Offset)> {
    let hidden = |lane: &Lane| {
        let stable = ends.get(&lane.partition).copied().unwrap_or(lane.from);
        let is_hidden = lane.from < lane.until && stable < lane.until;
        is_hidden.then(|| (lane.partition.clone(), stable, lane.until))
    };
    lanes.iter().filter_map(hidden).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::produce::recall::Begin;

    #[test]
    fn only_what_is_to_be_read_is_waited_for() {
        let p = |number| Partition::new("t", number);
        let lane = |number, from, until| Lane { partition: p(number), from, until, begin: Begin::Saved };
        let lanes = [lane(0, 0, 10), lane(1, 10, 10), lane(2, 3, 10), lane(3, 8, 10)];
        let ends = BTreeMap::from([(p(0), 10), (p(1), 4), (p(2), 9), (p(3), 5)]);
        assert_eq!(hidden(&lanes, &ends), [(p(2), 9, 10), (p(3), 5, 10)]);
    }
}
