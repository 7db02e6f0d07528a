//! Window ends that are put back: once per application, durable with its first base.

use std::fs;
use std::path::Path;

use super::super::*;
use super::world::*;
use crate::store::faults::Faults;

/// When an application comes that may put ends back.
const NOW_MS: Millis = 12_300;
/// By how much: slide 40 ended at 40 s.
const BY_MS: Millis = 28_000;

fn relabeling(attempt: u32) -> Opening {
    Opening { owner: owner("later", attempt), relabel: true, force: Force::TakeOver, ..opening(attempt) }
}

async fn slides(driver: &mut Driver, many: u64) {
    for _ in 0..many {
        driver.slide();
        assert!(driver.settled(&Faults::default()).await);
    }
}

async fn closed(mut driver: Driver) -> Oracle {
    driver.writer.close();
    while driver.events.recv().await.is_some() {}
    driver.oracle
}

async fn forty_slides(directory: &Path) -> Oracle {
    let opened = open_as(&calm(directory), opening(1)).await.unwrap();
    let mut driver = Driver::start(opened, Oracle::default(), 4);
    slides(&mut driver, 40).await;
    closed(driver).await
}

async fn opened(directory: &Path, opening: Opening) -> Opened {
    open_as(&calm(directory), opening).await.unwrap()
}

#[tokio::test]
async fn ends_are_put_back_by_whole_slides_and_the_window_is_the_same() {
    let directory = scratch();
    let oracle = forty_slides(directory.path()).await.put_back(BY_MS);
    let mut opened = opened(directory.path(), relabeling(1)).await;
    assert_eq!(opened.relabel(NOW_MS), Some(BY_MS));
    assert_eq!(opened.recovered.as_ref().unwrap().end_ms, Some(12_000));
    assert_true(opened.recovered.as_ref().unwrap(), &oracle);
    let mut driver = Driver::start(opened, oracle, 5);
    slides(&mut driver, 30).await;
    assert_eq!(driver.ring.slides(), 6, "buckets leave by their new ends");
}

#[tokio::test]
async fn it_happens_once_whenever_the_driver_dies() {
    let directory = scratch();
    let oracle = forty_slides(directory.path()).await.put_back(BY_MS);
    let mut first = opened(directory.path(), relabeling(1)).await;
    assert_eq!(first.relabel(NOW_MS), Some(BY_MS));
    drop(first);
    // Nothing of it was durable, so the next attempt does it.
    let mut second = opened(directory.path(), relabeling(2)).await;
    assert_eq!(second.relabel(NOW_MS), Some(BY_MS));
    let mut driver = Driver::start(second, oracle, 5);
    slides(&mut driver, 3).await;
    let oracle = closed(driver).await;
    // The clock was set back again, which a later attempt must not take for the first time.
    let mut third = opened(directory.path(), relabeling(3)).await;
    assert_eq!(third.relabel(2_000), None);
    assert_eq!(assert_true(third.recovered.as_ref().unwrap(), &oracle), 43);
}

#[tokio::test]
async fn only_ends_that_are_ahead_are_put_back() {
    let directory = scratch();
    forty_slides(directory.path()).await;
    let mut asked = opened(directory.path(), relabeling(1)).await;
    assert_eq!((asked.relabel(40_000), asked.relabel(90_000)), (None, None));
    assert_eq!(asked.relabel(39_999), Some(1_000));
    drop(asked);
    let mut unasked = opened(directory.path(), Opening { relabel: false, ..relabeling(2) }).await;
    assert_eq!(unasked.relabel(NOW_MS), None);
}

#[tokio::test]
async fn logs_say_it_where_the_base_cannot_be_read() {
    let directory = scratch();
    let oracle = forty_slides(directory.path()).await.put_back(BY_MS);
    let mut opened = opened(directory.path(), relabeling(1)).await;
    assert_eq!(opened.relabel(NOW_MS), Some(BY_MS));
    let mut driver = Driver::start(opened, oracle, 5);
    slides(&mut driver, 3).await;
    let oracle = closed(driver).await;
    let later = directory.path().join("a-000002");
    let bases = fs::read_dir(later).unwrap().map(|entry| entry.unwrap().path());
    let bases: Vec<_> =
        bases.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("base-")).collect();
    assert_eq!(bases.len(), 1);
    fs::write(&bases[0], "damaged").unwrap();
    let again = open_as(&calm(directory.path()), relabeling(2)).await.unwrap();
    assert_eq!(again.report.corrupt, []);
    assert_eq!(assert_true(again.recovered.as_ref().unwrap(), &oracle), 43);
}

/// Writes rubbish over every base of these attempts.
fn damage_bases(directory: &Path, attempts: &[&str]) {
    for attempt in attempts {
        for path in fs::read_dir(directory.join(attempt)).unwrap().map(|entry| entry.unwrap().path()) {
            if path.file_name().unwrap().to_str().unwrap().starts_with("base-") {
                fs::write(&path, "damaged").unwrap();
            }
        }
    }
}

