//! Reading from, and asking, a real broker.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::Producer;
use spindle::clock::Clock;
use spindle::ids::{Offset, Partition, Position};
use spindle::source::admin::{AdminError, CommitError, LogRange, TopicInfo, Topics, TopicsRule};
use spindle::source::start::{Facts, LossPolicy, LossReason, StartRule, resolve_start};
use spindle::source::{Admin, ClientSettings, Record, Source, State, Visit};

use crate::kafka::{PATIENCE, Topic, brokers, producer, settings, unique};

/// Counts records and keeps the last offset.
#[derive(Default)]
struct Count {
    records: u64,
    last: Offset,
}

impl Visit for Count {
    fn record(&mut self, _: usize, record: &Record<'_>) {
        self.records += 1;
        self.last = record.offset;
    }
}

struct Reading {
    source: Source,
    clock: Clock,
    count: Count,
}

impl Reading {
    fn open(settings: &ClientSettings) -> Self {
        let (source, _) = Source::open(settings).unwrap();
        Self { source, clock: Clock::start(), count: Count::default() }
    }

    fn assign(&mut self, topic: &str, numbers: impl IntoIterator<Item = i32>, offset: Offset) {
        let at = |n| (Partition::new(topic, n), Position::at(offset));
        self.source.assign(&numbers.into_iter().map(at).collect::<Vec<_>>()).unwrap();
    }

    fn until(&mut self, what: &str, mut done: impl FnMut(&Source, &Count) -> bool) {
        let end = self.clock.monotonic() + PATIENCE;
        while !done(&self.source, &self.count) {
            let now = self.clock.monotonic();
            if now > end {
                let progress: Vec<_> = self.source.progress().collect();
                panic!("waited in vain for: {what}; {} records; {progress:#?}", self.count.records);
            }
            self.source.drain(now, Duration::from_millis(20), &mut self.count).unwrap();
        }
    }

    fn until_end(&mut self) {
        self.until("end", |source, _| source.progress().all(|p| p.state == State::AtEnd));
    }

