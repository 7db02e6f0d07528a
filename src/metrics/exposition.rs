//! A process's registry: how series are made, and how they are written out. Feeds `driver` and `executor`.

use prometheus::core::Collector;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};

use super::process::ProcessCollector;

/// Upper bounds of all histograms, seconds: from far below a slide to the longest that anyone waits.
const BUCKETS_SECONDS: [f64; 15] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

pub(super) const LITERAL: &str = "names and labels are literals of this module; its test makes them all";

/// The registry, with what every process has: `spindle_build_info` and `process_*`.
#[derive(Debug)]
pub(super) struct Exposition {
    registry: Registry,
}

impl Exposition {
    pub(super) fn new() -> Self {
        let exposition = Self { registry: Registry::new() };
        exposition
            .int_gauges("spindle_build_info", "Which build runs, always 1.", &["version", "commit"])
            .with_label_values(&[
                env!("CARGO_PKG_VERSION"),
                option_env!("SPINDLE_COMMIT").unwrap_or("unknown"),
            ])
            .set(1);
        exposition.add(ProcessCollector::new())
    }

    /// Prometheus text format 0.0.4. What cannot be written is left out and logged: a scrape must not end a job.
    pub(super) fn encode(&self) -> String {
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_else(|error| {
            tracing::error!(%error, "metrics could not be written");
            String::new()
        })
    }

    pub(super) fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.made(IntCounter::new(name, help))
    }

    pub(super) fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.made(IntCounterVec::new(Opts::new(name, help), labels))
    }

    pub(super) fn int_gauge(&self, name: &str, help: &str) -> IntGauge {
        self.made(IntGauge::new(name, help))
    }

    pub(super) fn int_gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.made(IntGaugeVec::new(Opts::new(name, help), labels))
    }

    pub(super) fn gauge(&self, name: &str, help: &str) -> Gauge {
        self.made(Gauge::new(name, help))
    }

    pub(super) fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> GaugeVec {
        self.made(GaugeVec::new(Opts::new(name, help), labels))
    }

    pub(super) fn histogram(&self, name: &str, help: &str) -> Histogram {
        self.made(Histogram::with_opts(seconds(name, help)))
    }

    pub(super) fn histograms(&self, name: &str, help: &str, labels: &[&str]) -> HistogramVec {
        self.made(HistogramVec::new(seconds(name, help), labels))
    }

    fn made<M: Collector + Clone + 'static>(&self, metric: prometheus::Result<M>) -> M {
        let metric = metric.expect(LITERAL);
        self.registry.register(Box::new(metric.clone())).expect(LITERAL);
        metric
    }

    fn add(self, collector: ProcessCollector) -> Self {
        self.registry.register(Box::new(collector)).expect(LITERAL);
        self
    }
}

fn seconds(name: &str, help: &str) -> HistogramOpts {
    HistogramOpts::new(name, help).buckets(BUCKETS_SECONDS.to_vec())
}

/// Counts and offsets as Prometheus holds them; beyond `i64` nothing here ever comes.
pub(super) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Milliseconds since the epoch in Prometheus' unit.
#[expect(clippy::cast_precision_loss, reason = "exact below 2^53 ms, the year 287396")]
pub(super) fn epoch_seconds(at_ms: i64) -> f64 {
    at_ms as f64 / 1_000.0
}
