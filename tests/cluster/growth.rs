//! Topics that change under a job: what appears is found while the job commits, and what goes does no lasting harm.

use std::time::Duration;

use rdkafka::admin::NewPartitions;
use spindle::clock::Clock;

use crate::job::{Job, Running};
use crate::kafka::{Topic, admin, brokers, options, unique, wait};
use crate::produce::Writer;

/// Within this time something new is counted.
const FOUND: Duration = Duration::from_secs(15);

/// Keeps the job busy, so that it commits every second, until it has got so far.
fn busy_until(job: &mut Running, writer: &mut Writer, what: &str, done: impl Fn(&Running) -> bool) {
    let clock = Clock::start();
    while !done(job) {
        assert!(clock.monotonic() < FOUND, "{what}, not within {FOUND:?}: {}", job.seen);
        (0..2).for_each(|partition| writer.numbered(partition, 20));
        writer.flush();
        job.during(Duration::from_millis(100));
    }
}

#[test]
fn partitions_added_under_load_are_counted_from_their_beginning() {
    let topic = Topic::create("grows", 2);
    let mut writer = Writer::new(&brokers(), &topic.name);
    let mut job = Job::new(&brokers(), &topic.name).start();
    (0..2).for_each(|partition| writer.numbered(partition, 100));
    job.until_total(writer.flush());
    let clock = Clock::start();
    busy_until(&mut job, &mut writer, "a few commits", |_| clock.monotonic() > Duration::from_secs(3));

    let grown = NewPartitions::new(&topic.name, 4);
    wait(admin().create_partitions([&grown], &options())).unwrap().remove(0).unwrap();
    let mut late = Writer::new(&brokers(), &topic.name);
    (2..4).for_each(|partition| late.numbered(partition, 100));
    let later = late.flush();
    let new = [format!("{}/2", topic.name), format!("{}/3", topic.name)];
    busy_until(&mut job, &mut writer, "new partitions are read", |job| {
        new.iter().all(|partition| job.seen.next.get(partition) == Some(&100))
    });
    job.until_total(writer.flush() + later);
    job.finish().assert_whole();
}

#[test]
fn topics_of_a_pattern_come_and_go_under_load() {
    let prefix = unique("pattern");
    let first = Topic::named(&format!("{prefix}-a"), 2);
    let mut writer = Writer::new(&brokers(), &first.name);
    let mut job = Job::new(&brokers(), &format!("^{prefix}-.*"))
        .set("source.on_data_loss", "earliest")
        .set("window.length", "2s")
        .start();
    (0..2).for_each(|partition| writer.numbered(partition, 10));
    writer.flush();
    let read = |job: &Running, name: &str, until: i64| job.seen.next.get(name) == Some(&until);
    job.until("the first topic is read", |seen| seen.next.get(&format!("{prefix}-a/0")) == Some(&10));

    let second = Topic::named(&format!("{prefix}-b"), 1);
    second.produce(0, 10);
    let name = format!("{prefix}-b/0");
    busy_until(&mut job, &mut writer, "the second topic is read", |job| read(job, &name, 10));
    job.until("complete windows with both", |seen| {
        seen.windows.last().is_some_and(|window| window.complete && window.ranges.contains_key(&name))
    });

    second.delete();
    job.until("windows that say that it is away", |seen| {
        seen.windows.last().is_some_and(|window| window.unread.contains(&name) && !window.complete)
    });
    job.until("complete windows without it", |seen| {
        seen.windows.last().is_some_and(|window| window.complete && !window.ranges.contains_key(&name))
    });
    job.until("the log says so, once", |seen| seen.logs("the job goes on without it") == 1);
    job.finish();
}
