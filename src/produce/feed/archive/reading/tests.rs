//! Archives, read step by step: packings, damaged files, directories, and what `tail -F` has to cope with.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use super::*;
use crate::config::Pointer;
use crate::config::producer::Keywords;
use crate::config::producer::source::Places;
use crate::produce::shape::Shape;
use crate::random::Random;

fn frames() -> Reader {
    let places = Places { id: Some(Pointer::of("/id")), ..Places::default() };
    Reader::new(Shape::Plain(places), &Keywords::default()).unwrap()
}

fn reading(path: &Path, follow: bool, resume: Option<Resume>) -> anyhow::Result<Reading> {
    let path = path.to_str().unwrap().to_owned();
    let config = source::File { path, follow, ..source::File::default() };
    Reading::of_files(&config, frames(), false, resume, Health::default())
}

/// All events until the end or until there is nothing new, and why it broke off.
fn read(reading: &mut Reading) -> (Vec<Event>, Result<Step, FeedError>) {
    let mut events = Vec::new();
    loop {
        let mut some = Vec::new();
        let step = reading.step(&mut some);
        events.append(&mut some);
        if step != Ok(Step::More) {
            return (events, step);
        }
    }
}

fn all(path: &Path, resume: Option<Resume>) -> Vec<Event> {
    let (events, end) = read(&mut reading(path, false, resume).unwrap());
    assert_eq!(end, Ok(Step::End));
    events
}

/// The posts' texts; `!` and the reason for others.
fn texts(events: &[Event]) -> Vec<String> {
    let text = |event: &Event| match &event.kind {
        Kind::Post(post) => String::from_utf8(post.json.to_vec()).unwrap(),
        Kind::Malformed(why) => format!("!{why:?}"),
        other => panic!("{other:?}"),
    };
    events.iter().map(text).collect()
}

fn line(id: usize) -> String {
    format!(r#"{{"id":{id},"text":"{}"}}"#, "x".repeat(id % 200))
}

fn lines(ids: std::ops::Range<usize>) -> Vec<u8> {
    ids.flat_map(|id| (line(id) + "\n").into_bytes()).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn append(path: &Path, bytes: &[u8]) {
    File::options().append(true).open(path).unwrap().write_all(bytes).unwrap();
}

#[test]
fn every_packing_has_the_same_posts_and_any_place_can_be_found_again() {
    let directory = TempDir::new().unwrap();
    let plain = [&b"\xef\xbb\xbf"[..], &lines(0..9_000)].concat();
    let (first, second) = plain.split_at(plain.len() / 2 + 7);
    let packed = [
        plain.clone(),
        [gzip(first), gzip(second)].concat(),
        [zstd::encode_all(first, 3).unwrap(), zstd::encode_all(second, 3).unwrap()].concat(),
    ];
    for (nth, bytes) in packed.iter().enumerate() {
        let path = directory.path().join(nth.to_string());
        fs::write(&path, bytes).unwrap();
        let events = all(&path, None);
        assert_eq!(texts(&events), (0..9_000).map(line).collect::<Vec<_>>(), "{nth}");
        let mut random = Random::with_seed(nth as u64);
        for at in [0, 1, 2, 3, 8_998, 8_999].into_iter().chain((0..20).map(|_| random.below(9_000))) {
            let behind = all(&path, events[at].resume.clone());
            assert!(behind == events[at + 1..], "packing {nth}, behind {at}: {} events", behind.len());
        }
    }
}

#[test]
fn what_is_no_post_is_told_apart_and_blank_lines_are_nothing() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("posts");
    let long = format!(r#"{{"id":1,"text":"{}"}}"#, "x".repeat(LINE_BYTES_MAX));
    let text = [
        b"{\"id\":1}\r\n\n  \r\n{\"id\":2}\n\xff\xfe\n{\"id\":\n[1]\n{\"no\":1}\n".to_vec(),
        long.into_bytes(),
        b"\n{\"id\":3,\"n\":NaN}\n{\"id\":4}".to_vec(),
    ];
    fs::write(&path, text.concat()).unwrap();
    let expected = [
        r#"{"id":1}"#,
        r#"{"id":2}"#,
        "!NotUtf8",
        "!NotJson",
        "!NotAPost",
        r#"{"no":1}"#,
        "!TooLong",
        "!NotJson",
        r#"{"id":4}"#,
    ];
    let events = all(&path, None);
    assert_eq!(texts(&events), expected);
    for at in 0..events.len() {
        // The last line has no end, and so comes again.
        let next = (at + 1).min(events.len() - 1);
        assert_eq!(texts(&all(&path, events[at].resume.clone())), expected[next..]);
    }
}

#[test]
fn a_last_line_that_was_half_written_is_read_whole_later() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("posts");
    for half in [4, line(2).len()] {
        fs::write(&path, [lines(0..2), line(2).as_bytes()[..half].to_vec()].concat()).unwrap();
        let events = all(&path, None);
        assert_eq!(events.len(), 3);
        append(&path, &[&line(2).as_bytes()[half..], b"\n", &lines(3..4)].concat());
        let behind = all(&path, events[2].resume.clone());
        assert_eq!(texts(&behind), (2..4).map(line).collect::<Vec<_>>(), "{half} bytes were there");
    }
}

#[test]
fn of_a_truncated_archive_all_that_is_whole_is_read_and_then_it_is_said() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("posts");
    let plain = lines(0..3_000);
    for (name, packed) in [("gzip", gzip(&plain)), ("zstd", zstd::encode_all(&*plain, 3).unwrap())] {
        for cut in [packed.len() - 1, packed.len() - 5, packed.len() / 2] {
            fs::write(&path, &packed[..cut]).unwrap();
            let (events, end) = read(&mut reading(&path, false, None).unwrap());
            let error = end.unwrap_err().to_string();
            let expected = format!("{} is cut off in the middle of its {name} data", path.display());
            assert!(error.starts_with(&expected), "{error}");
            assert_eq!(texts(&events), (0..events.len()).map(line).collect::<Vec<_>>());
            // zstd decompresses whole blocks only, of 128 KiB (RFC 8878, 3.1.1.2.4).
            let missing = if name == "zstd" { 128 << 10 } else { 1_000 };
            let whole = if cut > packed.len() / 2 { plain.len() - missing } else { plain.len() / 3 };
            let whole = plain[..whole].split(|byte| *byte == b'\n').count() - 1;
            assert!(events.len() >= whole, "{name} cut at {cut} of {}: {}", packed.len(), events.len());
        }
    }
    let mut damaged = gzip(&plain);
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0x55;
    fs::write(&path, damaged).unwrap();
    let (_, end) = read(&mut reading(&path, false, None).unwrap());
    let error = end.unwrap_err().to_string();
    assert!(error.contains("is damaged: gzip behind byte"), "{error}");
}

