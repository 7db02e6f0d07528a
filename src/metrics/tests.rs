//! The exposition as Prometheus reads it: names that are promised, text that parses, series that go away.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::*;
use crate::clock::Clock;
use crate::ids::{Partition, Slot};
use crate::source::start::LossReason;

/// The promised names, without those that the module's head puts off.
const DRIVER_NAMES: &str = "
    spindle_build_info spindle_records_total spindle_position_offset spindle_end_offset spindle_committed_offset
    spindle_partition_lag_records spindle_partition_lag_seconds spindle_partition_leader
    spindle_partition_replicas spindle_partition_isr spindle_window_end_timestamp_seconds spindle_window_records
    spindle_window_distinct_keys spindle_window_complete spindle_windows_printed_total
    spindle_slide_delay_seconds spindle_slide_phase_seconds spindle_delta_delay_seconds
    spindle_late_records_total spindle_unkeyed_records_total spindle_lost_offsets_total
    spindle_commit_failures_total spindle_executors spindle_executor_exits_total spindle_executor_hosts
    spindle_restart_budget_remaining spindle_attempt spindle_state_bytes spindle_state_limit_bytes
    spindle_windows_skipped_total spindle_clock_offset_seconds spindle_sessions_ended_total";
const EXECUTOR_NAMES: &str = "spindle_build_info spindle_executor_records_total spindle_executor_queue_bytes";
const PROCESS_NAMES: &str = "process_cpu_seconds_total process_open_fds process_max_fds
    process_virtual_memory_bytes process_resident_memory_bytes process_start_time_seconds process_threads";

#[derive(Debug, Default)]
struct Parsed {
    types: BTreeMap<String, String>,
    samples: BTreeMap<String, f64>,
}

/// Checks what promtool checks: HELP and TYPE before the samples of a family, families in one piece, no series
/// twice, numbers that are numbers, units that are base units.
fn parse(text: &str) -> Parsed {
    let (mut parsed, mut helps, mut family) = (Parsed::default(), BTreeSet::new(), String::new());
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, words) = help.split_once(' ').unwrap();
            assert!(words.ends_with('.'), "{line}");
            assert!(helps.insert(name.to_owned()), "{name} has HELP twice, so its series are scattered");
            family = name.to_owned();
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(name, family, "TYPE follows HELP");
            check_name(name, kind);
            assert!(parsed.types.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} has TYPE twice");
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let name = series.split('{').next().unwrap();
            let kind = &parsed.types[&family];
            let plain = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
            let owner = if kind == "histogram" { plain.unwrap_or(name) } else { name };
            assert_eq!(owner, family, "sample outside of its family: {line}");
            let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
            assert!(parsed.samples.insert(series.to_owned(), value).is_none(), "{series} is there twice");
        }
    }
    parsed
}

fn check_name(name: &str, kind: &str) {
    assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
    assert_eq!(name.ends_with("_total"), kind == "counter", "{name} is a {kind}");
    assert!(kind != "histogram" || name.ends_with("_seconds"), "{name} has no base unit");
    for unit in ["_ms", "_millis", "_milliseconds", "_minutes", "_kb", "_kilobytes", "_mb", "_percent"] {
        assert!(!name.contains(unit), "{name} is not in base units");
    }
}

fn names(lists: &[&str]) -> BTreeSet<String> {
    lists.iter().flat_map(|list| list.split_whitespace()).map(str::to_owned).collect()
}

