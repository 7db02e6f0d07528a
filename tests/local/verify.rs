//! `spindle verify`: what people are told of snapshots that are right, that are not, and that are not there.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use spindle::store::{Address, Patience, Store};
use tempfile::TempDir;

use crate::mock::Mock;
use crate::snapshots::{Books, SLIDES, job, produce, verify};

fn store(path: &Path) -> Store {
    Store::open(&Address::parse(path.to_str().unwrap()).unwrap(), Patience::default()).unwrap()
}

/// A topic, and its snapshots in a directory.
fn written() -> (Mock, TempDir, String) {
    let mut mock = Mock::new(1, 2);
    produce(&mut mock.writer);
    let directory = tempfile::tempdir().unwrap();
    let (snapshots, checkpoint) = (directory.path().join("snapshots"), directory.path().join("checkpoint"));
    let mut books = Books::start(store(&snapshots), store(&checkpoint), "t", None);
    books.slides(SLIDES);
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(books.finish());
    let path = format!("file://{}", snapshots.display());
    (mock, directory, path)
}

#[test]
fn right_windows_are_equal_and_some_of_them_can_be_chosen() {
    let (mock, _directory, path) = written();
    let (_dir, file) = job(&mock.cluster.bootstrap_servers(), "t", &path, "");
    let (code, told, said) = verify(&file, &[]);
    assert_eq!(code, Some(0), "{told}{said}");
    assert!(told.contains("2026-11-23T11:00:00Z  equal    "), "{told}");
    assert!(told.ends_with("15 windows: 15 equal, 0 differ, 0 cannot be verified, 0 missing, 0 there twice; 0 breaks in slides, offsets or files\n"), "{told}");
    let (code, told, _) = verify(&file, &["--last", "3"]);
    assert_eq!((code, told.matches("equal  ").count()), (Some(0), 3), "{told}");
    let between = ["--since", "2026-11-23T10:59:56Z", "--until", "2026-11-23T11:00:02Z", "--json"];
    let (code, told, _) = verify(&file, &between);
    let lines: Vec<serde_json::Value> =
        told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((code, lines.len()), (Some(0), 4), "{told}");
    assert_eq!(lines[0]["window_end_ms"], 1_795_431_598_000_i64);
    assert_eq!((&lines[2]["verdict"], &lines[3]["equal"]), (&"equal".into(), &3.into()));
}

#[test]
fn a_changed_row_is_named_and_is_an_exit_code() {
    let (mock, directory, path) = written();
    let dir = directory.path().join("snapshots/dt=2026-11-23/hh=10");
    let names: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    let rows = |path: &&std::path::PathBuf| path.to_str().unwrap().contains("/windows-");
    let rows = names.iter().filter(rows).max().unwrap();
    let mut text = String::new();
    GzDecoder::new(&fs::read(rows).unwrap()[..]).read_to_string(&mut text).unwrap();
    let line = text.lines().find(|line| line.contains("\"key\":\"Bitcoin\"")).unwrap();
    let (before, count) = line.rsplit_once(':').unwrap();
    let count: u64 = count.trim_end_matches('}').parse().unwrap();
    let text = text.replacen(line, &format!("{before}:{}}}", count + 1), 1);
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(text.as_bytes()).unwrap();
    fs::write(rows, packed.finish().unwrap()).unwrap();
    let (_dir, file) = job(&mock.cluster.bootstrap_servers(), "t", &path, "");
    let (code, told, _) = verify(&file, &[]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains(&format!("    \"Bitcoin\": written {}, recounted {count}\n", count + 1)), "{told}");
    assert!(told.contains("15 windows: 14 equal, 1 differ,"), "{told}");
    let (code, told, _) = verify(&file, &["--json"]);
    assert!(code == Some(1) && told.contains(r#""verdict":"differs""#), "{told}");
}

/// As executors do it: a record without a key under the rule counts under null.
#[test]
fn records_are_recounted_by_the_jobs_own_key_rule() {
    let (mock, _directory, path) = written();
    let (_dir, file) = job(&mock.cluster.bootstrap_servers(), "t", &path, "key: {json: /lang}");
    let (code, told, _) = verify(&file, &["--last", "1"]);
    assert_eq!(code, Some(1), "{told}");
    let total = told.split("DIFFERS  ").nth(1).unwrap().split(' ').next().unwrap();
    assert!(told.contains(&format!("recounted {total}\n    null: ")), "{told}");
    assert!(told.contains("\"Bitcoin\": written") && told.contains(", recounted 0\n"), "{told}");
}

#[test]
fn what_cannot_be_verified_at_all_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let path = format!("file://{}/nothing", directory.path().display());
    let (_dir, file) = job("127.0.0.1:1", "t", &path, "");
    let (code, told, said) = verify(&file, &[]);
    assert_eq!((code, told.as_str()), (Some(1), ""), "{said}");
    assert!(said.starts_with("there are no such windows in file:///"), "{said}");
    let text = fs::read_to_string(&file).unwrap();
    let without: String =
        text.lines().filter(|line| !line.starts_with("snap")).map(|l| format!("{l}\n")).collect();
    fs::write(&file, without).unwrap();
    let (code, _, said) = verify(&file, &[]);
    assert!(code == Some(2) && said.contains("job TweetsApp writes no snapshots"), "{said}");
}
