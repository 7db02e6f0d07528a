//! The producer's sources against a stub server: what they ask for, what they make of what comes, and what they do when
//! nothing does.
//!
//! Waits take no time: while a source waits, its clock is set ahead.

mod jetstream;
mod jetstream_faults;
mod lines;
mod pauses;
mod sse;
mod statuses;
mod transport;
mod websocket;

use std::sync::mpsc;
use std::time::Duration;

use spindle::clock::Clock;
use spindle::config::producer::source::{self, Jetstream};
use spindle::config::producer::{Keyword, Keywords, Match, Source};
use spindle::config::{Pointer, SecretMap};
use spindle::produce::event::{Event, Gap, Kind, Malformed, Post, Resume};
use spindle::produce::feed::{Feed, FeedError, Progress, Reason, State};
use tokio::sync::{oneshot, watch};

use crate::stub::{Archive, Stub};

/// Longest that anything may take, in real time.
const PATIENCE: Duration = Duration::from_secs(60);

/// A source that is read.
struct Reading {
    feed: Feed,
    events: Vec<Event>,
    /// What the source waited for before it connected again.
    waits: Vec<Duration>,
    state: watch::Receiver<State>,
}

impl Reading {
    fn open(source: &Source, resume: Option<Resume>) -> Self {
        let feed = Feed::open(source, &keywords(), resume, Clock::start(), 1).unwrap();
        let state = feed.state().unwrap();
        Self { feed, events: Vec::new(), waits: Vec::new(), state }
    }

    /// Reads on until there are so many events in all.
    async fn events(&mut self, count: usize) {
        self.until(|reading| reading.events.len() >= count).await.unwrap();
    }

    /// Reads on until the source has waited so often.
    async fn waits(&mut self, count: usize) {
        self.until(|reading| reading.waits.len() >= count).await.unwrap();
    }

    /// Lets time pass until the source leaves its connection, as nothing comes on it. Returns how long that took.
    async fn leaves(&mut self) -> Duration {
        let mut passed = Duration::ZERO;
        while self.count(Reason::Silent) == 0 {
            pass(Duration::from_secs(1)).await;
            passed += Duration::from_secs(1);
            assert!(passed < 60 * PATIENCE, "it is still there");
        }
        passed
    }

    /// Reads on until the source gives up.
    async fn error(&mut self) -> String {
        self.until(|_| false).await.unwrap_err().to_string()
    }

    async fn until(&mut self, done: impl Fn(&Self) -> bool) -> Result<(), FeedError> {
        let mut over = over_after(PATIENCE);
        while !done(self) {
            tokio::select! {
                progress = self.feed.next(&mut self.events) => assert_eq!(progress?, Progress::More),
                changed = self.state.changed() => {
                    // The last state is still to be had when the source is over.
                    if changed.is_err() {
                        self.feed.next(&mut self.events).await?;
                    }
                    let state = self.state.borrow_and_update().clone();
                    if let State::Waiting(wait) = state {
                        self.waits.push(wait);
                        pass(wait).await;
                    }
                }
                _ = &mut over => panic!("waited in vain: {:?} {:?}", self.waits, self.events),
            }
        }
        Ok(())
    }

    fn count(&self, reason: Reason) -> u64 {
        self.feed.reconnects().unwrap().of(reason)
    }

    fn posts(&self) -> Vec<&Post> {
        let post = |event| match event {
            &Event { kind: Kind::Post(ref post), .. } => Some(post),
            _ => None,
        };
        self.events.iter().filter_map(post).collect()
    }

    fn gaps(&self) -> Vec<Gap> {
        self.events
            .iter()
            .filter_map(|event| if let Kind::Gap(gap) = event.kind { Some(gap) } else { None })
            .collect()
    }

    fn malformed(&self) -> Vec<Malformed> {
        let malformed = |event: &Event| if let Kind::Malformed(why) = event.kind { Some(why) } else { None };
        self.events.iter().filter_map(malformed).collect()
    }

    fn resume(&self) -> Option<Resume> {
        self.events.iter().rev().find_map(|event| event.resume.clone())
    }
}

/// Sets the clock ahead.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time + Duration::from_millis(1)).await;
    tokio::time::resume();
}

/// Is told in real time, however the clock is set.
fn over_after(time: Duration) -> oneshot::Receiver<()> {
    let (tell, told) = oneshot::channel();
    let (alive, dropped) = mpsc::channel::<()>();
    std::thread::spawn(move || {
        let _ = dropped.recv_timeout(time);
        // Nobody need wait for it any more.
        let _ = tell.send(());
    });
    // Keeps the thread waiting for all of the time.
    std::mem::forget(alive);
    told
}

fn keywords() -> Keywords {
    let keyword = |key: &str| Keyword { key: key.to_owned(), terms: vec![key.to_owned()], partition: None };
    Keywords { matching: Match::Word, list: vec![keyword("Bitcoin"), keyword("IoT")], ..Keywords::default() }
}

/// Jetstream at these hosts of version 2 and version 1.
fn jetstream(v2: &[&Stub], v1: &[&Stub]) -> Source {
    let hosts = |stubs: &[&Stub]| stubs.iter().map(|stub| format!("ws://{}", stub.address())).collect();
    Source::Jetstream(Jetstream { hosts: hosts(v2), fallback: hosts(v1), ..Jetstream::default() })
}

/// The time of a sample, in milliseconds.
fn sample_ms(archive: &Archive, at: usize) -> i64 {
    i64::try_from(archive.samples[at].time_us / 1_000).unwrap()
}

fn pointer(text: &'static str) -> Option<Pointer> {
    Some(Pointer::of(text))
}

/// A source of `http_lines` at this stub.
fn http_lines(stub: &Stub) -> source::HttpLines {
    source::HttpLines {
        url: format!("http://{}/stream?lang=en", stub.address()),
        headers: SecretMap::from_iter([("X-Key".to_owned(), "hush0hush".to_owned())]),
        id: pointer("/id"),
        ..source::HttpLines::default()
    }
}
