//! What a job must be beyond its types. Sections check themselves; here is what spans them.

use std::collections::BTreeSet;

use super::Job;
use super::error::Problem;
use super::keypath::KeyPath;
use super::load::Document;
use super::schema::{self, Schema};
use crate::oss::{ObjectUrl, is_oss};

/// Most keys shown.
const TOP_MAX: u32 = 10_000;
/// Longest name: it is part of a path.
const NAME_BYTES_MAX: usize = 200;

impl Document for Job {
    const KIND: &'static str = "job file";
    const TO_BEGIN: &'static str = "`spindle init` writes a job file to begin with";

    fn schema() -> Schema {
        schema::job()
    }

    fn hide(&mut self, places: BTreeSet<KeyPath>) {
        self.hidden = places;
    }

    fn validate(&self) -> Result<(), Problem> {
        let at = KeyPath::default();
        self.check_name(&at.key("name"))?;
        self.source.check(&at.key("source"))?;
        self.key.check(&at.key("key"))?;
        self.window.check(&at.key("window"), self.driver.memory)?;
        self.check_top(&at.key("top"))?;
        if let Some(snapshots) = &self.snapshots {
            snapshots.check(&at.key("snapshots"), self.window.slide)?;
        }
        self.checkpoint.check(&at.key("checkpoint"))?;
        self.executors.check(&at.key("executors"))?;
        self.driver.check(&at.key("driver"))?;
        self.yarn.check(&at.key("yarn"))?;
        self.check_env(&at.key("env"))?;
        self.check_files(&at.key("files"))
    }
}

impl Job {
    /// The name becomes a directory on HDFS, which forbids slash and colon in names.
    fn check_name(&self, at: &KeyPath) -> Result<(), Problem> {
        let wrong = |message: &str| Err(Problem::value(at.clone(), message));
        match self.name.as_str() {
            "" => wrong("missing; give the job a name, as in TweetsApp"),
            "." | ".." => wrong("is the name of a directory; take another"),
            name if name.len() > NAME_BYTES_MAX => wrong("is longer than 200 bytes"),
            name if name.contains(|c: char| c == '/' || c == ':' || c.is_control()) => {
                wrong("has a slash, a colon or a control character, which a directory of HDFS cannot have")
            }
            _ => Ok(()),
        }
    }

    fn check_top(&self, at: &KeyPath) -> Result<(), Problem> {
        match self.top {
            0 => Err(Problem::value(at.clone(), "0 would show no key; at least 1, or console: none")),
            top if top > TOP_MAX => {
                Err(Problem::value(at.clone(), format!("{top} is too many; at most {TOP_MAX}")))
            }
            _ => Ok(()),
        }
    }

    fn check_env(&self, at: &KeyPath) -> Result<(), Problem> {
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let wrong = |name: &&String| {
            name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(legal)
        };
        match self.env.keys().find(wrong) {
            Some(name) => {
                let message = "is no name of an environment variable: letters, digits and _, no digit first";
                Err(Problem::key(at.key(name), message))
            }
            None => Ok(()),
        }
    }

    /// Files end up in one directory, under their own names.
    fn check_files(&self, at: &KeyPath) -> Result<(), Problem> {
        let base = |file: &str| file.rsplit(['/', '#']).next().unwrap_or_default().to_owned();
        for (nth, file) in self.files.iter().enumerate() {
            // First of all: such an address may hold credentials, which no message may repeat.
            if is_oss(file)
                && let Err(error) = ObjectUrl::parse(file)
            {
                return Err(Problem::value(at.index(nth), error.to_string()));
            }
            if base(file).is_empty() {
                return Err(Problem::value(at.index(nth), format!("`{file}` names no file")));
            }
            if let Some(twin) = self.files[..nth].iter().find(|other| base(other) == base(file)) {
                let message = format!("`{file}` and `{twin}` have the same name; rename one");
                return Err(Problem::value(at.index(nth), message));
            }
        }
        Ok(())
    }
}
