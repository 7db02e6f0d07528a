//! `log`: how much is logged, and in which form.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The section `log`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// The least important level that is logged.
    pub level: Level,
    /// One line for people, or one JSON object a line.
    pub format: Format,
}

/// How important a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The job cannot go on.
    Error,
    /// Someone should look.
    Warn,
    /// What happens seldom.
    #[default]
    Info,
    /// What happens each slide.
    Debug,
    /// Everything.
    Trace,
}

impl Level {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// Form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}
