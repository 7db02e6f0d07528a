//! The producer file: which stream, which keywords, which topic. One struct per section, as in the job file.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_yaml::Value;

use super::error::{JobError, Problem};
use super::forms::none_or;
use super::keypath::KeyPath;
use super::load::{self, Document, Layers};
use super::log::Log;
use super::schema::{self, Schema};
use super::substitute;
use super::units::Timespan;

mod cursor;
mod http;
mod kafka;
mod keywords;
mod queue;
pub mod source;

pub use cursor::Cursor;
pub use http::Http;
pub use kafka::{Create, CreateWith, Delivery, Kafka};
pub use keywords::{Keyword, Keywords, Match, Unmatched};
pub use queue::{Queue, WhenFull};
pub use source::Source;

/// A whole producer file.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Producer {
    /// Where posts come from.
    #[serde(with = "serde_yaml::with::singleton_map")]
    #[schemars(with = "Source")]
    pub source: Source,
    /// Which keyword a post is keyed by.
    pub keywords: Keywords,
    /// Where posts go.
    pub kafka: Kafka,
    /// What waits for Kafka.
    pub queue: Queue,
    /// Where the producer goes on after a restart; `None` when the file says `none`: it begins anew.
    #[serde(with = "none_or")]
    #[schemars(schema_with = "none_or::schema::<Cursor>")]
    pub cursor: Option<Cursor>,
    /// How long a stop may take to bring to Kafka what was read.
    pub drain: Timespan,
    /// Metrics and health.
    pub http: Http,
    /// How much is logged.
    pub log: Log,
    /// Places whose values came from a substitution and are never shown.
    #[serde(skip)]
    pub hidden: BTreeSet<KeyPath>,
}

impl Default for Producer {
    fn default() -> Self {
        Self {
            source: Source::default(),
            keywords: Keywords::default(),
            kafka: Kafka::default(),
            queue: Queue::default(),
            cursor: None,
            drain: Timespan::from_secs(10),
            http: Http::default(),
            log: Log::default(),
            hidden: BTreeSet::new(),
        }
    }
}

impl Producer {
    /// Reads, resolves and validates the producer file at `file`, with values from elsewhere below and above its own.
    pub fn load_between(file: &Path, layers: &Layers) -> Result<Self, JobError> {
        let base = file.parent().unwrap_or(Path::new("")).to_owned();
        load::load(file, layers, &substitute::System { base: Some(base) })
    }

    /// The same for a file that lies elsewhere and whose text is here; `place` names it in messages.
    pub fn of_text(place: &Path, text: &str, layers: &Layers) -> Result<Self, JobError> {
        load::of_text(place, text, layers, &substitute::System { base: None })
    }

    /// The producer with every default and with `***` for values from substitutions, for credentials, and for
    /// properties whose name says that they are secret.
    pub fn shown(&self) -> Value {
        let mut tree = serde_yaml::to_value(self).unwrap_or_default();
        for path in self.hidden.iter().chain(&self.source.secrets(&KeyPath::of(&["source"]))) {
            super::hide(&mut tree, path);
        }
        let properties = KeyPath::of(&["kafka", "properties"]);
        for name in self.kafka.properties.keys().filter(|name| schema::is_secret_name(name)) {
            super::hide(&mut tree, &properties.key(name));
        }
        tree
    }
}

impl Document for Producer {
    const KIND: &'static str = "producer file";
    const TO_BEGIN: &'static str = "conf/producer.yaml is one to begin with";

    fn schema() -> Schema {
        schema::producer()
    }

    fn hide(&mut self, places: BTreeSet<KeyPath>) {
        self.hidden = places;
    }

    fn validate(&self) -> Result<(), Problem> {
        let at = KeyPath::default();
        self.source.check(&at.key("source"))?;
        self.keywords.check(&at.key("keywords"))?;
        self.kafka.check(&at.key("kafka"))?;
        self.queue.check(&at.key("queue"))?;
        if let Some(cursor) = &self.cursor {
            cursor.check(&at.key("cursor"))?;
        }
        if self.kafka.delivery == Delivery::Transactions && self.cursor.is_none() {
            let message = "transactions without a cursor guarantee nothing; set cursor.path";
            return Err(Problem::value(at.key("kafka").key("delivery"), message));
        }
        Ok(())
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(&self.shown()).map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests;
