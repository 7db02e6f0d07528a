//! `spindle checkpoint`: what people are told of one that is there, that is damaged, that is not there.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::checkpoint::{Driver, Place};
use crate::spindle;

/// Ten slides, with a base after the fifth.
async fn written() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let mut driver = Driver::start(&Place(format!("file://{}", directory.path().display())), 1).await;
    for number in 1..=10 {
        driver.slide();
        driver.settle().await;
        if number == 5 {
            driver.base();
        }
    }
    driver.writer.close();
    while driver.events.recv().await.is_some() {}
    directory
}

/// Exit code and output of `spindle checkpoint WORD PATH`.
fn told(word: &str, path: &Path) -> (Option<i32>, String) {
    let output = spindle(Path::new("/")).args(["checkpoint", word]).arg(path).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[tokio::test]
async fn a_checkpoint_is_shown_in_words() {
    let directory = written().await;
    let (code, listed) = told("list", directory.path());
    assert_eq!(code, Some(0), "{listed}");
    assert!(listed.contains("a-000001  the owner's") && listed.contains("base 0000000002"), "{listed}");
    let (code, shown) = told("show", directory.path());
    assert_eq!(code, Some(0), "{shown}");
    for part in [
        "application_1_1 attempt 1 (job test, process 1 on here, v1)",
        ", ended",
        "2 bases",
        "last end   1970-01-01T00:00:10Z, slide 10",
        "window     10 slides, 10 records, 10 keys",
        "base-0000000002 and 5 slides of 1 logs",
        "position   t/0 10",
    ] {
        assert!(shown.contains(part), "{part} is missing in\n{shown}");
    }
    let (code, shown) = told("show", &directory.path().join("a-000001/log-0000000001"));
    assert_eq!(code, Some(0), "{shown}");
    assert!(
        shown.contains("slides     5, 5 records, 5 pairs") && shown.contains("last       slide 5"),
        "{shown}"
    );
    let (code, shown) = told("show", &directory.path().join("a-000001/base-0000000002"));
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("after slide 5 of attempt 1"), "{shown}");
}

#[tokio::test]
async fn damage_is_told_and_is_an_exit_code() {
    let directory = written().await;
    let log = directory.path().join("a-000001/log-0000000002");
    let mut bytes = fs::read(&log).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&log, bytes).unwrap();
    let (code, shown) = told("show", directory.path());
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("LOST") && shown.contains("whole behind it; slides up to"), "{shown}");
}

#[test]
fn what_is_no_checkpoint_is_said_to_be_none() {
    let directory = tempfile::tempdir().unwrap();
    let (code, text) = told("show", directory.path());
    assert_eq!(code, Some(1));
    assert!(text.starts_with("there is no checkpoint in file:///"), "{text}");
    let (code, text) = told("list", Path::new("oss://bucket/x"));
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("write hdfs:///a/directory"), "{text}");
}
