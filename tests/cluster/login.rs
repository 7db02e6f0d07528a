//! Logins: what a broker that wants one says, and what is shown of it.

use std::env;

use crate::job::Job;
use crate::kafka::{Topic, brokers};
use crate::produce::Writer;

/// The test broker's listener for logins (`scripts/cluster.d/kafka.properties`).
fn login_brokers() -> String {
    env::var("SPINDLE_KAFKA_SASL")
        .expect("SPINDLE_KAFKA_SASL names the listener: eval \"$(scripts/cluster up kafka)\"")
}

fn job(topic: &str, password: &str) -> Job {
    Job::new(&login_brokers(), topic)
        .set("source.properties.security.protocol", "sasl_plaintext")
        .set("source.properties.sasl.mechanism", "PLAIN")
        .set("source.properties.sasl.username", "spindle")
        .set("source.properties.sasl.password", password)
}

#[test]
fn a_right_password_reads() {
    let topic = Topic::create("login", 2);
    let mut writer = Writer::new(&brokers(), &topic.name);
    writer.numbered(0, 50);
    writer.flush();
    let mut job = job(&topic.name, "weaver").start();
    job.until_total(50);
    job.finish().assert_whole();
}

#[test]
fn a_wrong_password_ends_the_job_and_is_not_shown() {
    let topic = Topic::create("refused-login", 1);
    let mut job = job(&topic.name, "not-the-password").start();
    assert_eq!(job.exit_code(), 1);
    let log = job.seen.log.join("\n");
    assert!(log.contains("refused"), "{log}");
    assert!(log.contains("sasl.*"), "says what to check: {log}");
    assert!(!log.contains("not-the-password"), "{log}");
}
