//! How Kafka clients are configured: what Spindle owns, what it prefers, what the job file may set. Feeds both
//! the reading client and the driver's.

use std::collections::BTreeMap;
use std::fmt;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use serde::{Deserialize, Serialize};

/// Properties that a job file cannot set, with the reason; the values are in [`ClientSettings::new`].
pub const OWNED: &[(&str, &str)] = &[
    ("bootstrap.servers", "it is source.brokers"),
    ("metadata.broker.list", "it is source.brokers"),
    ("group.id", "it is source.group"),
    ("isolation.level", "it is source.isolation"),
    (
        "auto.offset.reset",
        "positions are resolved by the driver alone: see source.start and source.on_data_loss",
    ),
    ("enable.auto.commit", "offsets are committed when the counts behind them are durable"),
    ("enable.auto.offset.store", "offsets are committed when the counts behind them are durable"),
    ("enable.partition.eof", "the end of a log is how Spindle knows that nothing is left to read"),
    ("queued.max.messages.kbytes", "it follows from executors.memory"),
    ("statistics.interval.ms", "statistics tell Spindle which partitions cannot be reached"),
    ("group.protocol", "partitions are assigned by the driver, not by a consumer group"),
    ("group.instance.id", "partitions are assigned by the driver, not by a consumer group"),
    ("allow.auto.create.topics", "reading must never create a topic"),
];

/// What a user may override: chosen for throughput (see the notes) and for noticing a dead broker in seconds.
const PREFERRED: &[(&str, &str)] = &[
    ("client.id", "spindle"),
    // How long a topic that vanished from metadata counts as not yet known everywhere; the default is 30 s.
    ("topic.metadata.propagation.max.ms", "5000"),
    ("check.crcs", "true"),
    ("socket.keepalive.enable", "true"),
    ("socket.timeout.ms", "10000"),
    ("socket.connection.setup.timeout.ms", "5000"),
    // No session is ever held; this also bounds how long commits wait for a coordinator, also when closing.
    ("session.timeout.ms", "6000"),
    // The default, 10 s, would leave a partition unread that long after its broker is back.
    ("reconnect.backoff.max.ms", "1000"),
    // The default, 1000 ms, stalls a consumer that empties its queue faster than that (librdkafka#2879).
    ("fetch.queue.backoff.ms", "5"),
    // An empty fetch costs client and broker 0.1 ms of CPU each; a partition that is assigned to a quiet client
    // waits for the one under way.
    ("fetch.wait.max.ms", "300"),
    ("queued.min.messages", "1000000"),
];

/// Largest and smallest value of `queued.max.messages.kbytes` in use: its own maximum, and 1 MiB.
const QUEUE_KBYTES: (u64, u64) = (1024, 2_097_151);

/// Settings of one Kafka client. Travels to executors; never printed whole.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientSettings {
    /// librdkafka properties, complete.
    pub properties: Vec<(String, String)>,
    /// Records per second and partition, 0 = no limit.
    pub max_rate_per_partition: u64,
}

impl ClientSettings {
    /// Settings for these brokers and this consumer group. `user` properties win over what Spindle prefers and
    /// never over what it owns ([`OWNED`]; validation refuses those earlier).
    ///
    /// `prefetch_bytes` is the memory that fetched messages may take (at least 8 MiB are needed). Messages of 100
    /// bytes need about four times their size (measured), and a fetch is asked for before the queue is full: so an
    /// eighth each for the queue's payload and for a fetch. The queue is that of all partitions of a client:
    /// librdkafka applies the bound where messages end up (`rd_kafka_q_size` follows forwarding), not per
    /// partition. Beyond it come one more fetch for each further broker, and what compression saved in a fetch.
    /// With a rate limit each partition has a queue of its own: two seconds' records, and a fetch.
    pub fn new(
        brokers: &[String],
        group: &str,
        read_committed: bool,
        user: &BTreeMap<String, String>,
        prefetch_bytes: u64,
    ) -> Self {
        let kbytes = (prefetch_bytes / 8 / 1024).clamp(QUEUE_KBYTES.0, QUEUE_KBYTES.1);
        let isolation = if read_committed { "read_committed" } else { "read_uncommitted" };
        let mut all: BTreeMap<String, String> = BTreeMap::new();
        let mut set = |name: &str, value: &str| all.insert(name.to_owned(), value.to_owned());
        for (name, value) in PREFERRED {
            set(name, value);
        }
        set("fetch.max.bytes", &(kbytes * 1024).clamp(1 << 20, 50 << 20).to_string());
        for (name, value) in user.iter().filter(|(name, _)| owned_reason(name).is_none()) {
            set(name, value);
        }
        set("bootstrap.servers", &brokers.join(","));
        set("group.id", group);
        set("isolation.level", isolation);
        set("auto.offset.reset", "error");
        set("enable.auto.commit", "false");
        set("enable.auto.offset.store", "false");
        set("enable.partition.eof", "true");
        set("allow.auto.create.topics", "false");
        set("statistics.interval.ms", "500");
        set("queued.max.messages.kbytes", &kbytes.to_string());
        // Metadata lines tell when a topic was deleted and created anew; there are few of them.
        let debug = user.get("debug").map_or(String::new(), |debug| format!("{debug},"));
        set("debug", &format!("{debug}metadata"));
        Self { properties: all.into_iter().collect(), max_rate_per_partition: 0 }
    }

