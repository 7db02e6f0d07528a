//! The files that people write: one struct per section, defaults, validation. A job is run by its `Job`, a producer by
//! its `Producer`.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_yaml::Value;

pub mod units;
pub mod ports;
pub mod keypath;
pub mod error;
mod forms;
mod locate;
pub mod key;
mod properties;
pub mod source;
pub mod window;
pub mod checkpoint;
pub mod snapshots;
pub mod executors;
pub mod yarn;
pub mod http;
pub mod log;
pub mod schema;
pub mod substitute;
pub mod load;
mod words;
mod validate;
pub mod pointer;
pub mod producer;

pub use checkpoint::{Checkpoint, CheckpointAt};
pub use error::{JobError, Place, Problem};
pub use executors::{Driver, Executors};
pub use forms::SecretMap;
pub use http::Http;
pub use key::KeyRule;
pub use keypath::KeyPath;
pub use load::{Layers, Setting};
pub use log::Log;
pub use pointer::Pointer;
pub use ports::Ports;
pub use producer::Producer;
pub use snapshots::Snapshots;
pub use source::{Isolation, OnDataLoss, Source, Start, Topics};
pub use units::{Size, Timespan};
pub use window::{TimeMode, Window};
pub use yarn::Yarn;

/// A whole job file.
///
/// Sections that hold free text do not print it by `Debug`: `${env:...}` may have put a secret there. The job
/// itself does, with secrets as `***`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Job {
    /// Name of the job; also of its checkpoint.
    pub name: String,
    /// Which Kafka, which topics, from where.
    pub source: Source,
    /// Which bytes of a record are counted.
    #[serde(with = "serde_yaml::with::singleton_map")]
    #[schemars(with = "KeyRule")]
    pub key: KeyRule,
    /// How long, how often, by which time.
    pub window: Window,
    /// Keys shown of each ranking.
    pub top: u32,
    /// How windows are printed.
    pub console: Console,
    /// Results written for readers, `None` when the file says `none`.
    #[serde(with = "forms::none_or")]
    #[schemars(schema_with = "forms::none_or::schema::<Snapshots>")]
    pub snapshots: Option<Snapshots>,
    /// What the driver restarts from.
    pub checkpoint: Checkpoint,
    /// The processes that read.
    pub executors: Executors,
    /// The process that merges.
    pub driver: Driver,
    /// What the ResourceManager is told.
    pub yarn: Yarn,
    /// Page, API and metrics.
    pub http: Http,
    /// How much is logged.
    pub log: Log,
    /// Environment of driver and executors.
    pub env: SecretMap,
    /// Files that driver and executors find in their working directory.
    #[serde(deserialize_with = "forms::list")]
    pub files: Vec<String>,
    /// Places whose values came from a substitution and are never shown.
    #[serde(skip)]
    pub hidden: BTreeSet<KeyPath>,
}

/// How windows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Console {
    /// As Spark's `print()`.
    #[default]
    Spark,
    /// Aligned, with shares and changes.
    Table,
    /// One JSON object a line.
    Json,
    /// Not at all.
    None,
}

impl Default for Job {
    fn default() -> Self {
        Self {
            name: String::new(),
            source: Source::default(),
            key: KeyRule::Record,
            window: Window::default(),
            top: 10,
            console: Console::Spark,
            snapshots: None,
            checkpoint: Checkpoint::Auto,
            executors: Executors::default(),
            driver: Driver::default(),
            yarn: Yarn::default(),
            http: Http::default(),
            log: Log::default(),
            env: SecretMap::default(),
            files: Vec::new(),
            hidden: BTreeSet::new(),
        }
    }
}

/// What travels to containers: the job with its secrets, and which they are.
#[derive(Serialize, Deserialize)]
struct Handover {
    job: Job,
    hidden: BTreeSet<KeyPath>,
}

impl Job {
    /// Reads, resolves and validates the job file at `file`.
    pub fn load(file: &Path) -> Result<Self, JobError> {
        Self::load_between(file, &Layers::default())
    }

    /// The same with values from elsewhere below and above those of the file.
    pub fn load_between(file: &Path, layers: &Layers) -> Result<Self, JobError> {
        let base = file.parent().unwrap_or(Path::new("")).to_owned();
        load::load(file, layers, &substitute::System { base: Some(base) })
    }

    /// The same for a job file that lies elsewhere and whose text is here; `place` names it in messages.
    pub fn of_text(place: &Path, text: &str, layers: &Layers) -> Result<Self, JobError> {
        load::of_text(place, text, layers, &substitute::System { base: None })
    }

    /// The resolved job for a container, as JSON **with its secrets**: only for a file that nobody but its
    /// owner can read.
    pub fn to_handover(&self) -> serde_json::Result<String> {
        serde_json::to_string(&Handover { job: self.clone(), hidden: self.hidden.clone() })
    }

    /// The job that `to_handover` wrote. Its errors do not repeat values.
    pub fn from_handover(text: &str) -> Result<Self, String> {
        let handover: Handover = serde_json::from_str(text)
            .map_err(|error| format!("line {} column {} is not a job", error.line(), error.column()))?;
        Ok(Self { hidden: handover.hidden, ..handover.job })
    }

    /// The job with every default and with `***` for values from substitutions and for properties whose name
    /// says that they are secret.
    pub fn shown(&self) -> Value {
        let mut tree = serde_yaml::to_value(self).unwrap_or_default();
        for path in &self.hidden {
            hide(&mut tree, path);
        }
        for (section, names) in [
            (KeyPath::of(&["source", "properties"]), &self.source.properties),
            (KeyPath::of(&["env"]), &self.env),
        ] {
            for name in names.keys().filter(|name| schema::is_secret_name(name)) {
                hide(&mut tree, &section.key(name));
            }
        }
        tree
    }
}

/// Puts `***` at `path`, or where the value there has become part of: nothing hidden is ever shown because its
/// place has moved.
fn hide(tree: &mut Value, path: &KeyPath) {
    let mut at = Some(path.clone());
    while let Some(path) = at {
        if let Some(node) = path.find_mut(tree) {
            *node = Value::String("***".to_owned());
            return;
        }
        at = path.parent();
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(&self.shown()).map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests;
