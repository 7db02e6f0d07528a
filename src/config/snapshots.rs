//! `snapshots`: results written for readers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::checkpoint::check_store_path;
use super::error::Problem;
use super::forms::opaque_debug;
use super::keypath::KeyPath;
use super::units::Timespan;

/// The section `snapshots`, when it is not `none`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Snapshots {
    /// The directory: `hdfs:///...` or `file:///...`.
    pub path: String,
    /// How many keys of each ranking are written.
    pub keys: u32,
    /// How often a window is written; a multiple of `window.slide`.
    pub every: Timespan,
    /// How much one file holds; a multiple of `every`, at most 1h, because files end at the UTC hour.
    pub roll: Timespan,
    /// How files are compressed.
    pub compress: Compress,
    /// How long partitions are kept.
    pub retain: Timespan,
}

/// How snapshot files are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compress {
    /// gzip.
    #[default]
    Gzip,
    /// Not at all.
    None,
}

opaque_debug!(Snapshots);

impl Default for Snapshots {
    fn default() -> Self {
        Self {
            path: String::new(),
            keys: 100,
            every: Timespan::from_secs(60),
            roll: Timespan::from_secs(3_600),
            compress: Compress::Gzip,
            retain: Timespan::from_secs(30 * 86_400),
        }
    }
}

/// Most rows per window.
const KEYS_MAX: u32 = 1_000_000;
const HOUR: Timespan = Timespan::from_secs(3_600);

impl Snapshots {
    pub(super) fn check(&self, at: &KeyPath, slide: Timespan) -> Result<(), Problem> {
        let wrong = |key, message: String| Err(Problem::value(at.key(key), message));
        let (every, roll) = (self.every, self.roll);
        check_store_path(&self.path, &at.key("path"))?;
        if self.keys == 0 || self.keys > KEYS_MAX {
            return wrong("keys", format!("{} is out of range; 1 to {KEYS_MAX}", self.keys));
        }
        if every.ms() == 0 || !every.ms().is_multiple_of(slide.ms().max(1)) {
            return wrong("every", format!("{every} is not a multiple of window.slide ({slide})"));
        }
        if roll.ms() == 0 || !roll.ms().is_multiple_of(every.ms()) {
            return wrong("roll", format!("{roll} is not a multiple of every ({every})"));
        }
        if roll > HOUR {
            return wrong("roll", format!("{roll} is too long; files end at the UTC hour, so at most 1h"));
        }
        if self.retain < HOUR {
            return wrong(
                "retain",
                format!("{} is too short; a partition is an hour, so at least 1h", self.retain),
            );
        }
        Ok(())
    }
}
