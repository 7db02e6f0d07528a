//! One checkpoint, several drivers: what a restart goes on from, who may take it over, and what becomes of the other.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::job::{Job, Running};
use crate::mock::Mock;
use crate::produce::Writer;

/// By promise, how long a driver that lost its checkpoint goes on.
const FENCED: Duration = Duration::from_secs(2);
const FENCED_CODE: i32 = 20;

/// A job over the mock's topic, with its checkpoint here.
fn job(mock: &Mock, place: &TempDir) -> Job {
    mock.job().set("checkpoint.path", &format!("file://{}/c", place.path().display()))
}

/// Until a second window shows the total: the first one may not be durable yet, this one's durable part is.
fn until_durable(job: &mut Running, total: u64) {
    job.until_total(total);
    let windows = job.seen.windows.len();
    job.until("two windows more", |seen| seen.windows.len() > windows + 1);
}

/// A driver that owns the checkpoint, and how many records are in it.
fn owner(mock: &mut Mock, place: &TempDir) -> (Running, u64) {
    let mut first = job(mock, place).start();
    let total = mock.write(10);
    until_durable(&mut first, total);
    (first, total)
}

#[test]
fn a_window_outlives_its_driver_however_that_ends() {
    let (mut mock, place) = (Mock::new(1, 2), TempDir::new().unwrap());
    let mut killed = job(&mock, &place).start();
    let before = mock.write(50);
    until_durable(&mut killed, before);
    killed.signal(Signal::KILL);
    assert_eq!(killed.exit_code(), -9);
    let meanwhile = mock.write(30);
    let mut stopped = job(&mock, &place).start();
    until_durable(&mut stopped, meanwhile);
    assert_eq!(stopped.seen.logs("recovered the window"), 1, "{}", stopped.seen);
    assert_eq!(stopped.seen.windows[0].attempt, 2);
    stopped.seen.assert_whole();
    stopped.finish();
    let mut third = job(&mock, &place).set("checkpoint.wait", "true").start();
    third.until_total(meanwhile);
    assert_eq!(third.seen.windows[0].total, meanwhile, "the first window holds everything: {}", third.seen);
    assert_eq!(third.seen.windows[0].attempt, 3);
    let all = mock.write(1);
    third.until_total(all);
    third.finish().assert_whole();
}

#[test]
fn a_second_job_is_refused_and_told_what_can_be_done() {
    let (mut mock, place) = (Mock::new(1, 1), TempDir::new().unwrap());
    let mut first = job(&mock, &place).start();
    first.until_total(mock.write(10));
    let mut second = job(&mock, &place).start();
    assert_eq!(second.exit_code(), 1, "{}", second.seen);
    for word in ["is owned by", "--replace", "--take-over"] {
        assert_eq!(second.seen.logs(word), 1, "{word}\n{}", second.seen);
    }
    assert!(second.seen.windows.is_empty());
    first.until_total(mock.write(10));
    first.finish().assert_whole();
}

#[test]
fn replace_stops_the_owner_and_goes_on_with_its_window() {
    let (mut mock, place) = (Mock::new(1, 1), TempDir::new().unwrap());
    let mut first = job(&mock, &place).start();
    first.until_total(mock.write(10));
    let mut second = job(&mock, &place).arg("--replace").start();
    assert_eq!(first.exit_code(), 0, "{}", first.seen);
    second.until_total(mock.write(10));
    assert!(second.seen.windows[0].total >= 10, "{}", second.seen);
    let ends = |seen: &crate::seen::Seen| seen.windows.iter().map(|w| w.window_end_ms).collect::<Vec<_>>();
    assert!(ends(&first.seen).last() < ends(&second.seen).first(), "no end is printed by both");
    second.finish().assert_whole();
}

#[test]
fn a_driver_whose_checkpoint_is_taken_over_ends_by_itself() {
    let (mut mock, place) = (Mock::new(1, 1), TempDir::new().unwrap());
    let (mut first, _) = owner(&mut mock, &place);
    let mut second = job(&mock, &place).arg("--take-over").start();
    second.until("it has the checkpoint", |seen| seen.logs("recovered the window") == 1);
    let since = spindle::clock::Clock::start();
    assert_eq!(first.exit_code(), FENCED_CODE, "{}", first.seen);
    assert!(since.monotonic() < FENCED, "{:?}", since.monotonic());
    assert_eq!(first.seen.logs("another driver has taken the checkpoint over"), 1, "{}", first.seen);
    second.until_total(mock.write(10));
    second.finish().assert_whole();
}

#[test]
fn a_driver_frozen_through_the_take_over_ends_when_it_wakes() {
    let (mut mock, place) = (Mock::new(1, 1), TempDir::new().unwrap());
    let (mut first, _) = owner(&mut mock, &place);
    first.signal(Signal::STOP);
    let mut second = job(&mock, &place).arg("--take-over").start();
    second.until_total(mock.write(10));
    first.signal(Signal::CONT);
    let since = spindle::clock::Clock::start();
    assert_eq!(first.exit_code(), FENCED_CODE, "{}", first.seen);
    assert!(since.monotonic() < FENCED, "{:?}", since.monotonic());
    second.until_total(mock.write(10));
    second.finish().assert_whole();
}