    fn until_state(&mut self, what: &str, wanted: fn(State<'_>) -> bool) {
        self.until(what, |source, _| source.progress().all(|p| wanted(p.state)));
    }

    fn offset(&self) -> Offset {
        self.source.progress().next().unwrap().until.offset
    }
}

fn describe(admin: &Admin, topic: &str) -> TopicInfo {
    admin.describe(&TopicsRule::Names(vec![topic.to_owned()])).unwrap().found.remove(0)
}

fn range(admin: &Admin, topic: &str) -> LogRange {
    admin.log_range(&[Partition::new(topic, 0)]).unwrap().remove(0).unwrap()
}

#[test]
fn topics_are_described_with_ids() {
    let (a, b) = (Topic::create("describe-a", 3), Topic::create("describe-b", 1));
    let admin = Admin::connect(&settings("g", true)).unwrap();
    let topics = admin.describe(&TopicsRule::Names(vec![b.name.clone(), a.name.clone()])).unwrap().found;
    assert_eq!(topics.iter().map(|t| &t.name).collect::<Vec<_>>(), [&a.name, &b.name]);
    assert!(topics[0].id.is_some() && topics[0].id != topics[1].id, "{topics:?}");
    assert_eq!(topics[0].partitions.iter().map(|p| p.number).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(
        topics[0].partitions.iter().all(|p| p.leader >= 0 && p.replicas == [p.leader] && p.isr == p.replicas)
    );
    let suffix = a.name.trim_start_matches("spindle-test-describe-a");
    let found = admin.describe(&pattern(&format!("^spindle-test-describe-.*{suffix}$"))).unwrap().found;
    assert_eq!(found, topics[..1]);
    assert!(!admin.cluster_id().unwrap().unwrap().is_empty());
}

fn pattern(pattern: &str) -> TopicsRule {
    TopicsRule::Pattern(regex::Regex::new(pattern).unwrap())
}

#[test]
fn an_absent_topic_says_nothing_about_the_others() {
    let admin = Admin::connect(&settings("g", true)).unwrap();
    let (there, absent) = (Topic::create("there", 1), unique("absent"));
    let names = vec!["not a name".to_owned(), there.name.clone(), absent.clone()];
    let topics = admin.describe(&TopicsRule::Names(names)).unwrap();
    assert_eq!(topics.found.iter().map(|topic| &topic.name).collect::<Vec<_>>(), [&there.name]);
    assert_eq!(topics.absent, ["not a name", &absent], "a name that no topic can have is absent, too");
    assert_eq!((topics.unclear, topics.denied), (vec![], vec![]));
    let nothing = admin.describe(&pattern(&format!("^{absent}"))).unwrap();
    assert_eq!(nothing, Topics::default());
}

#[test]
fn unreachable_brokers_say_why() {
    let nowhere = ClientSettings::new(&["127.0.0.1:1".to_owned()], "g", true, &BTreeMap::new(), 1 << 20);
    let admin = Admin::connect(&nowhere).unwrap().with_deadline(Duration::from_secs(2));
    let clock = Clock::start();
    let topic = TopicsRule::Names(vec!["t".to_owned()]);
    let error = admin.describe(&topic).unwrap_err();
    assert!(matches!(error, AdminError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("127.0.0.1:1") && error.to_string().contains("refused"), "{error}");
    assert!(matches!(
        admin.committed(&[Partition::new("t", 0)]).unwrap_err(),
        AdminError::Unreachable { .. }
    ));
    assert!(matches!(admin.log_range(&[Partition::new("t", 0)]), Err(AdminError::Unreachable { .. })));
    assert!(matches!(admin.cluster_id().unwrap_err(), AdminError::Unreachable { .. }));
    let commit = admin.commit(&[(Partition::new("t", 0), Position::at(1))]).unwrap_err();
    assert!(matches!(commit, CommitError::Failed { .. }), "{commit}");
    drop(admin);
    assert!(clock.monotonic() < Duration::from_secs(16), "each within its deadline: {:?}", clock.monotonic());
}

#[test]
fn a_refused_connection_is_told_apart() {
    let tls = BTreeMap::from([("security.protocol".to_owned(), "ssl".to_owned())]);
    let settings = ClientSettings::new(&[brokers()], "g", true, &tls, 1 << 20);
    let admin = Admin::connect(&settings).unwrap().with_deadline(Duration::from_secs(2));
    let error = admin.describe(&TopicsRule::Names(vec!["t".to_owned()])).unwrap_err();
    assert!(matches!(error, AdminError::Denied { .. }), "{error}");
    assert!(error.to_string().contains("SSL") && error.to_string().contains("security.protocol"), "{error}");
}

#[test]
fn offsets_are_committed_and_found_again() {
    let topic = Topic::create("commit", 2);
    let admin = Admin::connect(&settings(&unique("group"), true)).unwrap();
    let partitions = [Partition::new(topic.name.as_str(), 0), Partition::new(topic.name.as_str(), 1)];
    assert_eq!(admin.committed(&partitions).unwrap(), [None, None]);
    let position = Position { leader_epoch: 0, ..Position::at(42) };
    admin.commit(&[(partitions[1].clone(), position)]).unwrap();
    assert_eq!(admin.committed(&partitions).unwrap(), [None, Some(position)]);
}

#[test]
fn a_group_with_live_members_refuses_commits() {
    let topic = Topic::create("members", 1);
    let group = unique("group");
    let member: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", brokers()).set("group.id", &group).create().unwrap();
    member.subscribe(&[&topic.name]).unwrap();
    let clock = Clock::start();
    while member.assignment().unwrap().count() == 0 {
        assert!(clock.monotonic() < PATIENCE);
        drop(member.poll(Duration::from_millis(50)));
    }
    let admin = Admin::connect(&settings(&group, true)).unwrap();
    let at = [(Partition::new(topic.name.as_str(), 0), Position::at(0))];
    let error = admin.commit(&at).unwrap_err();
    assert!(matches!(error, CommitError::Refused { .. }), "{error}");
    drop(member);
    let clock = Clock::start();
    while let Err(error) = admin.commit(&at) {
        assert!(clock.monotonic() < PATIENCE, "the client goes on after a refusal: {error}");
    }
}

#[test]
fn time_finds_its_record() {
    let topic = Topic::create("time", 1);
    topic.produce(0, 10);
    let admin = Admin::connect(&settings("g", true)).unwrap();
    let of = |ms| {
        admin.offsets_for_time(&[Partition::new(topic.name.as_str(), 0)], ms).unwrap().remove(0).unwrap()
    };
    assert_eq!(of(0), 0);
    assert_eq!(of(Clock::start().wall_ms() + 3_600_000), 10, "nothing is so young: the end");
}

#[test]
fn positions_pass_control_records_and_aborted_ones() {
    let topic = Topic::create("transactions", 1);
    let producer = producer(&[("transactional.id", &topic.name)]);
    producer.init_transactions(PATIENCE).unwrap();
    let transaction = |records| {
        producer.begin_transaction().unwrap();
        topic.send(&producer, 0, records);
        producer.flush(PATIENCE).unwrap();
    };
    let admin = Admin::connect(&settings("g", true)).unwrap();
    let mut committed = Reading::open(&settings("g", true));
    let mut all = Reading::open(&settings("g", false));
    committed.assign(&topic.name, [0], 0);
    all.assign(&topic.name, [0], 0);

    transaction(10);
    producer.commit_transaction(PATIENCE).unwrap();
    committed.until("11", |source, _| source.progress().all(|p| p.until.offset == 11));
    assert_eq!((committed.count.records, committed.count.last), (10, 9), "10 is a control record");

    transaction(5);
    producer.abort_transaction(PATIENCE).unwrap();
    committed.until("17", |source, _| source.progress().all(|p| p.until.offset == 17));
    assert_eq!(committed.count.records, 10);
    assert_eq!(range(&admin, &topic.name), LogRange { first: 0, end: 17, high: 17 });

    transaction(4);
    all.until("21", |source, _| source.progress().all(|p| p.until.offset == 21));
    assert_eq!(all.count.records, 19);
    committed.until_end();
    assert_eq!((committed.count.records, committed.offset()), (10, 17), "held back by an open transaction");
    assert_eq!(committed.source.progress().next().unwrap().log_end, Some(17));
    assert_eq!(range(&admin, &topic.name), LogRange { first: 0, end: 17, high: 21 });
    producer.commit_transaction(PATIENCE).unwrap();
    committed.until("22", |source, _| source.progress().all(|p| p.until.offset == 22));
    assert_eq!(committed.count.records, 14);

    // From the position behind the last control record, everything new and nothing old is read.
    let until = committed.source.progress().next().unwrap().until;
    let mut next = Reading::open(&settings("g", true));
    next.source.assign(&[(Partition::new(topic.name.as_str(), 0), until)]).unwrap();
    transaction(3);
    producer.commit_transaction(PATIENCE).unwrap();
    next.until("26", |source, _| source.progress().all(|p| p.until.offset == 26));
    assert_eq!(next.count.records, 3);
}

#[test]
fn expired_offsets_stop_and_are_resolved_by_policy() {
    let topic = Topic::create("expired", 1);
    topic.produce(0, 100);
    topic.expire(0, 60);
    let mut reading = Reading::open(&settings("g", true));
    reading.assign(&topic.name, [0], 20);
    reading.until_state("out of range", |s| matches!(s, State::OutOfRange(_)));
    assert_eq!((reading.count.records, reading.offset()), (0, 20));

    let admin = Admin::connect(&settings("g", true)).unwrap();
    assert_eq!(range(&admin, &topic.name), LogRange { first: 60, end: 100, high: 100 });
    let start = resolve(&admin, &topic.name, Position::at(20));
    assert_eq!((start.1.offset, start.0), (60, Some((LossReason::Expired, 40))));
    let partition = Partition::new(topic.name.as_str(), 0);
    reading.source.release(std::slice::from_ref(&partition)).unwrap();
    reading.source.assign(&[(partition, start.1)]).unwrap();
    reading.until_end();
    assert_eq!(reading.count.records, 40);
}

/// Resolves the start of partition 0 that was to be read on at `held`.
fn resolve(admin: &Admin, topic: &str, held: Position) -> (Option<(LossReason, u64)>, Position) {
    let partition = Partition::new(topic, 0);
    let facts = Facts {
        topics: &[describe(admin, topic)],
        ranges: &BTreeMap::from([(partition.clone(), range(admin, topic))]),
        held: &BTreeMap::from([(partition, held)]),
        at_time: &BTreeMap::new(),
        pattern: None,
        believed: &BTreeSet::new(),
    };
    let start = resolve_start(facts, StartRule::Latest, None, LossPolicy::Earliest).unwrap();
    (start.losses.first().map(|loss| (loss.reason, loss.offsets())), start.positions[0].1)
}

#[test]
fn a_topic_deleted_while_it_is_read_is_gone() {
    let topic = Topic::create("deleted", 2);
    topic.produce(0, 10);
    let mut reading = Reading::open(&settings("g", true));
    reading.assign(&topic.name, 0..2, 0);
    reading.until_end();
    topic.delete();
    reading.until_state("gone", |s| matches!(s, State::Gone(_)));
    assert_eq!((reading.count.records, reading.offset()), (10, 10));
}

/// The id comes from a log line, in words that another librdkafka may change. Without it a topic that was recreated
/// would be read on at the old offset, and nobody would know.
#[test]
fn nothing_counts_while_the_client_does_not_tell_the_topics_id() {
    let topic = Topic::create("silent", 1);
    topic.produce(0, 10);
    let admin = Admin::connect(&settings("g", true)).unwrap();
    let position = Position { topic_id: describe(&admin, &topic.name).id, ..Position::at(0) };
    let assigned = [(Partition::new(topic.name.as_str(), 0), position)];
    let mut silent = settings("g", true);
    silent.properties.retain(|(name, _)| name != "debug");
    let mut reading = Reading::open(&silent);
    reading.source.assign(&assigned).unwrap();
    reading.until_state("gone", |s| matches!(s, State::Gone(why) if why.contains("does not say")));
    assert_eq!((reading.count.records, reading.offset()), (0, 0));
    // A client that tells it goes on from there.
    let mut reading = Reading::open(&settings("g", true));
    reading.source.assign(&assigned).unwrap();
    reading.until_end();
    assert_eq!(reading.count.records, 10);
}

#[test]
fn a_topic_recreated_while_it_is_read_is_not_taken_for_the_old_one() {
    let topic = Topic::create("recreated", 1);
    topic.produce(0, 10);
    let admin = Admin::connect(&settings("g", true)).unwrap();
    let before = describe(&admin, &topic.name);
    let mut reading = Reading::open(&settings("g", true));
    reading.assign(&topic.name, [0], 0);
    reading.until_end();
    let held = Position { topic_id: before.id, ..reading.source.progress().next().unwrap().until };
    topic.delete();
    topic.recreate();
    // More than the old topic had: its offsets all exist, and librdkafka reads on at the old one.
    topic.produce(0, 50);
    reading.until_state("gone", |s| matches!(s, State::Gone(_)));
    assert_eq!((reading.count.records, reading.offset()), (10, 10));
    let after = describe(&admin, &topic.name);
    assert_ne!(after.id, before.id);
    let (loss, position) = resolve(&admin, &topic.name, held);
    assert_eq!((loss, position.offset, position.topic_id), (Some((LossReason::Recreated, 0)), 0, after.id));

    // Assigned with the id of old, it is found too, before a record is read.
    let mut late = Reading::open(&settings("g", true));
    late.source.assign(&[(Partition::new(topic.name.as_str(), 0), held)]).unwrap();
    late.until_state("gone", |s| matches!(s, State::Gone(_)));
    assert_eq!(late.count.records, 0);
    let mut new = Reading::open(&settings("g", true));
    new.source.assign(&[(Partition::new(topic.name.as_str(), 0), position)]).unwrap();
    new.until_end();
    assert_eq!(new.count.records, 50);
}
