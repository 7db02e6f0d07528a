//! What a process tells Prometheus, one registry per process. Set by driver, executor and producer, served by `web`.
//!
//! The names are a contract with alerts and dashboards. Base units; labels bounded by the job or by a closed list; no
//! keyword and no application id in any of them. Not here yet, because what it measures is not built yet:
//! `spindle_token_expiry_timestamp_seconds`.

mod labels;
mod exposition;
mod process;
mod partition;
mod checkpoint;
mod snapshot;
mod driver;
mod executor;
mod producer;

pub use checkpoint::CheckpointMetrics;
pub use driver::{DriverMetrics, PrintedWindow, SlotMetrics};
pub use executor::ExecutorMetrics;
pub use labels::{ExitClass, LateReason, Phase, SessionEnd};
pub use partition::PartitionMetrics;
pub use producer::{ProducerCount, ProducerMetrics};
pub use snapshot::SnapshotMetrics;

#[cfg(test)]
mod tests;
