//! Brokers that fail in every way that a mock can: counts stay exact, windows go on.

use std::time::Duration;

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rustix::process::Signal;

use crate::job::{Job, PATIENCE};
use crate::mock::Mock;

#[test]
fn counts_are_exact_while_brokers_go_down_and_up() {
    let mut mock = Mock::new(3, 6);
    // Left to itself the mock may give a broker nothing to lead, and nobody would miss it.
    for partition in 0..6 {
        mock.cluster.partition_leader("t", partition, Some(partition % 3 + 1)).unwrap();
    }
    let mut job = mock.job().start();
    let mut total = mock.write(1_000);
    job.until_total(total);
    for broker in 1..=3 {
        mock.cluster.broker_down(broker).unwrap();
        job.until("windows that say what is not read", |seen| {
            !seen.windows.last().unwrap().unread.is_empty()
        });
        mock.cluster.broker_up(broker).unwrap();
        total = mock.write(1_000);
        job.until_total(total);
    }
    let seen = job.finish();
    seen.assert_whole();
    assert_eq!(seen.counts(), mock.writer.counts);
}

#[test]
fn counts_are_exact_while_leaders_move() {
    let mut mock = Mock::new(3, 6);
    let mut job = mock.job().start();
    let mut total = mock.write(500);
    for round in 0..6 {
        for partition in 0..6 {
            mock.cluster.partition_leader("t", partition, Some((partition + round) % 3 + 1)).unwrap();
        }
        total = mock.write(500);
    }
    job.until_total(total);
    let seen = job.finish();
    seen.assert_whole();
    assert_eq!(seen.counts(), mock.writer.counts);
}

/// By a broker that is away, because the mock cannot bear a fetch from a partition that has no leader at all.
#[test]
fn a_partition_without_leader_is_named_and_the_others_go_on() {
    let mut mock = Mock::new(2, 2);
    mock.cluster.partition_leader("t", 0, Some(1)).unwrap();
    mock.cluster.partition_leader("t", 1, Some(2)).unwrap();
    let mut job = mock.job().start();
    job.until_total(mock.write(100));
    mock.cluster.broker_down(2).unwrap();
    job.until("the partition without leader is named", |seen| seen.windows.last().unwrap().unread == ["t/1"]);
    mock.writer.numbered(0, 50);
    mock.writer.flush();
    job.until_total(250);
    mock.cluster.broker_up(2).unwrap();
    job.until_total(mock.write(10));
    job.until("nothing is unread", |seen| seen.windows.last().unwrap().unread.is_empty());
    job.finish().assert_whole();
}

#[test]
fn counts_are_exact_through_errors_that_brokers_answer() {
    let mut mock = Mock::new(2, 4);
    let mut job = mock.job().start();
    let mut total = mock.write(1_000);
    job.until_total(total);
    let errors = [
        (RDKafkaApiKey::Fetch, RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION),
        (RDKafkaApiKey::Fetch, RDKafkaRespErr::RD_KAFKA_RESP_ERR__TRANSPORT),
        (RDKafkaApiKey::Fetch, RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN),
        (RDKafkaApiKey::Metadata, RDKafkaRespErr::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE),
        (RDKafkaApiKey::OffsetCommit, RDKafkaRespErr::RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE),
        (RDKafkaApiKey::OffsetCommit, RDKafkaRespErr::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT),
        (RDKafkaApiKey::ListOffsets, RDKafkaRespErr::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE),
    ];
    for (request, error) in errors {
        mock.cluster.request_errors(request, &[error; 4]);
        total = mock.write(250);
        job.until_total(total);
    }
    let seen = job.finish();
    seen.assert_whole();
    assert_eq!(seen.counts(), mock.writer.counts);
}

/// A broker that has just started answers so for a moment.
#[test]
fn a_group_without_a_coordinator_delays_the_start() {
    let mut mock = Mock::new(1, 1);
    for error in [
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
    ] {
        mock.cluster.request_errors(RDKafkaApiKey::OffsetFetch, &[error; 2]);
        let total = mock.write(10);
        let mut job =
            mock.job().arg("--from").arg("group").set("source.group", &format!("{error:?}")).start();
        job.until_total(total);
        job.finish();
    }
}

