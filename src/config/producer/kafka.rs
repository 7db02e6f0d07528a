//! `kafka`: the topic that posts go to, and what is promised about them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Deserializer;
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use crate::config::error::Problem;
use crate::config::forms::{SecretMap, WordOr, list, opaque_debug, word_or};
use crate::config::keypath::KeyPath;
use crate::config::properties;
use crate::config::source::{check_brokers, is_topic_name};

/// The section `kafka`.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Kafka {
    /// Brokers to begin with, `host:port`; the port may be left out (9092).
    #[serde(deserialize_with = "list")]
    pub brokers: Vec<String>,
    /// The topic.
    pub topic: String,
    /// Whether a topic that is missing is made.
    pub create: Create,
    /// What is promised about records that are sent again.
    pub delivery: Delivery,
    /// The producer's name towards Kafka with transactions; empty: made of topic and cursor.
    pub transactional_id: String,
    /// Further producer properties of librdkafka.
    pub properties: SecretMap,
}

opaque_debug!(Kafka);

/// What is promised about records that are sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// Once and in order within one run of the producer.
    #[default]
    Idempotent,
    /// Also across kills, for sources whose posts have ids or places: read the topic with `read_committed`.
    Transactions,
}

/// Whether a topic that is missing is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Create {
    /// No: it is an error.
    #[default]
    None,
    /// Yes, like this.
    With(CreateWith),
}

/// A topic to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateWith {
    /// Its partitions.
    pub partitions: i32,
    /// Copies of each.
    pub replication: i32,
}

const WORDS: &[&str] = &["none"];

impl Serialize for Create {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_str(WORDS[0]),
            Self::With(with) => with.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Create {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match word_or(deserializer, WORDS)? {
            WordOr::Word(_) => Self::None,
            WordOr::Mapping(with) => Self::With(with),
        })
    }
}

impl JsonSchema for Create {
    fn schema_name() -> Cow<'static, str> {
        "Create".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let with = generator.subschema_for::<CreateWith>();
        json_schema!({"anyOf": [{"enum": WORDS}, with]})
    }
}

/// Most partitions of a topic that is made, and most copies.
const PARTITIONS_MAX: i32 = 10_000;
const REPLICATION_MAX: i32 = 100;

impl Kafka {
    pub(super) fn check(&self, at: &KeyPath) -> Result<(), Problem> {
        check_brokers(&self.brokers, &at.key("brokers"))?;
        if !is_topic_name(&self.topic) {
            let message = match self.topic.as_str() {
                "" => "missing; name the topic, as in tweets_poc".to_owned(),
                topic => format!("`{topic}` is no topic name: 1 to 249 of a-z A-Z 0-9 . _ -"),
            };
            return Err(Problem::value(at.key("topic"), message));
        }
        if let Create::With(CreateWith { partitions, replication }) = self.create {
            let create = at.key("create");
            if !(1..=PARTITIONS_MAX).contains(&partitions) {
                let message = format!("{partitions} is out of range; 1 to {PARTITIONS_MAX}");
                return Err(Problem::value(create.key("partitions"), message));
            }
            if !(1..=REPLICATION_MAX).contains(&replication) {
                let message = format!("{replication} is out of range; 1 to {REPLICATION_MAX}");
                return Err(Problem::value(create.key("replication"), message));
            }
        }
        properties::check_producer(&self.properties, &at.key("properties"))
    }
}
