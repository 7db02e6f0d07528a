//! A job that was away for long: what piled up is read at full speed in bounded memory, and people are told how long it
//! takes; windows are not complete before it is over.

use std::fs;

use rustix::process::{Pid, Signal};

use crate::job::Job;
use crate::kafka::{Topic, brokers};
use crate::produce::Writer;

const RECORDS: u32 = 1_500_000;
/// What an executor may take, as its setting says, kB.
const EXECUTOR_KB: u64 = 256 << 10;

#[test]
fn a_backlog_is_worked_off_in_bounded_memory_and_told() {
    let topic = Topic::create("backlog", 2);
    let mut writer = Writer::with(&brokers(), &topic.name, &[("queue.buffering.max.messages", "200000")]);
    let place = tempfile::tempdir().unwrap();
    let start = || {
        let job = Job::new(&brokers(), &topic.name).set("window.length", "30s").set("window.slide", "100ms");
        let job = job.set("executors.memory", "256M").set("source.max_rate_per_partition", "200000");
        job.set("checkpoint.path", &format!("file://{}/c", place.path().display())).start()
    };
    let mut job = start();
    writer.numbered(0, 10);
    job.until_total(writer.flush());
    let windows = job.seen.windows.len();
    job.until("a window that is durable", |seen| seen.windows.len() > windows + 3);
    job.signal(Signal::KILL);
    job.exit_code();
    (0..RECORDS / 1_000).for_each(|_| (0..2).for_each(|partition| writer.numbered(partition, 500)));
    let total = writer.flush();
    let mut job = start();
    let executors = job.until_connected(2);
    job.until_total(total);
    let peak_kb = executors.iter().map(|(_, pid)| peak_kb(*pid)).max().unwrap();
    job.until("its end", |seen| seen.logs("caught up") == 1);
    let seen = job.finish();
    assert!(seen.logs("catching up: ") > 0 && seen.logs("records behind, about ") > 0, "{seen}");
    assert!(seen.windows.iter().any(|window| window.behind_ms > 0), "{seen}");
    let short = seen.windows.iter().filter(|window| window.total < total);
    assert!(short.clone().count() > 0 && short.clone().all(|window| !window.complete), "{seen}");
    assert!(peak_kb <= EXECUTOR_KB, "{peak_kb} kB");
    seen.assert_whole();
}

/// The most memory that a process has had.
fn peak_kb(pid: Pid) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
