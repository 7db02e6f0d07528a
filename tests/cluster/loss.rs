//! Offsets that are gone: the job ends and says what to do, or goes on and counts what is lost.

use rustix::process::Signal;

use crate::job::Job;
use crate::kafka::{Topic, brokers};
use crate::produce::Writer;
use crate::seen::Seen;

fn lines(seen: &Seen, parts: &[&str]) -> usize {
    seen.log.iter().filter(|line| parts.iter().all(|part| line.contains(part))).count()
}

/// A group that has read 100 records of a log that now begins at 160 and ends at 200.
fn expired(name: &str) -> (Topic, Writer) {
    let topic = Topic::create(name, 1);
    let mut writer = Writer::new(&brokers(), &topic.name);
    writer.numbered(0, 100);
    writer.flush();
    let mut job = Job::new(&brokers(), &topic.name).start();
    job.until_total(100);
    job.finish();
    writer.numbered(0, 100);
    writer.flush();
    topic.expire(0, 160);
    (topic, writer)
}

#[test]
fn expired_offsets_end_the_job_with_the_remedy() {
    let (topic, _) = expired("expired-fail");
    let mut job = Job::new(&brokers(), &topic.name).start();
    assert_eq!(job.exit_code(), 1, "{}", job.seen);
    let partition = format!("{}/0", topic.name);
    let told = ["offset 100 has expired", &partition, "160", "60 lost", "on_data_loss", "--from earliest"];
    assert_eq!(lines(&job.seen, &told), 1, "{}", job.seen);
    assert!(job.seen.windows.is_empty());
}

#[test]
fn expired_offsets_are_counted_as_lost_when_the_job_is_to_go_on() {
    let (topic, mut writer) = expired("expired-earliest");
    let mut job = Job::new(&brokers(), &topic.name).set("source.on_data_loss", "earliest").start();
    job.until_total(40);
    writer.numbered(0, 3);
    writer.flush();
    job.until_total(43);
    let seen = job.finish();
    assert_eq!(lines(&seen, &["offset 100 has expired", "60 lost", "reading goes on"]), 1, "{seen}");
}

/// Reading is slow on purpose, and memory for what is fetched ahead small: the log's beginning overtakes it.
#[test]
fn offsets_that_expire_while_they_are_read_are_lost_by_the_rule() {
    let topic = Topic::create("overtaken", 1);
    let writer = Writer::new(&brokers(), &topic.name);
    let large = vec![b'v'; 200_000];
    (0..240).for_each(|_| writer.value(&large, &[]));
    writer.flush();
    let slow = |policy: &str| {
        Job::new(&brokers(), &topic.name)
            .set("source.max_rate_per_partition", "20")
            .set("executors.memory", "64M")
            .set("source.on_data_loss", policy)
            .set("source.group", &format!("{policy}-{}", topic.name))
            .start()
    };
    let (mut fail, mut go_on) = (slow("fail"), slow("earliest"));
    fail.until("records", |seen| seen.total() > 0);
    go_on.until("records", |seen| seen.total() > 0);
    topic.expire(0, 230);
    assert_eq!(fail.exit_code(), 1, "{}", fail.seen);
    let partition = format!("{}/0", topic.name);
    let told = [&partition, "has expired", "the log begins at 230", "on_data_loss"];
    assert_eq!(lines(&fail.seen, &told), 1, "{}", fail.seen);
    go_on.until("the log's end", |seen| seen.next.values().all(|next| *next == 240));
    let seen = go_on.finish();
    let told = seen.log.iter().filter(|line| line.contains("the log begins at 230"));
    let lost = |line: &String| line.split_once(" lost)")?.0.rsplit_once('(')?.1.parse().ok();
    let lost: Vec<u64> = told.filter_map(lost).collect();
    assert_eq!((lost.len(), seen.total() + lost.iter().sum::<u64>()), (1, 240), "{seen}");
}

#[test]
fn a_topic_deleted_while_it_is_read_ends_the_job() {
    let topic = Topic::create("deleted", 2);
    let mut writer = Writer::new(&brokers(), &topic.name);
    writer.numbered(0, 10);
    writer.flush();
    let mut job = Job::new(&brokers(), &topic.name).start();
    job.until_total(10);
    topic.delete();
    assert_eq!(job.exit_code(), 1, "{}", job.seen);
    // The first one that is known to be gone is named, whichever that is.
    assert_eq!(lines(&job.seen, &[&topic.name, "is gone at offset", "on_data_loss"]), 1, "{}", job.seen);
}

#[test]
fn a_topic_made_anew_is_read_from_its_beginning_when_the_job_is_to_go_on() {
    let topic = Topic::create("anew", 1);
    let mut writer = Writer::new(&brokers(), &topic.name);
    writer.numbered(0, 30);
    writer.flush();
    let place = tempfile::tempdir().unwrap();
    let start = || {
        let job = Job::new(&brokers(), &topic.name).set("source.on_data_loss", "earliest");
        job.set("checkpoint.path", &format!("file://{}/c", place.path().display())).start()
    };
    let mut job = start();
    job.until_total(30);
    topic.delete();
    job.until("that it is gone", |seen| !seen.windows.last().unwrap().unread.is_empty());
    topic.recreate();
    // More than the old one had: its offsets all exist in the new one.
    let mut writer = Writer::new(&brokers(), &topic.name);
    writer.numbered(0, 50);
    writer.flush();
    job.until_total(80);
    writer.numbered(0, 1);
    writer.flush();
    job.until_total(81);
    let windows = job.seen.windows.len();
    job.until("a window that is durable", |seen| seen.windows.len() > windows + 1);
    job.signal(Signal::KILL);
    job.exit_code();
    assert_eq!(lines(&job.seen, &["the topic was recreated", "reading goes on"]), 1, "{}", job.seen);
    // It is the new topic that the next driver finds in the checkpoint.
    let mut next = start();
    writer.numbered(0, 1);
    writer.flush();
    next.until_total(82);
    next.finish();
}

#[test]
fn a_topic_made_anew_ends_the_job_by_default() {
    let topic = Topic::create("anew-fail", 1);
    let mut writer = Writer::new(&brokers(), &topic.name);
    writer.numbered(0, 30);
    writer.flush();
    let mut job = Job::new(&brokers(), &topic.name).start();
    job.until_total(30);
    topic.delete();
    topic.recreate();
    writer.numbered(0, 50);
    assert_eq!(job.exit_code(), 1, "{}", job.seen);
    assert_eq!(job.seen.total(), 30, "nothing of the new topic was counted\n{}", job.seen);
}
