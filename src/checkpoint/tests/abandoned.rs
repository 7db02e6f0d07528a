//! Logs that the writer has left are closed by it; until then the past ends before them, and is not lost.

use std::sync::Arc;
use std::time::Duration;

use super::super::*;
use super::world::*;
use crate::store::faults::{Fault, Faults, Leases};

/// Far longer than closing a log takes.
const SOON: Duration = Duration::from_secs(20);

/// A driver on a store like HDFS, with three durable slides in its first log.
async fn running(directory: &std::path::Path, leases: &Arc<Leases>) -> (Driver, Arc<Faults>, Store) {
    let faults = Arc::new(Faults::default().like_hdfs(leases));
    let store = Store::for_test(directory, Arc::clone(&faults));
    let mut opening = opening(1);
    opening.limits.roll_slides = 1_000;
    let mut driver = Driver::start(open_as(&store, opening).await.unwrap(), Oracle::default(), 1);
    for _ in 0..3 {
        driver.slide();
        assert!(driver.settled(&faults).await);
    }
    assert_eq!(leases.open(), 1, "its log");
    (driver, faults, store)
}

/// What happens to the store next is an append that fails.
async fn abandons_its_log(driver: &mut Driver, faults: &Faults) {
    faults.soon(0, Fault::FailBefore);
    for _ in 0..3 {
        driver.slide();
        assert!(driver.settled(faults).await, "the new log waits for nobody");
    }
}

async fn until_open(leases: &Leases, files: usize) {
    let closed = async {
        while leases.open() > files {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, closed).await.unwrap_or_else(|_| panic!("{} logs are open", leases.open()));
}

/// The numbers of the slides after the first one, and whether any are said to be lost.
async fn past(store: &Store, waits: bool) -> (Vec<u64>, bool) {
    let history = History::open(store, Some(SLIDE_MS), None, 1 << 20).await.unwrap().unwrap();
    let mut history = if waits { history } else { history.past_open_logs() };
    let (mut seen, mut lost) = (Vec::new(), !history.lost().is_empty());
    while history.log(|past| seen.push(past.number)).await.unwrap() {
        lost |= !history.lost().is_empty();
    }
    (seen, lost)
}

async fn closed(driver: Driver) {
    let Driver { writer, mut events, .. } = driver;
    writer.close();
    while events.recv().await.is_some_and(|event| event != Event::Closed) {}
}

#[tokio::test]
async fn a_log_that_failed_is_closed_by_its_writer() {
    let (directory, leases) = (scratch(), Arc::default());
    let (mut driver, faults, store) = running(directory.path(), &leases).await;
    abandons_its_log(&mut driver, &faults).await;
    until_open(&leases, 1).await;
    let oracle = driver.oracle.clone();
    closed(driver).await;
    assert_eq!(leases.open(), 0);
    assert_eq!(past(&store, true).await, ((2..=6).collect(), false));
    let opened = open_as(&store, opening(2)).await.unwrap();
    assert_eq!(assert_true(opened.recovered.as_ref().unwrap(), &oracle), 6);
}

#[tokio::test]
async fn a_log_that_a_base_ended_and_that_does_not_close_is_closed_as_well() {
    let (directory, leases) = (scratch(), Arc::default());
    let (mut driver, faults, store) = running(directory.path(), &leases).await;
    faults.soon(0, Fault::FailBefore);
    driver.base();
    while driver.based < 2 {
        driver.based += u64::from(matches!(driver.events.recv().await, Some(Event::Based { .. })));
    }
    assert_eq!(faults.seen(), [Fault::FailBefore], "closing failed");
    until_open(&leases, 0).await;
    driver.slide();
    assert!(driver.settled(&faults).await);
    closed(driver).await;
    assert_eq!(past(&store, true).await, ((2..=4).collect(), false));
}

#[tokio::test]
async fn the_past_ends_before_a_log_that_cannot_be_closed_yet_and_nothing_is_lost() {
    let (directory, leases) = (scratch(), Arc::default());
    let (mut driver, faults, store) = running(directory.path(), &leases).await;
    leases.stuck(true);
    abandons_its_log(&mut driver, &faults).await;
    driver.base();
    while driver.based < 2 {
        driver.slide();
        assert!(driver.settled(&faults).await);
    }
    let last = driver.last;
    assert_eq!(past(&store, true).await, (Vec::new(), false), "it is waited for");
    let (seen, lost) = past(&store, false).await;
    assert!(lost && seen.iter().all(|number| *number > 3), "nobody waits: {seen:?}");
    leases.stuck(false);
    until_open(&leases, 1).await;
    closed(driver).await;
    assert_eq!(past(&store, true).await, ((2..=last).collect(), false));
}
