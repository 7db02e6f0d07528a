//! The local store, through failures at every call.

use std::fs;

use tempfile::TempDir;

use super::faults::{Fault, Faults};
use super::*;

/// Short, so that what fails for good fails soon.
pub(crate) const HURRIED: Patience = Patience {
    call: Duration::from_millis(200),
    sync: Duration::from_millis(200),
    retries: Duration::from_secs(2),
    back_off: Duration::from_millis(2),
    take_over: Duration::from_secs(2),
};

/// The same, with every call tried once: what one failure leads to.
pub(crate) const ONCE: Patience = Patience {
    call: Duration::from_millis(200),
    retries: Duration::ZERO,
    take_over: Duration::from_millis(50),
    ..HURRIED
};

/// A directory to test in, in memory where there is such a file system: it is the syncs that take time.
pub(crate) fn scratch() -> TempDir {
    let memory = std::path::Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

impl Store {
    /// A local tree whose work runs on the test's own runtime.
    pub(crate) fn for_test(directory: &std::path::Path, faults: Arc<Faults>) -> Self {
        Self::for_test_with(directory, faults, HURRIED)
    }

    /// The same with another patience.
    pub(crate) fn for_test_with(
        directory: &std::path::Path,
        faults: Arc<Faults>,
        patience: Patience,
    ) -> Self {
        let address = Address::parse(directory.to_str().unwrap()).unwrap();
        let backend = Backend::open(&address, None, Handle::current()).unwrap();
        let inner = Inner { backend, io: Io::Of(Handle::current()), faults };
        Self { address, patience, clock: Clock::start(), inner: Arc::new(inner) }
    }
}

fn store(faults: &Arc<Faults>) -> (TempDir, Store) {
    let directory = scratch();
    let store = Store::for_test(directory.path(), Arc::clone(faults));
    (directory, store)
}

fn names(directory: &TempDir) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_file_is_put_once_whichever_call_fails() {
    for fault in [Fault::FailBefore, Fault::FailAfter, Fault::Hang] {
        for at in 1..=4 {
            let faults = Arc::new(Faults::at([(at, fault)]));
            let (directory, store) = store(&faults);
            store.put_bytes("x", Bytes::from_static(b"one")).await.unwrap();
            let again = store.put_bytes("x", Bytes::from_static(b"two")).await.unwrap_err();
            assert_eq!(again.kind, Kind::Exists, "{fault:?} at {at}");
            assert_eq!(store.read("x", 10).await.unwrap(), "one");
            assert_eq!(names(&directory), ["x"], "{fault:?} at {at}: nothing is left lying about");
            assert_eq!(faults.seen(), [fault]);
        }
    }
}

#[tokio::test]
async fn replacing_leaves_the_old_or_the_new_file_wherever_the_process_dies() {
    for fault in [Fault::DieBefore, Fault::DieAfter] {
        for at in 1..=2 {
            let faults = Arc::new(Faults::default());
            let (directory, store) = store(&faults);
            store.put_bytes("latest.json", Bytes::from_static(b"old")).await.unwrap();
            faults.soon(at - 1, fault);
            assert!(store.replace("latest.json", Bytes::from_static(b"new")).await.is_err());
            assert!(faults.dead());
            let found = fs::read(directory.path().join("latest.json")).unwrap();
            let new = at == 2 && fault == Fault::DieAfter;
            assert_eq!(found, if new { b"new" } else { b"old" }, "{fault:?} at {at}");
        }
    }
}

#[tokio::test]
async fn a_rename_whose_answer_is_lost_is_done_and_one_onto_something_is_refused() {
    let faults = Arc::new(Faults::default());
    let (_directory, store) = store(&faults);
    for name in ["a", "b"] {
        store.make_dir(name).await.unwrap();
    }
    faults.soon(0, Fault::FailAfter);
    store.rename("a", "a.fenced").await.unwrap();
    assert_eq!(faults.seen(), [Fault::FailAfter]);
    assert_eq!(store.rename("b", "a.fenced").await.unwrap_err().kind, Kind::Exists);
    assert_eq!(store.rename("a", "c").await.unwrap_err().kind, Kind::Gone);
    let error = store.put_bytes("a/x", Bytes::new()).await.unwrap_err();
    assert_eq!(error.kind, Kind::Gone, "a directory that is gone is not made again: {error}");
    assert_eq!(store.open_log("a/log", Copies::Usual).await.unwrap_err().kind, Kind::Gone);
}

#[tokio::test]
async fn a_log_is_fenced_when_its_directory_is_renamed() {
    let (_directory, store) = store(&Arc::default());
    store.make_dir("a").await.unwrap();
    let mut log = store.open_log("a/log", Copies::Usual).await.unwrap();
    assert_eq!(store.open_log("a/log", Copies::Usual).await.unwrap_err().kind, Kind::Exists);
    log.append(Bytes::from_static(b"one ")).await.unwrap();
    store.rename("a", "a.fenced").await.unwrap();
    store.take_over("a.fenced/log").await.unwrap();
    assert_eq!(log.append(Bytes::from_static(b"two")).await.unwrap_err().kind, Kind::Fenced);
    let after = log.append(Bytes::from_static(b"three")).await.unwrap_err();
    assert!(after.to_string().contains("abandoned"), "{after}");
    assert!(store.read("a.fenced/log", 100).await.unwrap().starts_with(b"one "));
}

#[tokio::test]
async fn a_hung_sync_ends_by_its_deadline_and_the_log_is_abandoned() {
    let faults = Arc::new(Faults::default());
    let (_directory, store) = store(&faults);
    let mut log = store.open_log("log", Copies::Usual).await.unwrap();
    faults.soon(0, Fault::Hang);
    let error = log.append(Bytes::from_static(b"x")).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unavailable);
    assert!(error.to_string().contains("not synced within 200ms; is the store up"), "{error}");
    assert!(log.append(Bytes::from_static(b"x")).await.is_err());
}

