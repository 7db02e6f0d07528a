//! No room for posts: what can be found again is left, the rest waits. And a stop, at which what was read is handed over.

use std::collections::HashSet;
use std::time::Duration;

use spindle::config::producer::Source;
use spindle::produce::feed::{Progress, Reason, State};

use super::{Reading, http_lines, jetstream, pass, statuses};
use crate::stub::{Archive, Speaks, Step, Stub};

/// More posts than the source hands over before anybody takes them.
const POSTS: u64 = 5_000;

#[tokio::test]
async fn a_jetstream_is_left_and_found_again_without_a_loss() {
    let archive = Archive::of(POSTS, 500);
    let all = usize::try_from(POSTS).unwrap();
    let replay = vec![Step::Accept, Step::Replay(all), Step::Silence];
    let stub = Stub::start(Speaks::JetstreamV2(archive), vec![replay.clone(), replay]);
    let mut reading = Reading::open(&jetstream(&[&stub], &[]), None);
    reading.feed.pause();
    let paused = |state: &State| *state == State::Paused;
    let state = reading.state.clone().wait_for(paused).await.unwrap().clone();
    assert_eq!(state, State::Paused);
    assert_eq!((reading.feed.health(), stub.requests().len()), (Ok(()), 1));
    pass(Duration::from_secs(3_600)).await;
    assert_eq!(stub.requests().len(), 1, "it comes back only when there is room");
    let ids = |reading: &Reading| reading.posts().iter().map(|post| post.id).collect::<HashSet<_>>();
    reading.until(|reading| ids(reading).len() == all).await.unwrap();
    assert_eq!(stub.requests().len(), 2);
    assert_eq!((reading.count(Reason::Paused), reading.gaps().len()), (1, 0));
    // What came twice is the event at the cursor alone.
    assert_eq!(reading.posts().len(), all + 1);
}

#[tokio::test]
async fn what_cannot_be_found_again_is_kept() {
    let lines: String = (0..POSTS).map(|id| format!("{{\"id\":{id}}}\n")).collect();
    let stub = Stub::start(Speaks::Lines, vec![vec![Step::Accept, Step::send(lines), Step::Silence]]);
    let mut reading = Reading::open(&Source::HttpLines(http_lines(&stub)), None);
    reading.feed.pause();
    stub.silent(1).await;
    // Sets no wait off: nothing is closed.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    reading.events(usize::try_from(POSTS).unwrap()).await;
    assert_eq!((stub.requests().len(), reading.count(Reason::Paused)), (1, 0));
}

#[tokio::test]
async fn a_stop_hands_over_what_came_and_will_not_come_again() {
    let all = usize::try_from(POSTS).unwrap();
    let lines: String = (0..POSTS).map(|id| format!("{{\"id\":{id}}}\n")).collect();
    let lines = vec![Step::Accept, Step::send(lines), Step::Silence];
    let lines = Stub::start(Speaks::Lines, vec![lines]);
    let messages = (0..all).map(|id| Step::send(format!("{{\"id_str\":\"{id}\"}}")));
    let messages = [Step::Accept].into_iter().chain(messages).chain([Step::Silence]).collect();
    let messages = Stub::start(Speaks::Statuses(statuses::KEYS), vec![messages]);
    let sources = [
        (Source::HttpLines(http_lines(&lines)), &lines),
        (Source::StatusesFilter(statuses::source(&messages)), &messages),
    ];
    for (source, stub) in sources {
        let mut reading = Reading::open(&source, None);
        reading.events(1).await;
        // Nothing more is taken meanwhile.
        stub.silent(1).await;
        reading.feed.close(&mut reading.events).await;
        assert_eq!(reading.posts().len(), all, "{}", source.name());
        let ids: HashSet<_> = reading.posts().iter().map(|post| post.id).collect();
        assert_eq!(ids.len(), all, "{}", source.name());
        assert_eq!(reading.feed.next(&mut reading.events).await, Ok(Progress::Finished));
    }
}

#[tokio::test]
async fn a_stop_ends_a_stream_that_never_pauses_or_does_not_answer() {
    let busy = [vec![Step::Accept], vec![Step::send("{\"id\":1}\n".repeat(100)); 20_000]].concat();
    let busy = Stub::start(Speaks::Lines, vec![busy]);
    let mut reading = Reading::open(&Source::HttpLines(http_lines(&busy)), None);
    reading.events(1).await;
    let begin = tokio::time::Instant::now();
    reading.feed.close(&mut reading.events).await;
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    let away = Stub::start(Speaks::Lines, vec![vec![Step::Silence]]);
    let mut reading = Reading::open(&Source::HttpLines(http_lines(&away)), None);
    away.silent(1).await;
    reading.feed.close(&mut reading.events).await;
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
}
