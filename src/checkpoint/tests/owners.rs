//! Two drivers and one checkpoint: at most one of them is ever right.

use super::super::*;
use super::world::*;
use crate::store::faults::Faults;

async fn running(store: &Store, attempt: u32, slides: usize) -> Driver {
    let opened = open_as(store, opening(attempt)).await.unwrap();
    let mut driver = Driver::start(opened, Oracle::default(), 3);
    (0..slides).for_each(|_| driver.slide());
    assert!(driver.settled(&Faults::default()).await);
    driver
}

#[tokio::test]
async fn a_frozen_driver_that_wakes_after_a_take_over_is_fenced() {
    let directory = scratch();
    let store = calm(directory.path());
    let mut old = running(&store, 1, 3).await;
    let opened = open_as(&store, opening(2)).await.unwrap();
    assert_eq!(opened.because, Because::EarlierAttempt);
    let mut new = Driver::start(opened, old.oracle.clone(), 5);
    old.slide();
    assert!(matches!(old.end().await, Event::Fenced(_)));
    assert_eq!(old.durable, 3, "what it wrote after the take-over was never acknowledged");
    (0..4).for_each(|_| new.slide());
    assert!(new.settled(&Faults::default()).await);
    let opened = open_as(&store, opening(3)).await.unwrap();
    assert_eq!(assert_true(opened.recovered.as_ref().unwrap(), &new.oracle), 7);
}

/// The rename is for this one: no lease and no lock keeps it from opening a new file.
#[tokio::test]
async fn a_driver_frozen_just_before_rolling_is_fenced() {
    let directory = scratch();
    let store = calm(directory.path());
    let mut old = running(&store, 1, 3).await;
    let opened = open_as(&store, opening(2)).await.unwrap();
    let mut new = Driver::start(opened, old.oracle.clone(), 5);
    old.base();
    old.slide();
    assert!(matches!(old.end().await, Event::Fenced(_)));
    new.slide();
    assert!(new.settled(&Faults::default()).await);
    let opened = open_as(&store, opening(3)).await.unwrap();
    assert_eq!(assert_true(opened.recovered.as_ref().unwrap(), &new.oracle), 4);
}

/// What a fenced driver still got into its file stays out of every later recovery, whatever base that begins with.
#[tokio::test]
async fn slides_behind_the_point_where_the_next_attempt_went_on_are_not_read() {
    let directory = scratch();
    let store = calm(directory.path());
    let mut old = running(&store, 1, 3).await;
    let opened = open_as(&store, opening(2)).await.unwrap();
    let mut new = Driver::start(opened, old.oracle.clone(), 5);
    (0..2).for_each(|_| old.slide());
    assert!(matches!(old.end().await, Event::Fenced(_)));
    (0..2).for_each(|_| new.slide());
    assert!(new.settled(&Faults::default()).await);
    let base = std::fs::read_dir(directory.path().join("a-000002")).unwrap();
    let base = base.map(|entry| entry.unwrap().path()).find(|path| path.to_str().unwrap().contains("base-"));
    std::fs::write(base.unwrap(), b"damaged").unwrap();
    let opened = open_as(&store, opening(3)).await.unwrap();
    assert_eq!(opened.report.bad_bases.len(), 1);
    assert_eq!(opened.report.superseded, 2, "{:?}", opened.report);
    assert_eq!(assert_true(opened.recovered.as_ref().unwrap(), &new.oracle), 5);
}

#[tokio::test]
async fn of_two_that_open_at_once_one_writes() {
    for seed in 0..20 {
        let directory = scratch();
        let store = calm(directory.path());
        let as_app = |app: &str| Opening { owner: owner(app, 1), force: Force::TakeOver, ..opening(1) };
        let (one, two) = tokio::join!(open_as(&store, as_app("a")), open_as(&store, as_app("b")));
        let mut acknowledged = 0;
        let mut drivers: Vec<Driver> = [one, two]
            .into_iter()
            .flatten()
            .map(|opened| Driver::start(opened, Oracle::default(), seed))
            .collect();
        assert!(!drivers.is_empty(), "one of them gets it");
        for driver in &mut drivers {
            driver.slide();
            acknowledged += u32::from(driver.settled(&Faults::default()).await);
        }
        assert_eq!(acknowledged, 1, "seed {seed}: {} opened it", drivers.len());
    }
}

#[tokio::test]
async fn a_live_owner_of_another_application_keeps_its_checkpoint() {
    let directory = scratch();
    let store = calm(directory.path());
    let mut driver = running(&store, 1, 1).await;
    let other = Opening { owner: owner("other", 1), ..opening(1) };
    let pause = store.clone();
    let tried = tokio::spawn(async move { open_as(&store, other).await.map(|_| ()) });
    while !tried.is_finished() {
        driver.slide();
        assert!(driver.settled(&Faults::default()).await);
        pause.pause(std::time::Duration::from_millis(20)).await;
    }
    let error = tried.await.unwrap().unwrap_err().to_string();
    assert!(
        error.contains("is owned by app (job TweetsApp, on nm1)") && error.contains("--take-over"),
        "{error}"
    );
}

#[tokio::test]
async fn an_ended_owner_gives_it_up_at_once_by_its_lock() {
    let directory = scratch();
    let store = calm(directory.path());
    let driver = running(&store, 1, 2).await;
    let oracle = driver.oracle.clone();
    driver.writer.close();
    let mut events = driver.events;
    while events.recv().await.is_some() {}
    let opened = open_as(&store, Opening { owner: owner("other", 1), ..opening(1) }).await.unwrap();
    assert_eq!(opened.because, Because::Ended);
    assert_eq!(assert_true(opened.recovered.as_ref().unwrap(), &oracle), 2);
}

#[tokio::test]
async fn an_older_attempt_finds_itself_superseded() {
    let directory = scratch();
    let store = calm(directory.path());
    let _driver = running(&store, 2, 1).await;
    let error = open_as(&store, opening(1)).await.unwrap_err();
    assert!(matches!(error, OpenError::Superseded { .. }) && !error.is_passing(), "{error}");
}

/// As a NameNode does to the file of a driver that was away for an hour.
#[tokio::test]
async fn a_log_that_was_taken_away_by_no_driver_is_replaced() {
    let directory = scratch();
    let store = calm(directory.path());
    let mut driver = running(&store, 1, 2).await;
    std::fs::remove_file(directory.path().join("a-000001/log-0000000001")).unwrap();
    driver.slide();
    assert!(driver.settled(&Faults::default()).await, "its own directory is there, so it is not fenced");
    assert!(directory.path().join("a-000001/log-0000000002").exists());
}