/// As if snapshots showed little and were settled.
fn keeping_all(mut opened: Opened) -> Opened {
    opened.keep_since(Millis::MIN);
    opened.settled();
    opened
}

/// Attempt 2 puts ends back and dies behind its first base; so does attempt 3, and attempt 4 behind three slides. The
/// third is of another application, which puts ends back once more or not.
#[tokio::test]
async fn logs_say_it_where_the_attempts_that_put_ends_back_left_none() {
    for twice in [false, true] {
        let directory = scratch();
        let mut oracle = forty_slides(directory.path()).await.put_back(BY_MS);
        for (attempt, now_ms) in [(1, NOW_MS), (2, 7_000)] {
            let mut opening = relabeling(attempt);
            if twice {
                opening.owner = owner(&format!("later {attempt}"), 1);
            }
            let mut opened = opened(directory.path(), opening).await;
            let by_ms = opened.relabel(now_ms);
            if attempt == 2 {
                assert_eq!(by_ms, twice.then_some(5_000));
                oracle = oracle.put_back(by_ms.unwrap_or(0));
            }
            let mut driver = Driver::start(keeping_all(opened), oracle.clone(), 5);
            while !matches!(driver.events.recv().await, Some(Event::Based { .. })) {}
        }
        let last = Opening { owner: owner("later 2", 2), relabel: false, ..relabeling(3) };
        let opened = keeping_all(opened(directory.path(), last).await);
        let mut driver = Driver::start(opened, oracle, 5);
        slides(&mut driver, 3).await;
        let oracle = closed(driver).await;
        let store = calm(directory.path());
        // The bases of attempts 4, 3 and 2 are damaged one after the other.
        let attempts = ["a-000004", "a-000003.fenced", "a-000002.fenced"];
        for damaged in 0..=3 {
            damage_bases(directory.path(), &attempts[..damaged]);
            let (recovered, report) = inspect(&store, 1 << 20).await.unwrap().recovery.unwrap();
            assert_eq!((report.corrupt, report.bad_bases.len()), (vec![], damaged), "twice: {twice}");
            assert_eq!(assert_true(&recovered.unwrap(), &oracle), 43, "twice: {twice}, damaged: {damaged}");
        }
        // Snapshots walk through the past from the first base on.
        let mut history = History::open(&store, None, None, 1 << 20).await.unwrap().unwrap();
        while history.log(|_| ()).await.unwrap() {}
        assert_eq!(history.lost(), []);
    }
}

/// Snapshots show everything up to 20 s (of 40 s) when ends are put back to 12 s. By their new ends, bases would look old
/// enough for the past to be deleted.
#[tokio::test]
async fn what_snapshots_are_to_be_made_of_is_kept_when_ends_are_put_back() {
    let directory = scratch();
    let store = calm(directory.path());
    let mut first = open_as(&store, opening(1)).await.unwrap();
    first.keep_since(Millis::MIN);
    let mut first = Driver::start(first, Oracle::default(), 4);
    slides(&mut first, 40).await;
    let oracle = closed(first).await.put_back(BY_MS);
    for attempt in [1, 2] {
        let mut opened = opened(directory.path(), relabeling(attempt)).await;
        // It may be told before or after ends are put back.
        if attempt == 1 {
            opened.keep_since(Millis::MIN);
        }
        assert_eq!(opened.relabel(NOW_MS), Some(BY_MS));
        if attempt > 1 {
            opened.keep_since(Millis::MIN);
        }
        let mut driver = Driver::start(opened, oracle.clone(), 5);
        // As the driver does it when the snapshots' writer says Visible.
        driver.writer.keep_since(20_000);
        driver.slide();
        let Driver { writer, mut events, .. } = driver;
        writer.close();
        assert_eq!(events.recv().await, None, "nothing is durable before snapshots show everything");
        let mut history = History::open(&store, Some(20_000), None, 1 << 20).await.unwrap().unwrap();
        let mut seen = Vec::new();
        while history.log(|past| seen.push(past.number)).await.unwrap() {}
        assert_eq!((seen, history.lost()), ((21..=40).collect(), Vec::new()));
    }
    let mut opened = opened(directory.path(), relabeling(3)).await;
    opened.keep_since(Millis::MIN);
    assert_eq!(opened.relabel(NOW_MS), Some(BY_MS));
    let mut driver = Driver::start(opened, oracle, 5);
    (0..30).for_each(|_| driver.slide());
    driver.writer.settled();
    assert!(driver.settled(&Faults::default()).await);
    driver.writer.close();
    while driver.events.recv().await.is_some() {}
    let again = open_as(&store, relabeling(4)).await.unwrap();
    assert_eq!(assert_true(again.recovered.as_ref().unwrap(), &driver.oracle), 70);
}
