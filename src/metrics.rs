//! What a process tells Prometheus, one registry per process. Set by driver and executor, served by `web`.
//!
//! The names are a contract with alerts and dashboards. Base units; labels bounded by the job or by a closed list; no
//! keyword and no application id in any of them. Not here yet, because what they measure is not built yet:
//! `spindle_snapshot_age_seconds`, `spindle_token_expiry_timestamp_seconds`.

mod labels;
mod exposition;
mod partition;
mod checkpoint;
mod driver;
mod executor;

pub use checkpoint::CheckpointMetrics;
pub use driver::{DriverMetrics, PrintedWindow, SlotMetrics};
pub use executor::ExecutorMetrics;
pub use labels::{ExitClass, LateReason, Phase, SessionEnd};
pub use partition::PartitionMetrics;

#[cfg(test)]
mod tests;
