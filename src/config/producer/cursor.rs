//! `cursor`: where the producer keeps how far it has come.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::checkpoint::check_store_path;
use crate::config::error::Problem;
use crate::config::forms::opaque_debug;
use crate::config::keypath::KeyPath;
use crate::config::units::Timespan;

/// The section `cursor`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cursor {
    /// The file: `file:///...` or `hdfs:///...`. One producer has it at a time.
    pub path: String,
    /// How often it is written; with transactions, how often one is committed.
    pub every: Timespan,
    /// For how long the ids of posts are remembered, so that one that comes again is not sent again.
    pub dedupe: Timespan,
}

opaque_debug!(Cursor);

impl Default for Cursor {
    fn default() -> Self {
        Self { path: String::new(), every: Timespan::from_secs(1), dedupe: Timespan::from_secs(600) }
    }
}

/// Most often and most seldom that a cursor is written.
const EVERY: (Timespan, Timespan) = (Timespan::from_ms(100), Timespan::from_secs(60));
/// Shortest and longest memory of ids.
const DEDUPE: (Timespan, Timespan) = (Timespan::from_secs(1), Timespan::from_secs(86_400));

impl Cursor {
    pub(super) fn check(&self, at: &KeyPath) -> Result<(), Problem> {
        let path = at.key("path");
        check_store_path(&self.path, &path)?;
        if self.path.ends_with('/') {
            return Err(Problem::value(path, format!("`{}` is a directory; name a file", self.path)));
        }
        if !(EVERY.0..=EVERY.1).contains(&self.every) {
            let message = format!("{} is out of range; {} to {}", self.every, EVERY.0, EVERY.1);
            return Err(Problem::value(at.key("every"), message));
        }
        if !(DEDUPE.0..=DEDUPE.1).contains(&self.dedupe) {
            let message = format!("{} is out of range; {} to {}", self.dedupe, DEDUPE.0, DEDUPE.1);
            return Err(Problem::value(at.key("dedupe"), message));
        }
        Ok(())
    }
}
