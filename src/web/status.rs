//! How a job does, as `/api/status` says it and `spindle status` prints it. The driver fills it in.

use serde::{Deserialize, Serialize};

use crate::ids::Millis;

/// The state of a job. Field names are a contract with scripts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The job's name.
    pub name: String,
    /// YARN's application id, or `local`.
    pub app: String,
    /// The application's directory in staging, where its owner finds the secret; `None` without YARN.
    pub app_dir: Option<String>,
    /// `host:port` of the driver itself, for those who came through YARN's web proxy.
    pub http: String,
    /// What it is doing.
    pub state: JobState,
    /// Since when it is in this attempt.
    pub since_ms: Millis,
    /// Driver attempt, from 1.
    pub attempt: u32,
    /// Version of the driver's build.
    pub version: String,
    /// The newest window; `None` before the first.
    pub window: Option<WindowStatus>,
    /// How far counting is behind the log.
    pub lag: Lag,
    /// Partitions, `topic/partition`, that could not be read in the newest slide.
    pub unread: Vec<String>,
    /// The checkpoint; `None` without one, and before the first window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<CheckpointStatus>,
    /// The snapshots; `None` without any, and before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotStatus>,
    /// The executors.
    pub executors: Executors,
    /// What a person should look at, one sentence each; empty when all is well.
    pub attention: Vec<String>,
}

/// What a job is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum JobState {
    /// Before its first window.
    Starting,
    /// Printing windows.
    Running,
    /// Taking its last cut.
    Stopping,
    /// Ended with an error that no new attempt can cure.
    Failed,
}

/// The newest window, without its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowStatus {
    /// The slide boundary it is for.
    pub end_ms: Millis,
    /// From its end to its last byte printed, or to its making where nothing is printed.
    pub delay_ms: u64,
    /// Records in it.
    pub total: u64,
    /// Different keys in it.
    pub distinct: u64,
    /// Whether it is the whole truth.
    pub complete: bool,
}

/// How far counting is behind the log.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Lag {
    /// Records in the log that are not counted yet, over all partitions.
    pub records: u64,
    /// Age of the oldest of them, 0 at the end.
    pub seconds: f64,
    /// The partition that is furthest behind; `None` when none is.
    pub worst: Option<String>,
}

/// What a restart would go on from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointStatus {
    /// How old the newest durable slide is.
    pub age_ms: u64,
    /// Length of the bases and logs that are kept.
    pub bytes: u64,
    /// Slides that are closed and not durable yet.
    pub queued: u64,
}

/// What readers of the snapshots find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotStatus {
    /// End of the newest window that is visible.
    pub through_ms: Millis,
}

/// The executors of a job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Executors {
    /// With a live session.
    pub running: u32,
    /// Asked for.
    pub wanted: u32,
    /// Different hosts that running ones are on.
    pub hosts: u32,
    /// The running ones, by slot.
    pub list: Vec<ExecutorStatus>,
}

/// One executor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutorStatus {
    /// Its slot.
    pub slot: u32,
    /// How often the slot was started anew.
    pub generation: u32,
    /// Where it runs.
    pub host: String,
    /// Its process id there.
    pub pid: u32,
    /// YARN's id of its container; `None` without YARN.
    pub container: Option<String>,
    /// The NodeManager's page with its logs.
    pub log_url: Option<String>,
    /// What it reads, `topic/partition`.
    pub partitions: Vec<String>,
    /// `host:port` of its metrics; `None` when it serves none.
    pub http: Option<String>,
}
