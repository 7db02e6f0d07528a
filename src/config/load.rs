//! Job file to `Job`: read, overlay settings, substitute, find unknown keys, type, validate.
//!
//! All but the last two work on a tree, in which every value has a path; whatever goes wrong is a `Problem` at
//! a path, and only here paths become lines and columns.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use serde_yaml::Value;

use super::Job;
use super::error::{JobError, Place, Problem};
use super::keypath::KeyPath;
use super::locate::{duplicate, locate};
use super::schema;
use super::substitute::{Lookup, Substituted, substitute};
use super::words::in_plain_words;

/// Longest job file, in bytes.
pub const FILE_BYTES_MAX: u64 = 1 << 20;

/// A value from elsewhere than the job file.
#[derive(Clone, PartialEq, Eq)]
pub struct Setting {
    /// Dotted key: `source.group`.
    pub key: String,
    /// The value: a text; where a text does not fit, it is read as YAML.
    pub value: String,
    /// Where it comes from, as a person would name it: `--queue`, `spark.conf:3`.
    pub origin: String,
}

impl std::fmt::Debug for Setting {
    /// Without the value, which may be a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (from {})", self.key, self.origin)
    }
}

/// Values below and above those of the job file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layers {
    /// Used where the job file says nothing.
    pub defaults: Vec<Setting>,
    /// Used whatever the job file says; later ones win.
    pub settings: Vec<Setting>,
}

/// The job file at `file` between `layers`.
pub(super) fn load(file: &Path, layers: &Layers, lookup: &dyn Lookup) -> Result<Job, JobError> {
    of_text(file, &read(file)?, layers, lookup)
}

/// The same for a file whose text is here.
pub(super) fn of_text(
    file: &Path,
    text: &str,
    layers: &Layers,
    lookup: &dyn Lookup,
) -> Result<Job, JobError> {
    if text.starts_with("PK\u{3}\u{4}") {
        return Err(JobError::spark_job(file));
    }
    if text.trim().is_empty() {
        return Err(JobError::file(file, "is empty; `spindle init` writes a job file to begin with"));
    }
    let mut loading = Loading { file, text, origins: BTreeMap::new(), substituted: Substituted::default() };
    let tree = loading.parse()?;
    loading.finish(tree, layers, lookup)
}

fn read(file: &Path) -> Result<String, JobError> {
    let wrong = |message: &str| Err(JobError::file(file, message));
    if is_spark_program(file) {
        return Err(JobError::spark_job(file));
    }
    match read_bounded(file, FILE_BYTES_MAX) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            wrong("no such file; `spindle init` writes a job file to begin with")
        }
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            wrong("is not a text file; a job file is YAML")
        }
        Err(error) => wrong(&format!("cannot be read: {error}")),
    }
}

/// True for what spark-submit takes as a program, by its name.
pub fn is_spark_program(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "jar" || extension == "py" || extension == "R")
}

/// Reads a UTF-8 file of at most `bytes_max` bytes.
pub(super) fn read_bounded(file: &Path, bytes_max: u64) -> io::Result<String> {
    let handle = File::open(file)?;
    if handle.metadata()?.is_dir() {
        return Err(io::Error::other("is a directory"));
    }
    let mut bytes = Vec::new();
    handle.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(io::Error::other(format!("is longer than {bytes_max} bytes")));
    }
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// What is needed to say where something went wrong.
struct Loading<'a> {
    file: &'a Path,
    text: &'a str,
    /// Which places were set from elsewhere, and from where.
    origins: BTreeMap<KeyPath, String>,
    substituted: Substituted,
}

