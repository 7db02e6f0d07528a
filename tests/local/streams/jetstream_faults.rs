//! Jetstream as it should not be: refusals, connections that break in every place, and frames that are none.

use std::time::Duration;

use spindle::config::producer::Source;
use spindle::produce::event::{Malformed, Resume};
use spindle::produce::feed::Reason;

use super::{Reading, jetstream};
use crate::stub::{Archive, Speaks, Step, Stub};

fn status(status: u16, headers: &[(&'static str, &str)], body: &str) -> Vec<Step> {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    vec![Step::Status(status, headers, body.to_owned())]
}

/// A host of version 2 with ten posts, and the source that reads it.
fn host(script: Vec<Vec<Step>>) -> (Stub, Source) {
    let stub = Stub::start(Speaks::JetstreamV2(Archive::of(10, 500)), script);
    let source = jetstream(&[&stub], &[]);
    (stub, source)
}

fn is_within(wait: Duration, seconds: f64) -> bool {
    // Jitter adds a quarter at most.
    (seconds..=seconds * 1.25 + 0.002).contains(&wait.as_secs_f64())
}

#[tokio::test]
async fn waits_are_those_that_the_server_wishes_for() {
    let (_stub, source) = host(vec![
        status(429, &[("Retry-After", "100")], "slow down"),
        status(503, &[("Retry-After", "40")], ""),
        status(503, &[], "<html>gateway</html>"),
        vec![Step::Accept, Step::Replay(1), Step::Silence],
    ]);
    let mut reading = Reading::open(&source, None);
    reading.waits(1).await;
    reading.events(1).await;
    let waits = &reading.waits;
    assert!(is_within(waits[0], 100.0) && is_within(waits[1], 40.0) && waits[2].as_secs() >= 5, "{waits:?}");
    assert_eq!([Reason::RateLimited, Reason::Http].map(|reason| reading.count(reason)), [1, 2]);
    assert_eq!(reading.feed.health(), Ok(()));
}

#[tokio::test]
async fn health_says_since_when_and_why_there_is_no_connection() {
    let (stub, source) = host(vec![status(503, &[], "\u{1b}[31mdown"), status(503, &[], "down"), vec![]]);
    let mut reading = Reading::open(&source, None);
    reading.waits(2).await;
    let health = reading.feed.health().unwrap_err();
    let expected = format!("s: not connected to ws://{}: HTTP 503 Service Unavailable: ", stub.address());
    assert!(health.contains(&expected), "{health}");
    let seconds: u64 = health.strip_prefix("for ").unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(seconds >= 5, "{health}");
}

#[tokio::test]
async fn a_server_that_accepts_and_cuts_is_not_connected_to_in_a_loop() {
    let cuts = |steps: &[Step]| vec![steps.to_vec(); 8];
    for script in [cuts(&[Step::Accept, Step::Cut]), cuts(&[Step::Accept, Step::Replay(1), Step::Cut])] {
        let (_stub, source) = host(script);
        let mut reading = Reading::open(&source, None);
        reading.waits(7).await;
        let waits: Vec<_> =
            reading.waits[reading.waits.len() - 6..].iter().map(Duration::as_secs_f64).collect();
        assert!(waits.iter().sum::<f64>() > 7.0, "{waits:?}");
    }
}

#[tokio::test]
async fn a_silent_connection_is_left() {
    let (stub, source) = host(vec![
        vec![Step::Accept, Step::Replay(2), Step::Silence],
        vec![Step::Accept, Step::Replay(2), Step::Silence],
    ]);
    let mut reading = Reading::open(&source, None);
    reading.events(2).await;
    stub.silent(1).await;
    let silence = reading.leaves().await;
    assert!((75..80).contains(&silence.as_secs()), "{silence:?}");
    reading.events(4).await;
    assert_eq!(reading.count(Reason::Silent), 1);
    assert_eq!(stub.requests()[1].parameter("cursor").as_deref(), Some("501"));
}

#[tokio::test]
async fn connections_that_break_anywhere_are_made_again() {
    let frame = r#"{"$type":"message","payload":{"#;
    let text = |bytes: &[u8]| [&[0x81, u8::try_from(bytes.len()).unwrap()], bytes].concat();
    let mut half = text(frame.as_bytes());
    half[1] += 50;
    let umlaut = [0x01, 3, b'"', 0xc3, 0xbc];
    let (_stub, source) = host(vec![
        vec![Step::Garbage(b"\x16\x03\x01\x02\x00".to_vec())],
        vec![Step::Garbage(b"HTTP/1.1 101 Switching".to_vec())],
        vec![
            Step::AcceptWith("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_owned()),
            Step::Silence,
        ],
        vec![Step::AcceptWith("Upgrade", "h2c".to_owned()), Step::Silence],
        vec![Step::Accept, Step::Bytes(half), Step::Cut],
        vec![Step::Accept, Step::Bytes(umlaut[..4].to_vec()), Step::Cut],
        vec![Step::Accept, Step::Bytes(vec![0x81, 2, 0xff, 0xfe]), Step::Silence],
        vec![Step::Accept, Step::Bytes(vec![0x83, 0]), Step::Silence],
        vec![Step::Accept, Step::Binary(vec![1, 2, 3]), Step::Silence],
        vec![Step::Accept, Step::Close(1011, "\u{1b}[2Jno")],
        vec![Step::Accept, Step::Replay(1), Step::Silence],
    ]);
    let mut reading = Reading::open(&source, None);
    reading.until(|reading| reading.posts().len() == 1).await.unwrap();
    let counts = [Reason::Connect, Reason::Lost, Reason::Normal].map(|reason| reading.count(reason));
    assert_eq!(counts, [4, 6, 0]);
}

#[tokio::test]
async fn frames_that_are_no_posts_are_told_apart_and_the_stream_goes_on() {
    let v2 = |text: &str| {
        let payload = format!(
            r#"{{"$type":"a#commit","seq":1,"did":"d","time":"2026-11-29T10:00:00Z","rev":"r","operation":"create","collection":"c","rkey":"k","record":{{"text":{text}}}}}"#
        );
        Step::send(format!(r#"{{"$type":"message","payload":{payload}}}"#))
    };
    let (_stub, source) = host(vec![vec![
        Step::Accept,
        Step::send("{\"$type\":\"message\",\"payload\":{"),
        v2("NaN"),
        v2("\"\\ud800 IoT\""),
        Step::send("[]"),
        Step::send("{\"$type\":\"message\",\"payload\":{\"$type\":\"a#commit\",\"operation\":\"create\"}}"),
        Step::send("{\"$type\":\"weather\"}"),
        Step::Replay(1),
        Step::Silence,
    ]]);
    let mut reading = Reading::open(&source, None);
    reading.events(7).await;
    let [json, post] = [Malformed::NotJson, Malformed::NotAPost];
    assert_eq!(reading.malformed(), [json, json, post, post]);
    let posts = reading.posts();
    assert_eq!(posts.len(), 2, "a lone surrogate is no mistake");
    assert_eq!(posts[0].keyword, Some(1));
}

#[tokio::test]
async fn a_frame_that_is_too_long_is_left_out_by_the_server_from_then_on() {
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(5 << 20));
    let (stub, source) = host(vec![
        vec![Step::Accept, Step::Replay(1), Step::send(long), Step::Silence],
        vec![Step::Accept, Step::Replay(2), Step::Cut],
        vec![Step::Accept, Step::Silence],
    ]);
    let mut reading = Reading::open(&source, None);
    reading.events(4).await;
    assert_eq!((reading.malformed(), reading.posts().len()), (vec![Malformed::TooLong], 3));
    assert_eq!(reading.count(Reason::TooLong), 1);
    // Whether the stub could send all of the long frame is left open: nobody reads it.
    stub.until(|seen| seen.requests.len() >= 3).await;
    let most: Vec<_> =
        stub.requests().iter().map(|request| request.parameter("maxMessageSizeBytes")).collect();
    assert_eq!(most, [None, Some("4194304".to_owned()), None]);
}

#[tokio::test]
async fn an_error_in_the_stream_ends_the_connection() {
    let (stub, source) = host(vec![
        vec![
            Step::Accept,
            Step::Replay(1),
            Step::send(r#"{"$type":"error","error":"ConsumerTooSlow","message":"120000 behind"}"#),
            Step::Silence,
        ],
        vec![Step::Accept, Step::Replay(1), Step::Silence],
    ]);
    let mut reading = Reading::open(&source, None);
    reading.events(2).await;
    assert_eq!(reading.count(Reason::Notice), 1);
    assert_eq!(stub.requests().len(), 2);
}

#[tokio::test]
async fn a_request_that_no_host_would_take_is_final() {
    let (stub, source) = host(vec![]);
    let Source::Jetstream(mut config) = source else { panic!() };
    config.collections = vec!["app.bsky.feed.post".to_owned(); 101];
    let mut reading = Reading::open(&Source::Jetstream(config), None);
    let error = reading.error().await;
    let expected = format!("ws://{}: HTTP 400 Bad Request: ", stub.address());
    assert!(error.starts_with(&expected) && error.contains("too many filters"), "{error}");
    assert!(error.ends_with("check what the source is asked for"), "{error}");
    assert_eq!((stub.requests().len(), reading.count(Reason::Refused)), (1, 1));
}

#[tokio::test]
async fn a_host_that_numbers_anew_is_gone_on_with_by_time() {
    let archive = Archive::of(30, 5);
    let first = archive.samples[20].time_us;
    let stub = Stub::start(
        Speaks::JetstreamV2(archive),
        vec![
            // 900 is in the future there, and so taken for "live".
            vec![Step::Accept, Step::Sample(25), Step::Silence],
            vec![Step::Accept, Step::Replay(11), Step::Silence],
        ],
    );
    let host = format!("ws://{}", stub.address()).into();
    let resume = Resume::Jetstream { host, seq: Some(900), time_us: first };
    let mut reading = Reading::open(&jetstream(&[&stub], &[]), Some(resume));
    reading.events(11).await;
    let cursors: Vec<_> =
        stub.requests().iter().map(|request| request.parameter("cursor").unwrap()).collect();
    assert_eq!(cursors, ["900".to_owned(), (first - 10_000_000).to_string()]);
    let Some(Resume::Jetstream { seq, time_us, .. }) = reading.resume() else { panic!() };
    assert_eq!((seq, time_us), (Some(25), first));
    assert_eq!(reading.gaps(), []);
}
