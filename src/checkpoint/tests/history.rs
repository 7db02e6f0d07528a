//! The past, read again from any point: each slide once, with the window as it was.

use std::fs;

use super::super::*;
use super::world::*;
use crate::count::RankedKey;
use crate::store::faults::Faults;

/// Number, total and ranking of a slide's window.
type Seen = (u64, u64, Vec<(Option<Vec<u8>>, u64)>);

async fn past(store: &Store, after_ms: Option<Millis>) -> (Vec<Seen>, Vec<Lost>) {
    let mut history = History::open(store, after_ms, None, 1 << 20).await.unwrap().unwrap();
    let (mut seen, mut lost) = (Vec::new(), history.lost());
    let plain = |ranked: RankedKey| (ranked.key.map(|key| key.to_vec()), ranked.count);
    let mut show = |past: &Past<'_>| {
        let ranking = past.window.rank(1_000).into_iter().map(plain).collect();
        seen.push((past.number, past.window.total(), ranking));
    };
    while history.log(&mut show).await.unwrap() {
        lost.extend(history.lost());
    }
    (seen, lost)
}

fn expected(oracle: &Oracle, number: u64) -> Seen {
    let (window, _) = oracle.window(number);
    let mut ranking: Vec<_> = window.into_iter().collect();
    ranking.sort_by(|(one, a), (other, b)| b.cmp(a).then_with(|| one.cmp(other)));
    (number, ranking.iter().map(|(_, count)| count).sum(), ranking)
}

/// Attempts of five slides each that keep everything.
async fn attempts(store: &Store, many: u32) -> Oracle {
    let mut oracle = Oracle::default();
    for attempt in 1..=many {
        let mut opened = open_as(store, opening(attempt)).await.unwrap();
        opened.keep_since(Millis::MIN);
        let mut driver = Driver::start(opened, oracle, u64::from(attempt));
        for _ in 0..5 {
            driver.slide();
            assert!(driver.settled(&Faults::default()).await);
        }
        oracle = driver.oracle;
    }
    oracle
}

#[tokio::test]
async fn every_slide_after_an_end_comes_once_with_its_window() {
    let directory = scratch();
    let store = calm(directory.path());
    let oracle = attempts(&store, 6).await;
    for after in 0..=30 {
        let (seen, lost) = past(&store, Some(after as Millis * SLIDE_MS)).await;
        assert_eq!(lost, []);
        let wanted: Vec<_> = (after + 1..=30).map(|number| expected(&oracle, number)).collect();
        assert_eq!(seen, wanted, "after slide {after}");
    }
    let (seen, lost) = past(&store, None).await;
    assert_eq!((seen.len(), lost), (30, Vec::new()));
}

#[tokio::test]
async fn slides_of_a_fenced_driver_that_nobody_went_on_from_are_no_past() {
    let directory = scratch();
    let store = calm(directory.path());
    let mut old = Driver::start(open_as(&store, opening(1)).await.unwrap(), Oracle::default(), 1);
    for _ in 0..3 {
        old.slide();
        assert!(old.settled(&Faults::default()).await);
    }
    let opened = open_as(&store, opening(2)).await.unwrap();
    let mut new = Driver::start(opened, old.oracle.clone(), 5);
    (0..2).for_each(|_| old.slide());
    assert!(matches!(old.end().await, Event::Fenced(_)));
    (0..3).for_each(|_| new.slide());
    assert!(new.settled(&Faults::default()).await);
    let (seen, lost) = past(&store, Some(SLIDE_MS)).await;
    assert_eq!(seen, (2..=6).map(|number| expected(&new.oracle, number)).collect::<Vec<_>>());
    assert_eq!(lost, []);
}

#[tokio::test]
async fn a_base_that_is_damaged_is_passed_over_and_what_is_lost_is_told() {
    let directory = scratch();
    let store = calm(directory.path());
    let oracle = attempts(&store, 3).await;
    let base = |dir: &str, n: u32| {
        let path = directory.path().join(dir);
        let names =
            fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name.starts_with("base-")).collect();
        names.sort();
        path.join(&names[n as usize])
    };
    let damage = |path: std::path::PathBuf| {
        let mut bytes = fs::read(&path).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        fs::write(path, bytes).unwrap();
    };
    // The base at slide 5, with which the second attempt began: the one before it does as well.
    damage(base("a-000002.fenced", 0));
    let (seen, lost) = past(&store, Some(7 * SLIDE_MS)).await;
    assert_eq!(seen, (8..=15).map(|number| expected(&oracle, number)).collect::<Vec<_>>());
    assert_eq!(lost, []);
    // And all of the first attempt: what comes after the next base is left.
    let first = directory.path().join("a-000001.fenced");
    for entry in fs::read_dir(&first).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.to_str().unwrap().contains("base-") {
            damage(entry);
        }
    }
    let (seen, lost) = past(&store, Some(2 * SLIDE_MS)).await;
    let begin = seen[0].0;
    assert!((4..=11).contains(&begin), "{begin}");
    assert_eq!(seen, (begin..=15).map(|number| expected(&oracle, number)).collect::<Vec<_>>());
    let until_ms = (begin - 1) as Millis * SLIDE_MS;
    assert_eq!(lost, [Lost { after_ms: Some(2 * SLIDE_MS), until_ms }]);
}
