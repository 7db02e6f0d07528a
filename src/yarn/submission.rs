//! What the JVM that submits is told: one JSON object on its stdin, so that nothing secret is in an argument.
//!
//! The other end is `yarn/`, class `Submission`. Sizes are MiB, times milliseconds.

use serde::Serialize;

/// The version that both sides must speak.
pub const VERSION: u32 = 1;

/// An application to be.
#[derive(Serialize)]
pub struct Submission {
    /// [`VERSION`].
    pub v: u32,
    /// Whom Kerberos is told that the submitter is; empty: whoever has a ticket.
    pub principal: String,
    /// The file here that proves it.
    pub keytab: String,
    /// The user's staging directory.
    pub staging: String,
    /// What containers run, and what the application master runs.
    #[serde(flatten)]
    pub files: Files,
    /// Files for the application's containers alone.
    pub private: Vec<Private>,
    /// The job's name.
    pub name: String,
    /// Queue of the scheduler.
    pub queue: String,
    /// Tags that the application is found by.
    pub tags: Vec<String>,
    /// Priority within the queue.
    pub priority: i32,
    /// Node label expression; empty: the queue's own.
    pub label: String,
    /// How often the application master is started, the first time among them.
    pub attempts: u32,
    /// Failures older than this do not count.
    pub attempts_window_ms: u64,
    /// The application master's container.
    pub am: Size,
    /// Each executor's container.
    pub executor: Size,
    /// Arguments of `spindle driver` beside those that the shim adds.
    pub driver_args: Vec<String>,
}

/// The files that are kept once per content.
#[derive(Serialize)]
pub struct Files {
    /// The program.
    pub binary: Given,
    /// The shim.
    pub jar: Given,
    /// The job's own files.
    pub files: Vec<String>,
}

/// A file, here or in a store that Hadoop reads.
#[derive(Serialize)]
pub struct Given {
    /// Where it is.
    pub path: String,
    /// SHA-256 in hexadecimal: what a file here has, what one elsewhere must have. `None`: whatever it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// A file that only its owner may read. Has no `Debug`: it may be the secret.
#[derive(Serialize)]
pub struct Private {
    name: &'static str,
    #[serde(flatten)]
    content: Content,
    executors: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Content {
    Text(String),
    Hex(String),
}

impl Private {
    /// A text; `executors` says whether they get it, too.
    pub fn text(name: &'static str, text: String, executors: bool) -> Self {
        Self { name, content: Content::Text(text), executors }
    }

    /// Bytes in hexadecimal.
    pub fn hex(name: &'static str, hex: String, executors: bool) -> Self {
        Self { name, content: Content::Hex(hex), executors }
    }
}

/// What a container gets.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Size {
    /// Memory.
    pub memory_mb: u64,
    /// Cores.
    pub cores: u32,
    /// How many containers.
    pub instances: u32,
}
