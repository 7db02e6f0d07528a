//! What can be seen of a producer from outside, all of one moment. Fed by `run`; shown by metrics, health, the demo.

use std::time::Duration;

use super::feed::Reconnects;
use super::ledger::Accounts;
use crate::metrics::{ProducerCount, ProducerMetrics};

/// A producer at one moment.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// What came and what became of it.
    pub accounts: Accounts,
    /// How often the source was connected to again, by reason.
    pub reconnects: Reconnects,
    /// Why the producer should not be relied on, if there is a reason.
    pub trouble: Option<String>,
    /// How long what is done has not been saved.
    pub cursor_age: Duration,
    /// Posts that the source says it left out.
    pub undelivered: u64,
    /// How often the cursor could not be saved.
    pub cursor_failures: u64,
}

impl View {
    /// Enters it in the metrics.
    pub fn show(&self, metrics: &ProducerMetrics) {
        use ProducerCount as Count;
        let accounts = &self.accounts;
        for (count, value) in [
            (Count::Received, accounts.received),
            (Count::Control, accounts.control),
            (Count::Duplicate, accounts.duplicate),
            (Count::Malformed, accounts.malformed),
            (Count::Unmatched, accounts.unmatched),
            (Count::UnmatchedDropped, accounts.unmatched_dropped),
            (Count::Dropped, accounts.dropped),
            (Count::Sent, accounts.sent),
            (Count::Resent, accounts.resent),
            (Count::Acknowledged, accounts.acknowledged),
            (Count::Failed, accounts.failed),
            (Count::Gaps, accounts.gaps),
            (Count::Undelivered, self.undelivered),
            (Count::CursorFailures, self.cursor_failures),
        ] {
            metrics.count(count, value);
        }
        metrics.gap_seconds(Duration::from_millis(accounts.gap_ms));
        metrics.waiting(accounts.queued(), accounts.in_flight());
        metrics.cursor_age(self.cursor_age);
        for (reason, times) in self.reconnects.iter() {
            metrics.reconnects(reason.name(), times);
        }
    }
}
