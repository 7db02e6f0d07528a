//! Counts of what came and what became of it. Two sums hold at every moment.

use std::fmt;

/// Counts since the start of this run.
///
/// `received = control + duplicate + malformed + unmatched_dropped + dropped + queued + sent`, and
/// `sent = acknowledged + failed + in flight`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounts {
    /// Everything that came from the source, heartbeats aside.
    pub received: u64,
    /// No posts: edits, deletions, notices.
    pub control: u64,
    /// Posts that came before.
    pub duplicate: u64,
    /// Not readable as posts.
    pub malformed: u64,
    /// Of these, longer than the source allows.
    pub too_long: u64,
    /// Posts without a keyword, sent or not.
    pub unmatched: u64,
    /// Of these, dropped because the producer file says so.
    pub unmatched_dropped: u64,
    /// Posts that found no place in the queue.
    pub dropped: u64,
    /// Posts handed to Kafka.
    pub sent: u64,
    /// Of these, posts that an earlier run had sent already.
    pub resent: u64,
    /// Records that Kafka has.
    pub acknowledged: u64,
    /// Records that Kafka refused for good.
    pub failed: u64,
    /// Intervals that the source did not deliver.
    pub gaps: u64,
    /// How long they are together, in milliseconds.
    pub gap_ms: u64,
    /// Of `acknowledged`, how many have each keyword; the last number is of those without one.
    pub by_keyword: Vec<u64>,
}

impl Accounts {
    pub(super) fn new(keywords: usize) -> Self {
        Self { by_keyword: vec![0; keywords + 1], ..Self::default() }
    }

    pub(super) fn acknowledge(&mut self, keyword: Option<u16>) {
        self.acknowledged += 1;
        let last = self.by_keyword.len() - 1;
        self.by_keyword[keyword.map_or(last, |keyword| usize::from(keyword).min(last))] += 1;
    }

    /// Posts in the queue: what is left of the first sum.
    pub fn queued(&self) -> u64 {
        self.received
            - self.control
            - self.duplicate
            - self.malformed
            - self.unmatched_dropped
            - self.dropped
            - self.sent
    }

    /// Records without an answer: what is left of the second sum.
    pub fn in_flight(&self) -> u64 {
        self.sent - self.acknowledged - self.failed
    }
}

/// Both sums in one line.
impl fmt::Display for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "received {} = control {} + duplicate {} + malformed {} + unmatched_dropped {} + dropped {} + queued {} \
             + sent {}; sent = acknowledged {} + failed {} + in flight {}",
            self.received,
            self.control,
            self.duplicate,
            self.malformed,
            self.unmatched_dropped,
            self.dropped,
            self.queued(),
            self.sent,
            self.acknowledged,
            self.failed,
            self.in_flight(),
        )
    }
}
