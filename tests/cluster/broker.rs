//! The broker itself fails: a cluster of this test's own, because others would notice.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;

use crate::job::Job;
use crate::kafka::{options, wait};
use crate::produce::Writer;

/// A broker below the cluster folder; gone when dropped.
pub(crate) struct Cluster {
    dir: PathBuf,
    pub(crate) brokers: String,
}

impl Cluster {
    fn up(dir: PathBuf) -> Self {
        let mut cluster = Self { dir, brokers: String::new() };
        let lines = cluster.run(&["up", "kafka", "--port", "0"]);
        let address = lines.lines().find_map(|line| line.strip_prefix("export SPINDLE_KAFKA="));
        cluster.brokers = address.unwrap().to_owned();
        cluster
    }

    pub(crate) fn admin(&self) -> AdminClient<DefaultClientContext> {
        ClientConfig::new().set("bootstrap.servers", &self.brokers).create().unwrap()
    }

    pub(crate) fn run(&self, args: &[&str]) -> String {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/cluster");
        let output = Command::new(script).args(args).env("SPINDLE_CLUSTER_DIR", &self.dir).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.run(&["down", "--purge"]);
    }
}

/// One of this test's own, unless there is no folder for it.
pub(crate) fn own(name: &str) -> Option<Cluster> {
    let dir = std::env::var_os("SPINDLE_CLUSTER_DIR").map(|dir| Cluster::up(PathBuf::from(dir).join(name)));
    if dir.is_none() {
        println!("not run: SPINDLE_CLUSTER_DIR names no folder for a cluster of its own");
    }
    dir
}

/// The broker is away when the driver looks at the topics for the first time, or the next.
#[test]
fn a_look_that_meets_a_broker_restart_is_made_again() {
    let Some(cluster) = own("to-be-restarted") else { return };
    let topic = NewTopic::new("t", 1, TopicReplication::Fixed(1));
    wait(cluster.admin().create_topics([&topic], &options())).unwrap().remove(0).unwrap();
    let mut job = Job::new(&cluster.brokers, "t").start();
    job.until("a first window", |seen| !seen.windows.is_empty());
    cluster.run(&["broker", "stop"]);
    job.until("a look that fails", |seen| seen.logs("look at the topics") == 1);
    cluster.run(&["broker", "start"]);
    let grown = NewPartitions::new("t", 2);
    wait(cluster.admin().create_partitions([&grown], &options())).unwrap().remove(0).unwrap();
    let mut writer = Writer::new(&cluster.brokers, "t");
    writer.numbered(1, 100);
    let records = writer.flush();
    job.until_within(Duration::from_secs(15), "the new partition is read", |seen| seen.total() == records);
    job.finish().assert_whole();
}

#[test]
fn counts_are_exact_after_the_broker_was_killed_and_frozen() {
    let Some(cluster) = own("to-be-killed") else { return };
    let topic = NewTopic::new("t", 4, TopicReplication::Fixed(1));
    wait(cluster.admin().create_topics([&topic], &options())).unwrap().remove(0).unwrap();
    let mut writer = Writer::new(&cluster.brokers, "t");
    let mut job = Job::new(&cluster.brokers, "t").start();
    (0..4).for_each(|partition| writer.numbered(partition, 1_000));
    job.until_total(writer.flush());

    cluster.run(&["broker", "stop"]);
    let before = job.seen.windows.len();
    // Written now, taken when the broker is back.
    (0..4).for_each(|partition| writer.numbered(partition, 1_000));
    job.until("windows that say what is not read", |seen| seen.windows.last().unwrap().unread.len() == 4);
    job.during(Duration::from_secs(8));
    let windows = job.seen.windows.len() - before;
    assert!(windows > 10, "windows go on: {windows}");
    cluster.run(&["broker", "start"]);
    job.until_total(writer.flush());
    job.until("everything is read again", |seen| seen.windows.last().unwrap().unread.is_empty());

    cluster.run(&["broker", "pause"]);
    (0..4).for_each(|partition| writer.numbered(partition, 500));
    job.during(Duration::from_secs(3));
    cluster.run(&["broker", "resume"]);
    job.until_total(writer.flush());
    let seen = job.finish();
    seen.assert_whole();
    assert_eq!(seen.counts(), writer.counts);
}
