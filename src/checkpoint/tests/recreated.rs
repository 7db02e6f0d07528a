//! A topic that was recreated and is read on: the next driver must take the one that is there now for the one counted.

use std::sync::Arc;

use super::super::*;
use super::world::*;
use crate::ids::{Partition, Position, TopicId};
use crate::store::faults::Faults;

/// Far longer than a base takes.
const SOON: std::time::Duration = std::time::Duration::from_secs(10);

const OLD: TopicId = TopicId([1; 16]);
const NEW: TopicId = TopicId([2; 16]);

fn of_topic(attempt: u32, topic: TopicId) -> Opening {
    let mut opening = opening(attempt);
    opening.fingerprint.topics = vec![("tweets".to_owned(), Some(topic))];
    opening
}

/// A driver whose first base names the old topic.
async fn running(store: &Store) -> Driver {
    let mut driver = Driver::start(open_as(store, of_topic(1, OLD)).await.unwrap(), Oracle::default(), 1);
    driver.topic = Some(OLD);
    driver.slide();
    assert!(driver.settled(&Faults::default()).await);
    driver
}

/// The state hands a base over on its own account, once; while another is written it must not get lost.
#[tokio::test]
async fn a_base_that_comes_while_another_is_written_is_wanted_again() {
    let directory = scratch();
    let store = calm(directory.path());
    let mut driver = running(&store).await;
    driver.base();
    driver.topic = Some(NEW);
    driver.base();
    let mut told = Vec::new();
    while driver.based < 3 {
        let event = tokio::time::timeout(SOON, driver.events.recv()).await;
        match event.unwrap_or_else(|_| panic!("nothing comes after {told:?}")).unwrap() {
            Event::Based { .. } => {
                told.push("based");
                driver.based += 1;
            }
            Event::BaseWanted => {
                told.push("wanted");
                driver.base();
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(told, ["based", "wanted", "based"]);
    drop(driver);
    let shown = inspect(&store, 1 << 20).await.unwrap();
    let (recovered, _) = shown.recovery.unwrap();
    assert_eq!(recovered.unwrap().base.fingerprint.topics, [("tweets".to_owned(), Some(NEW))]);
}

/// Between the first slide of the new topic and that base, only the log names it.
#[tokio::test]
async fn a_driver_killed_before_the_base_that_names_it_leaves_a_log_that_does() {
    for app in ["app", "other"] {
        let directory = scratch();
        let store = calm(directory.path());
        let mut driver = running(&store).await;
        driver.topic = Some(NEW);
        driver.slide();
        assert!(driver.settled(&Faults::default()).await);
        driver.writer.close();
        while driver.events.recv().await.is_some() {}
        let mut next = of_topic(2, NEW);
        app.clone_into(&mut next.owner.app);
        let opened = open_as(&store, next).await.unwrap();
        let recovered = opened.recovered.unwrap();
        assert_eq!((recovered.slide, recovered.positions[0].1.topic_id), (2, Some(NEW)), "{app}");
        // Whoever meets the old one again is refused.
        let error = open_as(&store, of_topic(3, OLD)).await.unwrap_err().to_string();
        assert!(error.contains("topic tweets was deleted and created again"), "{error}");
    }
}

#[tokio::test]
async fn a_driver_at_work_is_not_fenced_for_a_topic_that_is_another() {
    let directory = scratch();
    let store = calm(directory.path());
    let mut driver = running(&store).await;
    let mut other = Opening { force: Force::TakeOver, ..of_topic(1, NEW) };
    "other".clone_into(&mut other.owner.app);
    for ended in [None, Some(false)] {
        let opened = open(store.clone(), other.clone(), Arc::new(move |_: &Owner| ended)).await;
        let error = opened.unwrap_err().to_string();
        assert!(error.contains("topic tweets was deleted and created again"), "{error}");
    }
    driver.slide();
    assert!(driver.settled(&Faults::default()).await, "it goes on");
}

/// A partition without a leader keeps the old topic's identity, be it the first one or not.
#[test]
fn a_topic_of_which_one_partition_is_read_on_already_is_the_new_one() {
    let of =
        |id| Fingerprint { topics: vec![("tweets".to_owned(), Some(id))], ..of_topic(1, OLD).fingerprint };
    let at =
        |number, id| (Partition::new("tweets", number), Position { topic_id: Some(id), ..Position::at(5) });
    let before = [at(0, OLD), at(1, OLD)];
    for now in [[at(0, NEW), at(1, OLD)], [at(0, OLD), at(1, NEW)]] {
        assert_eq!(of(OLD).following(&before, &now), of(NEW), "{now:?}");
        assert_eq!(of(NEW).following(&now, &now), of(NEW), "still without a leader after a restart: {now:?}");
        assert_eq!(
            of(NEW).following(&now, &[at(0, NEW), at(1, NEW)]),
            of(NEW),
            "and with one at last: {now:?}"
        );
    }
}

/// The same through files: drivers start again and again while the partition has no leader.
#[tokio::test]
async fn drivers_go_on_with_a_recreated_topic_while_one_of_its_partitions_has_no_leader() {
    let directory = scratch();
    let store = calm(directory.path());
    let leaderless = (Partition::new("tweets", -1), Position { topic_id: Some(OLD), ..Position::at(7) });
    let state = |driver: &mut Driver, read: TopicId| State {
        end_ms: driver.oracle.slides.last().map(|(end_ms, ..)| *end_ms),
        attempt: 1,
        whole: driver.last,
        positions: vec![
            leaderless.clone(),
            (
                partition(),
                Position { topic_id: Some(read), ..Position::at(driver.oracle.window(driver.last).1) },
            ),
        ],
        ring: driver.ring.image(),
    };
    let mut driver = running(&store).await;
    for (based, read) in [(2, OLD), (3, NEW)] {
        let state = state(&mut driver, read);
        driver.writer.base(Box::new(state));
        while driver.based < based {
            match driver.events.recv().await.unwrap() {
                Event::Based { .. } => driver.based += 1,
                Event::BaseWanted => {}
                other => panic!("{other:?}"),
            }
        }
    }
    drop(driver);
    for attempt in 2..5 {
        let mut opened = open_as(&store, of_topic(attempt, NEW)).await.unwrap();
        let positions = opened.recovered.take().unwrap().positions;
        assert_eq!(positions[0], leaderless, "attempt {attempt}");
        let ring = crate::count::Ring::with_seed(2).image();
        let first = State { end_ms: Some(1_000), attempt, whole: 1, positions, ring };
        let (writer, mut events) = opened.start(Box::new(first));
        assert!(matches!(events.recv().await, Some(Event::Based { .. })), "attempt {attempt}");
        drop(writer);
    }
}
