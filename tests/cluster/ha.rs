//! HDFS with two NameNodes, which `scripts/cluster up --ha` starts: whichever of them fails, windows go on and counts
//! are exact. A lane of its own, `scripts/test ha`; the other tests' HDFS has one NameNode.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::Signal;
use spindle::clock::Clock;
use tokio::sync::RwLockWriteGuard;

use crate::cluster::{exclusive, fault, told};
use crate::deaths::verified;
use crate::hdfs::{hdfs, place, snapshots};
use crate::job::{Job, Running};
use crate::kafka::{Topic, brokers};
use crate::kills::compare;
use crate::produce::Writer;
use crate::seen::{Counts, Window};

/// How long nobody is active after the active one has died. As long as ZooKeeper needs to notice, by default.
const NOBODY: Duration = Duration::from_secs(5);
/// How late beyond its end a window may be, on a machine that does other things as well.
const ON_TIME_MS: i64 = 1_500;
/// How long after somebody is active again a checkpoint goes on: waits between attempts have grown to this.
const NOTICED_MS: i64 = 5_000;
/// The same when the one before is frozen: a sync and two calls, none of which is answered, come before.
const NOTICED_FROZEN_MS: i64 = 25_000;
/// DataNodes agree on the length of a log that was being written.
const RECOVERS: Duration = Duration::from_secs(60);
const PARTITIONS: i32 = 4;

/// One of two, as `haadmin` and `scripts/cluster` number them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NameNode {
    One = 1,
    Two = 2,
}

use NameNode::{One, Two};

impl NameNode {
    fn other(self) -> Self {
        if self == One { Two } else { One }
    }

    fn id(self) -> String {
        format!("nn{}", self as u8)
    }

    fn fault(self, what: &str) {
        fault(&format!("namenode {} {what}", self as u8));
    }

    /// Graceful: the other one is asked to hand over.
    fn relieves(self) {
        hdfs(&["haadmin", "-failover", &self.other().id(), &self.id()]);
        self.assert_active();
    }

    /// Whatever became of the other one.
    fn takes_over(self) {
        hdfs(&["haadmin", "-transitionToActive", "--forceactive", &self.id()]);
        self.assert_active();
    }

    /// By what it says itself: a failover that never was would test nothing.
    fn assert_active(self) {
        assert!(self.is_active(), "{}", self.status().0);
    }

    fn is_active(self) -> bool {
        self.status().0.contains("  active  ")
    }

    /// Its line of `scripts/cluster status`, and the second word of it: running, paused or stopped.
    fn status(self) -> (String, String) {
        let status = told("status hdfs");
        let name = if self == One { "namenode" } else { "namenode2" };
        let line = status.lines().find(|line| line.split_whitespace().next() == Some(name));
        let line =
            line.unwrap_or_else(|| panic!("no {name}; start a cluster by scripts/cluster up --ha\n{status}"));
        (line.to_owned(), line.split_whitespace().nth(1).unwrap().to_owned())
    }
}

/// The cluster as `scripts/cluster up --ha` leaves it, whatever a test before did: both run, the first is active.
fn both() -> RwLockWriteGuard<'static, ()> {
    let alone = exclusive();
    let states = [One, Two].map(|node| (node, node.status().1));
    states.iter().filter(|(_, state)| state == "paused").for_each(|(node, _)| node.fault("stop"));
    // Before the others start: a standby leaves safe mode when it has read what an active one wrote.
    if !One.is_active() && !Two.is_active() {
        let running = states.iter().find(|(_, state)| state == "running");
        running.expect("a NameNode runs; run scripts/cluster down, then up --ha").0.takes_over();
    }
    states.iter().filter(|(_, state)| state != "running").for_each(|(node, _)| node.fault("start"));
    if !One.is_active() {
        One.relieves();
    }
    alone
}

/// Records all the time, 5,000 a second.
struct Load {
    enough: Arc<AtomicBool>,
    thread: JoinHandle<Counts>,
}

impl Load {
    fn start(topic: &Topic) -> Self {
        let enough = Arc::new(AtomicBool::new(false));
        let (stop, topic) = (Arc::clone(&enough), topic.name.clone());
        let thread = thread::spawn(move || {
            let mut writer = Writer::new(&brokers(), &topic);
            let (clock, every) = (Clock::start(), Duration::from_millis(20));
            for turn in 0.. {
                let due = every * turn;
                while clock.monotonic() < due {
                    writer.producer.poll(due.saturating_sub(clock.monotonic()));
                }
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                // Keys that come and go, as well as those that are always there.
                writer.key(Some(format!("turn {}", turn / 50).as_bytes()));
                (0..PARTITIONS).for_each(|partition| writer.numbered(partition, 25));
            }
            writer.flush();
            writer.counts
        });
        Self { enough, thread }
    }

