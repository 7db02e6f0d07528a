//! The standard `process_*` metrics of this process, read when they are scraped. Registered by `exposition`.
//!
//! Names and meanings: Prometheus, "Writing client libraries", "Process metrics". Fields: proc(5).
//!
//! The `prometheus` crate has such a collector. It counts CPU time in whole seconds, which hides what an idle job costs,
//! and brings a second `rustix` and 12 seconds of compiling for reading one line.

use std::fs;
use std::sync::Mutex;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Counter, IntGauge};
use rustix::process::{Resource, getrlimit};

use super::exposition::LITERAL;

/// Collects the `process_*` metrics.
pub(super) struct ProcessCollector {
    cpu: Counter,
    gauges: Gauges,
    /// Scrapes take turns: each adds to the CPU counter what it lacks.
    scraping: Mutex<()>,
}

struct Gauges {
    open_fds: IntGauge,
    max_fds: IntGauge,
    virtual_memory: IntGauge,
    resident_memory: IntGauge,
    start_time: IntGauge,
    threads: IntGauge,
}

impl ProcessCollector {
    pub(super) fn new() -> Self {
        let gauge = |name, help| IntGauge::new(name, help).expect(LITERAL);
        let gauges = Gauges {
            open_fds: gauge("process_open_fds", "Number of open file descriptors."),
            max_fds: gauge("process_max_fds", "Maximum number of open file descriptors."),
            virtual_memory: gauge("process_virtual_memory_bytes", "Virtual memory size in bytes."),
            resident_memory: gauge("process_resident_memory_bytes", "Resident memory size in bytes."),
            start_time: gauge("process_start_time_seconds", "Start time since the Unix epoch in seconds."),
            threads: gauge("process_threads", "Number of operating system threads."),
        };
        let cpu = Counter::new("process_cpu_seconds_total", "Total user and system CPU time in seconds.");
        let collector = Self { cpu: cpu.expect(LITERAL), gauges, scraping: Mutex::new(()) };
        if let Some(stat) = Stat::read() {
            collector.gauges.start_time.set(booted_at_s().unwrap_or(0) + stat.started_s);
        }
        collector
    }

    fn update(&self) {
        if let Ok(fds) = fs::read_dir("/proc/self/fd") {
            // The one that lists them is among them.
            self.gauges.open_fds.set(i64::try_from(fds.count()).unwrap_or(i64::MAX) - 1);
        }
        if let Some(max) = getrlimit(Resource::Nofile).current {
            self.gauges.max_fds.set(super::exposition::int(max));
        }
        if let Some(stat) = Stat::read() {
            self.cpu.inc_by((stat.cpu_seconds - self.cpu.get()).max(0.0));
            self.gauges.virtual_memory.set(stat.virtual_bytes);
            self.gauges.resident_memory.set(stat.resident_bytes);
            self.gauges.threads.set(stat.threads);
        }
    }

    fn parts(&self) -> [&dyn Collector; 7] {
        let Gauges { open_fds, max_fds, virtual_memory, resident_memory, start_time, threads } = &self.gauges;
        [&self.cpu, open_fds, max_fds, virtual_memory, resident_memory, start_time, threads]
    }
}

impl Collector for ProcessCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.parts().into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let _turn = self.scraping.lock();
        self.update();
        self.parts().into_iter().flat_map(Collector::collect).collect()
    }
}

/// What `/proc/self/stat` says.
struct Stat {
    cpu_seconds: f64,
    threads: i64,
    /// After boot.
    started_s: i64,
    virtual_bytes: i64,
    resident_bytes: i64,
}

impl Stat {
    fn read() -> Option<Self> {
        let text = fs::read_to_string("/proc/self/stat").ok()?;
        // The second field is the program's name in brackets, and may hold anything. `rest` begins with the third.
        let (_, rest) = text.rsplit_once(") ")?;
        let field = |number: usize| rest.split_ascii_whitespace().nth(number - 3)?.parse::<i64>().ok();
        let page = i64::try_from(rustix::param::page_size()).ok()?;
        let ticks = i64::try_from(rustix::param::clock_ticks_per_second()).ok()?;
        Some(Self {
            cpu_seconds: seconds(field(14)? + field(15)?, ticks),
            threads: field(20)?,
            started_s: field(22)? / ticks,
            virtual_bytes: field(23)?,
            resident_bytes: field(24)?.saturating_mul(page),
        })
    }
}

/// When the machine was started, in seconds since the Unix epoch.
fn booted_at_s() -> Option<i64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    text.lines().find_map(|line| line.strip_prefix("btime "))?.parse().ok()
}

#[expect(clippy::cast_precision_loss, reason = "exact for millions of years")]
fn seconds(ticks: i64, per_second: i64) -> f64 {
    ticks as f64 / per_second as f64
}
