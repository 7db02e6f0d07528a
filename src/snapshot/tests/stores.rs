//! A store that is away for long, a checkpoint that is damaged, and partitions that grow old.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use super::super::*;
use super::world::*;
use crate::checkpoint::{self, Lost};
use crate::store::Store;
use crate::store::faults::{Fault, Faults, Leases};
use crate::store::tests::scratch;

#[tokio::test]
async fn slides_that_no_memory_was_left_for_are_read_back_from_the_checkpoint() {
    let directory = scratch();
    let faults: Arc<Faults> = Arc::default();
    let place = Place::new(directory.path(), &faults);
    let mut driver = Driver::start(&place, 1, 5).await;
    driver.slides(3).await;
    drop(driver);
    // Room for a few slides only, and a store that fails for as long as they come.
    (0..12).for_each(|skip| faults.soon(skip, Fault::FailBefore));
    let opened =
        checkpoint::open(place.checkpoint.clone(), opening(2), Arc::new(|_: &checkpoint::Owner| None))
            .await
            .unwrap();
    let mut driver = Driver::of(opened, &place, 5, 3_000);
    driver.slides(40).await;
    assert_eq!(driver.through_ms, None, "nothing can be visible yet");
    assert!(driver.writer.dropped() > 10, "{} were dropped", driver.writer.dropped());
    assert_eq!(driver.until(10_000).await, None);
    assert!(driver.behind > 0, "the store was away");
    driver.slides(7).await;
    assert_eq!(driver.stop().await, Some(Event::Closed));
    assert_eq!(files(directory.path()), expected(5, 50));
}

/// HDFS shows a log only when it is closed; what is durable in one that the checkpoint's writer abandoned is not lost.
#[tokio::test(start_paused = true)]
async fn slides_of_an_abandoned_log_are_waited_for_until_it_is_closed() {
    let (directory, leases, away) = (scratch(), Arc::new(Leases::default()), Arc::default());
    let kept = Arc::new(Faults::default().like_hdfs(&leases));
    let mut place = Place::new(directory.path(), &away);
    place.checkpoint = Store::for_test(&directory.path().join("checkpoint"), Arc::clone(&kept));
    let mut opening = opening(1);
    opening.limits.roll_slides = 30;
    let has_ended = Arc::new(|_: &checkpoint::Owner| None);
    let opened = checkpoint::open(place.checkpoint.clone(), opening, has_ended).await.unwrap();
    (0..12).for_each(|skip| away.soon(skip, Fault::FailBefore));
    let mut driver = Driver::of(opened, &place, 5, 3_000);
    driver.slides(25).await;
    leases.stuck(true);
    kept.soon(0, Fault::FailBefore);
    driver.slides(13).await;
    assert_eq!(kept.seen(), [Fault::FailBefore], "the log was abandoned");
    assert!(driver.writer.dropped() > 10, "{} were dropped", driver.writer.dropped());
    assert_eq!(driver.until(10_000).await, None);
    // There is room again, so the gap is told, and has to be read.
    driver.slides(2).await;
    let minute = Duration::from_secs(60);
    let told = tokio::time::timeout(minute, driver.until(20_000)).await;
    assert!(told.is_err(), "nothing comes and nothing is lost: {told:?}");
    leases.stuck(false);
    let stopped = tokio::time::timeout(60 * minute, driver.stop()).await;
    assert_eq!(stopped.expect("the log is closed by its writer"), Some(Event::Closed));
    assert_eq!(files(directory.path()), expected(5, 40));
}

#[tokio::test]
async fn a_past_that_does_not_reach_back_is_told_and_what_is_left_is_right() {
    let directory = scratch();
    let place = Place::new(directory.path(), &Arc::default());
    let mut driver = Driver::start(&place, 1, 5).await;
    driver.slides(33).await;
    assert_eq!(driver.until(30_000).await, None);
    drop(driver);
    // Everything but the last two bases and what follows them is gone, and so are the files of rows.
    let dir = directory.path().join("checkpoint/a-000001");
    let mut bases: Vec<_> = names(&dir).into_iter().filter(|name| name.starts_with("base-")).collect();
    bases.sort();
    let oldest = bases[bases.len() - 2].replace("base-", "");
    for name in names(&dir).iter().filter(|name| name.split('-').nth(1).is_some_and(|n| *n < *oldest)) {
        fs::remove_file(dir.join(name)).unwrap();
    }
    fs::remove_dir_all(directory.path().join("snapshots/dt=1970-01-01")).unwrap();
    let mut second = Driver::start(&place, 2, 5).await;
    second.slides(7).await;
    assert_eq!(second.until(40_000).await, None);
    let wanted = expected(5, 40);
    let kept = files(directory.path());
    let last = "dt=1970-01-01/hh=00/windows-0000000032000-0000000040000.jsonl.gz";
    assert_eq!(kept.get(last), wanted.get(last));
    let right = windows(&wanted);
    let got = windows(&kept);
    assert!(got.len() < right.len() && got.iter().all(|window| right.contains(window)), "{got:?}");
}

#[tokio::test]
async fn a_hole_in_the_past_is_told() {
    let directory = scratch();
    let place = Place::new(directory.path(), &Arc::default());
    let mut driver = Driver::start(&place, 1, 5).await;
    driver.slides(18).await;
    assert_eq!(driver.until(10_000).await, None);
    drop(driver);
    // Of the slides after 10 s every base and log but the newest base is damaged.
    let dir = directory.path().join("checkpoint/a-000001");
    let mut logs: Vec<_> = names(&dir).into_iter().filter(|name| name.starts_with("log-")).collect();
    logs.sort();
    let log = dir.join(&logs[logs.len() - 2]);
    let mut bytes = fs::read(&log).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&log, bytes).unwrap();
    let mut second = Driver::start(&place, 2, 5).await;
    let told = second.until(20_000).await;
    assert!(matches!(told, Some(Event::Lost(Lost { after_ms: Some(_), .. }))), "{told:?}");
    second.slides(2).await;
    assert_eq!(second.until(20_000).await, None);
    let wanted = expected(5, 20);
    let (got, is) = (files(directory.path()), |name: &&String| name.contains("/windows-"));
    assert_eq!(got.keys().filter(is).count(), 2);
    let right = windows(&wanted);
    let got = windows(&got);
    assert!(got.len() < right.len() && got.iter().all(|window| right.contains(window)), "{got:?}");
}

#[tokio::test]
async fn partitions_older_than_retain_are_deleted() {
    let directory = scratch();
    let place = Place::new(directory.path(), &Arc::default());
    for hour in ["dt=1969-12-01/hh=05", "dt=1969-12-31/hh=00", "dt=1969-12-31/hh=23"] {
        fs::create_dir_all(directory.path().join("snapshots").join(hour)).unwrap();
    }
    fs::create_dir_all(directory.path().join("snapshots/mine")).unwrap();
    let mut setup = setup(&place, 1);
    setup.plan.retain_ms = 3_600_000;
    let (mut writer, mut events) = start(setup);
    for slide in slides(5, 1..=20) {
        let end_ms = slide.end_ms;
        writer.closed(slide);
        writer.durable(end_ms);
    }
    writer.close();
    while events.recv().await.is_some() {}
    let left = names(&directory.path().join("snapshots"));
    assert_eq!(left, ["_staging", "dt=1969-12-31", "dt=1970-01-01", "latest.json", "mine"]);
    assert_eq!(names(&directory.path().join("snapshots/dt=1969-12-31")), ["hh=23"]);
}

fn names(dir: &std::path::Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
