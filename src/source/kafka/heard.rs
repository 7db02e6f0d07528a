//! When a leader said how far a log reaches, by what the client's statistics show. Feeds `health`.
//!
//! ```text
//! fetches sent    c-2        c-1          c
//!              ----|----------|-----------|------>
//! statistics          ^S                     ^now: c fetches sent, and the end of a log
//! ```
//!
//! A client has one fetch under way per broker. So when fetch c was sent, the answer to fetch c-1 was there, and the
//! broker made it after fetch c-1 was sent, which was after statistics that counted at most c-2. The end in today's
//! statistics is not older than those (`S`). What was received, and when, says less: bytes may belong to another
//! request, or to an answer that is still coming in.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::source::events::Statistics;

/// The fetches that one client has sent, by the id of their broker.
#[derive(Debug, Default)]
pub(super) struct Fetches {
    brokers: HashMap<i32, Sent>,
}

/// What statistics said of one broker.
#[derive(Debug)]
struct Sent {
    /// Requests that were never answered: they end what is known.
    broken: (u64, u64),
    /// When statistics were drawn up, and how many fetches had been sent by then; ascending.
    counts: VecDeque<(Duration, u64)>,
}

impl Fetches {
    /// Takes note of new statistics.
    pub(super) fn note(&mut self, statistics: &Statistics) {
        let at = Duration::from_micros(statistics.ts);
        self.brokers.retain(|id, _| statistics.broker(*id).is_some_and(|(_, broker)| broker.state == "UP"));
        for broker in statistics.brokers.values().filter(|broker| broker.nodeid >= 0 && broker.state == "UP")
        {
            let broken = (broker.disconnects, broker.req_timeouts);
            let sent = self.brokers.entry(broker.nodeid).or_insert_with(|| Sent::new(broken));
            if sent.broken != broken {
                *sent = Sent::new(broken);
            }
            sent.note(at, broker.req.fetch);
        }
    }

    /// What this broker's last complete answer says is not older than this; `None` if nobody can know.
    pub(super) fn answered_after(&self, broker: i32) -> Option<Duration> {
        self.brokers.get(&broker)?.answered_after()
    }
}

impl Sent {
    fn new(broken: (u64, u64)) -> Self {
        Self { broken, counts: VecDeque::new() }
    }

    fn note(&mut self, at: Duration, fetches: u64) {
        // Of statistics with the same count the last says most.
        self.counts.pop_back_if(|(_, before)| *before == fetches);
        self.counts.push_back((at, fetches));
        while self.counts.get(1).is_some_and(|(_, count)| count + 2 <= fetches) {
            self.counts.pop_front();
        }
    }

    fn answered_after(&self) -> Option<Duration> {
        let (_, fetches) = self.counts.back()?;
        self.counts.front().filter(|(_, count)| count + 2 <= *fetches).map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(sent: &mut Sent, at_ms: u64, fetches: u64) -> Option<u64> {
        sent.note(Duration::from_millis(at_ms), fetches);
        sent.answered_after().map(|at| u64::try_from(at.as_millis()).unwrap())
    }

    #[test]
    fn an_end_is_not_older_than_statistics_two_fetches_ago() {
        let mut sent = Sent::new((0, 0));
        assert_eq!(after(&mut sent, 500, 7), None);
        assert_eq!(after(&mut sent, 1_000, 8), None, "fetch 8 may be older than the first statistics");
        assert_eq!(after(&mut sent, 1_500, 9), Some(500));
        assert_eq!(after(&mut sent, 2_000, 12), Some(1_500));
    }

    #[test]
    fn while_no_further_fetch_is_sent_the_end_grows_old() {
        let mut sent = Sent::new((0, 0));
        after(&mut sent, 500, 1);
        assert_eq!(after(&mut sent, 1_000, 3), Some(500));
        for at_ms in [1_500, 2_000, 9_500] {
            assert_eq!(after(&mut sent, at_ms, 3), Some(500), "a slow answer");
        }
        assert!(sent.counts.len() <= 3);
    }

    #[test]
    fn a_connection_that_broke_ends_what_is_known() {
        let statistics = |ts: u64, fetches: u64, disconnects: u64| -> Statistics {
            let broker = serde_json::json!({
                "nodeid": 1, "state": "UP", "rxidle": 0, "disconnects": disconnects, "req": {"Fetch": fetches},
            });
            serde_json::from_value(serde_json::json!({"ts": ts, "brokers": {"b": broker}})).unwrap()
        };
        let mut fetches = Fetches::default();
        fetches.note(&statistics(500_000, 1, 0));
        fetches.note(&statistics(1_000_000, 3, 0));
        assert_eq!(fetches.answered_after(1), Some(Duration::from_millis(500)));
        fetches.note(&statistics(1_500_000, 4, 1));
        assert_eq!(fetches.answered_after(1), None, "the answer to fetch 3 may never have come");
        fetches.note(&statistics(2_000_000, 6, 1));
        assert_eq!(fetches.answered_after(1), Some(Duration::from_millis(1_500)));
        assert_eq!(fetches.answered_after(2), None);
    }
}
