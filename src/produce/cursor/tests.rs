//! The cursor file, local and as in HDFS: one owner at a time, whole files whatever fails, take-overs.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::time::{self, Instant};

use super::*;
use crate::produce::event::Resume;
use crate::store::faults::{Fault, Faults, Leases};
use crate::store::tests::scratch;

const NAME: &str = "tweets.cursor";
const PURPOSE: Purpose<'static> = Purpose { source: "file", identity: "", topic: "t" };

/// A directory that several processes see, each through a store of its own.
struct World {
    directory: TempDir,
    leases: Option<Arc<Leases>>,
    began: Instant,
}

impl World {
    fn local() -> Self {
        Self { directory: scratch(), leases: None, began: Instant::now() }
    }

    fn like_hdfs() -> Self {
        Self { leases: Some(Arc::default()), ..Self::local() }
    }

    fn faults(&self) -> Arc<Faults> {
        Arc::new(
            self.leases.as_ref().map_or_else(Faults::default, |leases| Faults::default().like_hdfs(leases)),
        )
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    async fn open_with(
        &self,
        faults: Arc<Faults>,
        pid: u32,
    ) -> Result<(CursorFile, Option<Saved>), CursorError> {
        let store = Store::for_test(self.directory.path(), faults);
        let who = OwnerInfo { host: "h1".to_owned(), pid, since_ms: 1_795_397_398_000 };
        CursorFile::open_in(store, NAME, who, PURPOSE, self.now()).await
    }

    async fn open(&self, pid: u32) -> Result<(CursorFile, Option<Saved>), CursorError> {
        self.open_with(self.faults(), pid).await
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    fn read(&self) -> Saved {
        saved::decode(&fs::read(self.path(NAME)).unwrap(), "c").unwrap().1
    }
}

fn at(bytes: u64) -> Saved {
    Saved {
        source: "file".to_owned(),
        identity: String::new(),
        resume: Some(Resume::Offset { file: "posts".into(), bytes, head: 5 }),
        topic: "t".to_owned(),
        topic_id: None,
        ends: BTreeMap::from([(0, 7)]),
        saved_ms: 0,
    }
}

fn owned(outcome: Result<(CursorFile, Option<Saved>), CursorError>) -> String {
    match outcome.unwrap_err() {
        CursorError::Owned { owner, .. } => owner,
        other => panic!("{other}"),
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_saved_is_there_at_the_next_start() {
    for world in [World::local(), World::like_hdfs()] {
        let (mut first, none) = world.open(1).await.unwrap();
        assert_eq!(none, None);
        first.save(&at(10), world.now()).await.unwrap();
        first.save(&at(20), world.now()).await.unwrap();
        let epoch = first.owner.epoch;
        first.close().await.unwrap();
        let (second, found) = world.open(2).await.unwrap();
        assert_eq!(found, Some(at(20)));
        assert_eq!(second.owner.epoch, epoch + 1);
        assert_eq!(world.now(), Duration::ZERO, "an owner that ended is not waited for");
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_producer_is_refused_at_once_where_files_have_locks() {
    let world = World::local();
    let (mut first, _) = world.open(1).await.unwrap();
    first.save(&at(10), world.now()).await.unwrap();
    let owner = owned(world.open(2).await);
    assert_eq!(owner, "the producer on h1 with pid 1, which began at 2026-11-23T01:29:58Z");
    assert!(world.now() < Duration::from_secs(1), "{:?}", world.now());
    first.save(&at(20), world.now()).await.unwrap();
    // As when it is killed.
    drop(first);
    let (mut second, found) = world.open(2).await.unwrap();
    assert_eq!(found, Some(at(20)));
    second.save(&at(30), world.now()).await.unwrap();
    owned(world.open(3).await);
}

#[tokio::test(start_paused = true)]
async fn in_hdfs_an_owner_that_beats_keeps_its_cursor() {
    let world = World::like_hdfs();
    let (mut first, _) = world.open(1).await.unwrap();
    let beats = async {
        // It has nothing to save.
        for _ in 0..10 {
            time::sleep(Duration::from_millis(4_900)).await;
            first.beat(world.now()).await.unwrap();
        }
    };
    let newcomer = async {
        time::sleep(Duration::from_secs(7)).await;
        owned(world.open(2).await)
    };
    let ((), owner) = tokio::join!(beats, newcomer);
    assert!(owner.contains("pid 1"), "{owner}");
    let text = fs::read(world.path("tweets.cursor.owner")).unwrap();
    let beat = CursorOwner::decode(&text).unwrap().beat;
    assert!(
        (4..=5).contains(&beat),
        "49 s are at most 10 beats, and every other call came too early: {beat}"
    );
}

#[tokio::test(start_paused = true)]
async fn in_hdfs_a_silent_owner_is_replaced_after_15_s_and_ends_when_it_wakes_up() {
    let world = World::like_hdfs();
    let (mut first, _) = world.open(1).await.unwrap();
    first.save(&at(10), world.now()).await.unwrap();
    let (mut second, found) = world.open(2).await.unwrap();
    assert_eq!(found, Some(at(10)));
    let waited = world.now();
    assert!((15_000..16_000).contains(&waited.as_millis()), "{waited:?}");
    second.save(&at(20), world.now()).await.unwrap();
    let lost = first.save(&at(11), world.now()).await.unwrap_err();
    assert!(matches!(&lost, CursorError::Lost { by, .. } if by.contains("pid 2")), "{lost}");
    assert!(lost.is_final());
    assert_eq!(world.read(), at(20), "nothing was written");
    first.close().await.unwrap();
    second.save(&at(30), world.now()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn of_two_newcomers_one_gets_it() {
    for silent in [false, true] {
        let world = World::like_hdfs();
        if silent {
            drop(world.open(1).await.unwrap());
        }
        let come = async |pid: u32| match world.open(pid).await {
            Ok((mut file, _)) => {
                for _ in 0..20 {
                    time::sleep(Duration::from_secs(2)).await;
                    file.save(&at(u64::from(pid)), world.now()).await.unwrap();
                }
                1
            }
            Err(CursorError::Owned { .. }) => 0,
            Err(error) => panic!("{error}"),
        };
        let (two, three, four) = tokio::join!(come(2), come(3), come(4));
        assert_eq!(two + three + four, 1, "silent owner before: {silent}");
    }
}

/// The window that remains: it had looked before it was frozen.
#[tokio::test(start_paused = true)]
async fn a_stale_write_is_put_right_and_its_writer_ends() {
    let world = World::like_hdfs();
    let (mut first, _) = world.open(1).await.unwrap();
    first.save(&at(10), world.now()).await.unwrap();
    let (mut second, _) = world.open(2).await.unwrap();
    second.save(&at(20), world.now()).await.unwrap();
    first.write_owner().await.unwrap();
    let stale = saved::encode(&at(11), first.owner.epoch);
    first.store.replace(NAME, Bytes::from(stale)).await.unwrap();
    second.save(&at(21), world.now()).await.unwrap();
    assert_eq!(world.read(), at(21));
    assert!(first.save(&at(12), world.now()).await.unwrap_err().is_final());
    assert_eq!(world.read(), at(21));
}

#[tokio::test(start_paused = true)]
async fn an_owner_file_that_somebody_deleted_comes_back() {
    for world in [World::local(), World::like_hdfs()] {
        let (mut file, _) = world.open(1).await.unwrap();
        fs::remove_file(world.path("tweets.cursor.owner")).unwrap();
        file.save(&at(10), world.now()).await.unwrap();
        assert!(world.path("tweets.cursor.owner").exists());
        file.save(&at(20), world.now()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_cursor_of_this_producer_is_refused_and_nobody_owns_it_afterwards() {
    let foreign = |saved: Saved| saved::encode(&saved, 3);
    for (text, words) in [
        (b"{\"spindle_cursor\":1,\"crc32c\"".to_vec(), "only a part of one"),
        (Vec::new(), "it is empty"),
        (foreign(Saved { topic: "u".to_owned(), ..at(1) }), "was written for topic u"),
        (foreign(Saved { source: "jetstream".to_owned(), ..at(1) }), "was written for source jetstream"),
        (vec![b'x'; 3 << 20], "bytes are more than"),
    ] {
        let world = World::like_hdfs();
        fs::write(world.path(NAME), &text).unwrap();
        let error = world.open(1).await.unwrap_err().to_string();
        assert!(error.contains(words) && error.contains("tweets.cursor"), "{error}");
        assert_eq!(fs::read(world.path(NAME)).unwrap(), text, "it is left as it is");
        fs::remove_file(world.path(NAME)).unwrap();
        world.open(2).await.unwrap();
        assert_eq!(world.now(), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn a_save_that_fails_leaves_the_old_or_the_new_cursor_and_may_be_made_again() {
    for fault in [Fault::FailBefore, Fault::FailAfter, Fault::Hang, Fault::DieBefore, Fault::DieAfter] {
        for skip in 0..4 {
            let world = World::like_hdfs();
            let faults = world.faults();
            let (mut file, _) = world.open_with(Arc::clone(&faults), 1).await.unwrap();
            file.save(&at(10), world.now()).await.unwrap();
            time::sleep(Duration::from_secs(6)).await;
            faults.soon(skip, fault);
            let outcome = file.save(&at(20), world.now()).await;
            let found = world.read();
            assert!(found == at(10) || found == at(20), "{fault:?} at {skip}: {found:?}");
            assert!(outcome.is_err() || found == at(20), "{fault:?} at {skip}");
            if faults.dead() {
                let (_, found) = world.open(2).await.unwrap();
                assert!(found == Some(at(10)) || found == Some(at(20)), "{fault:?} at {skip}");
            } else {
                file.save(&at(30), world.now()).await.unwrap();
                assert_eq!(world.read(), at(30));
            }
            let left: Vec<_> =
                fs::read_dir(world.directory.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
            assert!(faults.dead() || left.len() == 2, "{fault:?} at {skip}: {left:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_that_dies_anywhere_leaves_the_cursor_to_the_next_one() {
    for silent in [false, true] {
        for skip in 0..20 {
            for fault in [Fault::DieBefore, Fault::DieAfter] {
                let world = World::like_hdfs();
                let (mut first, _) = world.open(1).await.unwrap();
                first.save(&at(10), world.now()).await.unwrap();
                if !silent {
                    first.close().await.unwrap();
                }
                let faults = world.faults();
                faults.soon(skip, fault);
                let second = world.open_with(Arc::clone(&faults), 2).await;
                assert!(second.is_err() || !faults.dead(), "{fault:?} at {skip}");
                drop(second);
                let (mut third, found) = world.open(3).await.unwrap();
                assert_eq!(found, Some(at(10)), "{fault:?} at {skip}");
                third.save(&at(20), world.now()).await.unwrap();
            }
        }
    }
}

#[test]
fn a_path_that_names_no_file_in_a_directory_is_refused() {
    let open = |path: &str| {
        let cursor = Cursor { path: path.to_owned(), ..Cursor::default() };
        let who = OwnerInfo { host: "h".to_owned(), pid: 1, since_ms: 0 };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(CursorFile::open(&cursor, who, PURPOSE, Duration::ZERO)).unwrap_err().to_string()
    };
    assert!(open("file:///tweets.cursor").contains("name a file in a directory"));
    assert!(open("oss://bucket/x").starts_with("cursor.path oss://bucket/x: "));
}

/// Which directory a child of the test below is to fill.
const SMALL: &str = "SPINDLE_TEST_SMALL_DISK";
/// Runs `$@` with `$0` as a file system of 64 KiB, or, where none can be mounted, with files of 64 KiB at most.
const SMALL_DISK: &str = r#"
mount='mount -t tmpfs -o size=64k none "$0"'
if unshare -rm sh -c "$mount" "$0" 2>/dev/null; then
  exec unshare -rm sh -c "$mount"' && exec "$@"' "$0" "$@"
fi
trap '' XFSZ
ulimit -f 128 || exit
exec "$@"
"#;

/// By itself: a process of its own has a small disk.
#[test]
fn a_full_disk_leaves_the_old_cursor_whole() {
    if let Some(directory) = std::env::var_os(SMALL) {
        return fill(Path::new(&directory));
    }
    let directory = scratch();
    let test = "produce::cursor::tests::a_full_disk_leaves_the_old_cursor_whole";
    let child = Command::new("sh")
        .args(["-c", SMALL_DISK])
        .arg(directory.path())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(SMALL, directory.path())
        .output()
        .unwrap();
    let told =
        format!("{}{}", String::from_utf8_lossy(&child.stdout), String::from_utf8_lossy(&child.stderr));
    assert!(child.status.success() && told.contains("1 passed"), "{told}");
}

fn fill(directory: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let cursor = Cursor { path: format!("file://{}/{NAME}", directory.display()), ..Cursor::default() };
        let who = OwnerInfo { host: "h1".to_owned(), pid: 1, since_ms: 0 };
        let opened = CursorFile::open(&cursor, who, PURPOSE, Duration::ZERO).await;
        let (mut file, _) = opened.unwrap();
        file.save(&at(10), Duration::ZERO).await.unwrap();
        let large = Saved { ends: (0..20_000).map(|number| (number, 1_000_000)).collect(), ..at(20) };
        let error = file.save(&large, Duration::ZERO).await.unwrap_err();
        assert!(!error.is_final(), "{error}");
        let text = fs::read(directory.join(NAME)).unwrap();
        assert_eq!(saved::decode(&text, "c").unwrap().1, at(10));
        file.save(&at(30), Duration::ZERO).await.unwrap();
        assert_eq!(fs::read_dir(directory).unwrap().count(), 3, "cursor, owner, lock");
    });
}