#[test]
fn the_driver_has_exactly_the_promised_names() {
    let metrics = DriverMetrics::new();
    let partition = metrics.partition(&Partition::new("tweets_poc", 3));
    partition.accepted(5, 105);
    partition.set_end(112);
    partition.set_committed(90);
    partition.set_lag(7, Duration::from_millis(250));
    partition.set_replication(None, 3, 2);
    metrics.slot(Slot(0), "worker-1").delta_delay(Duration::from_millis(3));
    metrics.executors(2, 1, 1);
    let parsed = parse(&metrics.encode());
    assert_eq!(parsed.types.keys().cloned().collect::<BTreeSet<_>>(), names(&[DRIVER_NAMES, PROCESS_NAMES]));
    let of = |name: &str| parsed.samples[&format!("{name}{{partition=\"3\",topic=\"tweets_poc\"}}")];
    assert_eq!(of("spindle_records_total"), 5.0);
    assert_eq!(of("spindle_position_offset"), 105.0);
    assert_eq!(of("spindle_end_offset"), 112.0);
    assert_eq!(of("spindle_committed_offset"), 90.0);
    assert_eq!(of("spindle_partition_lag_records"), 7.0);
    assert_eq!(of("spindle_partition_lag_seconds"), 0.25);
    assert_eq!(of("spindle_partition_leader"), -1.0);
    assert_eq!(of("spindle_partition_isr"), 2.0);
    assert_eq!(parsed.samples["spindle_delta_delay_seconds_count{host=\"worker-1\",slot=\"0\"}"], 1.0);
    assert_eq!(parsed.samples["spindle_executors{state=\"wanted\"}"], 2.0);
}

#[test]
fn a_driver_with_a_checkpoint_has_its_names_too() {
    let metrics = DriverMetrics::new();
    assert!(!metrics.encode().contains("spindle_checkpoint"), "an age without a checkpoint would alarm");
    let checkpoint = metrics.checkpoint();
    checkpoint.synced(Duration::from_millis(4));
    checkpoint.behind(Duration::from_millis(900), 3);
    checkpoint.bytes(41_000);
    let parsed = parse(&metrics.encode());
    let of = |name: &str| parsed.samples[&format!("spindle_checkpoint_{name}")];
    assert_eq!((of("age_seconds"), of("bytes"), of("queued_frames")), (0.9, 41_000.0, 3.0));
    assert_eq!(of("sync_seconds_count"), 1.0);
}

#[test]
fn a_driver_with_snapshots_has_their_age_too() {
    let metrics = DriverMetrics::new();
    assert!(!metrics.encode().contains("spindle_snapshot"), "an age without snapshots would alarm");
    metrics.snapshots().behind(Duration::from_secs(61));
    assert_eq!(parse(&metrics.encode()).samples["spindle_snapshot_age_seconds"], 61.0);
}

#[test]
fn the_executor_has_exactly_the_promised_names() {
    let metrics = ExecutorMetrics::new();
    metrics.read(10);
    metrics.queue_bytes(4_096);
    let parsed = parse(&metrics.encode());
    assert_eq!(
        parsed.types.keys().cloned().collect::<BTreeSet<_>>(),
        names(&[EXECUTOR_NAMES, PROCESS_NAMES])
    );
    assert_eq!(parsed.samples["spindle_executor_records_total"], 10.0);
    assert_eq!(parsed.samples["spindle_executor_queue_bytes"], 4_096.0);
    assert!(parsed.samples["process_resident_memory_bytes"] > 1e6);
}

/// Held against what the system says by other ways: getrusage, the wall clock.
#[test]
fn the_process_metrics_are_of_this_process() {
    let metrics = ExecutorMetrics::new();
    let clock = Clock::start();
    let used = || {
        let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
    };
    let began = used();
    while used() < began + 0.05 {}
    let before = used();
    let parsed = parse(&metrics.encode());
    let after = used();
    let sample = |name: &str| parsed.samples[name];
    let cpu = sample("process_cpu_seconds_total");
    assert!(before - 0.03 < cpu && cpu < after + 0.03, "{before} < {cpu} < {after}");
    let age_s = clock.wall_ms() as f64 / 1e3 - sample("process_start_time_seconds");
    assert!((-2.0..3_600.0).contains(&age_s), "{age_s}");
    assert!(sample("process_threads") >= 2.0, "the test harness has a thread of its own");
    assert!(sample("process_open_fds") >= 3.0 && sample("process_open_fds") < sample("process_max_fds"));
    assert!(sample("process_virtual_memory_bytes") > sample("process_resident_memory_bytes"));
}

