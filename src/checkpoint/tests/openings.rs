//! Opens that fail, passingly or for good, at every call; on a store that cannot tell who holds a file, as HDFS.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

use super::super::*;
use super::world::*;
use crate::random::Random;
use crate::store::faults::{Fault, Faults, Leases};
use crate::store::tests::ONCE;

/// More tries than any test plans failures.
const TRIES: u32 = 8;

/// A checkpoint of a driver that was killed with its log open, and what tells its store from a local one.
struct Place {
    directory: TempDir,
    leases: Arc<Leases>,
    oracle: Oracle,
}

impl Place {
    async fn new() -> Self {
        let (directory, leases) = (scratch(), Arc::default());
        let mut place = Self { directory, leases, oracle: Oracle::default() };
        let (store, faults) = place.store([]);
        let mut driver =
            Driver::start(open_as(&store, process(1, "first")).await.unwrap(), Oracle::default(), 3);
        (0..3).for_each(|_| driver.slide());
        assert!(driver.settled(&faults).await);
        faults.die();
        place.oracle = driver.oracle;
        place
    }

    /// The store as one process sees it; each call is tried once.
    fn store(&self, planned: impl IntoIterator<Item = (u64, Fault)>) -> (Store, Arc<Faults>) {
        let faults = Arc::new(Faults::at(planned).like_hdfs(&self.leases));
        (Store::for_test_with(self.directory.path(), Arc::clone(&faults), ONCE), faults)
    }

    /// Those that may write: the directories that are owned and not fenced, with the process that owns each.
    fn owners(&self) -> Vec<(String, Option<String>)> {
        let mut owners = Vec::new();
        for entry in std::fs::read_dir(self.directory.path()).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            if let Ok(text) = std::fs::read(entry.path().join("owner"))
                && !name.ends_with(".fenced")
            {
                owners.push((name, serde_json::from_slice::<Owner>(&text).unwrap().process));
            }
        }
        owners
    }

    /// A process has the checkpoint to itself, with the full window; and so has the one after it.
    async fn assert_goes_on(&self, opened: Opened, process_token: &str, what: &str) {
        let name = format!("a-{:06}", opened.epoch);
        assert_eq!(self.owners(), [(name, Some(process_token.to_owned()))], "{what}");
        assert_eq!(opened.report.corrupt, [], "{what}");
        assert_eq!(assert_true(opened.recovered.as_ref().unwrap(), &self.oracle), 3, "{what}");
        let mut driver = Driver::start(opened, self.oracle.clone(), 5);
        driver.slide();
        assert!(driver.settled(&Faults::default()).await, "{what}");
        let (store, _) = self.store([]);
        let next = open_as(&store, process(9, "last")).await.unwrap();
        assert_eq!(assert_true(next.recovered.as_ref().unwrap(), &driver.oracle), 4, "{what}");
    }
}

fn process(attempt: u32, token: &str) -> Opening {
    let mut opening = opening(attempt);
    opening.owner.process = Some(token.to_owned());
    opening
}

/// As the driver does it: again, for as long as that may help.
async fn persistently(store: &Store, opening: &Opening) -> Result<Opened, OpenError> {
    for _ in 1..TRIES {
        match open_as(store, opening.clone()).await {
            Err(error) if error.is_passing() => {}
            other => return other,
        }
    }
    open_as(store, opening.clone()).await
}

#[tokio::test]
async fn an_open_that_failed_passingly_at_any_call_goes_on_with_its_claim() {
    let mut claimed = 0;
    for fault in [Fault::FailBefore, Fault::FailAfter, Fault::Hang] {
        for at in 1.. {
            let place = Place::new().await;
            let (store, faults) = place.store([(at, fault)]);
            let what = format!("{fault:?} at call {at}");
            let opened = persistently(&store, &process(2, "second")).await;
            let opened = opened.unwrap_or_else(|error| panic!("{what}: {error}"));
            claimed += u32::from(opened.because == Because::Claimed);
            place.assert_goes_on(opened, "second", &what).await;
            if faults.seen().is_empty() {
                break;
            }
        }
    }
    assert!(claimed > 30, "only {claimed} of them met their own claim");
}

#[tokio::test]
async fn an_open_that_failed_twice_goes_on_as_well() {
    let mut random = Random::with_seed(11);
    for first in 1.. {
        let mut second = first;
        loop {
            second += 1 + random.below(3) as u64;
            let mut fault = || if random.below(2) == 0 { Fault::FailBefore } else { Fault::FailAfter };
            let planned = [(first, fault()), (second, fault())];
            let place = Place::new().await;
            let (store, faults) = place.store(planned);
            let what = format!("{planned:?}");
            let opened = persistently(&store, &process(2, "second")).await;
            let opened = opened.unwrap_or_else(|error| panic!("{what}: {error}"));
            place.assert_goes_on(opened, "second", &what).await;
            match faults.seen().len() {
                0 => return,
                1 => break,
                _ => {}
            }
        }
    }
}

