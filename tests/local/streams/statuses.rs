//! `statuses/filter` 1.1: signatures, lengths, notices, and everything that may break.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use spindle::config::SecretMap;
use spindle::config::producer::Source;
use spindle::config::producer::source::StatusesFilter;
use spindle::produce::event::{Malformed, Overlap};
use spindle::produce::feed::{Reason, Repeats};

use super::Reading;
use crate::stub::{Keys, Speaks, Step, Stub};

pub(super) const KEYS: Keys =
    Keys { consumer_key: "ck0hush", consumer_secret: "cs0hush&+ ", token: "12-t0hush", secret: "ts0hush%" };

fn stub(script: Vec<Vec<Step>>) -> Stub {
    Stub::start(Speaks::Statuses(KEYS), script)
}

pub(super) fn source(stub: &Stub) -> StatusesFilter {
    StatusesFilter {
        url: format!("http://{}/1.1/statuses/filter.json?tier=a%20b", stub.address()),
        track: vec!["bitcoin".to_owned(), "5G & \u{fc}ber".to_owned()],
        parameters: SecretMap::from_iter([("language".to_owned(), "en,de".to_owned())]),
        consumer_key: KEYS.consumer_key.to_owned(),
        consumer_secret: KEYS.consumer_secret.to_owned(),
        token: KEYS.token.to_owned(),
        secret: KEYS.secret.to_owned(),
    }
}

fn open(stub: &Stub) -> Reading {
    Reading::open(&Source::StatusesFilter(source(stub)), None)
}

