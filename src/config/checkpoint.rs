//! `checkpoint`: what the driver restarts from, and where it is kept.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Deserializer;
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use super::error::Problem;
use super::forms::{WordOr, opaque_debug, word_or};
use super::keypath::KeyPath;
use super::units::Timespan;

/// The section `checkpoint`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Checkpoint {
    /// `<staging>/checkpoint/<name>` on YARN, none locally.
    #[default]
    Auto,
    /// No checkpoint: a restart begins at the committed offsets with an empty window.
    None,
    /// In a directory of its own.
    At(CheckpointAt),
}

/// A checkpoint in a named directory.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CheckpointAt {
    /// The directory: `hdfs:///...` or `file:///...`.
    pub path: String,
    /// True: nothing is shown before it is durable.
    pub wait: bool,
    /// How long the store may be away before the job fails.
    pub give_up: Timespan,
}

opaque_debug!(CheckpointAt);

impl Default for CheckpointAt {
    fn default() -> Self {
        Self { path: String::new(), wait: false, give_up: Timespan::from_secs(1_800) }
    }
}

impl Checkpoint {
    /// What `auto` means for the job `name` with staging directory `staging`, `None` for a local run;
    /// `None` when there is no checkpoint.
    pub fn resolve(&self, name: &str, staging: Option<&str>) -> Option<CheckpointAt> {
        match (self, staging) {
            (Self::At(at), _) => Some(at.clone()),
            (Self::Auto, Some(staging)) => {
                let path = format!("{}/checkpoint/{name}", staging.trim_end_matches('/'));
                Some(CheckpointAt { path, ..CheckpointAt::default() })
            }
            (Self::Auto, None) | (Self::None, _) => None,
        }
    }

    pub(super) fn check(&self, at: &KeyPath) -> Result<(), Problem> {
        let Self::At(checkpoint) = self else { return Ok(()) };
        check_store_path(&checkpoint.path, &at.key("path"))?;
        if checkpoint.give_up < Timespan::from_secs(1) {
            let message = format!("{} is too short; at least 1s", checkpoint.give_up);
            return Err(Problem::value(at.key("give_up"), message));
        }
        Ok(())
    }
}

/// A directory in a store: HDFS or the local file system, named by URL so that nobody mistakes one for the other.
pub(super) fn check_store_path(path: &str, at: &KeyPath) -> Result<(), Problem> {
    let wrong = |message: String| Err(Problem::value(at.clone(), message));
    let Some((scheme, rest)) = path.split_once("://") else {
        return match path {
            "" => wrong("missing; name a directory, as in hdfs:///user/me/tweets".to_owned()),
            _ => wrong(format!("`{path}` does not say where it is; write hdfs://... or file:///...")),
        };
    };
    match scheme {
        "hdfs" | "viewfs" | "file" if !rest.contains('/') => {
            wrong(format!("`{path}` names no directory; write {scheme}:///a/directory"))
        }
        "file" if !rest.starts_with('/') => wrong(format!("`{path}` has a host; write file:///a/directory")),
        "hdfs" | "viewfs" | "file" => Ok(()),
        _ => wrong(format!(
            "`{path}` is in a store that cannot hold it ({scheme}); write hdfs://... or file:///..."
        )),
    }
}

const WORDS: &[&str] = &["auto", "none"];

impl Serialize for Checkpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::None => serializer.serialize_str("none"),
            Self::At(at) => at.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Checkpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match word_or(deserializer, WORDS)? {
            WordOr::Word("auto") => Self::Auto,
            WordOr::Word(_) => Self::None,
            WordOr::Mapping(at) => Self::At(at),
        })
    }
}

impl JsonSchema for Checkpoint {
    fn schema_name() -> Cow<'static, str> {
        "Checkpoint".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let at = generator.subschema_for::<CheckpointAt>();
        json_schema!({"anyOf": [{"enum": WORDS}, at]})
    }
}
