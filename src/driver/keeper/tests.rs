//! Waiting for a checkpoint has an end, and no worker of it ends in silence.

use super::*;
use crate::checkpoint::samples;
use crate::store::faults::{Fault, Faults, Leases};
use crate::store::tests::{ONCE, scratch};
use crate::store::{Patience, Store};

fn setup(store: Store, give_up: Duration) -> CheckpointSetup {
    let mut owner = samples::owner("app", 1);
    owner.process = Some("this".to_owned());
    CheckpointSetup {
        store,
        owner,
        force: Force::No,
        fresh: false,
        required: false,
        relabel: false,
        wait: false,
        give_up,
        has_ended: Arc::new(|_| None),
        snapshots: None,
    }
}

/// Opens it as the driver does, with these calls of its store failing.
async fn events(faults: impl IntoIterator<Item = u64>, give_up: Duration) -> Vec<KeeperEvent> {
    let directory = scratch();
    let leases = Arc::new(Leases::default());
    let faults = Faults::at(faults.into_iter().map(|at| (at, Fault::FailBefore))).like_hdfs(&leases);
    let patience = Patience { back_off: Duration::ZERO, ..ONCE };
    let setup = setup(Store::for_test_with(directory.path(), Arc::new(faults), patience), give_up);
    let opening = Opening { owner: setup.owner.clone(), ..samples::opening(1) };
    let (told, mut events) = mpsc::unbounded_channel();
    let opened = tokio::spawn(open(setup, opening, told));
    let mut seen = Vec::new();
    while let Some(event) = events.recv().await {
        seen.push(event);
    }
    opened.await.unwrap();
    seen
}

#[tokio::test]
async fn a_checkpoint_that_stays_away_fails_the_job_after_give_up_with_the_reason() {
    let seen = events(1..10_000, BACK_OFF + BACK_OFF / 2).await;
    let (last, before) = seen.split_last().unwrap();
    assert!(!before.is_empty(), "it is said that it waits");
    assert!(before.iter().all(|event| matches!(event, KeeperEvent::Waiting(_))), "{before:?}");
    let KeeperEvent::Failed(reason) = last else { panic!("{last:?}") };
    assert!(reason.contains("could not be opened for checkpoint.give_up"), "{reason}");
    assert!(reason.contains("a fault on purpose"), "{reason}");
}

#[tokio::test]
async fn a_checkpoint_that_is_away_for_one_try_behind_the_claim_is_opened_by_the_next() {
    // An empty one is claimed by the sixth call or so; of the later ones, each is tried.
    for at in 6..12 {
        let seen = events([at], Duration::from_secs(60)).await;
        let [KeeperEvent::Waiting(_), KeeperEvent::Opened(_)] = &seen[..] else { panic!("{at}: {seen:?}") };
    }
}

/// What a base holds of a window without a record.
fn empty(end_ms: Option<Millis>) -> Box<checkpoint::State> {
    let ring = crate::count::Ring::with_seed(1).image();
    Box::new(checkpoint::State { end_ms, attempt: 1, whole: 0, positions: Vec::new(), ring })
}

