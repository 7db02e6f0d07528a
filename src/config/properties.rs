//! `source.properties` and `kafka.properties`: which librdkafka properties a user may set, and why others not.
//!
//! Names that only the Java client knows are answered with what librdkafka has instead, because job files are
//! written by people who come from there.

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

use super::error::Problem;
use super::forms::SecretMap;
use super::keypath::KeyPath;

/// Properties of consumers that Spindle sets itself, and why or where to set them.
const OWNED: &[(&str, &str)] = &[
    ("group.id", "set source.group"),
    ("bootstrap.servers", "set source.brokers"),
    ("metadata.broker.list", "set source.brokers"),
    ("auto.offset.reset", "set source.start for the first start, source.on_data_loss for lost records"),
    ("isolation.level", "set source.isolation"),
    ("enable.auto.commit", "Spindle commits what is durable, never what was merely read"),
    ("auto.commit.interval.ms", "Spindle commits what is durable, never what was merely read"),
    ("auto.commit.enable", "Spindle commits what is durable, never what was merely read"),
    ("enable.auto.offset.store", "Spindle commits what is durable, never what was merely read"),
    ("enable.partition.eof", "Spindle needs it to know when a partition is read to its end"),
    ("statistics.interval.ms", "Spindle reads its metrics from it"),
    ("queued.min.messages", "the prefetch follows from executors.memory"),
    ("queued.max.messages.kbytes", "the prefetch follows from executors.memory"),
    ("group.protocol", NO_MEMBER),
    ("group.protocol.type", NO_MEMBER),
    ("group.remote.assignor", NO_MEMBER),
    ("group.instance.id", NO_MEMBER),
    ("partition.assignment.strategy", NO_MEMBER),
    ("session.timeout.ms", NO_MEMBER),
    ("heartbeat.interval.ms", NO_MEMBER),
    ("max.poll.interval.ms", NO_MEMBER),
    ("opaque", "it is an address in a program's memory"),
    ("default_topic_conf", "it is an address in a program's memory"),
];
const NO_MEMBER: &str = "the driver assigns partitions, executors are no members of the group";

/// The same of producers.
const OWNED_PRODUCER: &[(&str, &str)] = &[
    ("bootstrap.servers", "set kafka.brokers"),
    ("metadata.broker.list", "set kafka.brokers"),
    ("transactional.id", "set kafka.transactional_id"),
    ("enable.idempotence", "without it records would double and change their order"),
    ("enable.gapless.guarantee", "Spindle goes on behind a record that Kafka refuses, and counts it"),
    ("acks", ALL),
    ("request.required.acks", ALL),
    ("partitioner", "keys go where Java's producer puts them; for another place name a partition"),
    ("delivery.timeout.ms", PATIENT),
    ("message.timeout.ms", PATIENT),
    ("retries", PATIENT),
    ("message.send.max.retries", PATIENT),
    ("delivery.report.only.error", "Spindle counts what is acknowledged"),
    ("allow.auto.create.topics", "set kafka.create"),
    ("opaque", "it is an address in a program's memory"),
    ("default_topic_conf", "it is an address in a program's memory"),
];
const ALL: &str = "a record counts as acknowledged when all replicas in sync have it";
const PATIENT: &str =
    "a record waits for as long as Kafka is away; then the queue fills, see queue.when_full";

/// Properties of the Java client that librdkafka does not know, and what to do instead.
const JAVA: &[(&str, &str)] = &[
    ("sasl.jaas.config", "set sasl.username and sasl.password (with sasl.mechanism)"),
    ("ssl.truststore.location", "set ssl.ca.location, a PEM file"),
    ("ssl.truststore.password", "leave it out; ssl.ca.location is a PEM file without a password"),
    ("ssl.truststore.type", "leave it out; ssl.ca.location is a PEM file"),
    ("ssl.truststore.certificates", "set ssl.ca.pem"),
    ("ssl.keystore.type", "leave it out; ssl.keystore.location is a PKCS#12 file"),
    ("ssl.keystore.key", "set ssl.key.pem"),
    ("ssl.keystore.certificate.chain", "set ssl.certificate.pem"),
    ("ssl.protocol", OPENSSL),
    ("ssl.enabled.protocols", OPENSSL),
    ("ssl.provider", OPENSSL),
    ("ssl.keymanager.algorithm", OPENSSL),
    ("ssl.trustmanager.algorithm", OPENSSL),
    ("ssl.secure.random.implementation", OPENSSL),
    ("ssl.engine.factory.class", NO_JAVA),
    ("key.deserializer", "leave it out; keys are counted as the bytes they are"),
    ("value.deserializer", "leave it out; values are read only as `key` says"),
    ("max.poll.records", "leave it out; records are read in batches anyway"),
    ("fetch.max.wait.ms", "set fetch.wait.max.ms"),
    ("request.timeout.ms", "set socket.timeout.ms"),
    ("default.api.timeout.ms", "set socket.timeout.ms"),
    ("receive.buffer.bytes", "set socket.receive.buffer.bytes"),
    ("send.buffer.bytes", "set socket.send.buffer.bytes"),
    ("exclude.internal.topics", "leave it out; name topics in source.topics"),
    ("interceptor.classes", NO_JAVA),
    ("metric.reporters", NO_JAVA),
    ("sasl.client.callback.handler.class", NO_JAVA),
    ("sasl.login.class", NO_JAVA),
    ("sasl.login.callback.handler.class", NO_JAVA),
    ("security.providers", NO_JAVA),
    ("key.serializer", "leave it out; keys are the keywords"),
    ("value.serializer", "leave it out; values are the posts as they came"),
    ("buffer.memory", "set queue.buffering.max.kbytes"),
    ("max.block.ms", "leave it out; see queue.when_full"),
    ("partitioner.class", NO_JAVA),
];
const OPENSSL: &str = "leave it out; OpenSSL decides";
const NO_JAVA: &str = "leave it out; there is no JVM to load a class";

