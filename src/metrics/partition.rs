//! The series of one partition: resolved once, gone when the partition goes. Feeds `driver`.

use std::sync::OnceLock;
use std::time::Duration;

use prometheus::{Gauge, GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::exposition::{Exposition, int};
use crate::ids::{Offset, Partition};

/// The families of which each partition has one series.
#[derive(Debug, Clone)]
pub(super) struct PartitionFamilies {
    records: IntCounterVec,
    position: IntGaugeVec,
    end: IntGaugeVec,
    committed: IntGaugeVec,
    lag_records: IntGaugeVec,
    lag_seconds: GaugeVec,
    held: IntGaugeVec,
    leader: IntGaugeVec,
    replicas: IntGaugeVec,
    isr: IntGaugeVec,
}

impl PartitionFamilies {
    pub(super) fn new(to: &Exposition) -> Self {
        let labels = &["topic", "partition"];
        let gauges = |name, help| to.int_gauges(name, help, labels);
        Self {
            records: to.counters(
                "spindle_records_total",
                "Records counted since this driver started.",
                labels,
            ),
            position: gauges("spindle_position_offset", "Offset of the next record to count."),
            end: gauges("spindle_end_offset", "Offset behind the last record in the log."),
            committed: gauges("spindle_committed_offset", "Offset committed for the consumer group."),
            lag_records: gauges(
                "spindle_partition_lag_records",
                "Records in the log that are not counted yet.",
            ),
            lag_seconds: to.gauges(
                "spindle_partition_lag_seconds",
                "Age of the oldest record that is not counted yet, 0 at the end of the log.",
                labels,
            ),
            held: gauges(
                "spindle_partition_held_records",
                "Offsets between the last stable offset and the high watermark: what open transactions keep back.",
            ),
            leader: gauges("spindle_partition_leader", "Broker that leads the partition, -1 for none."),
            replicas: gauges("spindle_partition_replicas", "Replicas the partition should have."),
            isr: gauges("spindle_partition_isr", "Replicas that are in sync."),
        }
    }

    pub(super) fn of(&self, partition: &Partition) -> PartitionMetrics {
        let labels = [partition.topic.to_string(), partition.number.to_string()];
        PartitionMetrics {
            records: self.records.with_label_values(&labels),
            families: self.clone(),
            labels,
            position: OnceLock::new(),
            end: OnceLock::new(),
            committed: OnceLock::new(),
            lag_records: OnceLock::new(),
            lag_seconds: OnceLock::new(),
            held: OnceLock::new(),
            leader: OnceLock::new(),
            replicas: OnceLock::new(),
            isr: OnceLock::new(),
        }
    }
}

/// One partition's series. Each gauge appears when its value is first known, so that none shows a 0 that nobody
/// measured. Keep one handle per partition, and end it with [`PartitionMetrics::forget`].
#[derive(Debug)]
pub struct PartitionMetrics {
    families: PartitionFamilies,
    labels: [String; 2],
    records: IntCounter,
    position: OnceLock<IntGauge>,
    end: OnceLock<IntGauge>,
    committed: OnceLock<IntGauge>,
    lag_records: OnceLock<IntGauge>,
    lag_seconds: OnceLock<Gauge>,
    held: OnceLock<IntGauge>,
    leader: OnceLock<IntGauge>,
    replicas: OnceLock<IntGauge>,
    isr: OnceLock<IntGauge>,
}

impl PartitionMetrics {
    /// A delta was accepted: so many records, read up to `position`.
    pub fn accepted(&self, records: u64, position: Offset) {
        self.records.inc_by(records);
        self.set(&self.position, &self.families.position, position);
    }

    /// The log's end (high watermark, or last stable offset when reading committed).
    pub fn set_end(&self, end: Offset) {
        self.set(&self.end, &self.families.end, end);
    }

    /// The broker took this commit.
    pub fn set_committed(&self, committed: Offset) {
        self.set(&self.committed, &self.families.committed, committed);
    }

    /// What is not counted yet, in records and as the age of the oldest of them; both 0 at the end.
    pub fn set_lag(&self, records: u64, age: Duration) {
        self.set(&self.lag_records, &self.families.lag_records, int(records));
        let gauge =
            self.lag_seconds.get_or_init(|| self.families.lag_seconds.with_label_values(&self.labels));
        gauge.set(age.as_secs_f64());
    }

    /// What open transactions keep back, offsets.
    pub fn set_held(&self, offsets: u64) {
        self.set(&self.held, &self.families.held, int(offsets));
    }

    /// What the brokers say about the partition. `leader` is the broker's id, `None` when there is no leader.
    pub fn set_replication(&self, leader: Option<i32>, replicas: usize, isr: usize) {
        self.set(&self.leader, &self.families.leader, leader.unwrap_or(-1).into());
        self.set(&self.replicas, &self.families.replicas, int(replicas as u64));
        self.set(&self.isr, &self.families.isr, int(isr as u64));
    }

    /// Removes the partition's series.
    pub fn forget(self) {
        let Self { families, labels, .. } = self;
        // A series that never had a value is not there to be removed.
        let _ = families.records.remove_label_values(&labels);
        let _ = families.lag_seconds.remove_label_values(&labels);
        for family in [
            families.position,
            families.end,
            families.committed,
            families.lag_records,
            families.held,
            families.leader,
            families.replicas,
            families.isr,
        ] {
            let _ = family.remove_label_values(&labels);
        }
    }

    fn set(&self, series: &OnceLock<IntGauge>, family: &IntGaugeVec, value: i64) {
        series.get_or_init(|| family.with_label_values(&self.labels)).set(value);
    }
}
