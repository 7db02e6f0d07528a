//! How the producer's Kafka clients are configured: what Spindle owns, what it prefers, what the producer file may set.
//! Used by the sink and by `recall`.

use std::collections::BTreeMap;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use crate::config::producer::Kafka;
use crate::source::ClientSettings;

/// What a user may override. Batches and their delay are those of the replaced producer.
const PREFERRED: &[(&str, &str)] = &[
    ("client.id", "spindle"),
    ("compression.type", "snappy"),
    ("linger.ms", "20"),
    ("batch.size", "32768"),
    // Records under way and waiting, while Kafka is away too: 16 MiB of posts, and about 400 bytes beside each. Ten
    // thousand are 100,000 a second at 100 ms each. The memory is only taken when it is used.
    ("queue.buffering.max.messages", "10000"),
    ("queue.buffering.max.kbytes", "16384"),
    ("socket.keepalive.enable", "true"),
    ("socket.connection.setup.timeout.ms", "5000"),
    // How long a broker may wait for its followers, and how long an answer may take. The defaults, half a minute and a
    // whole one, are how long records would wait for a broker that hangs.
    ("request.timeout.ms", "10000"),
    ("socket.timeout.ms", "15000"),
    // The default, 10 s, would leave records waiting that long after their broker is back.
    ("reconnect.backoff.max.ms", "1000"),
];

/// With transactions: how long one may be open. Kafka may be away for so long, then the sink is fenced; and if the
/// producer's machine is lost for good, readers of committed records are held back for so long. Brokers allow 15 min by
/// default.
const TRANSACTION_TIMEOUT_MS: &str = "300000";

/// Properties with two names; librdkafka takes whichever it is given last.
const SAME: &[(&str, &str)] =
    &[("compression.type", "compression.codec"), ("linger.ms", "queue.buffering.max.ms")];

/// What only a producer is to have of the user's: a reading client would refuse to go with it.
const NOT_FOR_READERS: &[&str] = &["message.max.bytes", "receive.message.max.bytes"];

/// Memory for records that `recall` has fetched and not read yet; also of the client that asks for log ends.
const PREFETCH_BYTES: u64 = 16 << 20;
/// Not a member of it, nothing is committed: a client that reads must have one.
const GROUP: &str = "spindle-producer";

/// What a batch is larger than its records: 61 bytes, and some for what is not known yet.
const BATCH_OVERHEAD_BYTES: i64 = 512;
/// Smallest and largest `message.max.bytes` that librdkafka takes, and its default.
const MESSAGE_BYTES: (i64, i64) = (1_000, 1_000_000_000);
const MESSAGE_BYTES_USUAL: i64 = 1_000_000;

/// Longest text of a broker or of the client that is shown, in bytes.
const SHOWN_BYTES_MAX: usize = 200;

/// The producer's settings. `batch_bytes_max` is the topic's `max.message.bytes`: what is larger is refused before it is
/// sent, because a broker would refuse its whole batch.
pub(super) fn producer(
    kafka: &Kafka,
    transactional_id: Option<&str>,
    batch_bytes_max: Option<i64>,
) -> ClientConfig {
    let mut all = common(kafka);
    let mut set = |name: &str, value: &str| all.insert(name.to_owned(), value.to_owned());
    set("enable.idempotence", "true");
    set("enable.gapless.guarantee", "false");
    set("acks", "all");
    set("partitioner", "murmur2_random");
    // Never: a record waits for as long as Kafka is away.
    set("message.timeout.ms", "0");
    set("delivery.report.only.error", "false");
    if let Some(id) = transactional_id {
        set("transactional.id", id);
        all.entry("transaction.timeout.ms".to_owned()).or_insert_with(|| TRANSACTION_TIMEOUT_MS.to_owned());
    }
    if let Some(bytes) = batch_bytes_max {
        limit(&mut all, bytes);
    }
    config(all)
}

/// Keeps records and batches below what the topic takes.
fn limit(all: &mut BTreeMap<String, String>, batch_bytes_max: i64) {
    let bytes_max = (batch_bytes_max - BATCH_OVERHEAD_BYTES).clamp(MESSAGE_BYTES.0, MESSAGE_BYTES.1);
    let mut at_most = |name: &str, usual: i64| {
        let wanted = all.get(name).and_then(|bytes| bytes.parse().ok()).unwrap_or(usual);
        all.insert(name.to_owned(), bytes_max.min(wanted).to_string());
    };
    at_most("message.max.bytes", MESSAGE_BYTES_USUAL);
    at_most("batch.size", bytes_max);
}

/// Settings of a client that makes topics and reads their settings.
pub(super) fn maker(kafka: &Kafka) -> ClientConfig {
    config(common(kafka))
}