#[test]
fn a_directory_is_read_in_the_order_of_names() {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::write(path("b"), gzip(&lines(3..6))).unwrap();
    fs::write(path("a"), lines(0..3)).unwrap();
    fs::write(path("c"), b"").unwrap();
    fs::write(path(".hidden"), lines(90..93)).unwrap();
    fs::create_dir(path("d")).unwrap();
    fs::write(path("e"), lines(6..9)).unwrap();
    let events = all(directory.path(), None);
    assert_eq!(texts(&events), (0..9).map(line).collect::<Vec<_>>());
    for at in 0..events.len() {
        assert!(all(directory.path(), events[at].resume.clone()) == events[at + 1..], "behind {at}");
    }
    // The file of the cursor is gone: those behind it are read, those before it are done.
    fs::remove_file(path("b")).unwrap();
    assert_eq!(texts(&all(directory.path(), events[3].resume.clone())), (6..9).map(line).collect::<Vec<_>>());
}

#[test]
fn another_file_under_the_same_name_is_read_from_its_beginning() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("posts");
    fs::write(&path, lines(0..100)).unwrap();
    let resume = all(&path, None)[50].resume.clone();
    for (bytes, ids) in [(lines(1..200), 1..200), (lines(0..10), 0..10), (gzip(&lines(1..200)), 1..200)] {
        fs::write(&path, bytes).unwrap();
        assert_eq!(texts(&all(&path, resume.clone())), ids.map(line).collect::<Vec<_>>());
    }
    // What was appended does not make it another one.
    fs::write(&path, lines(0..200)).unwrap();
    assert_eq!(texts(&all(&path, resume)), (51..200).map(line).collect::<Vec<_>>());
}

