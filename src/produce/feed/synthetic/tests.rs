//! The synthetic source: rate, end, and going on where it was.

use std::time::Duration;

use super::*;
use crate::clock::Clock;
use crate::config::producer::{Keyword, Keywords, Source};
use crate::produce::event::{Kind, Post};
use crate::produce::feed::{Feed, Repeats};

fn open(rate: u32, posts: u64, resume: Option<Resume>) -> anyhow::Result<Feed> {
    let source = Source::Synthetic(source::Synthetic { rate, posts, seed: 3 });
    let keyword = |key: &str| Keyword { key: key.to_owned(), terms: vec![key.to_owned()], partition: None };
    let keywords = Keywords { list: vec![keyword("Bitcoin"), keyword("IoT")], ..Keywords::default() };
    Feed::open(&source, &keywords, resume, Clock::start(), 1)
}

async fn all(feed: &mut Feed) -> Vec<Event> {
    let mut events = Vec::new();
    while feed.next(&mut events).await.unwrap() == Progress::More {}
    events
}

fn post(event: &Event) -> &Post {
    let Kind::Post(post) = &event.kind else { panic!("{event:?}") };
    post
}

#[tokio::test(start_paused = true)]
async fn posts_come_at_the_rate_that_is_configured() {
    let begin = Instant::now();
    let mut feed = open(300, 0, None).unwrap();
    let mut events = Vec::new();
    while events.len() < 900 {
        assert_eq!(feed.next(&mut events).await, Ok(Progress::More));
    }
    // The first one comes at once, so 900 take 899 intervals.
    let expected = Duration::from_secs(3) - Duration::from_micros(3_333);
    let took = begin.elapsed();
    assert!(took.abs_diff(expected) < Duration::from_millis(5), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn what_nobody_took_is_made_up_for_by_a_second_at_most() {
    let mut feed = open(100, 0, None).unwrap();
    let mut events = Vec::new();
    feed.next(&mut events).await.unwrap();
    tokio::time::advance(Duration::from_secs(3_600)).await;
    events.clear();
    feed.next(&mut events).await.unwrap();
    assert!((100..=102).contains(&events.len()), "{}", events.len());
}

#[tokio::test(start_paused = true)]
async fn it_goes_on_behind_any_post_and_ends_with_the_last() {
    let whole = all(&mut open(1_000_000, 3_000, None).unwrap()).await;
    assert_eq!(whole.len(), 3_000);
    assert!(whole.iter().all(|event| post(event).id.is_some()));
    let keywords: Vec<_> = whole.iter().map(|event| post(event).keyword).collect();
    assert!([Some(0), Some(1), None].iter().all(|kind| keywords.contains(kind)));
    for left in [1, 1_024, 1_500, 2_999, 3_000] {
        let mut feed = open(1_000_000, 3_000, whole[left - 1].resume.clone()).unwrap();
        assert_eq!(feed.repeats(), Repeats::ByPlace);
        assert_eq!(all(&mut feed).await, whole[left..], "behind {left}");
    }
}

#[test]
fn cursors_of_other_sources_are_refused() {
    let offset = Resume::Offset { file: "posts.ndjson".into(), bytes: 3, head: 4 };
    let token = Resume::Token { text: "1234:5678".into(), time_ms: None };
    for resume in [offset, token] {
        let error = open(1, 0, Some(resume)).unwrap_err().to_string();
        assert!(error.contains("source.synthetic"), "{error}");
    }
}