async fn failure(stage: Stage) -> String {
    let mut keeper = Keeper { setup: None, stage };
    match keeper.next().await {
        KeeperEvent::Failed(reason) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_opening_task_that_panics_is_a_failure_with_its_reason() {
    let (told, events) = mpsc::unbounded_channel();
    let task = tokio::spawn(async move {
        let _told = told;
        panic!("boom {}", 1)
    });
    let reason = failure(Stage::Opening(task, events)).await;
    assert!(reason.contains("opens the checkpoint") && reason.contains("boom 1"), "{reason}");
}

#[tokio::test]
async fn a_writer_that_panics_is_a_failure_with_its_reason() {
    let directory = scratch();
    let store = Store::for_test(directory.path(), Arc::default());
    let opened = checkpoint::open(store, samples::opening(1), Arc::new(|_: &Owner| None)).await.unwrap();
    let (writer, mut events) = opened.start(empty(None));
    assert!(matches!(events.recv().await, Some(checkpoint::Event::Based { .. })));
    writer.panic("boom 2");
    let reason = failure(Stage::Writing(writer, events)).await;
    assert!(reason.contains("the checkpoint's writer") && reason.contains("boom 2"), "{reason}");
}

#[tokio::test]
async fn a_writer_that_is_gone_is_a_failure() {
    let directory = scratch();
    let store = Store::for_test(directory.path(), Arc::default());
    let opened = checkpoint::open(store, samples::opening(1), Arc::new(|_: &Owner| None)).await.unwrap();
    let (writer, _) = opened.start(empty(None));
    let (_, events) = mpsc::unbounded_channel();
    let reason = failure(Stage::Writing(writer, events)).await;
    assert!(reason.contains("the checkpoint's writer has ended"), "{reason}");
}

/// `--relabel`: the base that makes the new ends durable waits for the snapshots, whichever of both is there first.
#[tokio::test]
async fn ends_that_are_put_back_become_durable_once_snapshots_show_the_past() {
    for settled_first in [true, false] {
        let directory = scratch();
        let store = |name: &str| Store::for_test(&directory.path().join(name), Arc::default());
        let open = |app: &str| {
            let owner = samples::owner(app, 1);
            let opening = Opening { owner, relabel: true, ..samples::opening(1) };
            checkpoint::open(store("c"), opening, Arc::new(|_: &Owner| Some(true)))
        };
        let (writer, mut events) = open("first").await.unwrap().start(empty(Some(40_000)));
        while !matches!(events.recv().await, Some(checkpoint::Event::Based { .. })) {}
        drop(writer);
        let mut opened = open("later").await.unwrap();
        assert_eq!(opened.relabel(12_300), Some(28_000));
        let plan = crate::snapshot::Plan::new("later", &crate::config::Snapshots::default());
        let mut snapshots =
            super::super::snapshots::Snapshots::new(Some(SnapshotSetup { store: store("s"), plan }), 1 << 20);
        snapshots.start(&mut opened);
        let mut keeper = Keeper { setup: None, stage: Stage::Opened(Box::new(opened)) };
        if !settled_first {
            keeper.base(empty(Some(12_000)));
        }
        assert_eq!(snapshots.next().await, crate::snapshot::Event::Settled);
        assert!(!directory.path().join("c/a-000002/base-0000000002").exists());
        keeper.settled();
        if settled_first {
            keeper.base(empty(Some(12_000)));
        }
        let next = time::timeout(Duration::from_secs(20), keeper.next()).await;
        assert!(matches!(next, Ok(KeeperEvent::Written(checkpoint::Event::Based { .. }))), "{next:?}");
    }
}

/// Snapshots are refused while the driver still waits for Kafka: what was kept for them need not be.
#[tokio::test]
async fn what_is_kept_for_snapshots_goes_once_there_are_none_whenever_that_is_known() {
    for early in [true, false] {
        let directory = scratch();
        let opening = samples::opening(1);
        let store = Store::for_test(directory.path(), Arc::default());
        let mut opened = checkpoint::open(store, opening, Arc::new(|_: &Owner| Some(true))).await.unwrap();
        opened.keep_since(Millis::MIN);
        let mut keeper = Keeper { setup: None, stage: Stage::Opened(Box::new(opened)) };
        for base in 1..12 {
            if early == (base == 1) {
                keeper.keep_since(Millis::MAX);
            }
            keeper.base(empty(Some(base * 10_000)));
            while !matches!(keeper.next().await, KeeperEvent::Written(checkpoint::Event::Based { .. })) {}
        }
        let names = std::fs::read_dir(directory.path().join("a-000001")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let bases = names.filter(|name| name.starts_with("base-")).count();
        assert!(bases <= 4, "early: {early}: {bases} bases are kept");
    }
}