    /// The same with a limit of records per second and partition; 0 = none.
    #[must_use]
    pub fn with_max_rate(mut self, records_per_second: u64) -> Self {
        self.max_rate_per_partition = records_per_second;
        if records_per_second > 0 {
            self.properties.retain(|(name, _)| name != "queued.min.messages");
            let two_seconds = records_per_second.saturating_mul(2).clamp(1000, 1_000_000);
            self.properties.push(("queued.min.messages".to_owned(), two_seconds.to_string()));
        }
        self
    }

    /// The value of a property.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.properties.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The brokers as they are named in messages.
    pub fn brokers(&self) -> &str {
        self.get("bootstrap.servers").unwrap_or_default()
    }

    /// The consumer group.
    pub fn group(&self) -> &str {
        self.get("group.id").unwrap_or_default()
    }

    /// Whether records of open and aborted transactions are left out.
    pub fn read_committed(&self) -> bool {
        self.get("isolation.level") == Some("read_committed")
    }

    /// Whether the brokers alone decide who logs in; otherwise it takes a ticket or token from someone else.
    pub(super) fn logs_in_by_password(&self) -> bool {
        let mechanism = self.get("sasl.mechanism").or_else(|| self.get("sasl.mechanisms"));
        mechanism.is_some_and(|mechanism| mechanism == "PLAIN" || mechanism.starts_with("SCRAM-"))
    }

    pub(super) fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config.set_log_level(RDKafkaLogLevel::Debug);
        config
    }
}

impl fmt::Debug for ClientSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.properties.iter().map(|(name, value)| (name, redacted(name, value)));
        f.debug_map().entries(shown).entry(&"max_rate_per_partition", &self.max_rate_per_partition).finish()
    }
}

/// Why a job file may not set this property, `None` when it may.
pub fn owned_reason(name: &str) -> Option<&'static str> {
    OWNED.iter().find(|(owned, _)| *owned == name).map(|(_, reason)| *reason)
}

/// The value as it may be printed: `***` for anything named like a secret.
pub fn redacted<'a>(name: &str, value: &'a str) -> &'a str {
    let name = name.to_ascii_lowercase();
    let secret = ["password", "secret", "key", "token", "jaas", "credential", "sasl.oauthbearer.config"];
    if secret.iter().any(|word| name.contains(word)) { "***" } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(user: &[(&str, &str)]) -> ClientSettings {
        let user = user.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        ClientSettings::new(&["a:1".to_owned(), "b:2".to_owned()], "g", true, &user, 64 << 20)
    }

    #[test]
    fn user_properties_win_over_preferred_and_lose_to_owned_ones() {
        let settings = settings(&[("fetch.wait.max.ms", "7"), ("group.id", "other"), ("client.rack", "r1")]);
        assert_eq!(settings.get("fetch.wait.max.ms"), Some("7"));
        assert_eq!(settings.get("client.rack"), Some("r1"));
        assert_eq!(settings.group(), "g");
        assert_eq!(settings.brokers(), "a:1,b:2");
        assert_eq!(settings.get("queued.max.messages.kbytes"), Some("8192"));
        assert!(settings.read_committed());
    }

    #[test]
    fn secrets_are_not_printed() {
        let shown = format!(
            "{:?}",
            settings(&[
                ("sasl.password", "s3cret1"),
                ("ssl.key.pem", "s3cret2"),
                ("sasl.oauthbearer.client.secret", "s3cret3"),
                ("sasl.username", "ann"),
            ])
        );
        assert!(!shown.contains("s3cret"), "{shown}");
        assert!(shown.contains("ann") && shown.contains("***"), "{shown}");
    }

    #[test]
    fn every_setting_is_known_to_the_client() {
        settings(&[]).client_config().create_native_config().unwrap();
    }
}
