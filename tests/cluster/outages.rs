//! HDFS away, hanging, full, forbidden: windows go on, the checkpoint catches up, and the next driver loses nothing.

use std::time::Duration;

use rustix::process::Signal;
use spindle::clock::Clock;

use crate::cluster::{Mend, exclusive, fault, named, shared};
use crate::hdfs::{hdfs, place};
use crate::job::{Job, Running};
use crate::kafka::{Topic, brokers};
use crate::produce::Writer;

/// How long the NameNode is away, seconds, unless the environment says otherwise.
const OUTAGE_S: u64 = 3;
/// How late beyond its end a window may be while the store is in trouble, on a machine that does other things as well.
const ON_TIME_MS: i64 = 1_500;
/// A checkpoint is behind for seconds, not for good.
const CATCHES_UP: Duration = Duration::from_secs(25);

/// DataNodes agree on the length of a log that was being written; the first try may meet one that is just back.
const RECOVERS: Duration = Duration::from_secs(120);

/// How long one try of a take-over lasts, with what comes before it.
const TAKE_OVER: Duration = Duration::from_secs(120);

/// A topic with its books, a job over it, and where its checkpoint is.
struct Bench {
    topic: Topic,
    writer: Writer,
    checkpoint: String,
}

impl Bench {
    fn new(name: &str) -> Self {
        let topic = Topic::create(name, 2);
        let writer = Writer::new(&brokers(), &topic.name);
        Self { topic, writer, checkpoint: place(name).0 }
    }

    fn job(&self) -> Job {
        Job::new(&brokers(), &self.topic.name).set("checkpoint.path", &self.checkpoint)
    }

    /// Everything that is in the topic after some more.
    fn write(&mut self, records: u32) -> u64 {
        self.writer.numbered(0, records);
        self.writer.numbered(1, records);
        self.writer.flush()
    }

    /// Kills the driver, and has the next one count on.
    fn killed(&mut self, mut job: Running) {
        job.signal(Signal::KILL);
        job.exit_code();
        let mut next = self.job().start();
        let total = self.write(10);
        next.until_within(RECOVERS, "the window", |seen| seen.logs("recovered the window") == 1);
        next.until_total(total);
        next.finish().assert_whole();
    }
}

/// Records are counted and windows are on time.
fn goes_on(bench: &mut Bench, job: &mut Running) {
    let before = job.seen.windows.len();
    let total = bench.write(50);
    job.until_total(total);
    job.until("some windows", |seen| seen.windows.len() > before + 3);
    let late = job.seen.windows[before..].iter().map(|window| window.arrived_ms - window.window_end_ms);
    let worst = late.max().unwrap();
    assert!(worst <= ON_TIME_MS, "a window came {worst} ms after its end\n{}", job.seen);
}

/// `SPINDLE_TEST_OUTAGE=60` keeps it away for a minute.
fn outage() -> Duration {
    let given = std::env::var("SPINDLE_TEST_OUTAGE").ok();
    Duration::from_secs(given.map_or(OUTAGE_S, |seconds| seconds.parse().unwrap()))
}

#[test]
fn without_a_namenode_a_job_waits_at_its_start_and_then_goes_on() {
    let _alone = exclusive();
    let mut bench = Bench::new("no-namenode");
    fault("namenode stop");
    let mut job = bench.job().start();
    let total = bench.write(10);
    job.during(outage());
    assert!(job.seen.windows.is_empty(), "{}", job.seen);
    fault("namenode start");
    job.until_total(total);
    goes_on(&mut bench, &mut job);
    fault("namenode stop");
    goes_on(&mut bench, &mut job);
    job.until("it is told", |seen| seen.logs("the checkpoint is not written") > 0);
    job.during(outage());
    goes_on(&mut bench, &mut job);
    fault("namenode start");
    job.until("it catches up", |seen| seen.logs("the checkpoint is written again") > 0);
    goes_on(&mut bench, &mut job);
    bench.killed(job);
}

#[test]
fn safe_mode_delays_a_start_and_no_window() {
    let _alone = exclusive();
    let mut bench = Bench::new("safe-mode");
    hdfs(&["dfsadmin", "-safemode", "enter"]);
    let mut job = bench.job().start();
    let total = bench.write(10);
    job.during(Duration::from_secs(2));
    assert!(job.seen.windows.is_empty(), "{}", job.seen);
    hdfs(&["dfsadmin", "-safemode", "leave"]);
    job.until_total(total);
    hdfs(&["dfsadmin", "-safemode", "enter"]);
    goes_on(&mut bench, &mut job);
    hdfs(&["dfsadmin", "-safemode", "leave"]);
    goes_on(&mut bench, &mut job);
    bench.killed(job);
}

