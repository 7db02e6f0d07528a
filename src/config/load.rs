//! A file that people write to what it means: read, overlay settings, substitute, find unknown keys, type, validate.
//!
//! All but the last two work on a tree, in which every value has a path; whatever goes wrong is a `Problem` at
//! a path, and only here paths become lines and columns.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_yaml::Value;

use super::error::{JobError, Place, Problem};
use super::keypath::KeyPath;
use super::locate::{duplicate, locate};
use super::schema::Schema;
use super::substitute::{Lookup, Substituted, substitute};
use super::words::in_plain_words;

/// A kind of file that people write: jobs, producers.
pub(super) trait Document: DeserializeOwned {
    /// What people call it.
    const KIND: &'static str;
    /// What someone who has none may do.
    const TO_BEGIN: &'static str;

    /// Which keys it has.
    fn schema() -> Schema;
    /// Refuses what cannot run, with the first reason found, from the top of the file.
    fn validate(&self) -> Result<(), Problem>;
    /// Keeps which places must never be shown.
    fn hide(&mut self, places: BTreeSet<KeyPath>);
}

/// Longest such file, in bytes.
pub const FILE_BYTES_MAX: u64 = 1 << 20;

/// A value from elsewhere than the file.
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

/// Values below and above those of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layers {
    /// Used where the file says nothing.
    pub defaults: Vec<Setting>,
    /// Used whatever the file says; later ones win.
    pub settings: Vec<Setting>,
}

/// The file at `file` between `layers`.
pub(super) fn load<D: Document>(file: &Path, layers: &Layers, lookup: &dyn Lookup) -> Result<D, JobError> {
    of_text(file, &read::<D>(file)?, layers, lookup)
}

/// The same for a file whose text is here.
pub(super) fn of_text<D: Document>(
    file: &Path,
    text: &str,
    layers: &Layers,
    lookup: &dyn Lookup,
) -> Result<D, JobError> {
    if text.starts_with("PK\u{3}\u{4}") {
        return Err(JobError::spark_job(file));
    }
    if text.trim().is_empty() {
        return Err(is_empty::<D>(file));
    }
    let mut loading = Loading { file, text, origins: BTreeMap::new(), substituted: Substituted::default() };
    let tree = loading.parse::<D>()?;
    loading.finish(tree, layers, lookup)
}

fn is_empty<D: Document>(file: &Path) -> JobError {
    JobError::file(file, format!("is empty; {}", D::TO_BEGIN))
}

fn read<D: Document>(file: &Path) -> Result<String, JobError> {
    let wrong = |message: &str| Err(JobError::file(file, message));
    if is_spark_program(file) {
        return Err(JobError::spark_job(file));
    }
    match read_bounded(file, FILE_BYTES_MAX) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            wrong(&format!("no such file; {}", D::TO_BEGIN))
        }
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            wrong(&format!("is not a text file; a {} is YAML", D::KIND))
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
    fn parse<D: Document>(&self) -> Result<Value, JobError> {
        let tree = serde_yaml::from_str::<Value>(self.text).map_err(|error| self.not_yaml::<D>(&error))?;
        match tree {
            Value::Mapping(_) => Ok(prune(tree)),
            Value::Null => Err(is_empty::<D>(self.file)),
            _ => {
                let message = format!("is not a {}: `key: value` lines are expected", D::KIND);
                Err(JobError::file(self.file, message))
            }
        }
    }

    fn finish<D: Document>(
        &mut self,
        mut tree: Value,
        layers: &Layers,
        lookup: &dyn Lookup,
    ) -> Result<D, JobError> {
        for setting in &layers.defaults {
            let path = resolve::<D>(setting)?;
            if path.find_mut(&mut tree).is_none() {
                self.put(&mut tree, path, setting);
            }
        }
        for setting in &layers.settings {
            self.put(&mut tree, resolve::<D>(setting)?, setting);
        }
        self.substituted = substitute(&mut tree, lookup).map_err(|problem| self.place(problem))?;
        let mut document: D = self.typed(tree).map_err(|problem| self.place(problem))?;
        document.hide(self.substituted.paths.clone());
        document.validate().map_err(|problem| self.place(problem))?;
        Ok(document)
    }

    fn put(&mut self, tree: &mut Value, path: KeyPath, setting: &Setting) {
        path.put(tree, Value::String(setting.value.clone()));
        self.origins.retain(|below, _| !path.holds(below));
        self.origins.insert(path, setting.origin.clone());
    }

    /// Values from elsewhere are texts; where no text fits, they are read as YAML, each once.
    fn typed<D: Document>(&self, mut tree: Value) -> Result<D, Problem> {
        let mut texts: Vec<KeyPath> = self.origins.keys().chain(&self.substituted.paths).cloned().collect();
        let mut as_text = BTreeMap::new();
        loop {
            if let Some(problem) = D::schema().first_unknown(&tree) {
                return Err(problem);
            }
            let error = match serde_path_to_error::deserialize::<_, D>(tree.clone()) {
                Ok(document) => return Ok(document),
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

    fn not_yaml<D: Document>(&self, error: &serde_yaml::Error) -> JobError {
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
            let message = format!("holds more than one YAML document; a {} is one", D::KIND);
            return JobError::file(self.file, message);
        }
        let place = match error.location() {
            Some(at) => Place::Line(self.file.to_owned(), at.line(), at.column()),
            None => Place::File(self.file.to_owned()),
        };
        JobError { place, path: KeyPath::default(), message: format!("is not YAML: {reason}") }
    }
}

fn resolve<D: Document>(setting: &Setting) -> Result<KeyPath, JobError> {
    D::schema().resolve(&setting.key).map_err(|problem| JobError {
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
