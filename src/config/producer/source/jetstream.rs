//! `source.jetstream`: posts of Bluesky.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check_url;
use crate::config::error::Problem;
use crate::config::forms::list;
use crate::config::keypath::KeyPath;

/// The section `source.jetstream`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Jetstream {
    /// Hosts that speak version 2, in the order in which they are tried; `ws://host:port` without TLS.
    #[serde(deserialize_with = "list")]
    pub hosts: Vec<String>,
    /// Hosts that speak version 1, tried when no other answers; may be empty.
    #[serde(deserialize_with = "list")]
    pub fallback: Vec<String>,
    /// Collections that are read, 1 to 100.
    #[serde(deserialize_with = "list")]
    pub collections: Vec<String>,
    /// Accounts that are read, at most 10,000; none: everyone's.
    #[serde(deserialize_with = "list")]
    pub dids: Vec<String>,
    /// Whether frames come compressed (zstd).
    pub compress: bool,
}

impl Default for Jetstream {
    fn default() -> Self {
        let hosts = |hosts: &[&str]| hosts.iter().map(|host| format!("{host}.bsky.network")).collect();
        Self {
            hosts: hosts(&["jetstream.us-east", "jetstream.us-west"]),
            fallback: hosts(&[
                "jetstream1.us-east",
                "jetstream2.us-east",
                "jetstream1.us-west",
                "jetstream2.us-west",
            ]),
            collections: vec!["app.bsky.feed.post".to_owned()],
            dids: Vec::new(),
            compress: false,
        }
    }
}

/// Limits of the server (Jetstream's documentation, version 2).
const COLLECTIONS_MAX: usize = 100;
const DIDS_MAX: usize = 10_000;

impl Jetstream {
    pub(super) fn check(&self, at: &KeyPath) -> Result<(), Problem> {
        if self.hosts.is_empty() && self.fallback.is_empty() {
            return Err(Problem::value(at.key("hosts"), "names no host; leave it out for Bluesky's own"));
        }
        for (key, hosts) in [("hosts", &self.hosts), ("fallback", &self.fallback)] {
            for (nth, host) in hosts.iter().enumerate() {
                check_url(&Self::url(host), &["wss", "ws"], &at.key(key).index(nth))?;
            }
        }
        let limits = [
            ("collections", self.collections.len(), 1, COLLECTIONS_MAX),
            ("dids", self.dids.len(), 0, DIDS_MAX),
        ];
        for (key, count, least, most) in limits {
            if !(least..=most).contains(&count) {
                return Err(Problem::value(at.key(key), format!("has {count} entries; {least} to {most}")));
            }
        }
        Ok(())
    }

    /// The address of a host as it is written in the file: TLS, unless it says otherwise.
    pub fn url(host: &str) -> String {
        if host.contains("://") { host.to_owned() } else { format!("wss://{host}") }
    }
}