    fn end(self) -> Counts {
        self.enough.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// A job with everything on the name service.
struct Case {
    wait: bool,
    topic: String,
    directory: String,
    job: Running,
    /// Windows that were found in time.
    checked: usize,
}

impl Case {
    fn start(topic: &Topic, wait: bool) -> Self {
        let directory = place("ha").0;
        let job = submit(&topic.name, &directory, wait);
        Self { wait, topic: topic.name.clone(), directory, job, checked: 0 }
    }

    /// Until windows that end from now on are there, on time.
    fn until_windows(&mut self) {
        let now_ms = Clock::start().wall_ms();
        let newer = |window: &Window| {
            let end_ms = window.window_end_ms;
            end_ms > now_ms + 1_000 && window.arrived_ms - end_ms < ON_TIME_MS
        };
        self.job.until("windows go on", |seen| seen.windows.last().is_some_and(newer));
    }

    /// Windows go on, and all since the last time were in time: those that wait for the checkpoint by `noticed_ms`
    /// after `since_ms`, when a NameNode was active again.
    fn goes_on(&mut self, what: &str, since_ms: i64, noticed_ms: i64) {
        self.until_windows();
        let mut worst_ms = i64::MIN;
        for window in &self.job.seen.windows[self.checked..] {
            let end_ms = window.window_end_ms;
            let due_ms = if self.wait { end_ms.max(since_ms + noticed_ms) } else { end_ms } + ON_TIME_MS;
            let late_ms = window.arrived_ms - due_ms;
            assert!(late_ms <= 0, "{what}: a window came {late_ms} ms too late\n{}", self.job.seen);
            worst_ms = worst_ms.max(window.arrived_ms - end_ms);
        }
        self.checked = self.job.seen.windows.len();
        println!("{what}, wait {}: windows at most {worst_ms} ms after their end", self.wait);
    }

    /// Kills the driver and starts the next one.
    fn dies(&mut self) {
        self.job.signal(Signal::KILL);
        assert_eq!(self.job.exit_code(), -9, "{}", self.job.seen);
        self.job.seen.assert_whole();
        self.job = submit(&self.topic, &self.directory, self.wait);
        self.checked = 0;
    }

    /// What the one before had made durable is there.
    fn until_recovered(&mut self) {
        self.job.until_within(RECOVERS, "the window", |seen| seen.logs("recovered the window") == 1);
        self.job.until_within(RECOVERS, "a window", |seen| !seen.windows.is_empty());
    }

    /// Every record once, in the last window and in every snapshot.
    fn ends_with(mut self, produced: &Counts) {
        self.job.until_total(produced.values().sum());
        let seen = self.job.finish();
        compare(produced, &seen.counts());
        // Those that waited, too.
        seen.assert_whole();
        let recounted = verified(&self.topic, &snapshots(&self.directory));
        assert!(recounted.contains(" equal, 0 differ, 0 cannot be verified"), "{recounted}");
        let last = jiff::Timestamp::from_millisecond(seen.windows.last().unwrap().window_end_ms).unwrap();
        assert!(recounted.contains(&format!("{last}  equal")), "the last window, of {last}\n{recounted}");
        println!("wait {}: {}", self.wait, recounted.lines().last().unwrap());
    }
}

fn submit(topic: &str, directory: &str, wait: bool) -> Running {
    let job = Job::new(&brokers(), topic).set("source.group", &format!("{topic}-{wait}"));
    let job = job.set("checkpoint.path", &format!("{directory}/checkpoint"));
    job.set("checkpoint.wait", &wait.to_string()).set("snapshots", &snapshots(directory)).start()
}

/// One job that waits for its checkpoint and one that does not, through every way in which a NameNode fails.
#[test]
fn failovers_delay_only_windows_that_wait_for_the_checkpoint_and_change_none() {
    let _alone = both();
    let topic = Topic::create("ha", PARTITIONS);
    let load = Load::start(&topic);
    let mut cases = [false, true].map(|wait| Case::start(&topic, wait));
    cases.iter_mut().for_each(|case| case.until_windows());
    // What a start was late is not of interest here.
    cases.iter_mut().for_each(|case| case.checked = case.job.seen.windows.len());
    let now_ms = || Clock::start().wall_ms();
    for node in [Two, One] {
        node.relieves();
        let since_ms = now_ms();
        cases.iter_mut().for_each(|case| case.goes_on("graceful", since_ms, NOTICED_MS));
    }
    for (harm, noticed_ms) in [("stop", NOTICED_MS), ("pause", NOTICED_FROZEN_MS)] {
        let node = if harm == "stop" { One } else { Two };
        node.fault(harm);
        let from_ms = now_ms() + ON_TIME_MS;
        cases[0].job.during(NOBODY);
        cases[0].goes_on("nobody active", 0, 0);
        let until_ms = now_ms();
        node.other().takes_over();
        let since_ms = now_ms();
        cases.iter_mut().for_each(|case| case.goes_on(harm, since_ms, noticed_ms));
        let shown = cases[1].job.seen.windows.iter();
        let meanwhile = shown.filter(|window| (from_ms..until_ms).contains(&window.arrived_ms));
        assert_eq!(meanwhile.count(), 0, "shown with nobody to make them durable\n{}", cases[1].job.seen);
        // Whoever fails over has seen to the death of the one that was active.
        if harm == "pause" {
            node.fault("stop");
        }
        node.fault("start");
        cases.iter_mut().for_each(|case| case.goes_on("the other one is back", 0, 0));
    }
    let produced = load.end();
    cases.into_iter().for_each(|case| case.ends_with(&produced));
}

/// Whoever comes next takes the log over from one that another NameNode knew.
#[test]
fn a_driver_killed_in_a_failover_is_followed_by_one_that_counts_on() {
    let _alone = both();
    let topic = Topic::create("ha-deaths", PARTITIONS);
    let load = Load::start(&topic);
    let mut case = Case::start(&topic, false);
    case.until_windows();
    // Nobody is active when the next one starts.
    One.fault("stop");
    case.dies();
    case.job.during(NOBODY);
    assert!(case.job.seen.windows.is_empty(), "{}", case.job.seen);
    Two.takes_over();
    case.until_recovered();
    One.fault("start");
    // The first in the configured order is standby.
    case.dies();
    case.until_recovered();
    thread::scope(|scope| {
        scope.spawn(|| One.relieves());
        case.dies();
        case.until_recovered();
    });
    Two.relieves();
    case.dies();
    case.until_recovered();
    let produced = load.end();
    case.ends_with(&produced);
}
