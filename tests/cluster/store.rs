//! Checkpoints in a real HDFS: take-overs, and everything that may die while a slide is being made durable.

use std::sync::Arc;
use std::time::Duration;

use spindle::checkpoint::{Because, Event, Owner, open, survey};
use spindle::clock::Clock;
use spindle::store::{Address, Copies, Kind, Patience, Store};
use tokio::time;
use tokio_util::bytes::Bytes;

use crate::checkpoint::{Driver, opening, recovered};
use crate::cluster::{Mend, alone};
use crate::hdfs::{hdfs, place};

/// Each DataNode, its death and how that is undone.
const DATANODES: [(u32, &str, &[&str]); 2] =
    [(1, "datanode 1 stop", &["datanode 1 start"]), (2, "datanode 2 stop", &["datanode 2 start"])];
/// The writer waits for half a minute before it takes a lease, and DataNodes may then need a second recovery.
const CLOSES: Duration = Duration::from_secs(150);
/// For a take-over that waits for nobody who is not there, with several tries to write to who is.
const SOON: Duration = Duration::from_secs(30);

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
    let mend = Mend::after(&["namenode stop"], &["namenode start"]);
    (0..5).for_each(|_| driver.slide());
    time::sleep(Duration::from_secs(2)).await;
    drop(mend);
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
    let safe = SafeMode::enter();
    driver.slide();
    driver.base();
    driver.slide();
    time::sleep(Duration::from_secs(1)).await;
    drop(safe);
    going_on(&mut driver, 3).await;
    assert_eq!(recovered(&place.open(2).await.unwrap()), 8);
}

#[tokio::test]
async fn a_datanode_killed_while_writing_delays_slides_and_loses_none() {
    let _alone = alone().await;
    for (node, harm, mend) in DATANODES {
        let place = place("datanode");
        let mut driver = Driver::start(&place, 1).await;
        going_on(&mut driver, 5).await;
        let mend = Mend::after(&[harm], mend);
        going_on(&mut driver, 20).await;
        println!("DataNode {node} killed: a slide took {:?}, {} errors", driver.worst, driver.behind);
        let opened = place.open(2).await.unwrap();
        assert_eq!(recovered(&opened), 25, "with one of two copies");
        let mut driver = Driver::of(opened);
        going_on(&mut driver, 3).await;
        drop(mend);
        going_on(&mut driver, 3).await;
        assert_eq!(recovered(&place.open(3).await.unwrap()), 31);
    }
}

/// The first try ends before its DataNode is back; the next one goes on with its claim.
#[tokio::test]
async fn a_take_over_that_failed_goes_on_with_its_claim() {
    let _alone = alone().await;
    let place = place("not-closed");
    let mut driver = Driver::start(&place, 1).await;
    going_on(&mut driver, 5).await;
    drop(driver);
    // Asked for the length of the last block, it does not answer.
    let frozen = Mend::after(&["datanode 2 pause"], &["datanode 2 resume"]);
    let patience = Patience { take_over: Duration::from_secs(2), ..Patience::default() };
    let hasty = Store::open(&Address::parse(&place.0).unwrap(), patience).unwrap();
    let mut opening = opening(2);
    opening.owner.process = Some("second".to_owned());
    let open = |store| open(store, opening.clone(), Arc::new(|_: &Owner| None));
    let error = open(hasty).await.unwrap_err();
    assert!(error.is_passing() && error.to_string().contains("not closed"), "{error}");
    drop(frozen);
    let opened = open(place.store()).await.unwrap();
    assert_eq!((opened.because, opened.epoch), (Because::Claimed, 2));
    assert_eq!(recovered(&opened), 5);
}

