//! How a job ends: signals, a stdout that is closed or that nobody reads; committed is what was printed.

use std::io::{BufRead, BufReader, Read};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rustix::process::{Signal, kill_process_group};

use crate::job::PATIENCE;
use crate::mock::Mock;
use crate::process;

pub(crate) fn committed(mock: &Mock, partitions: i32) -> Vec<i64> {
    let asker: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", mock.cluster.bootstrap_servers())
        .set("group.id", "group-of-t")
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_range("t", 0, partitions - 1);
    let answer = asker.committed_offsets(list, PATIENCE).unwrap();
    let offset = |offset| match offset {
        Offset::Offset(offset) => offset,
        _ => -1,
    };
    answer.elements().iter().map(|element| offset(element.offset())).collect()
}

/// As a terminal does it: the signal goes to the whole foreground group. Executors are not in it, so the last
/// cut has someone to answer it.
#[test]
fn ctrl_c_takes_the_last_cut_prints_and_commits() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut mock = Mock::new(1, 2);
        let mut job = mock.job().own_group().start();
        let executors = job.until_connected(2);
        for (_, pid) in &executors {
            assert_ne!(process::group(*pid), process::group(job.pid()), "a group of its own");
        }
        job.until_total(mock.write(500));
        mock.write(1);
        let clock = spindle::clock::Clock::start();
        kill_process_group(job.pid(), signal).unwrap();
        assert_eq!(job.exit_code(), 0, "{}", job.seen);
        assert!(clock.monotonic() < crate::job::STOP, "{:?}", clock.monotonic());
        let printed: Vec<i64> = job.seen.next.values().copied().collect();
        assert_eq!(committed(&mock, 2), printed, "{}", job.seen);
        assert_eq!(job.seen.logs("executor lost"), 0, "{}", job.seen);
        job.seen.assert_whole();
    }
}

/// The brokers answer late, so that whoever does not wait for the last commit ends before it is there.
#[test]
fn the_last_commit_is_waited_for() {
    let mut mock = Mock::new(1, 2);
    let mut job = mock.job().start();
    job.until_total(mock.write(100));
    process::until("a commit", PATIENCE, || committed(&mock, 2) == [100, 100]);
    let total = mock.write(1);
    mock.cluster.broker_round_trip_time(1, Duration::from_millis(400)).unwrap();
    job.until_total(total);
    assert_eq!(job.stop(Signal::INT), 0, "{}", job.seen);
    assert_eq!(job.seen.logs("was not answered"), 0, "{}", job.seen);
    mock.cluster.broker_round_trip_time(1, Duration::ZERO).unwrap();
    assert_eq!(committed(&mock, 2), [101, 101], "{}", job.seen);
}

/// Nobody answers the last cut, so the first Ctrl-C waits, and the second does not.
#[test]
fn a_second_ctrl_c_ends_it_at_once() {
    let mut mock = Mock::new(1, 1);
    let mut job = mock.job().arg("--master").arg("local[1]").start();
    job.until_total(mock.write(10));
    let frozen = job.until_connected(1)[0].1;
    rustix::process::kill_process(frozen, Signal::STOP).unwrap();
    job.signal(Signal::INT);
    job.until("that it stops", |seen| seen.logs("stopping") == 1);
    // Two interrupts at once are one.
    job.signal(Signal::INT);
    job.during(Duration::from_millis(400));
    assert_eq!(job.stop(Signal::INT), 130, "{}", job.seen);
    assert!(!process::lives(frozen));
}

#[test]
fn a_frozen_executor_does_not_hold_the_end_up() {
    let mut mock = Mock::new(1, 1);
    let mut job = mock.job().arg("--master").arg("local[1]").start();
    job.until_total(mock.write(10));
    let frozen = job.until_connected(1)[0].1;
    rustix::process::kill_process(frozen, Signal::STOP).unwrap();
    job.signal(Signal::INT);
    assert_eq!(job.exit_code(), 0, "{}", job.seen);
    assert_eq!(job.seen.logs("last cut was not answered"), 1, "{}", job.seen);
    assert!(!process::lives(frozen));
}

/// `spindle submit job.yaml | head -1`.
#[test]
fn a_closed_stdout_ends_the_job_well() {
    let mut mock = Mock::new(1, 2);
    let (reader, writer) = std::io::pipe().unwrap();
    let mut job = mock.job().stdout(writer).start();
    let total = mock.write(100);
    let mut lines = BufReader::new(reader);
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    assert!(line.starts_with('{'), "{line}");
    drop(lines);
    assert_eq!(job.exit_code(), 0, "{}", job.seen);
    assert_eq!(job.seen.logs("stdout is closed"), 1, "{}", job.seen);
    let committed = committed(&mock, 2);
    assert!(committed.iter().all(|offset| (0..=100).contains(offset)), "{committed:?} of {total}");
}

/// The pipe is full and stays so: counting goes on, offsets are committed, and the end comes in time.
#[test]
fn a_stdout_that_nobody_reads_stalls_nothing() {
    let mut mock = Mock::new(1, 2);
    let (mut reader, writer) = std::io::pipe().unwrap();
    // 64 KiB of pipe are full after a few windows of 2,000 keys.
    let mut job = mock.job().stdout(writer).set("window.slide", "100ms").start();
    mock.write(2_000);
    job.until("windows that are left out", |seen| seen.logs("windows are left out") == 1);
    mock.write(500);
    process::until("what was written since is committed", PATIENCE, || {
        job.during(Duration::from_millis(50));
        committed(&mock, 2) == [2_500, 2_500]
    });
    assert_eq!(job.stop(Signal::INT), 0, "{}", job.seen);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert!(text.len() > 60_000);
}
