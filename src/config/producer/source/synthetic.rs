//! `source.synthetic`: posts made up, for trying things out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::error::Problem;
use crate::config::keypath::KeyPath;

/// The section `source.synthetic`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Synthetic {
    /// Posts per second.
    pub rate: u32,
    /// How many posts in all; 0 is no end.
    pub posts: u64,
    /// The same seed makes the same posts.
    pub seed: u64,
}

impl Default for Synthetic {
    fn default() -> Self {
        Self { rate: 1_000, posts: 0, seed: 1 }
    }
}

/// Fastest.
const RATE_MAX: u32 = 1_000_000;

impl Synthetic {
    pub(super) fn check(&self, at: &KeyPath) -> Result<(), Problem> {
        if !(1..=RATE_MAX).contains(&self.rate) {
            let message = format!("{} is out of range; 1 to {RATE_MAX}", self.rate);
            return Err(Problem::value(at.key("rate"), message));
        }
        Ok(())
    }
}
