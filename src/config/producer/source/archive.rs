//! `source.file`, `source.stdin`: archives of posts, one JSON text a line.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Speed;
use crate::config::error::Problem;
use crate::config::keypath::KeyPath;
use crate::config::pointer::Pointer;

/// The section `source.file`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct File {
    /// A file, or a directory whose files are read in the order of their names; plain, gzip or zstd, told by content.
    pub path: String,
    /// How fast.
    pub speed: Speed,
    /// At the end, wait for more, as `tail -F` does; with a directory, also for further files.
    pub follow: bool,
    /// Where a post says when it was written; `speed` needs it unless it is `max`.
    pub time: Option<Pointer>,
    /// Where a post has its id.
    pub id: Option<Pointer>,
}

/// The section `source.stdin`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Stdin {
    /// How fast.
    pub speed: Speed,
    /// Where a post says when it was written; `speed` needs it unless it is `max`.
    pub time: Option<Pointer>,
    /// Where a post has its id.
    pub id: Option<Pointer>,
}

impl File {
    pub(super) fn check(&self, at: &KeyPath) -> Result<(), Problem> {
        if self.path.is_empty() {
            let message = "missing; name a file or a directory (`-` is the source stdin)";
            return Err(Problem::value(at.key("path"), message));
        }
        check_speed(self.speed, self.time.as_ref(), at)
    }
}

impl Stdin {
    pub(super) fn check(&self, at: &KeyPath) -> Result<(), Problem> {
        check_speed(self.speed, self.time.as_ref(), at)
    }
}

fn check_speed(speed: Speed, time: Option<&Pointer>, at: &KeyPath) -> Result<(), Problem> {
    if speed == Speed::Max || time.is_some() {
        return Ok(());
    }
    let message = format!("{speed} needs to know when posts were written; set time, as in /created_at");
    Err(Problem::value(at.key("speed"), message))
}
