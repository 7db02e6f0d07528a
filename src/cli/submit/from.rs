//! `--from`: where the first attempt begins, once.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use crate::source::start::StartRule;

/// Where the first attempt begins; later attempts go on from the checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// At the checkpoint, and only there: without one the job fails.
    Checkpoint,
    /// At the group's committed offsets.
    Group,
    /// At the first record there is.
    Earliest,
    /// At the end.
    Latest,
    /// At the first record with this timestamp or a later one.
    Time(Timestamp),
}

impl From {
    /// The rule that sets committed offsets aside; `None` where it is they, or the checkpoint, that count.
    pub(in crate::cli) fn forced(self) -> Option<StartRule> {
        match self {
            Self::Checkpoint | Self::Group => None,
            Self::Earliest => Some(StartRule::Earliest),
            Self::Latest => Some(StartRule::Latest),
            Self::Time(time) => Some(StartRule::Timestamp(time.as_millisecond())),
        }
    }
}

impl fmt::Display for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checkpoint => f.write_str("checkpoint"),
            Self::Group => f.write_str("group"),
            Self::Earliest => f.write_str("earliest"),
            Self::Latest => f.write_str("latest"),
            Self::Time(time) => time.fmt(f),
        }
    }
}

impl FromStr for From {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "checkpoint" => Ok(Self::Checkpoint),
            "group" => Ok(Self::Group),
            "earliest" => Ok(Self::Earliest),
            "latest" => Ok(Self::Latest),
            time => time.parse().map(Self::Time).map_err(|_| {
                "write checkpoint, group, earliest, latest, or a time such as 2026-11-22T10:00:00Z".to_owned()
            }),
        }
    }
}
