//! The driver's metrics, by typed methods: nobody else knows a name or a label. Feeds `web`.

use std::time::Duration;

use prometheus::{Gauge, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::checkpoint::CheckpointMetrics;
use super::exposition::{Exposition, epoch_seconds, int};
use super::labels::{ExitClass, LateReason, Phase, SessionEnd};
use super::partition::{PartitionFamilies, PartitionMetrics};
use super::snapshot::SnapshotMetrics;
use crate::ids::{Millis, Partition, Slot};
use crate::source::key::Unkeyed;
use crate::source::start::LossReason;

/// All that a driver measures. Cheap to set; share it by `Arc`.
#[derive(Debug)]
pub struct DriverMetrics {
    exposition: Exposition,
    partitions: PartitionFamilies,
    windows: WindowSeries,
    records: RecordSeries,
    executors: ExecutorSeries,
    state_bytes: IntGauge,
    state_limit_bytes: IntGauge,
    attempt: IntGauge,
    clock_offset_seconds: Gauge,
    commit_failures: IntCounter,
}

#[derive(Debug)]
struct WindowSeries {
    end_timestamp_seconds: Gauge,
    records: IntGauge,
    distinct_keys: IntGauge,
    complete: IntGauge,
    printed: IntCounter,
    skipped: IntCounter,
    delay_seconds: Histogram,
    phase_seconds: HistogramVec,
    delta_delay_seconds: HistogramVec,
}

#[derive(Debug)]
struct RecordSeries {
    late: IntCounterVec,
    unkeyed: IntCounterVec,
    lost_offsets: IntCounterVec,
}

#[derive(Debug)]
struct ExecutorSeries {
    by_state: IntGaugeVec,
    hosts: IntGauge,
    exits: IntCounterVec,
    sessions_ended: IntCounterVec,
    restart_budget: IntGauge,
}

/// What the metrics want to know of a window.
#[derive(Debug, Clone, Copy)]
pub struct PrintedWindow {
    /// The slide boundary it is for.
    pub end_ms: Millis,
    /// Records in it.
    pub total: u64,
    /// Different keys in it.
    pub distinct: u64,
    /// Whether it is the whole truth.
    pub complete: bool,
}

impl Default for DriverMetrics {
    fn default() -> Self {
        Self::new()
    }
}

impl DriverMetrics {
    /// A registry of its own. Counters whose labels are a closed list start at 0.
    pub fn new() -> Self {
        let to = Exposition::new();
        Self {
            partitions: PartitionFamilies::new(&to),
            windows: WindowSeries::new(&to),
            records: RecordSeries::new(&to),
            executors: ExecutorSeries::new(&to),
            state_bytes: to.int_gauge("spindle_state_bytes", "Memory that buckets and window take."),
            state_limit_bytes: to
                .int_gauge("spindle_state_limit_bytes", "Memory that buckets and window may take."),
            attempt: to.int_gauge("spindle_attempt", "Which attempt of the driver this is, from 1."),
            clock_offset_seconds: to.gauge(
                "spindle_clock_offset_seconds",
                "The slides' clock less the wall clock; grows when the wall clock is set.",
            ),
            commit_failures: to.counter(
                "spindle_commit_failures_total",
                "Offset commits that the brokers refused or did not answer.",
            ),
            exposition: to,
        }
    }

    /// Everything in Prometheus' text format.
    pub fn encode(&self) -> String {
        self.exposition.encode()
    }

    /// The checkpoint's series; to be asked for once, by a driver that has one.
    pub fn checkpoint(&self) -> CheckpointMetrics {
        CheckpointMetrics::new(&self.exposition)
    }

    /// The snapshots' series; to be asked for once, by a driver that writes some.
    pub fn snapshots(&self) -> SnapshotMetrics {
        SnapshotMetrics::new(&self.exposition)
    }

    /// The series of one partition; to be kept, not asked for again.
    pub fn partition(&self, partition: &Partition) -> PartitionMetrics {
        self.partitions.of(partition)
    }

    /// The series of one slot on one host; to be kept while a generation runs there.
    pub fn slot(&self, slot: Slot, host: &str) -> SlotMetrics {
        let family = self.windows.delta_delay_seconds.clone();
        let labels = [slot.0.to_string(), host.to_owned()];
        SlotMetrics { delay: family.with_label_values(&labels), family, labels }
    }

    /// A window's last byte was taken `delay` after its end.
    pub fn window_printed(&self, window: PrintedWindow, delay: Duration) {
        self.windows.printed.inc();
        self.windows.delay_seconds.observe(delay.as_secs_f64());
        self.window_made(window);
    }

    /// A window that nobody prints (`console: none`), or that waits to be printed.
    pub fn window_made(&self, window: PrintedWindow) {
        // Printing lags behind making; the gauges show the newest of both.
        if epoch_seconds(window.end_ms) < self.windows.end_timestamp_seconds.get() {
            return;
        }
        self.windows.end_timestamp_seconds.set(epoch_seconds(window.end_ms));
        self.windows.records.set(int(window.total));
        self.windows.distinct_keys.set(int(window.distinct));
        self.windows.complete.set(window.complete.into());
    }

    /// A window was left out because stdout is read too slowly.
    pub fn window_skipped(&self) {
        self.windows.skipped.inc();
    }

    /// A slide spent so long in one phase.
    pub fn phase(&self, phase: Phase, took: Duration) {
        self.windows.phase_seconds.with_label_values(&[phase.as_str()]).observe(took.as_secs_f64());
    }

    /// Records left out of their window.
    pub fn late(&self, reason: LateReason, records: u64) {
        self.records.late.with_label_values(&[reason.as_str()]).inc_by(records);
    }

    /// Records in which the key rule found no key.
    pub fn unkeyed(&self, reason: Unkeyed, records: u64) {
        self.records.unkeyed.with_label_values(&[reason.label()]).inc_by(records);
    }

    /// Offsets that can never be read.
    pub fn lost_offsets(&self, reason: LossReason, offsets: u64) {
        self.records.lost_offsets.with_label_values(&[reason.label()]).inc_by(offsets);
    }

    /// Executors: how many the job wants, how many have a live session, on how many hosts.
    pub fn executors(&self, wanted: usize, running: usize, hosts: usize) {
        self.executors.by_state.with_label_values(&["wanted"]).set(int(wanted as u64));
        self.executors.by_state.with_label_values(&["running"]).set(int(running as u64));
        self.executors.hosts.set(int(hosts as u64));
    }

    /// An executor process ended.
    pub fn executor_exited(&self, class: ExitClass) {
        self.executors.exits.with_label_values(&[class.as_str()]).inc();
    }

    /// A session ended.
    pub fn session_ended(&self, reason: SessionEnd) {
        self.executors.sessions_ended.with_label_values(&[reason.as_str()]).inc();
    }

    /// Failures of executors that the job still bears before it ends.
    pub fn restart_budget(&self, remaining: u64) {
        self.executors.restart_budget.set(int(remaining));
    }

    /// Memory of buckets and window, and how much they may take.
    pub fn state_bytes(&self, used: u64, limit: u64) {
        self.state_bytes.set(int(used));
        self.state_limit_bytes.set(int(limit));
    }

    /// Which attempt this driver is.
    pub fn attempt(&self, attempt: u32) {
        self.attempt.set(attempt.into());
    }

    /// The slides' clock less the wall clock.
    pub fn clock_offset_ms(&self, offset_ms: Millis) {
        self.clock_offset_seconds.set(epoch_seconds(offset_ms));
    }

    /// A commit was refused or not answered.
    pub fn commit_failed(&self) {
        self.commit_failures.inc();
    }
}

/// One slot's series on one host. End it with [`SlotMetrics::forget`] when the slot runs elsewhere or no more.
#[derive(Debug)]
pub struct SlotMetrics {
    delay: Histogram,
    family: HistogramVec,
    labels: [String; 2],
}

impl SlotMetrics {
    /// A delta came so long after its cut was sent.
    pub fn delta_delay(&self, delay: Duration) {
        self.delay.observe(delay.as_secs_f64());
    }

    /// Removes the series.
    pub fn forget(self) {
        let _ = self.family.remove_label_values(&self.labels);
    }
}

impl WindowSeries {
    fn new(to: &Exposition) -> Self {
        let series = Self {
            end_timestamp_seconds: to
                .gauge("spindle_window_end_timestamp_seconds", "End of the newest window, since the epoch."),
            records: to.int_gauge("spindle_window_records", "Records in the newest window."),
            distinct_keys: to
                .int_gauge("spindle_window_distinct_keys", "Different keys in the newest window."),
            complete: to.int_gauge("spindle_window_complete", "1 if the newest window is the whole truth."),
            printed: to.counter("spindle_windows_printed_total", "Windows printed."),
            skipped: to.counter(
                "spindle_windows_skipped_total",
                "Windows not printed because stdout was read too slowly.",
            ),
            delay_seconds: to
                .histogram("spindle_slide_delay_seconds", "From a window's end to its last byte printed."),
            phase_seconds: to.histograms(
                "spindle_slide_phase_seconds",
                "What a slide's time went into.",
                &["phase"],
            ),
            delta_delay_seconds: to.histograms(
                "spindle_delta_delay_seconds",
                "From sending a cut to an executor to its delta.",
                &["slot", "host"],
            ),
        };
        for phase in Phase::ALL {
            series.phase_seconds.with_label_values(&[phase.as_str()]);
        }
        series
    }
}

impl RecordSeries {
    fn new(to: &Exposition) -> Self {
        let counters = |name, help| to.counters(name, help, &["reason"]);
        let series = Self {
            late: counters("spindle_late_records_total", "Records that came too late for their window."),
            unkeyed: counters(
                "spindle_unkeyed_records_total",
                "Records without the key that the job asks for, counted as null.",
            ),
            lost_offsets: counters("spindle_lost_offsets_total", "Offsets that can never be read."),
        };
        LateReason::ALL.iter().for_each(|reason| start(&series.late, reason.as_str()));
        Unkeyed::ALL.iter().for_each(|reason| start(&series.unkeyed, reason.label()));
        LossReason::ALL.iter().for_each(|reason| start(&series.lost_offsets, reason.label()));
        series
    }
}

impl ExecutorSeries {
    fn new(to: &Exposition) -> Self {
        let series = Self {
            by_state: to.int_gauges(
                "spindle_executors",
                "Executors wanted, and with a live session.",
                &["state"],
            ),
            hosts: to.int_gauge("spindle_executor_hosts", "Hosts on which executors run."),
            exits: to.counters("spindle_executor_exits_total", "Executor processes that ended.", &["class"]),
            sessions_ended: to.counters(
                "spindle_sessions_ended_total",
                "Sessions of executors that ended.",
                &["reason"],
            ),
            restart_budget: to.int_gauge(
                "spindle_restart_budget_remaining",
                "Failures of executors that the job still bears before it ends.",
            ),
        };
        ExitClass::ALL.iter().for_each(|class| start(&series.exits, class.as_str()));
        SessionEnd::ALL.iter().for_each(|reason| start(&series.sessions_ended, reason.as_str()));
        series
    }
}

/// Lets a series exist, at 0: a counter that appears with its first event has no rate for it.
fn start(family: &IntCounterVec, label: &str) {
    family.with_label_values(&[label]);
}
