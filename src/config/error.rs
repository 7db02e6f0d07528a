//! What is wrong with a job, and where: one line that a person can act on.

use std::fmt;
use std::path::{Path, PathBuf};

use super::keypath::KeyPath;

/// Something wrong with the job at one place of it; whoever knows the file adds line and column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct Problem {
    /// The key that is wrong.
    pub path: KeyPath,
    /// True when the key itself is wrong, false when its value is.
    pub on_key: bool,
    /// What is wrong and what to do, without the place.
    pub message: String,
}

impl Problem {
    /// A wrong value at `path`.
    pub fn value(path: KeyPath, message: impl Into<String>) -> Self {
        Self { path, on_key: false, message: message.into() }
    }

    /// A key that should not be there.
    pub fn key(path: KeyPath, message: impl Into<String>) -> Self {
        Self { path, on_key: true, message: message.into() }
    }
}

/// Where a job's values come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The job file as a whole.
    File(PathBuf),
    /// A place in it; line and column count from 1, columns in characters.
    Line(PathBuf, usize, usize),
    /// A flag or a line of a properties file, as a person would name it.
    Setting(String),
}

/// A job that cannot be used. Displays as `conf/x.yaml:12:3: source.grop: unknown key; did you mean group?`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct JobError {
    /// The file and line, or the flag.
    pub place: Place,
    /// The key, empty when the error is about the whole file.
    pub path: KeyPath,
    /// What is wrong and what to do.
    pub message: String,
}

impl JobError {
    /// An error about the file as a whole.
    pub fn file(file: &Path, message: impl Into<String>) -> Self {
        Self { place: Place::File(file.to_owned()), path: KeyPath::default(), message: message.into() }
    }

    /// The answer to who hands over a program instead of a job file.
    pub fn spark_job(file: &Path) -> Self {
        Self::file(file, "is a Spark job; Spindle takes a job file, see conf/tweets.yaml")
    }
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::File(file) => write!(f, "{}: ", file.display())?,
            Place::Line(file, line, column) => write!(f, "{}:{line}:{column}: ", file.display())?,
            Place::Setting(origin) => write!(f, "{origin}: ")?,
        }
        if !self.path.0.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}
