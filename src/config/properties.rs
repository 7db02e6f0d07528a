//! `source.properties`: which librdkafka properties a user may set, and why others not.
//!
//! Names that only the Java client knows are answered with what librdkafka has instead, because job files are
//! written by people who come from there.

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

use super::error::Problem;
use super::forms::SecretMap;
use super::keypath::KeyPath;

/// Properties that Spindle sets itself, and why or where to set them.
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
];
const OPENSSL: &str = "leave it out; OpenSSL decides";
const NO_JAVA: &str = "leave it out; there is no JVM to load a class";

/// How long a broker may hold an empty answer back at most, milliseconds. Windows claim to be complete by answers that
/// are at most 2 s old.
const FETCH_WAIT_MS_MAX: u64 = 500;

/// Refuses what Spindle owns, what only Java knows, and what librdkafka does not take.
pub(super) fn check(properties: &SecretMap, at: &KeyPath) -> Result<(), Problem> {
    for (name, value) in properties.iter() {
        let refuse = |message: String| Err(Problem::key(at.key(name), message));
        if let Some(reason) = lookup(OWNED, name) {
            return refuse(format!("Spindle owns this property: {reason}"));
        }
        if let Some(instead) = lookup(JAVA, name) {
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
        if name == "fetch.wait.max.ms" && value.parse::<u64>().is_ok_and(|ms| ms > FETCH_WAIT_MS_MAX) {
            return Err(Problem::value(
                at.key(name),
                "is more than 500; windows could not be complete: they go by how far logs reached at most 2 s ago",
            ));
        }
        if name == "ssl.endpoint.identification.algorithm" && value.is_empty() {
            return Err(Problem::value(at.key(name), "is empty; librdkafka writes none"));
        }
    }
    ask_librdkafka(properties, at)
}

fn lookup(table: &[(&str, &'static str)], name: &str) -> Option<&'static str> {
    table.iter().find(|(known, _)| *known == name).map(|(_, answer)| *answer)
}

/// Lets librdkafka parse each property; nothing is connected. Its own words would repeat the value, which may
/// be a secret.
fn ask_librdkafka(properties: &SecretMap, at: &KeyPath) -> Result<(), Problem> {
    use rdkafka::types::RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN;
    for (name, value) in properties.iter() {
        let mut config = ClientConfig::new();
        config.set(name, value);
        match config.create_native_config() {
            Ok(_) => {}
            Err(KafkaError::ClientConfig(RD_KAFKA_CONF_UNKNOWN, ..)) => {
                return Err(Problem::key(at.key(name), "librdkafka knows no such property"));
            }
            Err(_) => {
                let message = "librdkafka does not take this value; see its CONFIGURATION.md";
                return Err(Problem::value(at.key(name), message));
            }
        }
    }
    Ok(())
}