/// One of two nodes, dead or frozen, which the NameNode does not know at first and gives to new files.
#[test]
fn a_datanode_dead_or_frozen_delays_the_checkpoint_for_seconds() {
    let _alone = exclusive();
    let mut bench = Bench::new("datanode");
    let mut job = bench.job().start();
    let total = bench.write(10);
    job.until_total(total);
    for (harm, mend) in [("pause", "resume"), ("stop", "start")] {
        goes_on(&mut bench, &mut job);
        let (behind, again) = (job.seen.logs("is not written"), job.seen.logs("is written again"));
        let clock = Clock::start();
        fault(&format!("datanode 1 {harm}"));
        goes_on(&mut bench, &mut job);
        // A node of the pipeline it need not have been.
        job.until("it is noticed, or not", |seen| {
            seen.logs("is not written") > behind || clock.monotonic() > Duration::from_secs(6)
        });
        if job.seen.logs("is not written") > behind {
            job.until("it catches up", |seen| seen.logs("is written again") > again);
            println!("DataNode {harm}: caught up {:?} after it", clock.monotonic());
            assert!(clock.monotonic() < CATCHES_UP, "{:?}\n{}", clock.monotonic(), job.seen);
        }
        goes_on(&mut bench, &mut job);
        fault(&format!("datanode 1 {mend}"));
        goes_on(&mut bench, &mut job);
    }
    bench.killed(job);
}

/// The last block is on one node alone, and that is frozen: nobody can close the log before it is back. A try of a
/// take-over ends after 90 s; `SPINDLE_TEST_OUTAGE=300` takes several.
#[test]
fn a_take_over_waits_for_a_log_that_cannot_be_closed() {
    let _alone = exclusive();
    let mut bench = Bench::new("not-closed");
    let mut job = bench.job().start();
    let total = bench.write(10);
    job.until_total(total);
    goes_on(&mut bench, &mut job);
    let one = Mend::after(&["datanode 1 pause"], &["datanode 1 resume"]);
    job.until("a log on one node", |seen| seen.logs("is written again") > 0);
    goes_on(&mut bench, &mut job);
    job.signal(Signal::KILL);
    job.exit_code();
    let other = Mend::after(&["datanode 2 pause"], &["datanode 2 resume"]);
    drop(one);
    let (clock, outage) = (Clock::start(), outage());
    let mut next = bench.job().start();
    let total = bench.write(10);
    next.during(outage);
    assert!(next.seen.windows.is_empty(), "{}", next.seen);
    let said = next.seen.logs("the checkpoint cannot be opened yet");
    assert!(outage < TAKE_OVER || said > 0, "{}", next.seen);
    drop(other);
    next.until_within(RECOVERS, "the window", |seen| seen.logs("recovered the window") == 1);
    println!(
        "a log not closable for {outage:?}: said {said} times, recovered {:?} after it",
        clock.monotonic()
    );
    next.until_total(total);
    next.finish().assert_whole();
}

#[test]
fn what_hdfs_refuses_is_said_with_the_path_and_a_remedy() {
    let _services = shared();
    let topic = Topic::create("refused", 1);
    let start =
        |checkpoint: &str| Job::new(&brokers(), &topic.name).set("checkpoint.path", checkpoint).start();
    let full = place("quota").0;
    let path = full.strip_prefix(&named("SPINDLE_HDFS")).unwrap().to_owned();
    hdfs(&["dfs", "-mkdir", "-p", &path]);
    hdfs(&["dfsadmin", "-setQuota", "1", &path]);
    let mut job = start(&full);
    assert_eq!(job.exit_code(), 1, "{}", job.seen);
    assert!(job.seen.logs("quota") > 0 && job.seen.logs(&path) > 0, "{}", job.seen);
    let file = place("file").0;
    hdfs(&["dfs", "-touchz", &file]);
    let mut job = start(&file);
    assert_eq!(job.exit_code(), 1, "{}", job.seen);
    assert!(job.seen.logs(&file) > 0 && job.seen.windows.is_empty(), "{}", job.seen);
    let private = place("private").0;
    let path = private.strip_prefix(&named("SPINDLE_HDFS")).unwrap();
    hdfs(&["dfs", "-mkdir", "-p", path]);
    hdfs(&["dfs", "-chmod", "700", path]);
    let job = Job::new(&brokers(), &topic.name).set("checkpoint.path", &private);
    let mut job = job.env("HADOOP_USER_NAME", "stranger").start();
    assert_eq!(job.exit_code(), 1, "{}", job.seen);
    assert!(job.seen.logs("Permission denied") > 0 && job.seen.logs(path) > 0, "{}", job.seen);
}
