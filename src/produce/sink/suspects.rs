//! Records that a broker refused along with others of their batch, which may be good: each goes once more, alone in its
//! batch, and only what is refused then has failed. Kept by `deliveries`, asked by `Sink::send` and `Sink::reports`.
//!
//! Brokers do not always say which record of a batch they mean (KIP-467), and librdkafka does not pass it on.

use std::collections::{BTreeSet, VecDeque};

use super::deliveries::Again;

/// What is under suspicion. Nothing else is sent meanwhile, so there are never more than fit into the client's queue.
#[derive(Default)]
pub(super) struct Suspects {
    /// To be sent again by the sink: without transactions.
    waiting: VecDeque<Again>,
    /// To be sent again by the caller: with transactions, where an abort gives them back.
    expected: BTreeSet<u64>,
    /// The one that is under way by itself.
    alone: Option<u64>,
}

impl Suspects {
    /// Whether `Sink::send` has to ask [`Suspects::admit`].
    pub(super) fn any(&self) -> bool {
        self.alone.is_some() || !self.waiting.is_empty() || !self.expected.is_empty()
    }

    /// Takes one that the sink sends again.
    pub(super) fn wait(&mut self, record: Again) {
        self.waiting.push_back(record);
    }

    /// Notes one that the caller sends again.
    pub(super) fn expect(&mut self, number: u64) {
        self.expected.insert(number);
    }

    /// Whether the caller may send this record now. `idle`: nothing is under way.
    pub(super) fn admit(&mut self, number: u64, idle: bool) -> bool {
        if self.alone.is_some() || !self.waiting.is_empty() {
            return false;
        }
        if !self.expected.contains(&number) {
            return true;
        }
        if idle {
            self.alone = Some(number);
        }
        idle
    }

    /// The next one that the sink sends. To be called when nothing is under way.
    pub(super) fn next(&mut self) -> Option<Again> {
        if self.alone.is_some() {
            return None;
        }
        let next = self.waiting.pop_front()?;
        self.alone = Some(next.number);
        Some(next)
    }

    /// The record was not taken by the client: it is as before.
    pub(super) fn not_sent(&mut self, number: u64, record: Option<Again>) {
        self.alone.take_if(|alone| *alone == number);
        if let Some(record) = record {
            self.waiting.push_front(record);
        }
    }

    /// There is an answer for the record. Returns whether it was sent alone, so that the answer means itself.
    pub(super) fn answered(&mut self, number: u64) -> bool {
        let was_alone = self.alone.take_if(|alone| *alone == number).is_some();
        if was_alone {
            self.expected.remove(&number);
        }
        was_alone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(number: u64) -> Again {
        Again { number, key: None, json: Box::default(), partition: 0 }
    }

    #[test]
    fn suspects_of_the_sink_go_one_by_one_and_nothing_else_meanwhile() {
        let mut suspects = Suspects::default();
        assert!(!suspects.any() && suspects.admit(9, false));
        suspects.wait(record(1));
        suspects.wait(record(2));
        assert!(suspects.any() && !suspects.admit(9, true));
        assert_eq!(suspects.next().unwrap().number, 1);
        assert!(suspects.next().is_none(), "one is under way");
        assert!(!suspects.answered(7) && suspects.answered(1) && !suspects.answered(1));
        let second = suspects.next().unwrap();
        suspects.not_sent(2, Some(second));
        assert_eq!(suspects.next().unwrap().number, 2);
        assert!(!suspects.admit(9, true));
        assert!(suspects.answered(2) && !suspects.any() && suspects.admit(9, false));
    }

    #[test]
    fn suspects_of_the_caller_wait_until_nothing_is_under_way() {
        let mut suspects = Suspects::default();
        suspects.expect(2);
        assert!(suspects.any() && suspects.admit(1, false), "others go");
        assert!(!suspects.admit(2, false));
        assert!(suspects.admit(2, true) && !suspects.admit(3, true), "alone");
        suspects.not_sent(2, None);
        assert!(!suspects.admit(2, false) && suspects.admit(2, true));
        assert!(suspects.answered(2) && !suspects.any());
    }
}