/// How long a broker may hold an empty answer back at most, milliseconds. Windows claim to be complete by answers that
/// are at most 2 s old.
const FETCH_WAIT_MS_MAX: u64 = 500;

/// Refuses what Spindle owns of a consumer, what only Java knows, and what librdkafka does not take.
pub(super) fn check(properties: &SecretMap, at: &KeyPath) -> Result<(), Problem> {
    check_names(properties, OWNED, at, |name, _| lookup(JAVA, name))?;
    let wait = properties.get("fetch.wait.max.ms").and_then(|ms| ms.parse::<u64>().ok());
    if wait.is_some_and(|ms| ms > FETCH_WAIT_MS_MAX) {
        return Err(Problem::value(
            at.key("fetch.wait.max.ms"),
            "is more than 500; windows could not be complete: they go by how far logs reached at most 2 s ago",
        ));
    }
    ask_librdkafka(properties, at)
}

/// The same of a producer.
pub(super) fn check_producer(properties: &SecretMap, at: &KeyPath) -> Result<(), Problem> {
    // Some of these names are properties of librdkafka's producer: request.timeout.ms.
    let only_javas =
        |name: &str, value: &str| lookup(JAVA, name).filter(|_| answer(name, value) == Answer::Unknown);
    check_names(properties, OWNED_PRODUCER, at, only_javas)?;
    ask_librdkafka(properties, at)
}

/// `only_javas` says what to do instead of a property that only the Java client has, by name and value.
fn check_names(
    properties: &SecretMap,
    owned: &[(&str, &'static str)],
    at: &KeyPath,
    only_javas: impl Fn(&str, &str) -> Option<&'static str>,
) -> Result<(), Problem> {
    for (name, value) in properties.iter() {
        let refuse = |message: String| Err(Problem::key(at.key(name), message));
        if let Some(reason) = lookup(owned, name) {
            return refuse(format!("Spindle owns this property: {reason}"));
        }
        if let Some(instead) = only_javas(name, value) {
            return refuse(format!("a property of the Java client; {instead}"));
        }
        if name.ends_with("_cb") {
            return refuse("a callback of C programs, not a setting".to_owned());
        }
        if name == "ssl.keystore.location" && value.ends_with(".jks") {
            return Err(Problem::value(
                at.key(name),
                "is a JKS file; librdkafka reads PKCS#12: convert it by keytool -importkeystore \
                 -deststoretype PKCS12, or set ssl.certificate.location and ssl.key.location (PEM)",
            ));
        }
        if name == "ssl.endpoint.identification.algorithm" && value.is_empty() {
            return Err(Problem::value(at.key(name), "is empty; librdkafka writes none"));
        }
    }
    Ok(())
}

fn lookup(table: &[(&str, &'static str)], name: &str) -> Option<&'static str> {
    table.iter().find(|(known, _)| *known == name).map(|(_, answer)| *answer)
}

/// What librdkafka says of a property.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Taken,
    Unknown,
    NotTaken,
}

/// Lets librdkafka parse a property; nothing is connected.
fn answer(name: &str, value: &str) -> Answer {
    use rdkafka::types::RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN;
    let mut config = ClientConfig::new();
    config.set(name, value);
    match config.create_native_config() {
        Ok(_) => Answer::Taken,
        Err(KafkaError::ClientConfig(RD_KAFKA_CONF_UNKNOWN, ..)) => Answer::Unknown,
        Err(_) => Answer::NotTaken,
    }
}

/// Lets librdkafka parse each property. Its own words would repeat the value, which may be a secret.
fn ask_librdkafka(properties: &SecretMap, at: &KeyPath) -> Result<(), Problem> {
    for (name, value) in properties.iter() {
        match answer(name, value) {
            Answer::Taken => {}
            Answer::Unknown => {
                return Err(Problem::key(at.key(name), "librdkafka knows no such property"));
            }
            Answer::NotTaken => {
                let message = "librdkafka does not take this value; see its CONFIGURATION.md";
                return Err(Problem::value(at.key(name), message));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_producer(name: &str, value: &str) -> Result<(), String> {
        let properties = [(name.to_owned(), value.to_owned())].into_iter().collect::<SecretMap>();
        let checked = check_producer(&properties, &KeyPath::of(&["kafka", "properties"]));
        checked.map_err(|problem| format!("{problem:?}"))
    }

    #[test]
    fn a_producer_takes_what_librdkafka_knows_by_a_name_of_javas() {
        of_producer("request.timeout.ms", "7000").unwrap();
        let error = of_producer("request.timeout.ms", "soon").unwrap_err();
        assert!(error.contains("does not take this value"), "{error}");
        let error = of_producer("buffer.memory", "1000").unwrap_err();
        assert!(error.contains("Java client") && error.contains("queue.buffering.max.kbytes"), "{error}");
        let error = of_producer("acks", "1").unwrap_err();
        assert!(error.contains("owns"), "{error}");
    }

    #[test]
    fn a_consumer_has_no_request_timeout() {
        let properties =
            [("request.timeout.ms".to_owned(), "7000".to_owned())].into_iter().collect::<SecretMap>();
        let problem = check(&properties, &KeyPath::of(&["source", "properties"])).unwrap_err();
        assert!(format!("{problem:?}").contains("socket.timeout.ms"), "{problem:?}");
    }
}
