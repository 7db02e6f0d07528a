//! No writer of snapshots ends in silence.

use std::sync::Arc;

use super::*;
use crate::store::tests::scratch;

/// Snapshots under way, of a job whose checkpoint is empty.
async fn started(directory: &std::path::Path, app: &str) -> Snapshots {
    let store = |name: &str| Store::for_test(&directory.join(name), Arc::default());
    let opening = checkpoint::samples::opening(1);
    let has_ended = Arc::new(|_: &checkpoint::Owner| None);
    let mut opened = checkpoint::open(store(app), opening, has_ended).await.unwrap();
    let plan = Plan::new(app, &crate::config::Snapshots::default());
    let mut snapshots = Snapshots::new(Some(SnapshotSetup { store: store("s"), plan }), 1 << 20);
    snapshots.start(&mut opened);
    snapshots
}

fn slide(end_ms: Millis) -> checkpoint::Slide {
    let mut random = crate::random::Random::with_seed(1);
    checkpoint::Slide { end_ms, ..checkpoint::samples::slide(&mut random, 1) }
}

fn window() -> Ranked {
    Ranked { length_ms: 1, slides: 1, total: 0, distinct: 0, top: Vec::new() }
}

#[tokio::test]
async fn a_writer_that_panics_says_why() {
    let directory = scratch();
    let mut snapshots = started(directory.path(), "one").await;
    // No window begins before time does.
    let window = Ranked { length_ms: Millis::MAX, ..window() };
    snapshots.closed(1, &slide(-60_000), Some(window));
    snapshots.durable(-60_000);
    let Event::Died(reason) = snapshots.next().await else { panic!("it lives") };
    assert!(reason.contains("overflow"), "{reason}");
}

#[tokio::test]
async fn a_writer_that_is_gone_has_died() {
    let directory = scratch();
    let mut snapshots = started(directory.path(), "one").await;
    let (_, events) = tokio::sync::mpsc::unbounded_channel();
    snapshots.writing = snapshots.writing.map(|(writer, _)| (writer, events));
    assert!(matches!(snapshots.next().await, Event::Died(_)));
}

/// The directory is another job's: that is said once, and the job goes on.
#[tokio::test(start_paused = true)]
async fn a_writer_that_was_refused_has_said_its_last_word() {
    let directory = scratch();
    let mut first = started(directory.path(), "one").await;
    first.closed(1, &slide(60_000), Some(window()));
    first.durable(60_000);
    first.close(Duration::from_secs(3_600)).await;
    let mut second = started(directory.path(), "two").await;
    let refused = second.next().await;
    assert!(matches!(&refused, Event::Refused { app, .. } if app == "one"), "{refused:?}");
    assert!(
        time::timeout(Duration::from_secs(3_600), second.next()).await.is_err(),
        "nothing comes after it"
    );
}