/// HDFS shows nobody what is in a log before it is closed.
#[tokio::test]
async fn a_log_that_the_writer_abandoned_is_closed_by_it() {
    let _alone = alone().await;
    let place = place("abandoned");
    let mut driver = Driver::start(&place, 1).await;
    going_on(&mut driver, 5).await;
    let frozen = Mend::after(&["datanode 1 pause"], &["datanode 1 resume"]);
    while driver.behind == 0 {
        going_on(&mut driver, 1).await;
    }
    drop(frozen);
    let store = place.store();
    let clock = Clock::start();
    let open = loop {
        let mut open = 0;
        for log in survey(&store).await.unwrap().iter().flat_map(|attempt| {
            attempt.logs.iter().map(|log| (attempt.log(log.number), log.bytes)).collect::<Vec<_>>()
        }) {
            let readable = store.read_so_far(&log.0, 1 << 20).await.unwrap().len() as u64;
            open += u32::from(readable < log.1);
        }
        if open <= 1 || clock.monotonic() > CLOSES {
            break open;
        }
        time::sleep(Duration::from_millis(200)).await;
    };
    println!("abandoned logs were closed after {:?}", clock.monotonic());
    assert_eq!(open, 1, "only the one that is written to");
    drop(driver);
}

/// As one is left behind when a driver has a new log made while a DataNode is dead that nobody knows to be.
#[tokio::test]
async fn a_log_that_holds_nothing_and_cannot_be_closed_delays_nobody() {
    let _alone = alone().await;
    let place = place("empty-log");
    let mut driver = Driver::start(&place, 1).await;
    going_on(&mut driver, 3).await;
    let (_, harm, mend) = DATANODES[0];
    let _mend = Mend::after(&[harm], mend);
    let store = place.store();
    let mut tries = (10..40).map(|number| format!("a-000001/log-{number:010}"));
    let empty = loop {
        let path = tries.next().expect("one of so many new logs is given to the dead node");
        let mut log = store.open_log(&path, Copies::One).await.unwrap();
        if log.append(Bytes::from_static(b"nobody hears of this")).await.is_err() {
            break path;
        }
        store.delete(&path).await.unwrap();
    };
    going_on(&mut driver, 3).await;
    let opened = time::timeout(SOON, place.open(2)).await.expect("it is not waited for").unwrap();
    assert_eq!(recovered(&opened), 6);
    let empty = empty.replacen("a-000001", "a-000001.fenced", 1);
    assert!(!store.begin_take_over(&empty).await.unwrap(), "it cannot be closed");
}

/// What a sync that is under way when the log is taken over adds is not acknowledged: nobody would wait for it.
#[tokio::test]
async fn a_sync_under_way_while_its_log_is_taken_over_fails() {
    let _alone = alone().await;
    let place = place("under-way");
    let (old, new) = (place.store(), place.store());
    old.make_root().await.unwrap();
    let mut log = old.open_log("log", Copies::Usual).await.unwrap();
    let mend =
        Mend::after(&["datanode 1 pause", "datanode 2 pause"], &["datanode 1 resume", "datanode 2 resume"]);
    let sync = tokio::spawn(async move { log.append(Bytes::from_static(b"too late")).await });
    // Until a block is given to it, the file is closed at once.
    time::sleep(Duration::from_secs(1)).await;
    assert!(!new.begin_take_over("log").await.unwrap(), "it is under way");
    assert_eq!(new.look("log").await.unwrap().unwrap().bytes, 0);
    drop(mend);
    // Refused, or without an answer in its time: a pipeline that was broken makes `hsync` hang.
    let late = sync.await.unwrap().unwrap_err();
    assert!(matches!(late.kind, Kind::Fenced | Kind::Unavailable), "{late}");
    println!("a sync that came too late: {late}");
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

/// HDFS in safe mode, until it is dropped.
struct SafeMode;

impl SafeMode {
    fn enter() -> Self {
        hdfs(&["dfsadmin", "-safemode", "enter"]);
        Self
    }
}

impl Drop for SafeMode {
    fn drop(&mut self) {
        hdfs(&["dfsadmin", "-safemode", "leave"]);
    }
}

/// Slides one after the other, each durable before the next.
async fn going_on(driver: &mut Driver, slides: u64) {
    for _ in 0..slides {
        driver.slide();
        driver.settle().await;
    }
}
