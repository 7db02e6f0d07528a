//! `queue`: posts that were read and wait for Kafka.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::error::Problem;
use crate::config::keypath::KeyPath;

/// The section `queue`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Queue {
    /// How many posts may wait.
    pub posts: u32,
    /// What happens to a post that finds no place.
    pub when_full: WhenFull,
}

/// What a full queue does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// It is not read on: the source waits, or is left and found again by its cursor.
    #[default]
    Block,
    /// The post that comes is dropped and counted.
    DropNew,
    /// The post that has waited longest is dropped and counted.
    DropOld,
}

impl Default for Queue {
    fn default() -> Self {
        Self { posts: 1_000, when_full: WhenFull::Block }
    }
}

/// Most posts that may wait.
const POSTS_MAX: u32 = 1_000_000;

impl Queue {
    pub(super) fn check(&self, at: &KeyPath) -> Result<(), Problem> {
        if !(1..=POSTS_MAX).contains(&self.posts) {
            let message = format!("{} is out of range; 1 to {POSTS_MAX}", self.posts);
            return Err(Problem::value(at.key("posts"), message));
        }
        Ok(())
    }
}
