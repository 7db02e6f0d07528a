//! From a stream to printed windows, with a producer that is killed again and again: stub stream -> producer -> real Kafka
//! -> job.

use std::collections::BTreeMap;
use std::io::Write;

use rdkafka::admin::{AlterConfig, ResourceSpecifier};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::job::{Job, PATIENCE, Running, spindle};
use crate::kafka::{Topic, admin, brokers, options, wait};
use crate::process;
use crate::scrape::Scrape;
use crate::seen::Counts;
use crate::stub::{Archive, Speaks, Step, Stub};
use crate::topic::{self, Found};

const PARTITIONS: i32 = 6;
const KILLS: u64 = 10;
const POSTS: u64 = 20_000;

/// A producer from `source` into a topic of its own, and what restarts need.
struct Setup {
    topic: Topic,
    dir: TempDir,
    source: String,
    delivery: &'static str,
}

impl Setup {
    fn new(source: String, delivery: &'static str) -> Self {
        let (topic, dir) = (Topic::create("producer", PARTITIONS), tempfile::tempdir().unwrap());
        Self { topic, dir, source, delivery }
    }

    fn start(&self) -> (Running, Scrape) {
        let text = format!(
            "source: {}\n\
             keywords: {{list: [Bitcoin, Blockchain, IoT, {{key: 5G, partition: 5}}]}}\n\
             kafka: {{brokers: [\"{}\"], topic: {}, delivery: {}}}\n\
             cursor: {{path: \"file://{}/cursor\", every: 100ms}}\n",
            self.source,
            brokers(),
            self.topic.name,
            self.delivery,
            self.dir.path().display()
        );
        let file = self.dir.path().join("producer.yaml");
        std::fs::write(&file, text).unwrap();
        let mut producer = spindle(&["produce", file.to_str().unwrap()]);
        let scrape = Scrape::of(&mut producer);
        (producer, scrape)
    }

    /// Kills it ten times, each time a little later; nine of ten posts are left to come after the first kill.
    fn kill_again_and_again(&self) {
        for kill in 1..=KILLS {
            let (mut producer, scrape) = self.start();
            let some = POSTS / KILLS / 4 + kill * 37;
            scrape.until("spindle_producer_sent_total", some);
            producer.signal(Signal::KILL);
            assert_eq!(producer.exit_code(), -9, "{}", producer.seen);
        }
    }

    fn records(&self) -> Vec<Found> {
        topic::read(&brokers(), &self.topic.name, PARTITIONS)
    }

    fn job(&self) -> Running {
        Job::new(&brokers(), &self.topic.name).start()
    }
}

/// Records by key, as the topic has them.
fn keys(records: &[Found]) -> Counts {
    let mut counts = Counts::new();
    for record in records {
        *counts.entry(record.key.as_ref().map(|key| key.as_bytes().to_vec())).or_default() += 1;
    }
    counts
}

/// How often each post is in the topic, by what `name` calls it.
fn copies(records: &[Found], name: impl Fn(&Value) -> String) -> BTreeMap<String, u64> {
    let mut copies = BTreeMap::new();
    for record in records {
        *copies.entry(name(&serde_json::from_slice(&record.value).unwrap())).or_default() += 1;
    }
    copies
}

fn jetstream() -> (Stub, String) {
    const WORDS: [&str; 5] = ["bitcoin", "#Blockchain", "IoT", "5G!", "patriots"];
    let mut archive = Archive::of(POSTS, 1_000);
    for sample in &mut archive.samples {
        sample.text = format!("post {} about {}", sample.n, WORDS[sample.n as usize * 7 % WORDS.len()]);
    }
    let connection = || vec![Step::Accept, Step::Rest(40), Step::Silence];
    let stub = Stub::start(Speaks::JetstreamV2(archive), (0..=KILLS).map(|_| connection()).collect());
    let source = format!("{{jetstream: {{hosts: [\"ws://{}\"], fallback: []}}}}", stub.address());
    (stub, source)
}

/// Rkeys are unique here.
fn rkey(post: &Value) -> String {
    post["payload"]["rkey"].as_str().unwrap().to_owned()
}

#[test]
fn with_ids_and_transactions_every_post_is_counted_once_whatever_is_killed() {
    let (_stub, source) = jetstream();
    let setup = Setup::new(source, "transactions");
    let mut job = setup.job();
    setup.kill_again_and_again();
    let (mut producer, _) = setup.start();
    job.until_total(POSTS);
    producer.signal(Signal::TERM);
    assert_eq!(producer.exit_code(), 0, "{}", producer.seen);
    let records = setup.records();
    let copies = copies(&records, rkey);
    assert!(copies.values().all(|copies| *copies == 1), "{copies:?}");
    assert_eq!((copies.len() as u64, job.finish().counts()), (POSTS, keys(&records)));
}