#[test]
fn from_sets_the_checkpoint_aside_once() {
    let (mut mock, place) = (Mock::new(1, 1), TempDir::new().unwrap());
    let (first, before) = owner(&mut mock, &place);
    first.finish();
    let mut anew = job(&mock, &place).arg("--from").arg("earliest").start();
    until_durable(&mut anew, before);
    assert_eq!(anew.seen.logs("recovered the window"), 0, "{}", anew.seen);
    assert_eq!(anew.seen.windows[0].ranges.values().next().unwrap().0, 0, "{}", anew.seen);
    anew.finish();
    assert!(place.path().join("c/aside-000002").exists());
    let mut on = job(&mock, &place).arg("--from").arg("checkpoint").start();
    on.until_total(mock.write(5));
    on.finish().assert_whole();
}

#[test]
fn from_checkpoint_needs_one() {
    let (mock, place) = (Mock::new(1, 1), TempDir::new().unwrap());
    let mut none = job(&mock, &place).arg("--from").arg("checkpoint").start();
    assert_eq!(none.exit_code(), 1, "{}", none.seen);
    assert_eq!(none.seen.logs("--from checkpoint: there is none in file:///"), 1, "{}", none.seen);
    for flag in [&["--from", "checkpoint"][..], &["--replace"], &["--take-over"]] {
        let job = flag.iter().fold(mock.job(), |job, word| job.arg(word));
        let mut refused = job.start();
        assert_eq!(refused.exit_code(), 2, "{}", refused.seen);
        assert_eq!(refused.seen.logs("needs a checkpoint, and this job has none"), 1, "{}", refused.seen);
    }
}

/// Rows are made of durable slides; a file per second, and at the end one of the rest.
#[test]
fn snapshots_follow_the_checkpoint_and_need_one() {
    let (mut mock, place) = (Mock::new(1, 1), TempDir::new().unwrap());
    let path = place.path().join("s");
    let snapshots = format!("{{path: 'file://{}', every: 500ms, roll: 1s, compress: none}}", path.display());
    let mut refused = mock.job().set("snapshots", &snapshots).start();
    assert_eq!(refused.exit_code(), 2, "{}", refused.seen);
    assert_eq!(refused.seen.logs("snapshots needs a checkpoint"), 1, "{}", refused.seen);
    let mut ends = Vec::new();
    for _ in 0..2 {
        let mut job = job(&mock, &place).set("snapshots", &snapshots).start();
        let total = mock.write(3);
        until_durable(&mut job, total);
        let seen = job.finish();
        assert_eq!(seen.logs("the last snapshot is not written yet"), 0, "{seen}");
        ends.extend(seen.windows.iter().map(|window| (window.window_end_ms, window.total)));
    }
    assert_eq!(rows(&path), ends, "every window that was printed, once, in order");
}

/// End and total of every window in a snapshot directory, by file name.
fn rows(dir: &Path) -> Vec<(i64, u64)> {
    let mut files: Vec<_> = walk(dir);
    files.retain(|path| path.file_name().unwrap().to_str().unwrap().starts_with("windows-"));
    files.sort();
    let lines = files.iter().flat_map(|path| {
        let text = fs::read_to_string(path).unwrap();
        text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()).collect::<Vec<_>>()
    });
    let first = lines.filter(|row| row["rank"].as_u64().is_none_or(|rank| rank == 1));
    first.map(|row| (row["window_end_ms"].as_i64().unwrap(), row["total"].as_u64().unwrap())).collect()
}

fn walk(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

/// What was counted of the old topic stays in the window; the new one is read from where `start` says.
#[test]
fn a_job_whose_topics_are_all_replaced_goes_on_with_its_window() {
    let (mut mock, place) = (Mock::new(1, 1), TempDir::new().unwrap());
    let (first, before) = owner(&mut mock, &place);
    first.finish();
    mock.cluster.create_topic("other", 1, 1).unwrap();
    let mut other = Writer::new(&mock.cluster.bootstrap_servers(), "other");
    other.numbered(0, 7);
    let there = other.flush();
    let replaced = |start: &str| {
        job(&mock, &place).set("source.topics", "[\"other\"]").set("source.start", start).start()
    };
    let mut second = replaced("earliest");
    until_durable(&mut second, before + there);
    assert_eq!(second.seen.logs("recovered the window"), 1, "{}", second.seen);
    assert!(second.seen.windows[0].total >= before, "the old topic's records stay: {}", second.seen);
    second.finish();
    // Now it has a position, which is where its reading goes on.
    other.numbered(0, 3);
    let more = other.flush();
    let mut third = replaced("latest");
    third.until_total(before + more);
    third.finish().assert_whole();
}

#[test]
fn a_checkpoint_of_another_stream_is_refused_before_anyone_is_fenced() {
    let (mut mock, place) = (Mock::new(1, 1), TempDir::new().unwrap());
    let mut first = job(&mock, &place).start();
    first.until_total(mock.write(10));
    let mut other = job(&mock, &place).set("window.slide", "1s").arg("--take-over").start();
    assert_eq!(other.exit_code(), 1, "{}", other.seen);
    assert_eq!(
        other.seen.logs("window.slide was 500 ms and is 1000 ms; start anew by --from"),
        1,
        "{}",
        other.seen
    );
    first.until_total(mock.write(10));
    first.finish().assert_whole();
}

#[test]
fn a_checkpoint_that_cannot_be_is_said_to_be_none() {
    let (mock, place) = (Mock::new(1, 1), TempDir::new().unwrap());
    fs::write(place.path().join("c"), "a file").unwrap();
    let mut refused = job(&mock, &place).start();
    assert_eq!(refused.exit_code(), 1, "{}", refused.seen);
    let path = place.path().join("c");
    assert!(refused.seen.logs(path.to_str().unwrap()) > 0, "{}", refused.seen);
    assert!(refused.seen.windows.is_empty());
}
