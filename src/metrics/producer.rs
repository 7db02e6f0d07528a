//! A producer's metrics. Two sums hold in every scrape:
//! `received = control + duplicate + malformed + unmatched_dropped + dropped + queued + sent`, and
//! `sent = acknowledged + failed + in_flight`.

use std::time::Duration;

use prometheus::{Gauge, IntCounter, IntCounterVec, IntGauge};

use super::exposition::{Exposition, int};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProducerCount {
    /// Everything that came from the source, heartbeats aside.
    Received,
    /// No posts: edits, deletions, notices.
    Control,
    /// Posts that came before.
    Duplicate,
    /// Not readable as posts.
    Malformed,
    /// Posts without a keyword, sent or not.
    Unmatched,
    /// Of these, dropped.
    UnmatchedDropped,
    /// Posts that found no place in the queue.
    Dropped,
    /// Posts handed to Kafka.
    Sent,
    /// Of these, sent by an earlier run already.
    Resent,
    /// Records that Kafka has.
    Acknowledged,
    /// Records that Kafka refused for good.
    Failed,
    /// Intervals that the source did not deliver.
    Gaps,
    /// Posts that the source says it left out.
    Undelivered,
    /// Cursors that could not be saved.
    CursorFailures,
}

/// Name and help of each count, in the order of [`ProducerCount`].
const COUNTS: [(&str, &str); 14] = [
    ("spindle_producer_received_total", "What came from the source, heartbeats aside."),
    ("spindle_producer_control_total", "What came and was no post: edits, deletions, notices."),
    ("spindle_producer_duplicate_total", "Posts that came before, by their id; not sent again."),
    ("spindle_producer_malformed_total", "What came and was not readable as a post; not sent."),
    ("spindle_producer_unmatched_total", "Posts without a keyword, sent or not."),
    ("spindle_producer_unmatched_dropped_total", "Posts without a keyword that were dropped as configured."),
    ("spindle_producer_dropped_total", "Posts dropped because the queue was full, as configured."),
    ("spindle_producer_sent_total", "Posts handed to Kafka."),
    ("spindle_producer_resent_total", "Posts sent that an earlier run had sent already."),
    ("spindle_producer_acknowledged_total", "Records that Kafka acknowledged."),
    ("spindle_producer_failed_total", "Records that Kafka refused for good."),
    ("spindle_producer_gaps_total", "Intervals that the source did not deliver."),
    ("spindle_producer_undelivered_total", "Posts that the source says it left out, as there were too many."),
    ("spindle_producer_cursor_failures_total", "Cursors that could not be saved; tried again."),
];

/// All that a producer measures.
#[derive(Debug)]
pub struct ProducerMetrics {
    exposition: Exposition,
    counts: Vec<IntCounter>,
    queued: IntGauge,
    in_flight: IntGauge,
    gap_seconds: Gauge,
    cursor_age: Gauge,
    reconnects: IntCounterVec,
}

impl Default for ProducerMetrics {
    fn default() -> Self {
        Self::new()
    }
}

impl ProducerMetrics {
    /// A registry of its own.
    pub fn new() -> Self {
        let to = Exposition::new();
        Self {
            counts: COUNTS.iter().map(|(name, help)| to.counter(name, help)).collect(),
            queued: to.int_gauge("spindle_producer_queued", "Posts that wait for Kafka."),
            in_flight: to.int_gauge("spindle_producer_in_flight", "Records without an answer of Kafka."),
            gap_seconds: to.gauge(
                "spindle_producer_gap_seconds",
                "How long the intervals are together that the source did not deliver, by its own time.",
            ),
            cursor_age: to.gauge(
                "spindle_producer_cursor_age_seconds",
                "How long what is done has not been saved in the cursor; 0 when all is, or without a cursor.",
            ),
            reconnects: to.counters(
                "spindle_producer_reconnects_total",
                "Connections to the source that ended and were made again.",
                &["reason"],
            ),
            exposition: to,
        }
    }

    /// Everything in Prometheus' text format.
    pub fn encode(&self) -> String {
        self.exposition.encode()
    }

    /// A count is now so high.
    pub fn count(&self, count: ProducerCount, value: u64) {
        raise(&self.counts[count as usize], value);
    }

    /// Posts that wait, and records without an answer.
    pub fn waiting(&self, queued: u64, in_flight: u64) {
        self.queued.set(int(queued));
        self.in_flight.set(int(in_flight));
    }

    /// How long all gaps are together.
    pub fn gap_seconds(&self, gaps: Duration) {
        self.gap_seconds.set(gaps.as_secs_f64());
    }

    /// How long what is done has not been saved.
    pub fn cursor_age(&self, age: Duration) {
        self.cursor_age.set(age.as_secs_f64());
    }

    /// Connections were made again so often for this reason.
    pub fn reconnects(&self, reason: &str, times: u64) {
        raise(&self.reconnects.with_label_values(&[reason]), times);
    }
}

/// The producer counts itself; Prometheus' counters follow at each scrape.
fn raise(counter: &IntCounter, value: u64) {
    counter.inc_by(value.saturating_sub(counter.get()));
}
