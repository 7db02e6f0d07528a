//! Committed offsets: what every lag tool shows, and where a restart goes on.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rustix::process::Signal;

use crate::job::{Job, PATIENCE};
use crate::kafka::{Topic, brokers};
use crate::process;
use crate::produce::Writer;

/// A consumer that only asks.
pub(crate) fn asker(group: &str) -> BaseConsumer {
    ClientConfig::new().set("bootstrap.servers", brokers()).set("group.id", group).create().unwrap()
}

/// Committed offsets as `kafka-consumer-groups --describe` shows them; -1 where there is none.
pub(crate) fn committed(group: &str, topic: &str, partitions: i32) -> Vec<i64> {
    let mut list = TopicPartitionList::new();
    list.add_partition_range(topic, 0, partitions - 1);
    let answer = asker(group).committed_offsets(list, PATIENCE).unwrap();
    let offset = |offset| match offset {
        Offset::Offset(offset) => offset,
        _ => -1,
    };
    answer.elements().iter().map(|element| offset(element.offset())).collect()
}

fn group(topic: &Topic) -> String {
    format!("group-of-{}", topic.name)
}

#[test]
fn committed_offsets_follow_and_a_restart_goes_on_from_them() {
    let topic = Topic::create("restart", 3);
    let mut writer = Writer::new(&brokers(), &topic.name);
    (0..3).for_each(|partition| writer.numbered(partition, 100 * (partition as u32 + 1)));
    assert_eq!(writer.flush(), 600);
    let mut job = Job::new(&brokers(), &topic.name).start();
    job.until_total(600);
    let group = group(&topic);
    process::until("offsets committed while running", PATIENCE, || {
        committed(&group, &topic.name, 3) == [100, 200, 300]
    });
    writer.numbered(1, 50);
    writer.flush();
    job.until_total(650);
    job.finish().assert_whole();
    assert_eq!(committed(&group, &topic.name, 3), [100, 250, 300], "committed before it ends");

    writer.numbered(0, 70);
    writer.flush();
    let mut job = Job::new(&brokers(), &topic.name).start();
    job.until_total(70);
    writer.numbered(2, 5);
    writer.flush();
    job.until_total(75);
    let seen = job.finish();
    seen.assert_whole();
    assert_eq!(committed(&group, &topic.name, 3), [170, 250, 305]);
    assert!(seen.counts().values().all(|count| *count <= 2));
}

/// Stopped at once after a record was counted: the last cut's offsets are committed all the same.
#[test]
fn whatever_the_last_window_shows_is_committed() {
    let topic = Topic::create("last", 1);
    let mut writer = Writer::new(&brokers(), &topic.name);
    let mut counted = 0;
    for _ in 0..3 {
        let mut job = Job::new(&brokers(), &topic.name).start();
        job.until("windows", |seen| seen.windows.len() > 1);
        writer.numbered(0, 1_000);
        writer.flush();
        assert_eq!(job.stop(Signal::TERM), 0, "{}", job.seen);
        counted += job.seen.total();
        let (_, next) = job.seen.next.iter().next().unwrap();
        assert_eq!(committed(&group(&topic), &topic.name, 1), [*next]);
    }
    let mut job = Job::new(&brokers(), &topic.name).start();
    job.until("a window", |seen| !seen.windows.is_empty());
    job.until_total(3_000 - counted);
    job.finish();
}

#[test]
fn a_group_with_another_member_is_one_warning_and_no_end() {
    let topic = Topic::create("member", 2);
    let mut writer = Writer::new(&brokers(), &topic.name);
    let member = asker(&group(&topic));
    member.subscribe(&[&topic.name]).unwrap();
    process::until("the other member has joined", PATIENCE, || {
        drop(member.poll(Duration::from_millis(50)));
        member.assignment().unwrap().count() > 0
    });
    let mut job = Job::new(&brokers(), &topic.name).start();
    let mut produced = 0;
    // Longer than the pause between two commits, so that several are refused.
    while job.seen.windows.len() < 10 {
        writer.numbered(produced % 2, 10);
        writer.flush();
        produced += 1;
        job.until_total(u64::try_from(produced).unwrap() * 10);
        drop(member.poll(Duration::ZERO));
    }
    assert_eq!(job.seen.logs("not committed"), 1, "{}", job.seen);
    // The other member leaves: commits are taken again, without a restart.
    drop(member);
    let group = group(&topic);
    process::until("commits are taken again", PATIENCE, || {
        writer.numbered(0, 1);
        writer.flush();
        committed(&group, &topic.name, 1)[0] > 0
    });
    let records = writer.flush();
    job.until_total(records);
    let seen = job.finish();
    seen.assert_whole();
    assert_eq!(seen.counts(), writer.counts);
}