#[tokio::test]
async fn a_held_file_is_seen_to_be_held_until_its_holder_ends() {
    let (_directory, store) = store(&Arc::default());
    store.put_bytes("owner", Bytes::from_static(b"me")).await.unwrap();
    assert_eq!(store.held("owner").await.unwrap(), Some(false));
    let hold = store.hold("owner").await.unwrap();
    assert_eq!(store.held("owner").await.unwrap(), Some(true));
    assert_eq!(store.hold("owner").await.unwrap_err().kind, Kind::Exists);
    drop(hold);
    assert_eq!(store.held("owner").await.unwrap(), Some(false));
}

#[tokio::test]
async fn reading_is_bounded_and_missing_things_are_gone() {
    let (_directory, store) = store(&Arc::default());
    store.put_bytes("x", Bytes::from_static(b"0123456789")).await.unwrap();
    let error = store.read("x", 9).await.unwrap_err();
    assert!(error.to_string().contains("10 bytes are more than the 9 allowed"), "{error}");
    assert_eq!(store.read_so_far("x", 3).await.unwrap(), "012");
    assert_eq!(store.read("y", 9).await.unwrap_err().kind, Kind::Gone);
    assert_eq!(store.look("y").await.unwrap(), None);
    assert_eq!(store.list("y").await.unwrap_err().kind, Kind::Gone);
    store.delete("y").await.unwrap();
}

/// On threads of its own, from a runtime without any.
#[tokio::test]
async fn an_opened_store_works_and_can_be_dropped_anywhere() {
    let directory = scratch();
    let address = Address::parse(&format!("file://{}/deep/er", directory.path().display())).unwrap();
    let store = Store::open(&address, Patience::default()).unwrap();
    store.make_root().await.unwrap();
    store.put_bytes("x", Bytes::from_static(b"1")).await.unwrap();
    let listed = store.list("").await.unwrap();
    assert_eq!(listed, [Entry { name: "x".to_owned(), bytes: 1, is_dir: false }]);
}