fn status(id: u64) -> Step {
    Step::send(format!(r#"{{"id_str":"{id}","text":"IoT","timestamp_ms":"1795946400000"}}"#))
}

fn answer(status: u16, headers: &[(&'static str, String)]) -> Vec<Step> {
    vec![Step::Status(status, headers.to_vec(), "no".to_owned())]
}

/// Lines of log, of this thread.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn requests_are_signed_and_messages_come_behind_their_lengths() {
    let stub = stub(vec![vec![
        Step::Accept,
        Step::Bytes(b"\r\n".to_vec()),
        status(1),
        Step::Bytes(b"\r\n\r\n".to_vec()),
        status(2),
        Step::send(r#"{"limit":{"track":30}}"#),
        Step::send(r#"{"warning":{"code":"FALLING_BEHIND","message":"slow"}}"#),
        Step::send(r#"{"delete":{"status":{"id_str":"1"}}}"#),
        status(3),
        Step::Silence,
    ]]);
    let mut reading = open(&stub);
    assert_eq!((reading.feed.repeats(), reading.feed.overlap()), (Repeats::ById, Overlap::One));
    reading.events(6).await;
    assert_eq!((reading.posts().len(), reading.feed.undelivered()), (3, 30));
    assert!(reading.events.iter().all(|event| event.resume.is_none()));
    let request = &stub.requests()[0];
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(request.form(), [pair("language", "en,de"), pair("track", "bitcoin,5G & \u{fc}ber")]);
    assert_eq!(
        request.query(),
        [pair("delimited", "length"), pair("stall_warnings", "true"), pair("tier", "a b")]
    );
    assert!(request.header("accept-encoding").unwrap().contains("gzip"));
}

#[tokio::test]
async fn refused_credentials_are_final_and_no_secret_is_told() {
    let lines = Lines::default();
    let to = lines.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || to.clone());
    let _quiet = tracing::subscriber::set_default(subscriber.finish());
    let stub = stub(vec![]);
    let config = StatusesFilter { secret: "ts1hush".to_owned(), ..source(&stub) };
    let mut reading = Reading::open(&Source::StatusesFilter(config), None);
    let error = reading.error().await;
    assert!(error.contains("HTTP 401 Unauthorized") && error.contains("check the credentials"), "{error}");
    assert_eq!(stub.requests().len(), 1);
    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let told = format!("{error} {:?} {:?} {log}", reading.feed.health(), reading.feed);
    assert!(!log.is_empty() && !told.contains("hush"), "{told}");
}

#[tokio::test]
async fn limits_are_waited_for_as_the_server_says() {
    let second = spindle::clock::Clock::start().wall().as_secs();
    let stub = stub(vec![
        answer(420, &[]),
        answer(429, &[("x-rate-limit-reset", (second + 700).to_string())]),
        answer(503, &[("Retry-After", "33".to_owned())]),
        vec![Step::Accept, status(1), Step::Silence],
    ]);
    let mut reading = open(&stub);
    reading.events(1).await;
    let waits: Vec<_> = reading.waits.iter().map(Duration::as_secs).collect();
    assert!(waits[0] >= 60 && (600..900).contains(&waits[1]) && (33..60).contains(&waits[2]), "{waits:?}");
}

#[tokio::test]
async fn some_refusals_are_final_at_once_and_others_after_a_few() {
    for (code, requests) in [(404, 1), (406, 1), (413, 1), (416, 1), (403, 1), (408, 6)] {
        let stub = stub(vec![answer(code, &[]); 10]);
        let error = open(&stub).error().await;
        assert!(error.contains(&format!("HTTP {code}")), "{error}");
        assert_eq!(stub.requests().len(), requests, "{code}");
    }
}

#[tokio::test]
async fn connections_that_break_anywhere_are_made_again_and_the_gap_is_told() {
    let message = r#"{"id_str":"9","text":"über IoT"}"#;
    let cut = message.find('ü').unwrap() + 1;
    let stub = stub(vec![
        vec![Step::Accept, status(1), Step::Bytes(b"3".to_vec()), Step::Cut],
        vec![
            Step::Accept,
            Step::Bytes(format!("{}\r\n{}", message.len(), &message[..5]).into_bytes()),
            Step::Cut,
        ],
        vec![Step::Accept, Step::Bytes([b"35\r\n", &message.as_bytes()[..cut]].concat()), Step::Cut],
        vec![Step::Accept, Step::Bytes(b"a\r\nb\r\nc\r\nd\r\n".to_vec()), Step::Silence],
        vec![Step::Garbage(b"\x1f\x8b".to_vec())],
        vec![Step::Accept, status(2), Step::End],
        vec![Step::Accept, status(3), Step::Silence],
    ]);
    let mut reading = open(&stub);
    reading.until(|reading| reading.posts().len() == 3).await.unwrap();
    let ids: Vec<_> = reading.posts().iter().map(|post| post.json.clone()).collect();
    assert!(
        ids.iter()
            .zip(["\"1\"", "\"2\"", "\"3\""])
            .all(|(json, id)| { std::str::from_utf8(json).unwrap().contains(id) })
    );
    let counts = [Reason::Lost, Reason::Connect, Reason::Normal].map(|reason| reading.count(reason));
    assert_eq!(counts, [4, 1, 1]);
    assert_eq!(reading.malformed(), []);
    // Each wait was a time without posts.
    let gaps: i64 = reading.gaps().iter().map(|gap| gap.until_ms - gap.from_ms).sum();
    let waits: Duration = reading.waits.iter().sum();
    let waits = i64::try_from(waits.as_millis()).unwrap();
    assert!((waits - 50..waits + 30_000).contains(&gaps), "{gaps} {waits} {:?}", reading.gaps());
}

#[tokio::test]
async fn a_disconnect_message_ends_the_connection_by_its_code() {
    let disconnect = |code: u16| {
        Step::send(format!(r#"{{"disconnect":{{"code":{code},"stream_name":"s","reason":"why"}}}}"#))
    };
    let stub = stub(vec![
        vec![Step::Accept, status(1), disconnect(4), Step::Silence],
        vec![Step::Accept, status(2), disconnect(6), Step::Silence],
    ]);
    let mut reading = open(&stub);
    let error = reading.error().await;
    assert!(error.contains("the server disconnects with code 6: why") && error.contains("token"), "{error}");
    assert_eq!((reading.posts().len(), reading.count(Reason::Notice)), (2, 2));
    assert_eq!(stub.requests().len(), 2);
}

#[tokio::test]
async fn messages_that_are_none_are_told_apart_and_the_stream_goes_on() {
    let stub = stub(vec![vec![
        Step::Accept,
        Step::send(format!(r#"{{"id_str":"1","text":"{}"}}"#, "x".repeat(500_000))),
        Step::send(r#"{"id_str":"2","n":NaN}"#),
        Step::Send(b"{\"id_str\":\"3\",\"text\":\"\xff\"}".to_vec()),
        Step::send(r#"{"id_str":"4","text":"\udc00 IoT"}"#),
        Step::send(r#"{"text":"no id"}"#),
        status(5),
        Step::Silence,
    ]]);
    let mut reading = open(&stub);
    reading.events(6).await;
    let expected = [Malformed::TooLong, Malformed::NotJson, Malformed::NotUtf8, Malformed::NotAPost];
    assert_eq!(reading.malformed(), expected);
    assert_eq!(reading.posts().len(), 2, "a lone surrogate is no mistake");
    assert_eq!(stub.requests().len(), 1);
}

#[tokio::test]
async fn silence_ends_a_connection_and_blank_lines_are_life() {
    let stub = stub(vec![
        vec![Step::Accept, status(1), Step::Bytes(b"\r\n".to_vec()), Step::Silence],
        vec![Step::Accept, status(2), Step::Silence],
    ]);
    let mut reading = open(&stub);
    reading.events(1).await;
    stub.silent(1).await;
    let silence = reading.leaves().await;
    assert!((59..66).contains(&silence.as_secs()), "{silence:?}");
    reading.until(|reading| reading.posts().len() == 2).await.unwrap();
    assert_eq!(reading.count(Reason::Silent), 1);
}
