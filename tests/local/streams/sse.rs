//! Server-sent events: what is a post, where the stream goes on, and when it is connected to again.

use spindle::config::SecretMap;
use spindle::config::producer::Source;
use spindle::config::producer::source::Sse;
use spindle::produce::event::{Kind, Malformed, Resume};
use spindle::produce::feed::Reason;

use super::{Reading, pointer};
use crate::stub::{Speaks, Step, Stub};

fn stub(script: Vec<Vec<Step>>) -> Stub {
    Stub::start(Speaks::Sse, script)
}

fn config(stub: &Stub) -> Sse {
    Sse {
        url: format!("http://{}/v2/stream?since=now", stub.address()),
        headers: SecretMap::from_iter([("Authorization".to_owned(), "Bearer hush".to_owned())]),
        id: pointer("/id"),
        ..Sse::default()
    }
}

fn token(text: &str) -> Option<Resume> {
    Some(Resume::Token { text: text.into(), time_ms: None })
}

#[tokio::test]
async fn events_are_read_behind_a_bom_whatever_ends_their_lines() {
    let text = "\u{feff}: welcome\r\n\r\nid: [{\"offset\":7}]\rdata: {\"id\":1,\rdata: \"text\":\"IoT\"}\r\revent: edit\n\
                data: {\"id\":1}\n\ndata: {\"id\":2}\r\n\r\n";
    let pieces: Vec<_> = text.as_bytes().chunks(5).map(|piece| Step::Send(piece.to_vec())).collect();
    let script = [&[Step::Accept][..], &pieces, &[Step::End]].concat();
    let stub = stub(vec![script, vec![Step::Accept, Step::send("data: {\"id\":3}\n\n"), Step::Silence]]);
    let mut reading = Reading::open(&Source::Sse(config(&stub)), None);
    reading.events(4).await;
    let posts: Vec<_> = reading.posts().iter().map(|post| post.json.clone()).collect();
    assert_eq!(posts, [&b"{\"id\":1,\n\"text\":\"IoT\"}"[..], b"{\"id\":2}", b"{\"id\":3}"]);
    assert_eq!(reading.posts()[0].keyword, Some(1));
    assert_eq!(reading.events[1].kind, Kind::Control);
    let resumes: Vec<_> = reading.events.iter().map(|event| event.resume.clone()).collect();
    let at = token("[{\"offset\":7}]");
    assert_eq!(resumes, [at.clone(), at.clone(), at, None]);
    let requests = stub.requests();
    let ids: Vec<_> = requests.iter().map(|request| request.header("last-event-id")).collect();
    assert_eq!(ids, [None, Some("[{\"offset\":7}]")], "sent back as it came");
    assert_eq!(requests[0].header("authorization"), Some("Bearer hush"));
    assert_eq!(requests[0].header("user-agent"), Some(concat!("spindle/", env!("CARGO_PKG_VERSION"))));
    assert_eq!((reading.count(Reason::Normal), reading.gaps().len()), (1, 0));
}

#[tokio::test]
async fn types_and_places_are_what_the_configuration_says() {
    let event = |name: &str, id: u32| {
        Step::send(format!("event: {name}\nid: e{id}\ndata: {{\"id\":{id},\"at\":\"p{id}\"}}\n\n"))
    };
    let stub = stub(vec![
        vec![Step::Accept, event("update", 1), event("delete", 2), event("status.update", 3), Step::Cut],
        vec![Step::Accept, event("update", 4), Step::Silence],
    ]);
    let config = Sse {
        events: vec!["update".to_owned(), "status.update".to_owned()],
        cursor: pointer("/at"),
        resume: "since".to_owned(),
        ..config(&stub)
    };
    let mut reading = Reading::open(&Source::Sse(config), token("p0"));
    reading.events(4).await;
    assert_eq!(reading.posts().len(), 3);
    assert_eq!(reading.resume(), token("p4"));
    let since: Vec<_> = stub.requests().iter().map(|request| request.query()).collect();
    let pair = |value: &str| vec![("since".to_owned(), value.to_owned())];
    assert_eq!(since, [pair("p0"), pair("p3")]);
    assert!(stub.requests().iter().all(|request| request.header("last-event-id").is_none()));
}

#[tokio::test]
async fn events_that_are_no_posts_are_told_apart_and_the_stream_goes_on() {
    let long = format!("data: {}\n\n", "x".repeat(2 << 20));
    let stub = stub(vec![vec![
        Step::Accept,
        Step::Send(b"data: {\"id\":\"\xff\"}\n\n".to_vec()),
        Step::send("data: {\"id\":NaN}\n\n"),
        Step::send(long),
        Step::send("data: [1]\n\n"),
        Step::send("data: {\"id\":1}\n\n"),
        Step::Silence,
    ]]);
    let mut reading = Reading::open(&Source::Sse(config(&stub)), None);
    reading.events(5).await;
    let expected = [Malformed::NotUtf8, Malformed::NotJson, Malformed::TooLong, Malformed::NotAPost];
    assert_eq!((reading.malformed(), reading.posts().len()), (expected.to_vec(), 1));
}

#[tokio::test]
async fn the_server_may_wish_for_a_wait_within_bounds() {
    for (retry, seconds) in [("7000", 7..9), ("99999999", 60..76)] {
        let text = format!("retry: {retry}\ndata: {{\"id\":1}}\n\n");
        let stub = stub(vec![
            vec![Step::Accept, Step::send(text), Step::End],
            vec![Step::Accept, Step::send("data: {\"id\":2}\n\n"), Step::Silence],
        ]);
        let mut reading = Reading::open(&Source::Sse(config(&stub)), None);
        reading.until(|reading| reading.posts().len() == 2).await.unwrap();
        let wait = reading.waits[0].as_secs();
        assert!(seconds.contains(&wait), "{wait}");
    }
}

#[tokio::test]
async fn what_is_no_stream_of_events_is_not_read() {
    let html = vec![("Content-Type", "text/html".to_owned())];
    let stub = stub(vec![
        vec![Step::Status(200, html, "data: {\"id\":1}\n\n".to_owned())],
        vec![Step::Accept, Step::send("data: {\"id\":2}\n\n"), Step::Cut],
        vec![Step::Status(204, vec![], String::new())],
    ]);
    let mut reading = Reading::open(&Source::Sse(config(&stub)), None);
    let error = reading.error().await;
    assert!(error.contains("HTTP 204") && !error.contains("since"), "{error}");
    assert_eq!((reading.posts().len(), reading.count(Reason::Connect)), (1, 1));
}

#[tokio::test]
async fn comments_are_life_and_silence_is_none() {
    let stub = stub(vec![
        vec![Step::Accept, Step::send("data: {\"id\":1}\n\n:thump\n"), Step::Silence],
        vec![Step::Accept, Step::send("data: {\"id\":2}\n\n"), Step::Silence],
    ]);
    let mut reading = Reading::open(&Source::Sse(config(&stub)), None);
    reading.events(1).await;
    stub.silent(1).await;
    let silence = reading.leaves().await;
    assert!((59..66).contains(&silence.as_secs()), "{silence:?}");
    reading.until(|reading| reading.posts().len() == 2).await.unwrap();
    assert_eq!(reading.count(Reason::Silent), 1);
    assert_eq!(reading.gaps().len(), 1, "nothing to go on at: what came in between is missing");
}
