//! Damaged files: what is lost is said, and nothing more is lost than that.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::*;
use super::world::*;
use crate::store::faults::{Fault, Faults};

/// Writes slides with a base after each of `bases`; returns the oracle.
async fn written(directory: &Path, slides: u64, bases: &[u64]) -> Oracle {
    let unrolled = Limits { roll_slides: u64::MAX, ..Limits::default() };
    let opened = open_as(&calm(directory), Opening { limits: unrolled, ..opening(1) }).await.unwrap();
    let mut driver = Driver::start(opened, Oracle::default(), 4);
    for number in 1..=slides {
        driver.slide();
        assert!(driver.settled(&Faults::default()).await);
        if bases.contains(&number) {
            let before = driver.based;
            driver.base();
            while driver.based == before {
                driver.based += u64::from(matches!(driver.events.recv().await, Some(Event::Based { .. })));
            }
        }
    }
    driver.writer.close();
    while driver.events.recv().await.is_some() {}
    driver.oracle
}

fn files(directory: &Path, kind: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(directory.join("a-000001"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(kind))
        .collect();
    found.sort();
    found
}

async fn reopened(directory: &Path) -> Opened {
    open_as(&calm(directory), opening(2)).await.unwrap()
}

#[tokio::test]
async fn a_torn_tail_is_cut_and_reported() {
    let directory = scratch();
    let oracle = written(directory.path(), 5, &[]).await;
    let log = &files(directory.path(), "log-")[0];
    let bytes = fs::read(log).unwrap();
    fs::write(log, &bytes[..bytes.len() - 3]).unwrap();
    let opened = reopened(directory.path()).await;
    assert_eq!(assert_true(opened.recovered.as_ref().unwrap(), &oracle), 4);
    assert_eq!((opened.report.torn.len(), opened.report.corrupt.len()), (1, 0));
}

#[tokio::test]
async fn damage_with_whole_slides_behind_it_is_corruption_and_stops_there() {
    let directory = scratch();
    let oracle = written(directory.path(), 6, &[3]).await;
    let log = &files(directory.path(), "log-")[1];
    let mut bytes = fs::read(log).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(log, bytes).unwrap();
    let opened = reopened(directory.path()).await;
    let slide = assert_true(opened.recovered.as_ref().unwrap(), &oracle);
    assert!((3..6).contains(&slide), "{slide}");
    let corrupt = opened.report.corrupt[0].to_string();
    assert!(corrupt.contains("whole behind it; slides up to"), "{corrupt}");
    assert_eq!(opened.report.torn, []);
}

#[tokio::test]
async fn a_damaged_base_falls_back_one_base_and_its_logs() {
    let directory = scratch();
    let oracle = written(directory.path(), 7, &[2, 4]).await;
    let bases = files(directory.path(), "base-");
    assert_eq!(bases.len(), 3);
    for damaged in [1, 2, 3] {
        let base = &bases[bases.len() - damaged];
        let mut bytes = fs::read(base).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(base, bytes).unwrap();
        let look = inspect(&calm(directory.path()), 1 << 20).await.unwrap();
        if damaged == 3 {
            let error = look.recovery.unwrap_err().to_string();
            assert!(error.contains("/base-"), "{error}");
        } else {
            let (recovered, report) = look.recovery.unwrap();
            assert_eq!(assert_true(&recovered.unwrap(), &oracle), 7);
            assert_eq!(report.bad_bases.len(), damaged);
        }
    }
}

#[tokio::test]
async fn a_log_that_is_gone_is_noticed_by_its_numbers() {
    let directory = scratch();
    let oracle = written(directory.path(), 6, &[2, 4]).await;
    let bases = files(directory.path(), "base-");
    fs::remove_file(&bases[2]).unwrap();
    fs::remove_file(&files(directory.path(), "log-")[1]).unwrap();
    let opened = reopened(directory.path()).await;
    assert_eq!(assert_true(opened.recovered.as_ref().unwrap(), &oracle), 2);
    let corrupt = opened.report.corrupt[0].to_string();
    assert!(corrupt.contains("slide 5 follows slide 2"), "{corrupt}");
}

/// Any bit of any file: recovery says what it did, and what it returns is some true window of the past.
#[tokio::test]
async fn no_flipped_bit_makes_a_wrong_window() {
    let directory = scratch();
    let oracle = written(directory.path(), 6, &[3]).await;
    let store = calm(directory.path());
    for kind in ["base-", "log-"] {
        for file in files(directory.path(), kind) {
            let bytes = fs::read(&file).unwrap();
            for at in 0..bytes.len() {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << (at % 8);
                fs::write(&file, &damaged).unwrap();
                let look = inspect(&store, 1 << 20).await.unwrap();
                let (recovered, report) = look.recovery.unwrap();
                let slide = assert_true(&recovered.unwrap(), &oracle);
                let said =
                    !(report.bad_bases.is_empty() && report.torn.is_empty() && report.corrupt.is_empty());
                assert!(slide == 6 || said, "byte {at} of {}: slide {slide}", file.display());
            }
            fs::write(&file, &bytes).unwrap();
        }
    }
}

#[tokio::test]
async fn another_stream_is_refused_before_anything_is_fenced() {
    let directory = scratch();
    written(directory.path(), 2, &[]).await;
    let mut other = opening(2);
    other.fingerprint.slide_ms = 500;
    let error = open_as(&calm(directory.path()), other).await.unwrap_err().to_string();
    assert!(error.contains("window.slide was 1000 ms and is 500 ms; start anew by --from"), "{error}");
    assert!(directory.path().join("a-000001").exists(), "the directory was not renamed");
}

#[tokio::test]
async fn a_longer_window_keeps_its_counts_and_is_not_complete() {
    let directory = scratch();
    let oracle = written(directory.path(), 9, &[]).await;
    let longer = Opening { length_ms: 60_000, ..opening(2) };
    let opened = open_as(&calm(directory.path()), longer).await.unwrap();
    let recovered = opened.recovered.unwrap();
    assert_true(&recovered, &oracle);
    assert_eq!(recovered.whole, 6, "no more than the old window held");
}

/// Their keys' numbers belong to other keys by then.
#[tokio::test]
async fn what_had_left_a_shorter_window_stays_out_of_a_longer_one() {
    let directory = scratch();
    let oracle = written(directory.path(), 9, &[]).await;
    let longer = |attempt| Opening { length_ms: 60_000, ..opening(attempt) };
    let opened = open_as(&calm(directory.path()), longer(2)).await.unwrap();
    let mut driver = Driver::start(opened, oracle, 6);
    driver.length_ms = 60_000;
    (0..2).for_each(|_| driver.slide());
    assert!(driver.settled(&Faults::default()).await);
    let base = directory.path().join("a-000002/base-0000000002");
    assert!(base.exists());
    fs::write(base, b"damaged").unwrap();
    let opened = open_as(&calm(directory.path()), longer(3)).await.unwrap();
    let recovered = opened.recovered.unwrap();
    assert_eq!((recovered.slide, opened.report.bad_bases.len()), (11, 1));
    let mut window = Counts::new();
    for (_, counts, _) in &driver.oracle.slides[3..] {
        counts.iter().for_each(|(key, count)| *window.entry(key.clone()).or_default() += count);
    }
    let totals: Counts =
        recovered.ring.totals().map(|(key, total)| (key.map(<[u8]>::to_vec), total)).collect();
    assert_eq!(totals, window, "slides 4 to 9 were in the short window, 10 and 11 came to it");
}

#[tokio::test]
async fn a_slide_whose_answer_was_lost_is_in_two_logs_and_counts_once() {
    let directory = scratch();
    let faults = std::sync::Arc::new(Faults::default());
    let store = Store::for_test(directory.path(), std::sync::Arc::clone(&faults));
    let mut driver = Driver::start(open_as(&store, opening(1)).await.unwrap(), Oracle::default(), 4);
    driver.slide();
    assert!(driver.settled(&faults).await);
    faults.soon(0, Fault::FailAfter);
    driver.slide();
    assert!(driver.settled(&faults).await);
    let opened = reopened(directory.path()).await;
    assert_eq!((opened.report.repeated, opened.report.logs), (1, 2), "{:?}", opened.report);
    assert_eq!(opened.report.corrupt, []);
    assert_eq!(assert_true(opened.recovered.as_ref().unwrap(), &driver.oracle), 2);
}
