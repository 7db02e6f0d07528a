//! What the shim and the driver say to each other: one JSON object a line, named by its `type`.
//!
//! The other end is `yarn/` (class `Protocol` there). Sizes are MiB, times milliseconds. A type that one side does not
//! know is passed over, so that either may be newer; a known one that lacks a field ends the conversation.

use serde::{Deserialize, Serialize};

/// The version that both sides must speak.
pub(super) const VERSION: u32 = 1;
/// Longest line in either direction, bytes.
pub(super) const LINE_BYTES_MAX: usize = 4 << 20;

/// From the shim.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum FromShim {
    /// The first line: where this attempt runs. Nothing in it comes from the ResourceManager.
    Hello(Hello),
    /// The ResourceManager has taken the application in; from now on it may be asked for containers.
    Registered(Registered),
    /// A container was given for an executor.
    Granted {
        /// Its slot.
        slot: u32,
        /// Its generation.
        #[serde(rename = "gen")]
        generation: u32,
        /// YARN's id of it.
        container: String,
        /// Where it is.
        host: String,
    },
    /// The NodeManager has started the executor.
    Started {
        /// Its slot.
        slot: u32,
        /// Its generation.
        #[serde(rename = "gen")]
        generation: u32,
        /// YARN's id of its container.
        container: String,
        /// Where it is.
        host: String,
        /// The NodeManager's page with its logs.
        log_url: Option<String>,
    },
    /// An executor has ended, or could not be started. Once for each generation that was ever asked for.
    Exited {
        /// Its slot.
        slot: u32,
        /// Its generation.
        #[serde(rename = "gen")]
        generation: u32,
        /// Where it was; `None` when it never had a container.
        host: Option<String>,
        /// The shim's verdict, one of `ExitClass`'s words.
        class: String,
        /// YARN's exit status of the container.
        code: i32,
        /// YARN's words.
        diagnostics: String,
    },
    /// Executors have no container yet. Said again as it goes on.
    Waiting {
        /// Their slots.
        slots: Vec<u32>,
        /// For how long.
        seconds: u64,
        /// What for.
        why: String,
    },
    /// The cluster's nodes have changed.
    Nodes {
        /// Nodes that containers may run on.
        usable: u32,
        /// Nodes that were lost since the last such line.
        lost: Vec<String>,
    },
    /// The ResourceManager cannot be reached, or can be again.
    Rm {
        /// `lost` or `back`.
        state: String,
        /// For how long it was, or is, away.
        seconds: u64,
    },
    /// To be answered with the same number.
    Ping {
        /// A running number.
        n: u64,
    },
    /// Something that a newer shim says.
    #[serde(other)]
    Unknown,
}

/// Where this attempt of the application runs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Hello {
    /// Version of these messages.
    pub v: u32,
    /// YARN's id of the application.
    pub app: String,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// The host's name as YARN knows it: executors reach the driver under it.
    pub host: String,
    /// The application's own directory in staging.
    #[serde(default)]
    pub app_dir: Option<String>,
}

/// What the ResourceManager allows.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Registered {
    /// Most memory that one container can have.
    pub max_memory_mb: u64,
    /// The queue that the application is in.
    pub queue: String,
    /// Nodes that containers may run on.
    pub nodes: u32,
}

/// To the shim.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ToShim {
    /// The driver's ports are bound: the shim may register it.
    Ready {
        /// `host:port` of its page and API.
        http: String,
    },
    /// Exactly these executors are to run.
    Target(ShimTarget),
    /// How far the application is, 0 to 1.
    Progress {
        /// How far.
        value: f32,
    },
    /// The application is over, and no further attempt is wanted.
    Finish {
        /// `SUCCEEDED` or `FAILED`.
        status: &'static str,
        /// Why, in one line.
        diagnostics: String,
    },
    /// The answer to a ping.
    Pong {
        /// The ping's number.
        n: u64,
    },
}

/// The complete set of executors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct ShimTarget {
    /// Number of the order; the shim passes over one that is not higher than the last.
    pub rev: u64,
    /// What is to run.
    pub slots: Vec<ShimSlot>,
    /// Hosts on which nothing is to run.
    pub exclude: Vec<String>,
    /// Label of the nodes on which all is to run; empty for the queue's own.
    pub label: String,
}

/// One executor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct ShimSlot {
    /// Its slot.
    pub slot: u32,
    /// Its generation.
    #[serde(rename = "gen")]
    pub generation: u32,
    /// Memory of its container.
    pub memory_mb: u64,
    /// Cores of its container.
    pub cores: u32,
    /// Its command line.
    pub argv: Vec<String>,
    /// Hosts that it had better not run on; left aside when there is no other.
    pub avoid: Vec<String>,
}
