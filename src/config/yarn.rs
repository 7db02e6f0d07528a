//! `yarn`: what the ResourceManager is told.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::checkpoint::check_store_path;
use super::error::Problem;
use super::forms::{list, opaque_debug};
use super::keypath::KeyPath;
use super::units::Timespan;

/// The section `yarn`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Yarn {
    /// Queue of the scheduler.
    pub queue: String,
    /// Tags that the application is found by.
    #[serde(deserialize_with = "list")]
    pub tags: Vec<String>,
    /// How often the application master is started, the first time among them.
    pub attempts: u32,
    /// Failures older than this do not count against `attempts`.
    pub attempts_window: Timespan,
    /// A client in client mode that has not asked for windows for so long is gone, and the job stops without it.
    pub client_timeout: Timespan,
    /// Priority within the queue.
    pub priority: i32,
    /// Node label expression; empty: the queue's default.
    pub label: String,
    /// Hosts on which no container is wanted.
    #[serde(deserialize_with = "list")]
    pub exclude_nodes: Vec<String>,
    /// Where the binary and the job's files are put; `NAME` as a whole path component is the submitting user.
    pub staging: String,
}

opaque_debug!(Yarn);

impl Default for Yarn {
    fn default() -> Self {
        Self {
            queue: "default".to_owned(),
            tags: Vec::new(),
            attempts: 2,
            attempts_window: Timespan::from_secs(3_600),
            client_timeout: Timespan::from_secs(60),
            priority: 0,
            label: String::new(),
            exclude_nodes: Vec::new(),
            staging: "hdfs:///user/NAME/.spindle".to_owned(),
        }
    }
}

const ATTEMPTS_MAX: u32 = 1_000;
/// Where windows are rare, a client asks every ten seconds.
const CLIENT_TIMEOUT_MIN: Timespan = Timespan::from_secs(15);

impl Yarn {
    /// The staging directory of `user`.
    pub fn staging_of(&self, user: &str) -> String {
        let parts = self.staging.split('/').map(|part| if part == "NAME" { user } else { part });
        parts.collect::<Vec<_>>().join("/")
    }

    pub(super) fn check(&self, at: &KeyPath) -> Result<(), Problem> {
        if self.queue.is_empty() {
            return Err(Problem::value(at.key("queue"), "is empty; name the queue, as in default"));
        }
        if !(1..=ATTEMPTS_MAX).contains(&self.attempts) {
            let message = format!("{} is out of range; 1 to {ATTEMPTS_MAX}", self.attempts);
            return Err(Problem::value(at.key("attempts"), message));
        }
        if self.client_timeout < CLIENT_TIMEOUT_MIN {
            let message = format!("{} is too short; at least {CLIENT_TIMEOUT_MIN}", self.client_timeout);
            return Err(Problem::value(at.key("client_timeout"), message));
        }
        for (key, entries) in [("tags", &self.tags), ("exclude_nodes", &self.exclude_nodes)] {
            if let Some(empty) = entries.iter().position(String::is_empty) {
                return Err(Problem::value(at.key(key).index(empty), "is empty; leave it out"));
            }
        }
        check_store_path(&self.staging, &at.key("staging"))
    }
}