/// Settings of a client that reads, and asks for log ends.
pub(in crate::produce) fn reader(kafka: &Kafka, committed_only: bool) -> ClientSettings {
    let mut user: BTreeMap<String, String> = (*kafka.properties).clone();
    user.retain(|name, _| !NOT_FOR_READERS.contains(&name.as_str()));
    ClientSettings::new(&kafka.brokers, GROUP, committed_only, &user, PREFETCH_BYTES)
}

fn common(kafka: &Kafka) -> BTreeMap<String, String> {
    let is_users = |name: &str| {
        let other = SAME.iter().find(|(one, _)| *one == name).map(|(_, other)| *other);
        kafka.properties.contains_key(name) || other.is_some_and(|other| kafka.properties.contains_key(other))
    };
    let preferred = PREFERRED.iter().filter(|(name, _)| !is_users(name));
    let mut all: BTreeMap<String, String> =
        preferred.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    all.extend(kafka.properties.iter().map(|(name, value)| (name.clone(), value.clone())));
    all.insert("bootstrap.servers".to_owned(), kafka.brokers.join(","));
    all.insert("allow.auto.create.topics".to_owned(), "false".to_owned());
    all
}

fn config(all: BTreeMap<String, String>) -> ClientConfig {
    let mut config = ClientConfig::new();
    for (name, value) in all {
        config.set(name, value);
    }
    // What is shown, the log's own level decides.
    config.set_log_level(RDKafkaLogLevel::Debug);
    config
}

/// The first bytes of a text that others wrote.
pub(in crate::produce) fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(SHOWN_BYTES_MAX)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SecretMap;

    fn kafka(properties: &[(&str, &str)]) -> Kafka {
        let properties = properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Kafka {
            brokers: vec!["a:1".to_owned(), "b:2".to_owned()],
            topic: "t".to_owned(),
            properties: properties.collect::<SecretMap>(),
            ..Kafka::default()
        }
    }

    #[test]
    fn the_replaced_producers_settings_hold_and_records_wait_for_ever() {
        let config = producer(&kafka(&[]), None, None);
        for (name, value) in [
            ("bootstrap.servers", "a:1,b:2"),
            ("enable.idempotence", "true"),
            ("acks", "all"),
            ("compression.type", "snappy"),
            ("linger.ms", "20"),
            ("batch.size", "32768"),
            ("partitioner", "murmur2_random"),
            ("message.timeout.ms", "0"),
        ] {
            assert_eq!(config.get(name), Some(value), "{name}");
        }
        assert_eq!(config.get("transactional.id"), None);
        config.create_native_config().unwrap();
    }

    #[test]
    fn user_properties_win_over_preferred_ones_by_either_name_and_lose_to_owned_ones() {
        let user = [
            ("linger.ms", "7"),
            ("compression.codec", "lz4"),
            ("acks", "1"),
            ("transaction.timeout.ms", "9000"),
            ("socket.timeout.ms", "8000"),
        ];
        let config = producer(&kafka(&user), Some("id"), None);
        assert_eq!(config.get("linger.ms"), Some("7"));
        assert_eq!((config.get("compression.type"), config.get("compression.codec")), (None, Some("lz4")));
        assert_eq!(config.get("acks"), Some("all"));
        assert_eq!(config.get("transaction.timeout.ms"), Some("9000"));
        assert_eq!(config.get("transactional.id"), Some("id"));
        let other = producer(&kafka(&[("queue.buffering.max.ms", "9")]), None, None);
        assert_eq!(other.get("linger.ms"), None);
    }

    #[test]
    fn no_batch_is_larger_than_the_topic_takes() {
        let sizes = |user: &[(&str, &str)], topic| {
            let config = producer(&kafka(user), None, Some(topic));
            let size = |name| config.get(name).unwrap().parse::<i64>().unwrap();
            (size("message.max.bytes"), size("batch.size"))
        };
        assert_eq!(sizes(&[], 1_048_588), (1_000_000, 32_768));
        assert_eq!(sizes(&[], 20_000), (19_488, 19_488));
        assert_eq!(sizes(&[], 100), (1_000, 1_000));
        assert_eq!(sizes(&[("message.max.bytes", "5000"), ("batch.size", "900")], 20_000), (5_000, 900));
        assert_eq!(sizes(&[("message.max.bytes", "5000000")], 9_000_000), (5_000_000, 32_768));
    }

    #[test]
    fn a_reading_client_goes_with_what_only_the_producer_is_to_have() {
        let user = [("message.max.bytes", "900000000"), ("sasl.username", "ann"), ("linger.ms", "1")];
        let settings = reader(&kafka(&user), true);
        assert_eq!((settings.get("message.max.bytes"), settings.get("sasl.username")), (None, Some("ann")));
        assert!(settings.read_committed());
        crate::source::Admin::connect(&settings).unwrap();
    }

    #[test]
    fn texts_of_others_are_cut_between_characters() {
        assert_eq!(cut("short"), "short");
        assert_eq!(cut(&"ä".repeat(150)).len(), 200);
        assert_eq!(cut(&format!("x{}", "ä".repeat(150))).len(), 199);
    }
}
