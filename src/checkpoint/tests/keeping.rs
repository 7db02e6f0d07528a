//! What is kept and what is deleted; the queue's bound; giving up.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::super::*;
use super::world::*;
use crate::store::faults::Faults;

fn names(directory: &Path, attempt: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory.join(attempt))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "owner")
        .collect();
    names.sort();
    names
}

/// Writes a base per round and waits for it.
async fn rolled(driver: &mut Driver, rounds: u64) {
    for _ in 0..rounds {
        driver.slide();
        assert!(driver.settled(&Faults::default()).await);
        let before = driver.based;
        driver.base();
        while driver.based == before {
            match driver.events.recv().await.unwrap() {
                Event::Based { .. } => driver.based += 1,
                Event::BaseWanted => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn three_bases_and_their_logs_are_kept() {
    let directory = scratch();
    let store = calm(directory.path());
    let mut driver = Driver::start(open_as(&store, opening(1)).await.unwrap(), Oracle::default(), 1);
    rolled(&mut driver, 6).await;
    let kept = names(directory.path(), "a-000001");
    assert_eq!(
        kept,
        ["base-0000000005", "base-0000000006", "base-0000000007", "log-0000000005", "log-0000000006"]
    );
    // The next attempt's bases push them out, and then their directory.
    let opened = open_as(&store, opening(2)).await.unwrap();
    let mut driver = Driver::start(opened, driver.oracle, 1);
    rolled(&mut driver, 1).await;
    assert_eq!(names(directory.path(), "a-000001.fenced"), ["base-0000000007"]);
    rolled(&mut driver, 1).await;
    assert!(!directory.path().join("a-000001.fenced").exists());
}

#[tokio::test]
async fn what_results_are_still_to_be_made_of_is_kept() {
    let directory = scratch();
    let store = calm(directory.path());
    let mut driver = Driver::start(open_as(&store, opening(1)).await.unwrap(), Oracle::default(), 1);
    driver.writer.keep_since(2_500);
    rolled(&mut driver, 8).await;
    assert_eq!(names(directory.path(), "a-000001")[0], "base-0000000003", "it ends at 2,000");
    driver.writer.keep_since(7_000);
    rolled(&mut driver, 1).await;
    assert_eq!(names(directory.path(), "a-000001")[0], "base-0000000008");
}

#[tokio::test]
async fn the_last_base_before_another_version_or_job_is_kept() {
    let directory = scratch();
    let store = calm(directory.path());
    let mut driver = Driver::start(open_as(&store, opening(1)).await.unwrap(), Oracle::default(), 1);
    rolled(&mut driver, 4).await;
    let mut changed = opening(2);
    changed.owner.version = "2".to_owned();
    let mut driver = Driver::start(open_as(&store, changed).await.unwrap(), driver.oracle, 1);
    rolled(&mut driver, 5).await;
    assert_eq!(names(directory.path(), "a-000001.fenced"), ["base-0000000005"]);
}

#[tokio::test]
async fn an_old_checkpoint_is_set_aside_and_not_deleted() {
    let directory = scratch();
    let store = calm(directory.path());
    let mut driver = Driver::start(open_as(&store, opening(1)).await.unwrap(), Oracle::default(), 1);
    rolled(&mut driver, 1).await;
    let mut other = opening(1);
    "application_2_2".clone_into(&mut other.owner.app);
    let anew = Opening { fresh: true, ..other };
    drop(driver);
    let opened = open_as(&store, anew).await.unwrap();
    assert!(opened.recovered.is_none());
    let mut driver = Driver::start(opened, Oracle::default(), 1);
    rolled(&mut driver, 5).await;
    assert!(directory.path().join("aside-000002/a-000001.fenced/base-0000000002").exists());
}

#[tokio::test]
async fn slides_that_waited_share_a_sync() {
    let directory = scratch();
    let store = calm(directory.path());
    let mut driver = Driver::start(open_as(&store, opening(1)).await.unwrap(), Oracle::default(), 1);
    (0..10).for_each(|_| driver.slide());
    let mut syncs = 0;
    while driver.durable < 10 {
        if let Event::Durable { number, .. } = driver.events.recv().await.unwrap() {
            driver.durable = number;
            syncs += 1;
        }
    }
    assert!(syncs <= 2, "{syncs} syncs");
}

#[tokio::test]
async fn a_store_that_stays_away_is_given_up() {
    let directory = scratch();
    let faults = Arc::new(Faults::default());
    let store = Store::for_test(directory.path(), Arc::clone(&faults));
    let limits = Limits { give_up: Duration::from_millis(300), ..opening(1).limits };
    let opened = open_as(&store, Opening { limits, ..opening(1) }).await.unwrap();
    let mut driver = Driver::start(opened, Oracle::default(), 1);
    driver.slide();
    assert!(driver.settled(&faults).await);
    faults.die();
    driver.slide();
    assert!(matches!(driver.end().await, Event::GivenUp(_)));
}