impl Loading<'_> {
    fn parse(&self) -> Result<Value, JobError> {
        let tree = serde_yaml::from_str::<Value>(self.text).map_err(|error| self.not_yaml(&error))?;
        match tree {
            Value::Mapping(_) => Ok(prune(tree)),
            Value::Null => {
                Err(JobError::file(self.file, "is empty; `spindle init` writes a job file to begin with"))
            }
            _ => Err(JobError::file(self.file, "is not a job file: `key: value` lines are expected")),
        }
    }

    fn finish(&mut self, mut tree: Value, layers: &Layers, lookup: &dyn Lookup) -> Result<Job, JobError> {
        for setting in &layers.defaults {
            let path = resolve(setting)?;
            if path.find_mut(&mut tree).is_none() {
                self.put(&mut tree, path, setting);
            }
        }
        for setting in &layers.settings {
            self.put(&mut tree, resolve(setting)?, setting);
        }
        self.substituted = substitute(&mut tree, lookup).map_err(|problem| self.place(problem))?;
        let mut job = self.typed(tree).map_err(|problem| self.place(problem))?;
        job.hidden = self.substituted.paths.clone();
        job.validate().map_err(|problem| self.place(problem))?;
        Ok(job)
    }

    fn put(&mut self, tree: &mut Value, path: KeyPath, setting: &Setting) {
        path.put(tree, Value::String(setting.value.clone()));
        self.origins.retain(|below, _| !path.holds(below));
        self.origins.insert(path, setting.origin.clone());
    }

    /// Values from elsewhere are texts; where no text fits, they are read as YAML, each once.
    fn typed(&self, mut tree: Value) -> Result<Job, Problem> {
        let mut texts: Vec<KeyPath> = self.origins.keys().chain(&self.substituted.paths).cloned().collect();
        let mut as_text = BTreeMap::new();
        loop {
            if let Some(problem) = schema::first_unknown(&tree) {
                return Err(problem);
            }
            let error = match serde_path_to_error::deserialize::<_, Job>(tree.clone()) {
                Ok(job) => return Ok(job),
                Err(error) => error,
            };
            let path = KeyPath::from(error.path());
            let text = texts.iter().position(|text| text.holds(&path)).map(|nth| texts.swap_remove(nth));
            let problem = Problem::value(path.clone(), in_plain_words(&error.inner().to_string()));
            // What the text itself was refused for says more than that it is no better as YAML.
            let first = as_text.entry(path).or_insert(problem);
            if !text.is_some_and(|text| reread(&mut tree, &text)) {
                return Err(first.clone());
            }
        }
    }

    /// The problem with its place, and without any secret that it may repeat.
    fn place(&self, problem: Problem) -> JobError {
        let Problem { mut path, on_key, mut message } = problem;
        if let Some(secret) =
            self.substituted.paths.iter().find(|secret| secret.holds(&path) && **secret != path)
        {
            message = "the substituted value does not fit here".to_owned();
            path = secret.clone();
        }
        for secret in self.substituted.secrets.iter().filter(|secret| !secret.is_empty()) {
            message =
                message.replace(secret.as_str(), "***").replace(&secret.escape_debug().to_string(), "***");
        }
        let origin = self.origins.iter().find(|(set, _)| set.holds(&path)).map(|(_, origin)| origin.clone());
        let place = origin.map_or_else(
            || {
                let (line, column) = locate(self.text, &path, on_key);
                Place::Line(self.file.to_owned(), line, column)
            },
            Place::Setting,
        );
        JobError { place, path, message }
    }

    fn not_yaml(&self, error: &serde_yaml::Error) -> JobError {
        let text = error.to_string();
        let reason = text.split(" at line ").next().unwrap_or_default();
        if let Some((line, column)) = duplicate(self.text) {
            let place = Place::Line(self.file.to_owned(), line, column);
            let key = reason.rsplit_once(" key ").map_or("", |(_, key)| key);
            return JobError {
                place,
                path: KeyPath::default(),
                message: format!("the key {key} is there twice"),
            };
        }
        if reason.contains("more than one document") {
            return JobError::file(self.file, "holds more than one YAML document; a job file is one");
        }
        let place = match error.location() {
            Some(at) => Place::Line(self.file.to_owned(), at.line(), at.column()),
            None => Place::File(self.file.to_owned()),
        };
        JobError { place, path: KeyPath::default(), message: format!("is not YAML: {reason}") }
    }
}

fn resolve(setting: &Setting) -> Result<KeyPath, JobError> {
    schema::resolve(&setting.key).map_err(|problem| JobError {
        place: Place::Setting(setting.origin.clone()),
        path: problem.path,
        message: problem.message,
    })
}

/// Replaces the text at `path` by what it means as YAML. False when that is a text again.
fn reread(tree: &mut Value, path: &KeyPath) -> bool {
    let Some(node) = path.find_mut(tree) else { return false };
    match node.as_str().map(serde_yaml::from_str::<Value>) {
        Some(Ok(value)) if !value.is_string() && !value.is_null() => {
            *node = value;
            true
        }
        _ => false,
    }
}

/// A key without a value is a key not set: sections whose lines are all commented out keep their defaults.
fn prune(tree: Value) -> Value {
    match tree {
        Value::Mapping(map) => {
            let set = map.into_iter().filter(|(_, value)| !value.is_null());
            Value::Mapping(set.map(|(key, value)| (key, prune(value))).collect())
        }
        other => other,
    }
}
