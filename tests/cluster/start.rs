//! Where reading begins, and what is found while it runs.

use std::time::Duration;

use rdkafka::admin::NewPartitions;

use spindle::ids::{Partition, Position};
use spindle::source::Admin;

use crate::group::committed;
use crate::job::{Job, Running};
use crate::kafka::{Topic, admin, brokers, options, settings, unique, wait};
use crate::produce::Writer;

fn started(job: Job) -> Running {
    let mut job = job.start();
    job.until("a first window", |seen| !seen.windows.is_empty());
    job
}

#[test]
fn latest_reads_only_what_comes() {
    let topic = Topic::create("latest", 2);
    let mut writer = Writer::new(&brokers(), &topic.name);
    writer.numbered(0, 100);
    writer.flush();
    let mut job = started(Job::new(&brokers(), &topic.name).set("source.start", "latest"));
    writer.numbered(0, 7);
    writer.numbered(1, 3);
    writer.flush();
    job.until_total(10);
    job.finish().assert_whole();
}

#[test]
fn from_sets_committed_offsets_aside_once() {
    let topic = Topic::create("from", 2);
    let mut writer = Writer::new(&brokers(), &topic.name);
    writer.numbered(0, 100);
    writer.flush();
    let job = || Job::new(&brokers(), &topic.name);
    let mut first = job().start();
    first.until_total(100);
    first.finish();

    let mut again = job().arg("--from").arg("earliest").start();
    again.until_total(100);
    again.finish();

    writer.numbered(1, 40);
    writer.flush();
    let mut latest = started(job().arg("--from").arg("latest"));
    writer.numbered(1, 2);
    writer.flush();
    latest.until_total(2);
    latest.finish();
    assert_eq!(committed(&format!("group-of-{}", topic.name), &topic.name, 2), [100, 42]);
}

#[test]
fn a_time_begins_at_its_first_record() {
    let topic = Topic::create("time", 1);
    let mut writer = Writer::new(&brokers(), &topic.name);
    let hour_ms = 3_600_000;
    for hour in 1..=10 {
        writer.at(hour * hour_ms);
    }
    writer.flush();
    let mut by_rule =
        Job::new(&brokers(), &topic.name).set("source.start", "{timestamp: 1970-01-01T06:00:00Z}").start();
    by_rule.until_total(5);
    by_rule.finish();
    let mut by_flag = Job::new(&brokers(), &topic.name).arg("--from").arg("1970-01-01T08:30:00Z").start();
    by_flag.until_total(2);
    by_flag.finish();
}

/// As a tool does that copies a group from one cluster to another. Its epochs are of the other cluster's logs.
#[test]
fn offsets_committed_on_another_cluster_are_read_on() {
    let topic = Topic::create("copied", 2);
    let mut writer = Writer::new(&brokers(), &topic.name);
    (0..2).for_each(|partition| writer.numbered(partition, 100));
    writer.flush();
    let asked = Admin::connect(&settings(&format!("group-of-{}", topic.name), true)).unwrap();
    let partition = |number| Partition::new(topic.name.as_str(), number);
    assert_eq!(
        asked.leader_epochs(&[partition(0), partition(1)]).unwrap(),
        [(partition(0), 0), (partition(1), 0)].into()
    );
    let at = |leader_epoch| Position { leader_epoch, ..Position::at(60) };
    asked.commit(&[(partition(0), at(1_000_000)), (partition(1), at(0))]).unwrap();
    let mut job = Job::new(&brokers(), &topic.name).start();
    job.until_total(80);
    job.finish().assert_whole();
}

/// It is new, and nothing of it was read.
#[test]
fn a_topic_of_a_pattern_made_while_nobody_reads_is_read_from_its_beginning() {
    let prefix = unique("between");
    let first = Topic::named(&format!("{prefix}-a"), 1);
    let mut writer = Writer::new(&brokers(), &first.name);
    writer.numbered(0, 10);
    writer.flush();
    let job = || Job::new(&brokers(), &format!("^{prefix}-[ab]")).set("source.start", "latest");
    let seen = started(job()).finish();
    assert_eq!(seen.total(), 0);
    let second = Topic::named(&format!("{prefix}-b"), 1);
    let mut other = Writer::new(&brokers(), &second.name);
    other.numbered(0, 30);
    other.flush();
    writer.numbered(0, 4);
    writer.flush();
    let mut job = job().start();
    job.until_total(34);
    job.finish().assert_whole();
}

/// Found within ten seconds; what was written to them before is read as well.
#[test]
fn new_partitions_and_new_topics_are_read_from_their_beginning() {
    let prefix = unique("pattern");
    let first = Topic::named(&format!("{prefix}-a"), 1);
    let mut writer = Writer::new(&brokers(), &first.name);
    writer.numbered(0, 10);
    writer.flush();
    let job = Job::new(&brokers(), &format!("^{prefix}-[ab]")).set("source.start", "latest");
    let mut job = started(job);
    assert_eq!(job.seen.total(), 0);

    wait(admin().create_partitions(&[NewPartitions::new(&first.name, 2)], &options())).unwrap();
    let second = Topic::named(&format!("{prefix}-b"), 1);
    let other = Topic::named(&format!("{prefix}-ab"), 1);
    let mut others = [Writer::new(&brokers(), &second.name), Writer::new(&brokers(), &other.name)];
    others.iter_mut().for_each(|writer| {
        writer.numbered(0, 300);
        writer.flush();
    });
    let mut writer = Writer::new(&brokers(), &first.name);
    writer.numbered(1, 20);
    writer.numbered(0, 1);
    writer.flush();
    job.until_total(321);
    // A pattern is the whole name: the third topic never comes.
    job.during(Duration::from_secs(1));
    let seen = job.finish();
    seen.assert_whole();
    assert_eq!(seen.total(), 321);
    assert_eq!(seen.next.len(), 3, "{:?}", seen.next);
}