#[test]
fn a_value_nobody_measured_is_not_there() {
    let metrics = DriverMetrics::new();
    let partition = metrics.partition(&Partition::new("t", 0));
    partition.accepted(0, 17);
    let text = metrics.encode();
    assert!(text.contains("spindle_position_offset{partition=\"0\",topic=\"t\"} 17\n"), "{text}");
    assert!(!text.contains("spindle_end_offset{"), "{text}");
}

#[test]
fn what_goes_takes_its_series_along_and_may_come_back() {
    let metrics = DriverMetrics::new();
    let everything = |partition: &PartitionMetrics| {
        partition.accepted(5, 105);
        partition.set_end(1);
        partition.set_committed(1);
        partition.set_lag(1, Duration::ZERO);
        partition.set_replication(Some(1), 1, 1);
    };
    let (gone, kept) =
        (metrics.partition(&Partition::new("t", 0)), metrics.partition(&Partition::new("t", 1)));
    everything(&gone);
    everything(&kept);
    let slot = metrics.slot(Slot(7), "lost-host");
    slot.delta_delay(Duration::ZERO);
    gone.forget();
    slot.forget();
    let text = metrics.encode();
    assert!(!text.contains("partition=\"0\"") && !text.contains("lost-host"), "{text}");
    assert_eq!(text.matches("partition=\"1\"").count(), 9);
    metrics.partition(&Partition::new("t", 0)).accepted(2, 107);
    assert!(metrics.encode().contains("spindle_records_total{partition=\"0\",topic=\"t\"} 2\n"));
}

#[test]
fn counters_of_closed_lists_start_at_zero() {
    let metrics = DriverMetrics::new();
    let parsed = parse(&metrics.encode());
    for series in [
        "spindle_executor_exits_total{class=\"memory\"}",
        "spindle_sessions_ended_total{reason=\"straggler\"}",
        "spindle_late_records_total{reason=\"idle\"}",
        "spindle_unkeyed_records_total{reason=\"pointer_absent\"}",
        "spindle_lost_offsets_total{reason=\"expired\"}",
        "spindle_slide_phase_seconds_count{phase=\"gather\"}",
        "spindle_windows_skipped_total",
    ] {
        assert_eq!(parsed.samples.get(series), Some(&0.0), "{series}");
    }
    metrics.executor_exited(ExitClass::Memory);
    metrics.lost_offsets(LossReason::Expired, 12);
    let parsed = parse(&metrics.encode());
    assert_eq!(parsed.samples["spindle_executor_exits_total{class=\"memory\"}"], 1.0);
    assert_eq!(parsed.samples["spindle_lost_offsets_total{reason=\"expired\"}"], 12.0);
}

#[test]
fn a_window_printed_late_does_not_set_the_gauges_back() {
    let metrics = DriverMetrics::new();
    let window = |end_ms, total| PrintedWindow { end_ms, total, distinct: 1, complete: true };
    metrics.window_made(window(1_795_365_042_000, 10));
    metrics.window_made(window(1_795_365_043_000, 11));
    metrics.window_printed(window(1_795_365_042_000, 10), Duration::from_millis(210));
    let parsed = parse(&metrics.encode());
    assert_eq!(parsed.samples["spindle_window_end_timestamp_seconds"], 1_795_365_043.0);
    assert_eq!(parsed.samples["spindle_window_records"], 11.0);
    assert_eq!(parsed.samples["spindle_window_complete"], 1.0);
    assert_eq!(parsed.samples["spindle_windows_printed_total"], 1.0);
    assert_eq!(parsed.samples["spindle_slide_delay_seconds_bucket{le=\"0.1\"}"], 0.0);
    assert_eq!(parsed.samples["spindle_slide_delay_seconds_bucket{le=\"0.25\"}"], 1.0);
}
