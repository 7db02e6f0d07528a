//! Archives through their thread: speed, order, and the end.

use std::fs;
use std::io::Write;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::timeout;

use super::*;
use crate::clock::Clock;
use crate::config::Pointer;
use crate::config::producer::{Keywords, Source};
use crate::produce::event::{Malformed, Post};
use crate::produce::feed::{Feed, Repeats};
use crate::produce::shape::Shape;

fn open(path: &std::path::Path, speed: &str) -> Feed {
    let source = Source::File(source::File {
        path: path.to_str().unwrap().to_owned(),
        speed: speed.parse().unwrap(),
        time: Some(Pointer::of("/at")),
        ..source::File::default()
    });
    Feed::open(&source, &Keywords::default(), None, Clock::start(), 1).unwrap()
}

/// The number of each post, and after how many milliseconds it came.
async fn all(feed: &mut Feed) -> Vec<(u64, u128)> {
    let begin = Instant::now();
    let (mut events, mut came) = (Vec::new(), Vec::new());
    while feed.next(&mut events).await.unwrap() == Progress::More {
        for event in events.drain(..) {
            let Kind::Post(Post { json, .. }) = event.kind else { continue };
            let post: serde_json::Value = serde_json::from_slice(&json).unwrap();
            came.push((post["n"].as_u64().unwrap(), begin.elapsed().as_millis()));
        }
    }
    came
}

#[tokio::test(start_paused = true)]
async fn posts_come_by_the_distance_of_their_times() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("posts");
    let times = [("1", "2026-11-29T10:00:00Z"), ("2", "2026-11-29T10:00:10Z"), ("3", "2026-11-29T09:00:00Z")];
    let mut text: String = times.map(|(n, at)| format!("{{\"n\":{n},\"at\":\"{at}\"}}\n")).concat();
    text += "no JSON\n{\"n\":4}\n{\"n\":5,\"at\":1795946460000}\n";
    fs::write(&path, text).unwrap();
    assert_eq!(
        all(&mut open(&path, "original")).await,
        [(1, 0), (2, 10_000), (3, 10_000), (4, 10_000), (5, 60_000)]
    );
    assert_eq!(all(&mut open(&path, "10x")).await, [(1, 0), (2, 1_000), (3, 1_000), (4, 1_000), (5, 6_000)]);
    assert_eq!(all(&mut open(&path, "max")).await, [(1, 0), (2, 0), (3, 0), (4, 0), (5, 0)]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_when_waiting_is_given_up() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("posts");
    let posts: String =
        (0..50).map(|n| format!("{{\"n\":{n},\"at\":{}}}\n", 1_795_946_400_000_u64 + n * 100)).collect();
    fs::write(&path, posts).unwrap();
    let mut feed = open(&path, "original");
    let mut events = Vec::new();
    loop {
        match timeout(Duration::from_millis(7), feed.next(&mut events)).await {
            Ok(Ok(Progress::Finished)) => break,
            Ok(other) => assert_eq!(other, Ok(Progress::More)),
            Err(_) => {}
        }
    }
    assert_eq!(events.len(), 50);
}

#[tokio::test]
async fn a_file_goes_on_at_its_place_and_ends() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("posts");
    fs::write(&path, "{}\n".repeat(5_000) + "x").unwrap();
    let mut feed = open(&path, "max");
    assert_eq!(feed.repeats(), Repeats::ByPlace);
    assert_eq!(feed.health(), Ok(()));
    let mut events = Vec::new();
    while feed.next(&mut events).await == Ok(Progress::More) {
        assert!(!events.is_empty());
    }
    assert_eq!(events.len(), 5_001);
    assert_eq!(events[5_000].kind, Kind::Malformed(Malformed::NotJson));
}

/// A stream like standard input, of which nobody writes the end.
fn stream(speed: &str, text: &str) -> (Archive, io::PipeWriter) {
    let (reader, mut writer) = io::pipe().unwrap();
    writer.write_all(text.as_bytes()).unwrap();
    let places = source::Places { time: Some(Pointer::of("/at")), ..source::Places::default() };
    let frames = Reader::new(Shape::Plain(places), &Keywords::default()).unwrap();
    (Archive::stream(reader, speed.parse().unwrap(), frames, false).unwrap(), writer)
}

#[tokio::test]
async fn a_stop_hands_over_all_that_standard_input_gave() {
    // Two batches wait, one is on its way, and the rest is still in the buffer of lines.
    let text: String = (0..4_000).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    let (mut archive, _writer) = stream("max", &(text + "{\"half"));
    let mut events = Vec::new();
    archive.next(&mut events).await.unwrap();
    assert!(events.len() < 2_000, "{}", events.len());
    archive.close(&mut events).await;
    let texts: Vec<_> = events
        .iter()
        .map(|event| match &event.kind {
            Kind::Post(post) => String::from_utf8(post.json.to_vec()).unwrap(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(texts, (0..4_000).map(|n| format!("{{\"n\":{n}}}")).collect::<Vec<_>>());
    assert_eq!(archive.next(&mut events).await, Ok(Progress::Finished));
}

#[tokio::test]
async fn a_stop_does_not_wait_for_input_nor_for_times_of_posts() {
    let at = |n: u64, hour: u64| format!("{{\"n\":{n},\"at\":\"2026-11-29T{hour:02}:00:00Z\"}}\n");
    let (mut archive, _writer) = stream("original", &(at(1, 1) + &at(2, 2) + &at(3, 3)));
    let mut events = Vec::new();
    archive.next(&mut events).await.unwrap();
    let begin = Instant::now();
    archive.close(&mut events).await;
    assert_eq!(events.len(), 3);
    let (mut archive, _writer) = stream("max", "");
    archive.close(&mut events).await;
    assert_eq!(events.len(), 3);
    assert!(begin.elapsed() < CLOSE, "{:?}", begin.elapsed());
}

#[tokio::test]
async fn of_a_file_that_is_read_again_a_stop_hands_over_nothing() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("posts");
    fs::write(&path, "{}\n".repeat(5_000)).unwrap();
    let mut feed = open(&path, "max");
    let mut events = Vec::new();
    feed.close(&mut events).await;
    assert_eq!(feed.next(&mut events).await, Ok(Progress::Finished));
    assert!(events.is_empty());
}
