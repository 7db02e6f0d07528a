//! `source`: which Kafka, which topics, from where. The source module turns it into client settings.

use jiff::Timestamp;
use regex::Regex;
use schemars::JsonSchema;
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};

use super::error::Problem;
use super::forms::{SecretMap, list, opaque_debug};
use super::keypath::KeyPath;
use super::properties;

/// The section `source`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Source {
    /// Brokers to begin with, `host:port`; the port may be left out (9092).
    #[serde(deserialize_with = "list")]
    pub brokers: Vec<String>,
    /// Names of topics, or one entry that starts with `^`: a regular expression.
    #[serde(deserialize_with = "list")]
    pub topics: Vec<String>,
    /// Consumer group whose committed offsets follow what is durable.
    pub group: String,
    /// Where to begin when there is neither a checkpoint nor a committed offset.
    #[serde(with = "serde_yaml::with::singleton_map")]
    #[schemars(with = "Start")]
    pub start: Start,
    /// Whether records of open and aborted transactions are read.
    pub isolation: Isolation,
    /// What happens when records expired, were truncated, or the topic was made anew.
    pub on_data_loss: OnDataLoss,
    /// Most records per second and partition; 0 is no limit.
    pub max_rate_per_partition: u64,
    /// librdkafka consumer properties, but for those that Spindle owns.
    pub properties: SecretMap,
}

/// Where reading begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// At the end of each partition.
    #[default]
    Latest,
    /// At the first record there is.
    Earliest,
    /// At the first record with this timestamp or a later one.
    Timestamp(
        #[serde(deserialize_with = "timestamp")]
        #[schemars(with = "String", extend("format" = "date-time"))]
        Timestamp,
    ),
}

/// Kafka's isolation level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// Committed records only.
    #[default]
    ReadCommitted,
    /// All records, Java's default.
    ReadUncommitted,
}

/// What to do when records are gone before they were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnDataLoss {
    /// The job fails.
    #[default]
    Fail,
    /// Go on at the first record there is, and count what is lost.
    Earliest,
}

/// Which topics are read.
#[derive(Debug, Clone)]
pub enum Topics<'a> {
    /// These.
    Named(&'a [String]),
    /// Those whose whole name matches, now and later.
    Matching(Regex),
}

opaque_debug!(Source);

impl Default for Source {
    fn default() -> Self {
        Self {
            brokers: Vec::new(),
            topics: Vec::new(),
            group: String::new(),
            start: Start::Latest,
            isolation: Isolation::ReadCommitted,
            on_data_loss: OnDataLoss::Fail,
            max_rate_per_partition: 0,
            properties: SecretMap::default(),
        }
    }
}

impl Source {
    /// What `topics` means. Fails, with the reason, on an expression that is none.
    pub fn topics(&self) -> Result<Topics<'_>, String> {
        match self.topics.as_slice() {
            [pattern] if pattern.starts_with('^') => {
                // `^(?:x)$`: as Java's `Pattern.matches`, which Kafka clients use, never a part of a name.
                let whole = format!("^(?:{})$", pattern.trim_start_matches('^').trim_end_matches('$'));
                Regex::new(&whole).map(Topics::Matching).map_err(|error| pattern_error(pattern, &error))
            }
            names => Ok(Topics::Named(names)),
        }
    }

    pub(super) fn check(&self, at: &KeyPath) -> Result<(), Problem> {
        check_brokers(&self.brokers, &at.key("brokers"))?;
        self.check_topics(&at.key("topics"))?;
        if self.group.is_empty() {
            let message = "missing; name the consumer group, as in tweets_group";
            return Err(Problem::value(at.key("group"), message));
        }
        properties::check(&self.properties, &at.key("properties"))
    }

    fn check_topics(&self, at: &KeyPath) -> Result<(), Problem> {
        if self.topics.is_empty() {
            return Err(Problem::value(at.clone(), "missing; list the topics, as in [tweets_poc]"));
        }
        self.topics().map_err(|reason| Problem::value(at.index(0), reason))?;
        for (nth, topic) in self.topics.iter().enumerate() {
            let wrong = |message| Err(Problem::value(at.index(nth), message));
            if topic.starts_with('^') {
                if self.topics.len() > 1 {
                    return wrong(format!(
                        "`{topic}` is an expression, which must be the only entry; join them by |"
                    ));
                }
            } else if !is_topic_name(topic) {
                return wrong(format!("`{topic}` is no topic name: 1 to 249 of a-z A-Z 0-9 . _ -"));
            } else if self.topics[..nth].contains(topic) {
                return wrong(format!("`{topic}` is there twice"));
            }
        }
        Ok(())
    }
}

/// Addresses as Kafka clients take them.
pub(super) fn check_brokers(brokers: &[String], at: &KeyPath) -> Result<(), Problem> {
    if brokers.is_empty() {
        return Err(Problem::value(at.clone(), "missing; list the Kafka brokers, as in [localhost:9092]"));
    }
    for (nth, broker) in brokers.iter().enumerate() {
        let port = broker.rsplit_once(':').filter(|_| !broker.ends_with(']')).map(|(_, port)| port);
        let good_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
        if broker.is_empty() || broker.starts_with(':') || broker.contains(char::is_whitespace) || !good_port
        {
            let message = format!("`{broker}` is not a broker; write host:port, as in localhost:9092");
            return Err(Problem::value(at.index(nth), message));
        }
    }
    Ok(())
}

/// RFC 3339, with the offset from UTC.
fn timestamp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse()
        .map_err(|_| D::Error::custom(format!("`{text}` is not a time; write it as 2026-11-22T10:00:00Z")))
}

/// Of what the regex crate says, only the last line: the others repeat the pattern.
fn pattern_error(pattern: &str, error: &regex::Error) -> String {
    let text = error.to_string();
    let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
    format!("`{pattern}` is not a regular expression: {reason}")
}

/// Kafka's rule: `org.apache.kafka.common.internals.Topic.validate`.
pub(super) fn is_topic_name(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=249).contains(&name.len()) && name.chars().all(legal) && name != "." && name != ".."
}
