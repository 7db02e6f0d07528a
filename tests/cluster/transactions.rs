//! Transactions: only what is committed is counted, and the job's position passes what is not.

use std::process::Command;
use std::time::Duration;

use rdkafka::producer::Producer;

use crate::group::committed;
use crate::job::{Job, PATIENCE};
use crate::kafka::{Topic, brokers};
use crate::produce::Writer;

#[test]
fn only_committed_records_are_counted() {
    let topic = Topic::create("transactional", 2);
    let mut writer = Writer::with(&brokers(), &topic.name, &[("transactional.id", &topic.name)]);
    writer.producer.init_transactions(PATIENCE).unwrap();
    let mut transaction = |records: u32, commit: bool| {
        writer.producer.begin_transaction().unwrap();
        (0..2).for_each(|partition| writer.numbered(partition, records));
        writer.flush();
        match commit {
            true => writer.producer.commit_transaction(PATIENCE).unwrap(),
            false => writer.producer.abort_transaction(PATIENCE).unwrap(),
        }
    };
    let job = || Job::new(&brokers(), &topic.name);
    let mut committed_only = job().start();
    let mut everything =
        job().set("source.isolation", "read_uncommitted").set("source.group", "everything").start();
    transaction(100, true);
    transaction(50, false);
    transaction(10, true);
    committed_only.until_total(220);
    everything.until_total(320);
    // Three control records, and the aborted ones: 160 records, 163 offsets in each partition.
    committed_only.until("the end behind all of it", |seen| seen.next.values().all(|next| *next == 163));
    transaction(7, false);
    committed_only.until("the end behind an abort", |seen| seen.next.values().all(|next| *next == 171));
    let seen = committed_only.finish();
    seen.assert_whole();
    assert_eq!((seen.total(), seen.counts()[&Some(b"k99".to_vec())]), (220, 2));
    assert_eq!(committed(&format!("group-of-{}", topic.name), &topic.name, 2), [171, 171]);
    everything.until_total(334);
    everything.finish().assert_whole();

    let mut again = job().start();
    transaction(3, true);
    again.until_total(6);
    again.finish().assert_whole();
}

/// Nobody ends it: neither commits nor aborts, nor does it time out within the test.
#[test]
fn an_open_transaction_is_named_and_windows_claim_nothing() {
    let topic = Topic::create("held-back", 2);
    let mut writer = Writer::with(&brokers(), &topic.name, &[("transactional.id", &topic.name)]);
    writer.producer.init_transactions(PATIENCE).unwrap();
    let mut job = Job::new(&brokers(), &topic.name).set("window.length", "2s").start();
    job.until("complete windows", |seen| seen.windows.last().is_some_and(|window| window.complete));
    let url = job.seen.http();
    assert_eq!(check(&url), (0, String::new()));

    writer.producer.begin_transaction().unwrap();
    writer.numbered(0, 500);
    writer.flush();
    let held = format!("{}/0", topic.name);
    job.until_within(Duration::from_secs(15), "windows that say what is held back", |seen| {
        seen.windows.last().is_some_and(|window| window.unread == [held.clone()] && !window.complete)
    });
    job.until("the log names it, once", |seen| {
        seen.logs("an open transaction holds the partition back") == 1
    });
    let (code, attention) = check(&url);
    assert_eq!(code, 1, "{attention}");
    assert!(attention.contains(&format!("holds back 500 records of {held}")), "{attention}");
    assert!(attention.contains("abort it"), "{attention}");

    writer.producer.commit_transaction(PATIENCE).unwrap();
    job.until("the records, once they are committed", |seen| seen.next.get(&held) == Some(&501));
    job.until("complete windows again", |seen| seen.windows.last().is_some_and(|window| window.complete));
    job.finish();
}

/// What `spindle status --check` says: its exit code, and what needs attention.
fn check(url: &str) -> (i32, String) {
    let spindle = env!("CARGO_BIN_EXE_spindle");
    let output = Command::new(spindle).args(["status", "--check", "--json", url]).output().unwrap();
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let attention = status["attention"].as_array().unwrap().iter().map(|line| line.as_str().unwrap());
    (output.status.code().unwrap(), attention.collect::<Vec<_>>().join("; "))
}

/// With transactions that overlap there is always one open. Reading keeps up all the same.
#[test]
fn overlapping_transactions_are_no_backlog() {
    let topic = Topic::create("overlapping", 1);
    let transactional = |n: u32| {
        let id = format!("{}-{n}", topic.name);
        let writer = Writer::with(&brokers(), &topic.name, &[("transactional.id", &id)]);
        writer.producer.init_transactions(PATIENCE).unwrap();
        writer.producer.begin_transaction().unwrap();
        writer
    };
    let mut writers = [transactional(0), transactional(1)];
    let mut job = Job::new(&brokers(), &topic.name).set("window.length", "2s").start();
    writers[0].numbered(0, 10);
    writers[0].flush();
    for n in 0..40 {
        let [one, other] = [n % 2, 1 - n % 2];
        writers[other].numbered(0, 10);
        writers[other].flush();
        job.during(Duration::from_millis(150));
        writers[one].producer.commit_transaction(PATIENCE).unwrap();
        writers[one].producer.begin_transaction().unwrap();
    }
    let complete = job.seen.windows.iter().rev().take(4).filter(|window| window.complete).count();
    assert_eq!(complete, 4, "{}", job.seen);
    job.finish();
}