/// Also when it had failed passingly before, so that its claim is there.
#[tokio::test]
async fn the_next_attempt_goes_on_after_a_death_at_any_call_of_an_open() {
    for (failed, died) in [
        (None, Fault::DieBefore),
        (None, Fault::DieAfter),
        (Some(Fault::FailBefore), Fault::DieBefore),
        (Some(Fault::FailAfter), Fault::DieAfter),
    ] {
        // The claim is there from about the tenth call on.
        for at in 1.. {
            let place = Place::new().await;
            let failed = failed.map(|fault| (at, fault));
            let death = if failed.is_some() { at + 1 + at % 17 } else { at };
            let (store, faults) = place.store(failed.into_iter().chain([(death, died)]));
            let what = format!("{failed:?}, {died:?} at call {death}");
            let opened = persistently(&store, &process(2, "second")).await;
            assert_eq!(opened.is_err(), faults.dead(), "{what}");
            drop(opened);
            let (store, _) = place.store([]);
            let opened = open_as(&store, process(3, "third")).await;
            let opened = opened.unwrap_or_else(|error| panic!("{what}: {error}"));
            place.assert_goes_on(opened, "third", &what).await;
            if !faults.dead() {
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_log_that_cannot_be_closed_for_longer_than_one_try_is_waited_for() {
    let place = Place::new().await;
    let (store, _) = place.store([]);
    place.leases.stuck(true);
    for _ in 0..3 {
        let error = open_as(&store, process(2, "second")).await.unwrap_err();
        assert!(error.is_passing() && error.to_string().contains("not closed"), "{error}");
        assert_eq!(place.owners(), [("a-000002".to_owned(), Some("second".to_owned()))]);
    }
    place.leases.stuck(false);
    let opened = open_as(&store, process(2, "second")).await.unwrap();
    assert_eq!((opened.because, opened.epoch), (Because::Claimed, 2));
    place.assert_goes_on(opened, "second", "closed at last").await;
}

/// YARN may run an attempt's container twice, after a restart of the ResourceManager.
#[tokio::test]
async fn another_process_of_the_same_attempt_never_takes_a_claim_for_its_own() {
    let place = Place::new().await;
    place.leases.stuck(true);
    let (store, _) = place.store([]);
    open_as(&store, process(2, "second")).await.unwrap_err();
    for token in [Some("twin".to_owned()), None] {
        let mut twin = opening(2);
        twin.owner.process = token;
        let error = open_as(&place.store([]).0, twin).await.unwrap_err();
        assert!(matches!(error, OpenError::Superseded { .. }), "{error}");
    }
    place.leases.stuck(false);
    let opened = open_as(&store, process(2, "second")).await.unwrap();
    place.assert_goes_on(opened, "second", "its twin is gone").await;
}

/// An owner file without a token, as earlier versions wrote it, is nobody's own.
#[tokio::test]
async fn a_process_without_a_token_meets_no_claim_of_its_own() {
    let place = Place::new().await;
    place.leases.stuck(true);
    let (store, _) = place.store([]);
    open_as(&store, opening(2)).await.unwrap_err();
    let error = open_as(&store, opening(2)).await.unwrap_err();
    assert!(matches!(error, OpenError::Superseded { .. }), "{error}");
}

#[tokio::test]
async fn of_two_processes_of_one_attempt_that_open_at_once_one_writes() {
    for seed in 0..60 {
        let mut random = Random::with_seed(seed);
        let place = Place::new().await;
        let mut fault = || {
            let fault = if random.below(2) == 0 { Fault::FailBefore } else { Fault::FailAfter };
            (1 + random.below(40) as u64, fault)
        };
        let (one, two) = (place.store([fault(), fault()]).0, place.store([fault()]).0);
        let (mine, yours) = (process(2, "one"), process(2, "two"));
        let (one, two) = tokio::join!(persistently(&one, &mine), persistently(&two, &yours));
        let mut wrote = Vec::new();
        for opened in [one, two].into_iter().flatten() {
            let mut driver = Driver::start(opened, place.oracle.clone(), seed);
            driver.slide();
            if driver.settled(&Faults::default()).await {
                wrote.push(driver.oracle);
            }
        }
        assert_eq!(wrote.len(), 1, "seed {seed}");
        let opened = open_as(&place.store([]).0, process(3, "last")).await.unwrap();
        assert_eq!(assert_true(opened.recovered.as_ref().unwrap(), &wrote[0]), 4, "seed {seed}");
    }
}

/// Its claim is fenced meanwhile, before its next try or within it.
#[tokio::test]
async fn a_driver_frozen_between_two_tries_is_fenced() {
    for frozen_at in [None, Some(3), Some(8), Some(12)] {
        let place = Place::new().await;
        place.leases.stuck(true);
        let (old, faults) = place.store([]);
        open_as(&old, process(2, "second")).await.unwrap_err();
        place.leases.stuck(false);
        let frozen = frozen_at.map(|calls| {
            faults.soon(calls, Fault::Hang);
            let old = old.clone();
            tokio::spawn(async move { open_as(&old, process(2, "second")).await.map(|_| ()) })
        });
        let opened = persistently(&place.store([]).0, &process(3, "third")).await.unwrap();
        if let Some(frozen) = frozen {
            let _ = frozen.await.unwrap();
        }
        let error = persistently(&old, &process(2, "second")).await.unwrap_err();
        assert!(matches!(error, OpenError::Superseded { .. }), "{error}");
        place.assert_goes_on(opened, "third", "the frozen one is fenced").await;
    }
}

/// Everything that bases and logs hold, whatever their directory is called now.
fn content(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let dir = entry.file_name().into_string().unwrap();
        for file in std::fs::read_dir(entry.path()).unwrap().map(Result::unwrap) {
            let name = file.file_name().into_string().unwrap();
            if name.starts_with("base-") || name.starts_with("log-") {
                let key = format!("{}/{name}", dir.trim_end_matches(".fenced"));
                found.insert(key, std::fs::read(file.path()).unwrap());
            }
        }
    }
    found
}

#[tokio::test]
async fn an_open_that_fails_at_any_call_leaves_every_base_and_log_as_it_was() {
    for fault in [Fault::FailBefore, Fault::FailAfter, Fault::DieBefore, Fault::DieAfter] {
        for at in 1.. {
            let place = Place::new().await;
            let before = content(place.directory.path());
            assert_eq!(before.len(), 2, "a base and a log");
            let (store, faults) = place.store([(at, fault)]);
            let opened = open_as(&store, process(2, "second")).await;
            assert!(content(place.directory.path()) == before, "{fault:?} at call {at}");
            if opened.is_ok() && faults.seen().is_empty() {
                break;
            }
        }
    }
}

/// `--from`: the old checkpoint is moved aside as a whole, whichever call fails, and nothing of it is read or deleted.
#[tokio::test]
async fn an_open_that_sets_aside_goes_on_with_that() {
    for fault in [Fault::FailBefore, Fault::FailAfter] {
        for at in 1.. {
            let place = Place::new().await;
            let before = content(place.directory.path());
            let (store, faults) = place.store([(at, fault)]);
            let mut anew = Opening { fresh: true, force: Force::TakeOver, ..process(1, "anew") };
            "other".clone_into(&mut anew.owner.app);
            let opened = persistently(&store, &anew).await.unwrap();
            assert!(opened.recovered.is_none(), "{fault:?} at call {at}");
            let aside = place.directory.path().join(format!("aside-{:06}", opened.epoch));
            assert!(content(&aside) == before, "{fault:?} at call {at}");
            assert!(content(place.directory.path()).is_empty(), "{fault:?} at call {at}");
            if faults.seen().is_empty() {
                break;
            }
        }
    }
}

/// Names, contents and owners: all is as before, and the owner writes on.
#[tokio::test]
async fn an_open_that_is_refused_touches_nothing() {
    let owned = |app: &str| Opening { owner: owner(app, 1), ..opening(1) };
    let of = |change: fn(&mut Fingerprint)| {
        let mut opening = Opening { force: Force::TakeOver, ..owned("other") };
        change(&mut opening.fingerprint);
        opening
    };
    let refused = [
        ("superseded", opening(1)),
        ("another key", of(|print| print.key = "header x".to_owned())),
        ("another slide", of(|print| print.slide_ms = 500)),
        ("another time", of(|print| print.time = "event".to_owned())),
        ("another cluster", of(|print| print.cluster = Some("other".to_owned()))),
    ];
    let directory = scratch();
    let store = calm(directory.path());
    let mut first = opening(2);
    first.fingerprint.cluster = Some("this".to_owned());
    let mut driver = Driver::start(open_as(&store, first).await.unwrap(), Oracle::default(), 3);
    driver.slide();
    assert!(driver.settled(&Faults::default()).await);
    let before = everything(directory.path());
    for (what, opening) in refused {
        let error = open_as(&store, opening).await.unwrap_err();
        assert!(!error.is_passing(), "{what}: {error}");
        assert!(everything(directory.path()) == before, "{what}");
    }
    driver.slide();
    assert!(driver.settled(&Faults::default()).await, "it is not fenced");
}

fn everything(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            match path.is_dir() {
                true => folders.push(path),
                false => drop(found.insert(path.display().to_string(), std::fs::read(&path).unwrap())),
            }
        }
    }
    found
}