/// Without a checkpoint a restart begins where the group stands.
#[test]
fn a_stop_that_cannot_commit_says_so_and_fails() {
    let mut mock = Mock::new(1, 1);
    let mut job = mock.job().start();
    job.until_total(mock.write(10));
    // More than a stop's time has tries.
    let error = RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN;
    mock.cluster.request_errors(RDKafkaApiKey::OffsetCommit, &[error; 1_000]);
    job.until_total(mock.write(10));
    job.signal(Signal::INT);
    assert_eq!(job.exit_code(), 1, "{}", job.seen);
    let last = job.seen.log.last().unwrap();
    assert!(last.contains("the last offsets could not be committed"), "{}", job.seen);
    assert_eq!(job.seen.total(), 20, "the last cut is printed all the same");
}

#[test]
fn a_stop_outlasts_commits_that_fail() {
    let mut mock = Mock::new(1, 1);
    let mut job = mock.job().start();
    job.until_total(mock.write(10));
    let error = RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN;
    mock.cluster.request_errors(RDKafkaApiKey::OffsetCommit, &[error; 2]);
    let total = mock.write(10);
    job.until_total(total);
    job.signal(Signal::INT);
    assert_eq!(job.exit_code(), 0, "{}", job.seen);
    // Everything was committed by then.
    let mut again = mock.job().start();
    again.until("windows without a record", |seen| seen.windows.len() > 2);
    assert_eq!(again.seen.total(), 0, "{}", again.seen);
    again.finish();
}

#[test]
fn a_slow_broker_delays_records_and_no_window() {
    let mut mock = Mock::new(2, 4);
    let mut job = mock.job().start();
    job.until_total(mock.write(1_000));
    let slow = |mock: &Mock, round_trip| {
        (1..=2).for_each(|broker| mock.cluster.broker_round_trip_time(broker, round_trip).unwrap());
    };
    slow(&mock, Duration::from_secs(2));
    let before = job.seen.windows.len();
    job.until_total(mock.write(1_000));
    slow(&mock, Duration::ZERO);
    let late = |window: &crate::seen::Window| window.arrived_ms - window.window_end_ms;
    let worst = job.seen.windows[before..].iter().map(late).max().unwrap();
    assert!(worst < 1_500, "a window came {worst} ms after its end");
    let seen = job.finish();
    seen.assert_whole();
    assert_eq!(seen.counts(), mock.writer.counts);
}

#[test]
fn unreachable_brokers_end_the_job_in_one_line() {
    let mut job = Job::new("127.0.0.1:1,127.0.0.1:2", "t").start();
    assert_eq!(job.exit_code(), 1, "{}", job.seen);
    let errors: Vec<_> = job.seen.log.iter().filter(|line| line.contains("ERROR")).collect();
    let [error] = errors.as_slice() else { panic!("{}", job.seen) };
    assert_eq!(Some(*error), job.seen.log.last(), "it is the last word");
    for part in ["127.0.0.1:1,127.0.0.1:2", "refused", "check source.brokers"] {
        assert!(error.contains(part), "{error}");
    }
    assert!(job.took() < Duration::from_secs(13), "{:?}", job.took());
}

#[test]
fn an_absent_topic_ends_the_job_and_is_named() {
    let mock = Mock::new(1, 1);
    let mut job = mock.job().set("source.topics", "[no_such_topic]").start();
    assert_eq!(job.exit_code(), 1, "{}", job.seen);
    assert_eq!(job.seen.logs("no_such_topic"), 1, "{}", job.seen);
    assert!(job.took() < PATIENCE / 2, "{:?}", job.took());
}

/// Reading begins at once and then goes at the pace asked for: over a stretch of windows never faster.
#[test]
fn the_rate_of_each_partition_is_kept() {
    let mut mock = Mock::new(1, 2);
    mock.write(5_000);
    let mut job = mock.job().set("source.max_rate_per_partition", "400").start();
    job.until("a while of reading", |seen| seen.windows.len() == 14);
    let windows = &job.seen.windows;
    let (first, last) = (&windows[3], &windows[13]);
    let read = last.total - first.total;
    // 5 s at 400/s from 2 partitions; a slide more or less at either end.
    assert!((3_600..=4_400).contains(&read), "{read} records in 5 s at 2 x 400/s");
    assert!(last.behind_ms > 0, "a backlog is said to be one: {}", job.seen);
    job.finish().assert_whole();
}
