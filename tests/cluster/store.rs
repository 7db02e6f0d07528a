//! Checkpoints in a real HDFS: take-overs, and everything that may die while a slide is being made durable.

use std::time::Duration;

use spindle::checkpoint::Event;
use spindle::store::{Copies, Kind};
use tokio::time;
use tokio_util::bytes::Bytes;

use crate::checkpoint::{Driver, recovered};
use crate::cluster::{alone, fault};
use crate::hdfs::{hdfs, place};

#[tokio::test]
async fn what_was_synced_is_read_after_a_take_over_and_nothing_can_be_added() {
    let _alone = alone().await;
    let place = place("take-over");
    let (old, new) = (place.store(), place.store());
    old.make_root().await.unwrap();
    let mut log = old.open_log("log", Copies::Usual).await.unwrap();
    log.append(Bytes::from_static(b"one ")).await.unwrap();
    log.append(Bytes::from_static(b"two")).await.unwrap();
    assert_eq!(new.look("log").await.unwrap().unwrap().bytes, 7, "the length of what was synced is known");
    assert_eq!(new.open_log("log", Copies::Usual).await.unwrap_err().kind, Kind::Exists);
    new.take_over("log").await.unwrap();
    assert_eq!(new.read("log", 100).await.unwrap(), "one two");
    let fenced = log.append(Bytes::from_static(b" three")).await.unwrap_err();
    assert_eq!(fenced.kind, Kind::Fenced, "{fenced}");
    assert_eq!(new.read("log", 100).await.unwrap(), "one two");
    new.delete("").await.unwrap();
}

#[tokio::test]
async fn files_appear_whole_once_and_in_directories_that_exist() {
    let _alone = alone().await;
    let store = place("whole").store();
    store.make_root().await.unwrap();
    store.put_bytes("x", Bytes::from_static(b"1")).await.unwrap();
    assert_eq!(store.put_bytes("x", Bytes::from_static(b"2")).await.unwrap_err().kind, Kind::Exists);
    store.replace("x", Bytes::from_static(b"3")).await.unwrap();
    assert_eq!(store.read("x", 10).await.unwrap(), "3");
    assert_eq!(store.read_so_far("x", 0).await.unwrap(), "");
    assert_eq!(store.put_bytes("a/x", Bytes::new()).await.unwrap_err().kind, Kind::Gone);
    assert_eq!(store.open_log("a/x", Copies::Usual).await.unwrap_err().kind, Kind::Gone);
    assert_eq!(store.make_dir("a/b").await.unwrap_err().kind, Kind::Gone);
    for name in ["a", "b"] {
        store.make_dir(name).await.unwrap();
    }
    assert_eq!(store.rename("a", "b").await.unwrap_err().kind, Kind::Exists);
    store.rename("a", "a.fenced").await.unwrap();
    let names: Vec<_> = store.list("").await.unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["a.fenced", "b", "x"]);
    assert_eq!(store.list("a").await.unwrap_err().kind, Kind::Gone);
    store.delete("").await.unwrap();
    store.delete("").await.unwrap();
}

#[tokio::test]
async fn the_next_attempt_goes_on_and_the_old_driver_is_fenced() {
    let _alone = alone().await;
    let place = place("attempts");
    let mut old = Driver::start(&place, 1).await;
    for _ in 0..5 {
        old.slide();
        old.settle().await;
    }
    let opened = place.open(2).await.unwrap();
    assert_eq!(recovered(&opened), 5);
    let mut new = Driver::of(opened);
    old.slide();
    assert!(matches!(old.end().await, Event::Fenced(_)));
    assert_eq!(old.durable, 5);
    new.slide();
    new.settle().await;
    assert_eq!(recovered(&place.open(3).await.unwrap()), 6);
}

/// Without the rename it would open a new log that nobody fences.
#[tokio::test]
async fn a_driver_that_was_paused_before_rolling_is_fenced() {
    let _alone = alone().await;
    let place = place("roll");
    let mut old = Driver::start(&place, 1).await;
    old.slide();
    old.settle().await;
    let mut new = Driver::start(&place, 2).await;
    old.base();
    old.slide();
    assert!(matches!(old.end().await, Event::Fenced(_)));
    new.slide();
    new.settle().await;
    assert_eq!(recovered(&place.open(3).await.unwrap()), 2);
}

#[tokio::test]
async fn a_namenode_that_restarts_delays_slides_and_loses_none() {
    let _alone = alone().await;
    let place = place("namenode");
    let mut driver = Driver::start(&place, 1).await;
    going_on(&mut driver, 5).await;
    fault("namenode stop");
    (0..5).for_each(|_| driver.slide());
    time::sleep(Duration::from_secs(2)).await;
    fault("namenode start");
    going_on(&mut driver, 5).await;
    println!("NameNode restarted: a slide took {:?}, {} errors", driver.worst, driver.behind);
    assert!(driver.behind > 0, "it was noticed");
    assert_eq!(recovered(&place.open(2).await.unwrap()), 15);
}

#[tokio::test]
async fn safe_mode_delays_slides_and_loses_none() {
    let _alone = alone().await;
    let place = place("safe-mode");
    let mut driver = Driver::start(&place, 1).await;
    going_on(&mut driver, 3).await;
    hdfs(&["dfsadmin", "-safemode", "enter"]);
    driver.slide();
    driver.base();
    driver.slide();
    time::sleep(Duration::from_secs(1)).await;
    hdfs(&["dfsadmin", "-safemode", "leave"]);
    going_on(&mut driver, 3).await;
    assert_eq!(recovered(&place.open(2).await.unwrap()), 8);
}

#[tokio::test]
async fn a_datanode_killed_while_writing_delays_slides_and_loses_none() {
    let _alone = alone().await;
    for node in ["1", "2"] {
        let place = place("datanode");
        let mut driver = Driver::start(&place, 1).await;
        going_on(&mut driver, 5).await;
        fault(&format!("datanode {node} stop"));
        going_on(&mut driver, 20).await;
        println!("DataNode {node} killed: a slide took {:?}, {} errors", driver.worst, driver.behind);
        let opened = place.open(2).await.unwrap();
        assert_eq!(recovered(&opened), 25, "with one of two copies");
        let mut driver = Driver::of(opened);
        going_on(&mut driver, 3).await;
        fault(&format!("datanode {node} start"));
        going_on(&mut driver, 3).await;
        assert_eq!(recovered(&place.open(3).await.unwrap()), 31);
    }
}

#[tokio::test]
async fn syncs_are_fast() {
    let _alone = alone().await;
    let place = place("syncs");
    let mut driver = Driver::start(&place, 1).await;
    going_on(&mut driver, 300).await;
    driver.syncs.sort_unstable();
    let (median, worst) = (driver.syncs[150], driver.syncs[299]);
    println!("300 syncs: median {median:?}, 99 % {:?}, worst {worst:?}", driver.syncs[297]);
    assert!(median < Duration::from_millis(200), "{median:?}");
}

/// Slides one after the other, each durable before the next.
async fn going_on(driver: &mut Driver, slides: u64) {
    for _ in 0..slides {
        driver.slide();
        driver.settle().await;
    }
}
