//! Topics that are not there: nobody makes one by asking for it, although brokers would let them.

use std::process::Command;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use spindle::clock::Clock;
use spindle::ids::{Partition, Position};
use spindle::source::admin::TopicsRule;
use spindle::source::{Admin, Record, Source, Visit};
use spindle::store::{Address, Patience, Store};

use crate::job::Job;
use crate::kafka::{Topic, admin, brokers, settings, unique, wait};
use crate::produce::Writer;
use crate::snapshots::{self, Books, SLIDES};

struct Nothing;

impl Visit for Nothing {
    fn record(&mut self, _: usize, record: &Record<'_>) {
        panic!("a record of a topic that does not exist: offset {}", record.offset);
    }
}

/// Topics with this in their names.
fn listed(part: &str) -> Vec<String> {
    let client: BaseConsumer =
        rdkafka::ClientConfig::new().set("bootstrap.servers", brokers()).create().unwrap();
    let metadata = client.fetch_metadata(None, Duration::from_secs(10)).unwrap();
    let names = metadata.topics().iter().map(|topic| topic.name().to_owned());
    names.filter(|name| name.contains(part)).collect()
}

/// Otherwise a test that no topic is made shows nothing.
fn assert_that_brokers_make_topics() {
    let name = unique("made");
    let producer = crate::kafka::producer(&[("allow.auto.create.topics", "true")]);
    let clock = Clock::start();
    while listed(&name).is_empty() {
        assert!(clock.monotonic() < Duration::from_secs(10), "auto.create.topics.enable is not the default");
        drop(
            rdkafka::producer::Producer::client(&producer)
                .fetch_metadata(Some(&name), Duration::from_secs(1)),
        );
    }
    drop(wait(admin().delete_topics(&[&name], &crate::kafka::options())));
}

#[test]
fn no_question_makes_a_topic() {
    assert_that_brokers_make_topics();
    let name = unique("never-made");
    let mut job = Job::new(&brokers(), &name).start();
    assert_eq!(job.exit_code(), 1, "{}", job.seen);
    assert_eq!(job.seen.logs(&format!("topic {name} does not exist")), 1, "{}", job.seen);

    let (_dir, file) = snapshots::job(&brokers(), &name, "file:///nowhere/at/all", "");
    let spindle = env!("CARGO_BIN_EXE_spindle");
    assert!(Command::new(spindle).arg("conf").arg(&file).output().unwrap().status.success());

    let admin = Admin::connect(&settings(&unique("group"), true)).unwrap();
    let partition = [Partition::new(name.as_str(), 0)];
    let topics = admin.describe(&TopicsRule::Names(vec![name.clone()])).unwrap();
    assert_eq!(topics.absent, std::slice::from_ref(&name));
    admin.log_range(&partition).unwrap()[0].clone().unwrap_err();
    admin.offsets_for_time(&partition, 0).unwrap()[0].clone().unwrap_err();
    assert_eq!(admin.committed(&partition).unwrap(), [None]);

    // As an executor reads it that was given a topic which has gone since.
    let (mut source, _waker) = Source::open(&settings("g", true)).unwrap();
    source.assign(&[(partition[0].clone(), Position::at(7))]).unwrap();
    let clock = Clock::start();
    while clock.monotonic() < Duration::from_secs(8) {
        source.drain(clock.monotonic(), Duration::from_millis(50), &mut Nothing).unwrap();
    }
    assert_eq!(listed(&name), Vec::<String>::new());
}

#[test]
fn no_recount_makes_a_topic_anew() {
    let topic = Topic::create("recounted", 2);
    snapshots::produce(&mut Writer::new(&brokers(), &topic.name));
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| format!("file://{}/{name}", place.path().display());
    let store = |name: &str| Store::open(&Address::parse(&path(name)).unwrap(), Patience::default()).unwrap();
    let mut books = Books::start(store("snapshots"), store("checkpoint"), &topic.name, None);
    books.slides(SLIDES);
    wait(books.finish());
    topic.delete();
    let (_dir, file) = snapshots::job(&brokers(), &topic.name, &path("snapshots"), "");
    let (code, told, said) = snapshots::verify(&file, &["--last", "2"]);
    assert_eq!(code, Some(1), "{told}{said}");
    assert!(told.contains("does not exist any more"), "{told}{said}");
    assert_eq!(listed(&topic.name), Vec::<String>::new());
}

/// The executors' clients and the driver's looks go on asking for it.
#[test]
fn a_topic_that_is_deleted_stays_deleted_while_a_job_waits_for_it() {
    let topic = Topic::create("waited-for", 2);
    topic.produce(0, 10);
    let mut job = Job::new(&brokers(), &topic.name).set("source.on_data_loss", "earliest").start();
    job.until_total(10);
    topic.delete();
    job.until("that it is gone", |seen| !seen.windows.last().unwrap().unread.is_empty());
    job.until("that it is known to be gone", |seen| seen.logs("the job waits until it is there again") == 2);
    assert_eq!(listed(&topic.name), Vec::<String>::new());
    job.finish();
}
