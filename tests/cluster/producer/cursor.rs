//! The cursor in a real HDFS: one owner at a time, without locks.

use std::time::Duration;

use spindle::clock::Clock;
use spindle::config::producer::Cursor;
use spindle::produce::cursor::{CursorError, CursorFile, OwnerInfo, Purpose, Saved};
use tokio::time;

use crate::cluster::{Mend, alone};
use crate::hdfs::place;

const PURPOSE: Purpose<'static> = Purpose { source: "file", identity: "", topic: "t" };

struct World {
    path: String,
    clock: Clock,
}

impl World {
    fn new(name: &str) -> Self {
        Self { path: format!("{}/deep/tweets.cursor", place(name).0), clock: Clock::start() }
    }

    async fn open(&self, pid: u32) -> Result<(CursorFile, Option<Saved>), CursorError> {
        let cursor = Cursor { path: self.path.clone(), ..Cursor::default() };
        let who = OwnerInfo { host: "h1".to_owned(), pid, since_ms: 0 };
        CursorFile::open(&cursor, who, PURPOSE, self.clock.monotonic()).await
    }

    async fn save(&self, file: &mut CursorFile, number: i64) -> Result<(), CursorError> {
        file.save(&at(number), self.clock.monotonic()).await
    }
}

fn at(number: i64) -> Saved {
    Saved {
        source: "file".to_owned(),
        identity: String::new(),
        resume: None,
        topic: "t".to_owned(),
        topic_id: None,
        ends: [(0, number)].into(),
        saved_ms: number,
    }
}

#[tokio::test]
async fn a_silent_owner_is_replaced_and_a_live_one_is_not() {
    let _alone = alone().await;
    let world = World::new("cursor");
    let (mut first, none) = world.open(1).await.unwrap();
    assert_eq!(none, None);
    world.save(&mut first, 1).await.unwrap();

    let beats = async {
        for _ in 0..10 {
            time::sleep(Duration::from_secs(1)).await;
            first.beat(world.clock.monotonic()).await.unwrap();
        }
    };
    let ((), refused) = tokio::join!(beats, world.open(2));
    let refused = refused.unwrap_err();
    assert!(matches!(&refused, CursorError::Owned { owner, .. } if owner.contains("pid 1")), "{refused}");

    // Two at once: it is silent now. The one that gets it beats, and so the other one is refused.
    let before = world.clock.monotonic();
    let come = async |pid| match world.open(pid).await {
        Ok((mut file, found)) => {
            let waited = world.clock.monotonic() - before;
            assert!(waited >= Duration::from_secs(15), "{waited:?}");
            for _ in 0..8 {
                time::sleep(Duration::from_secs(1)).await;
                file.beat(world.clock.monotonic()).await.unwrap();
            }
            Some((file, found))
        }
        Err(CursorError::Owned { .. }) => None,
        Err(error) => panic!("{error}"),
    };
    let (mut second, found) = match tokio::join!(come(3), come(4)) {
        (Some(got), None) | (None, Some(got)) => got,
        (None, None) => panic!("nobody has it"),
        (Some(_), Some(_)) => panic!("both have it"),
    };
    assert_eq!(found, Some(at(1)));
    world.save(&mut second, 2).await.unwrap();
    let lost = world.save(&mut first, 9).await.unwrap_err();
    assert!(matches!(lost, CursorError::Lost { .. }), "{lost}");
    second.close().await.unwrap();

    let before = world.clock.monotonic();
    let (third, found) = world.open(5).await.unwrap();
    assert_eq!(found, Some(at(2)));
    assert!(
        world.clock.monotonic() - before < Duration::from_secs(10),
        "an owner that ended is not waited for"
    );
    third.close().await.unwrap();
}

#[tokio::test]
async fn saves_go_on_behind_an_outage_of_hdfs() {
    let _alone = alone().await;
    let world = World::new("cursor-outage");
    let (mut file, _) = world.open(1).await.unwrap();
    world.save(&mut file, 1).await.unwrap();
    let mend = Mend::after(&["namenode stop"], &["namenode start"]);
    let error = world.save(&mut file, 2).await.unwrap_err();
    assert!(matches!(error, CursorError::Store(_)) && !error.is_final(), "{error}");
    drop(mend);
    let mut tries = 0;
    while let Err(error) = world.save(&mut file, 3).await {
        tries += 1;
        assert!(!error.is_final() && tries < 20, "{error}");
    }
    file.close().await.unwrap();
    let (file, found) = world.open(2).await.unwrap();
    assert_eq!(found, Some(at(3)));
    file.close().await.unwrap();
}