#[test]
fn a_file_that_was_rotated_meanwhile_is_finished_first() {
    for (follow, packs) in [(false, false), (true, false), (false, true), (true, true)] {
        let directory = TempDir::new().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("posts"), lines(0..50)).unwrap();
        let left = all(&path("posts"), None)[20].resume.clone();
        let old = lines(0..60);
        fs::remove_file(path("posts")).unwrap();
        fs::write(path("posts.1"), if packs { gzip(&old) } else { old }).unwrap();
        fs::write(path("posts.2"), lines(90..99)).unwrap();
        fs::write(path("posts"), lines(60..70)).unwrap();
        let mut reading = reading(&path("posts"), follow, left).unwrap();
        let mut events = read(&mut reading).0;
        // One that is followed may grow until it is looked at again.
        events.extend(read(&mut reading).0);
        assert_eq!(texts(&events), (21..70).map(line).collect::<Vec<_>>(), "follow {follow}, packed {packs}");
        // A restart in the middle of the old one finds it again, whatever it is called by then.
        fs::rename(path("posts.1"), path("posts.3")).unwrap();
        let behind = all(&path("posts"), events[10].resume.clone());
        assert_eq!(texts(&behind), (32..70).map(line).collect::<Vec<_>>(), "follow {follow}, packed {packs}");
        if follow {
            append(&path("posts"), &lines(70..71));
            assert_eq!(texts(&read(&mut reading).0), [line(70)]);
        }
    }
}

#[test]
fn a_followed_file_may_grow_be_replaced_and_be_cut() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("posts");
    fs::write(&path, lines(0..2)).unwrap();
    let mut reading = reading(&path, true, None).unwrap();
    let mut expect = |ids: std::ops::Range<usize>, why: &str| {
        let (events, step) = read(&mut reading);
        assert_eq!(step, Ok(Step::NothingNew), "{why}");
        assert_eq!(texts(&events), ids.map(line).collect::<Vec<_>>(), "{why}");
    };
    expect(0..2, "what is there");
    expect(0..0, "nothing new");
    append(&path, &lines(2..3000));
    expect(2..3000, "it grew");
    let rest = lines(3000..3001);
    append(&path, &rest[..5]);
    expect(0..0, "half a line");
    append(&path, &rest[5..]);
    expect(3000..3001, "the other half");
    append(&path, &lines(3001..3002));
    fs::rename(&path, directory.path().join("posts.1")).unwrap();
    expect(3001..3002, "renamed, nothing in its place yet");
    append(&directory.path().join("posts.1"), &lines(3002..3004));
    fs::write(&path, lines(3004..3006)).unwrap();
    expect(3002..3006, "the end of the old one, then the new one");
    fs::write(&path, lines(7..8)).unwrap();
    expect(7..8, "cut and written again");
    fs::write(&path, lines(8..12)).unwrap();
    expect(8..12, "cut, and longer than before when it was looked at");
    fs::remove_file(&path).unwrap();
    expect(0..0, "removed");
    fs::write(&path, lines(12..13)).unwrap();
    expect(12..13, "and there again");
}

#[test]
fn a_followed_directory_may_get_files() {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name);
    let mut followed = reading(directory.path(), true, None).unwrap();
    let mut expect = |ids: std::ops::Range<usize>| {
        let (events, step) = read(&mut followed);
        assert_eq!(step, Ok(Step::NothingNew));
        assert_eq!(texts(&events), ids.map(line).collect::<Vec<_>>());
        events
    };
    expect(0..0);
    fs::write(path("1"), lines(0..2)).unwrap();
    expect(0..2);
    append(&path("1"), &lines(2..3)[..7]);
    expect(0..0);
    append(&path("1"), &lines(2..3)[7..]);
    fs::write(path("2"), lines(3..4)).unwrap();
    fs::write(path("3"), lines(4..5)).unwrap();
    let events = expect(2..5);
    append(&path("3"), &lines(5..7));
    expect(5..7);
    let mut again = reading(directory.path(), true, events[1].resume.clone()).unwrap();
    assert_eq!(texts(&read(&mut again).0), (4..7).map(line).collect::<Vec<_>>());
    fs::write(path("4"), gzip(&lines(0..1))).unwrap();
    let error = read(&mut again).1.unwrap_err().to_string();
    assert!(error.contains("4 is gzip; a compressed file cannot be followed"), "{error}");
}

#[test]
fn what_cannot_be_read_is_refused_at_once() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("posts");
    let error = |follow, resume| format!("{:#}", reading(&path, follow, resume).unwrap_err());
    assert!(error(false, None).contains("No such file"), "{}", error(false, None));
    fs::write(&path, gzip(b"{}")).unwrap();
    assert!(error(true, None).contains("cannot be followed"), "{}", error(true, None));
    let token = Resume::Token { text: "1".into(), time_ms: None };
    assert!(error(false, Some(token.clone())).contains("none of source.file"));
    let empty = TempDir::new().unwrap();
    let error = reading(empty.path(), false, None).unwrap_err().to_string();
    assert!(error.contains("no files"), "{error}");
}