/// Requests of a killed producer that arrive after its successor has looked are sent twice; the successor counts them.
#[test]
fn with_ids_alone_every_post_is_counted_and_repeats_are_said() {
    let (_stub, source) = jetstream();
    let setup = Setup::new(source, "idempotent");
    let mut job = setup.job();
    setup.kill_again_and_again();
    let (mut producer, scrape) = setup.start();
    job.until("all posts", |seen| seen.total() >= POSTS);
    process::until("the last acknowledgement", PATIENCE, || scrape.value("spindle_producer_in_flight") == 0);
    producer.signal(Signal::TERM);
    assert_eq!(producer.exit_code(), 0, "{}", producer.seen);
    let records = setup.records();
    job.until_total(records.len() as u64);
    assert_eq!(copies(&records, rkey).len() as u64, POSTS);
    assert_eq!(job.finish().counts(), keys(&records));
}

#[test]
fn without_ids_there_is_never_less() {
    let text: String = (0..POSTS).map(|n| format!("{{\"n\":{n},\"text\":\"iot {}\"}}\n", n % 7)).collect();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("posts.ndjson");
    std::fs::write(&file, text).unwrap();
    let setup = Setup::new(format!("{{file: {{path: {:?}}}}}", file.to_str().unwrap()), "idempotent");
    let mut job = setup.job();
    setup.kill_again_and_again();
    let (mut producer, _) = setup.start();
    assert_eq!(producer.exit_code(), 0, "{}", producer.seen);
    let records = setup.records();
    job.until_total(records.len() as u64);
    assert_eq!(copies(&records, |post| post["n"].to_string()).len() as u64, POSTS);
    assert_eq!(job.finish().counts(), keys(&records));
}

/// The record that is too large fails for itself; its transaction is aborted, and the others are sent again, though nothing
/// else comes.
#[test]
fn a_record_that_kafka_refuses_costs_its_transaction_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("posts.ndjson");
    std::fs::write(&file, "{\"n\":0}\n").unwrap();
    let source = format!("{{file: {{path: {:?}, follow: true}}}}", file.to_str().unwrap());
    let setup = Setup::new(source, "transactions");
    let (mut producer, scrape) = setup.start();
    scrape.until("spindle_producer_acknowledged_total", 1);
    let change =
        AlterConfig::new(ResourceSpecifier::Topic(&setup.topic.name)).set("max.message.bytes", "2000");
    wait(admin().alter_configs([&change], &options())).unwrap().remove(0).unwrap();
    let large: String = (0..600).map(|n| format!("{:08x}", n * 2_654_435_761_u64 % 4_294_967_291)).collect();
    let posts = format!("{{\"n\":1}}\n{{\"n\":2}}\n{{\"n\":3,\"text\":\"{large}\"}}\n{{\"n\":4}}\n");
    let mut archive = std::fs::OpenOptions::new().append(true).open(&file).unwrap();
    archive.write_all(posts.as_bytes()).unwrap();
    scrape.until("spindle_producer_failed_total", 1);
    scrape.until("spindle_producer_acknowledged_total", 4);
    producer.signal(Signal::TERM);
    assert_eq!(producer.exit_code(), 1, "a record failed\n{}", producer.seen);
    let copies = copies(&setup.records(), |post| post["n"].to_string());
    assert_eq!(copies, [0, 1, 2, 4].into_iter().map(|n: u64| (n.to_string(), 1)).collect());
}

/// Also one that no keyword and no id names: the cursor is a place, and a clean stop leaves nothing to be sent again.
#[test]
fn clean_stops_send_nothing_again() {
    let text: String = (0..POSTS).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("posts.ndjson");
    std::fs::write(&file, text).unwrap();
    for delivery in ["idempotent", "transactions"] {
        let setup = Setup::new(format!("{{file: {{path: {:?}}}}}", file.to_str().unwrap()), delivery);
        for _ in 0..3 {
            let (mut producer, _) = setup.start();
            producer.signal(Signal::TERM);
            assert_eq!(producer.exit_code(), 0, "{}", producer.seen);
            assert!(!producer.seen.lines.iter().any(|line| line.contains("sent again")), "{}", producer.seen);
        }
        let (mut producer, _) = setup.start();
        assert_eq!(producer.exit_code(), 0, "{}", producer.seen);
        assert!(!producer.seen.lines.iter().any(|line| line.contains("sent again")), "{}", producer.seen);
        let copies = copies(&setup.records(), |post| post["n"].to_string());
        assert!(
            copies.len() as u64 == POSTS && copies.values().all(|copies| *copies == 1),
            "{}",
            copies.len()
        );
    }
}
