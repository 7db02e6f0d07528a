//! An executor's metrics. What it counts per partition the driver shows: it alone knows what was accepted.

use prometheus::{IntCounter, IntGauge};

use super::exposition::{Exposition, int};

/// All that an executor measures.
#[derive(Debug)]
pub struct ExecutorMetrics {
    exposition: Exposition,
    records: IntCounter,
    queue_bytes: IntGauge,
}

impl Default for ExecutorMetrics {
    fn default() -> Self {
        Self::new()
    }
}

impl ExecutorMetrics {
    /// A registry of its own.
    pub fn new() -> Self {
        let to = Exposition::new();
        Self {
            records: to
                .counter("spindle_executor_records_total", "Records read, accepted by the driver or not."),
            queue_bytes: to
                .int_gauge("spindle_executor_queue_bytes", "Fetched records that wait to be counted."),
            exposition: to,
        }
    }

    /// Everything in Prometheus' text format.
    pub fn encode(&self) -> String {
        self.exposition.encode()
    }

    /// So many records were read. To be called once per batch.
    pub fn read(&self, records: u64) {
        self.records.inc_by(records);
    }

    /// Bytes in the consumer's queues.
    pub fn queue_bytes(&self, bytes: u64) {
        self.queue_bytes.set(int(bytes));
    }
}
