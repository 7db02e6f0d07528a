//! What the client's events say about partitions: which can be read, which are another topic's now.

use std::time::Duration;

use rdkafka::consumer::Consumer;

use super::KafkaSource;
use super::heard::Fetches;
use crate::source::events::{PartitionStatistics, Statistics, Trouble};
use crate::source::slots::{Fault, Slot, fault_in_log};
use crate::source::{HeardEnd, SourceError};

/// A broker that says nothing for so long, beyond the wait we ask it for, does not answer.
pub(super) const SILENCE: Duration = Duration::from_secs(3);

impl KafkaSource {
    /// Takes note of everything that has happened. Cheap when nothing has.
    pub(super) fn serve_events(&mut self) -> Result<(), SourceError> {
        for _ in 0..self.events.len() {
            match self.client.poll(Duration::ZERO) {
                None => {}
                Some(Err(error)) => tracing::debug!(%error, "kafka consumer error"),
                // Cannot be: partitions are forwarded before they start. Dropping it would lose a record.
                Some(Ok(message)) => {
                    return Err(SourceError::Fatal(format!("a record came past the queue: {message:?}")));
                }
            }
        }
        if let Some((_, reason)) = self.client.client().fatal_error() {
            return Err(SourceError::Fatal(reason));
        }
        let (statistics, errors, topic_ids, trouble) = {
            let mut inbox = self.client.context().inbox();
            let errors = std::mem::take(&mut inbox.partition_errors);
            (inbox.statistics.take(), errors, std::mem::take(&mut inbox.topic_ids), inbox.trouble.clone())
        };
        self.topic_ids.extend(topic_ids);
        let mut stopped = Vec::new();
        for (index, slot) in self.slots.iter_mut().filter(|(_, slot)| !slot.stopped()) {
            if let Some(id) = self.topic_ids.get(&*slot.partition.topic) {
                slot.identify(id);
            }
            if let Some(fault) = errors.iter().find_map(|line| fault_in_log(line, &slot.partition)) {
                slot.fail(fault);
            }
            if slot.stopped() {
                stopped.push(index);
            }
        }
        self.stop(&stopped)?;
        if let Some(statistics) = statistics {
            self.observe(&statistics, trouble);
        }
        Ok(())
    }

    /// Takes from the statistics which partitions can be read.
    fn observe(&mut self, statistics: &Statistics, trouble: Option<Trouble>) {
        let silence = if self.queued() == 0 { self.silence } else { Duration::MAX };
        let committed = self.settings.read_committed();
        self.fetches.note(statistics);
        let mut all_well = true;
        for (_, slot) in self.slots.iter_mut().filter(|(_, slot)| !slot.stopped()) {
            let led = statistics.partition(&slot.partition).filter(|known| known.broker >= 0);
            let blocked = unreachable(statistics, led, silence).map(|why| match &trouble {
                Some(trouble) if trouble.denied => Fault::Denied(trouble.reason.clone()),
                Some(trouble) => Fault::Unreachable(format!("{why}: {}", trouble.reason)),
                None => Fault::Unreachable(why),
            });
            all_well &= blocked.is_none();
            slot.observe(blocked);
            hear(slot, led, statistics.ts, &self.fetches, committed);
        }
        if all_well {
            self.client.context().inbox().trouble = None;
        }
    }
}

/// Takes from statistics, drawn up at `ts`, how far a partition's log reached when its leader last answered.
fn hear(slot: &mut Slot, led: Option<&PartitionStatistics>, ts: u64, fetches: &Fetches, committed: bool) {
    let Some(known) = led.filter(|known| known.fetch_state == "active") else {
        slot.fetched_from = None;
        return;
    };
    // Fetches that were sent before the partition was in them say nothing of it.
    let now = (known.broker, Duration::from_micros(ts));
    let from = slot.fetched_from.filter(|(broker, _)| *broker == known.broker).unwrap_or(now);
    slot.fetched_from = Some(from);
    let (_, since) = from;
    let end = if committed { known.ls_offset } else { known.hi_offset };
    let at = fetches.answered_after(known.broker).filter(|at| *at >= since);
    let high = known.hi_offset.max(end);
    // A log that ends below what was read is another leader's answer that came late. What a follower says may be old.
    let is_news =
        end >= 0 && known.hi_offset >= 0 && high >= slot.until.offset && known.broker == known.leader;
    if let (Some(at), true) = (at, is_news) {
        slot.heard_end = Some(HeardEnd { end, high, at });
    }
}

/// Why this partition cannot be read now, as far as the client knows.
///
/// The limits of this knowledge: it is up to half a second old; a leader that accepts connections and answers other
/// partitions' fetches counts as reachable; a broker that hangs is noticed after [`SILENCE`].
fn unreachable(
    statistics: &Statistics,
    led: Option<&PartitionStatistics>,
    silence: Duration,
) -> Option<String> {
    let Some(known) = led else {
        return Some("no leader known".to_owned());
    };
    let Some((name, broker)) = statistics.broker(known.broker) else {
        return Some(format!("broker {} unknown", known.broker));
    };
    if broker.state != "UP" {
        return Some(format!("broker {name} is {}", broker.state.to_lowercase()));
    }
    let idle = Duration::from_micros(u64::try_from(broker.rxidle).unwrap_or(0));
    let fetching = known.fetch_state == "active";
    (fetching && idle > silence).then(|| format!("broker {name} has not answered for {} s", idle.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Partition, Position};

    /// Statistics in which broker 1, after so many fetches, said that t/0 ends there; `leader` leads it.
    fn statistics(second: u64, leader: i32, end: i64) -> Statistics {
        let broker = serde_json::json!({
            "nodeid": 1, "state": "UP", "rxidle": 0, "req": {"Fetch": 10 * second},
        });
        let partition = serde_json::json!({
            "broker": 1, "leader": leader, "fetch_state": "active", "hi_offset": end, "ls_offset": end,
        });
        let all = serde_json::json!({
            "ts": second * 1_000_000, "brokers": {"b": broker}, "topics": {"t": {"partitions": {"0": partition}}},
        });
        serde_json::from_value(all).unwrap()
    }

    /// The ends that are believed, of what a slot at offset 100 hears in three seconds.
    fn heard(leader: i32, ends: [i64; 3]) -> Vec<Option<i64>> {
        let partition = Partition::new("t", 0);
        let mut slot = Slot::new(&partition, Position::at(100)).unwrap();
        let mut fetches = Fetches::default();
        let mut hear_one = |(second, end)| {
            let statistics = statistics(second, leader, end);
            fetches.note(&statistics);
            hear(&mut slot, statistics.partition(&partition), statistics.ts, &fetches, false);
            slot.heard_end.map(|heard| heard.end)
        };
        (1..).zip(ends).map(&mut hear_one).collect()
    }

    #[test]
    fn only_a_leader_is_believed_and_no_end_below_what_was_read() {
        assert_eq!(heard(1, [100, 120, 130]), [None, Some(120), Some(130)]);
        assert_eq!(
            heard(1, [100, 120, 90]),
            [None, Some(120), Some(120)],
            "the late answer of another leader"
        );
        assert_eq!(heard(2, [100, 120, 130]), [None; 3], "a follower may lag");
    }
}
