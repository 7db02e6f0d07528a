//! HTTP responses without end, one post a line.

use spindle::config::producer::Source;
use spindle::config::producer::source::HttpLines;
use spindle::produce::event::{Malformed, Resume};
use spindle::produce::feed::{Reason, Repeats};

use super::{Reading, http_lines, pointer};
use crate::stub::{Speaks, Step, Stub};

#[tokio::test]
async fn lines_are_posts_and_blank_ones_are_life() {
    let long = format!("{{\"id\":\"{}\"}}\r\n", "x".repeat(2 << 20));
    let stub = Stub::start(
        Speaks::Lines,
        vec![
            vec![
                Step::Accept,
                Step::send("\r\n{\"id\":1,\"at\":\"a b\"}\r\n\r\n{\"id\":2,"),
                Step::send("\"at\":\"c&d\"}\n"),
                Step::send(long),
                Step::Send(b"\xfc\n{\"id\":\n".to_vec()),
                Step::send("{\"id\":3}\n{\"id\":4"),
                Step::Cut,
            ],
            vec![Step::Accept, Step::send("{\"id\":5}"), Step::End],
            vec![Step::Accept, Step::Silence],
        ],
    );
    let config = HttpLines { cursor: pointer("/at"), resume: "after".to_owned(), ..http_lines(&stub) };
    let mut reading = Reading::open(&Source::HttpLines(config), None);
    assert_eq!(reading.feed.repeats(), Repeats::ById);
    reading.events(7).await;
    let posts: Vec<_> = reading.posts().iter().map(|post| post.json.len()).collect();
    assert_eq!(posts, [19, 19, 8, 8], "a line that breaks off is none, one that ends with the stream is");
    let expected = [Malformed::TooLong, Malformed::NotUtf8, Malformed::NotJson];
    assert_eq!(reading.malformed(), expected);
    stub.silent(1).await;
    let after: Vec<_> = stub.requests().iter().map(|request| request.parameter("after")).collect();
    assert_eq!(after, [None, Some("c&d".to_owned()), Some("c&d".to_owned())]);
    assert!(stub.requests().iter().all(|request| request.header("x-key") == Some("hush0hush")));
    assert_eq!(reading.resume(), Some(Resume::Token { text: "c&d".into(), time_ms: None }));
    assert_eq!(reading.gaps(), [], "it can be gone on with");
}

#[tokio::test]
async fn without_a_place_to_go_on_at_each_break_is_a_gap() {
    let line = |id: u32| vec![Step::Accept, Step::send(format!("{{\"id\":{id}}}\n")), Step::Cut];
    let stub = Stub::start(Speaks::Lines, vec![line(1), line(2), vec![Step::Accept, Step::Silence]]);
    let config = HttpLines { id: None, ..http_lines(&stub) };
    let mut reading = Reading::open(&Source::HttpLines(config), None);
    assert_eq!(reading.feed.repeats(), Repeats::Not);
    reading.until(|reading| reading.posts().len() == 2).await.unwrap();
    stub.silent(1).await;
    assert_eq!(reading.count(Reason::Lost), 2);
}

#[tokio::test]
async fn silence_is_measured_by_the_configuration() {
    let line = |id: u32| vec![Step::Accept, Step::send(format!("{{\"id\":{id}}}\n")), Step::Silence];
    let stub = Stub::start(Speaks::Lines, vec![line(1), line(2)]);
    let config = HttpLines { idle: spindle::config::Timespan::from_secs(600), ..http_lines(&stub) };
    let mut reading = Reading::open(&Source::HttpLines(config), None);
    reading.events(1).await;
    stub.silent(1).await;
    let silence = reading.leaves().await;
    assert!((599..606).contains(&silence.as_secs()), "{silence:?}");
    reading.until(|reading| reading.posts().len() == 2).await.unwrap();
    assert_eq!(reading.count(Reason::Silent), 1);
    let gap = reading.gaps()[0];
    assert!(gap.until_ms - gap.from_ms >= 599_000, "nothing came during the silence: {gap:?}");
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_says_where_it_leads() {
    let to = vec![("Location", "http://elsewhere.example.org/".to_owned())];
    let stub = Stub::start(Speaks::Lines, vec![vec![Step::Status(302, to, String::new())]]);
    let error = Reading::open(&Source::HttpLines(http_lines(&stub)), None).error().await;
    assert!(error.contains("to http://elsewhere.example.org/; give the address that it leads to"), "{error}");
    assert_eq!(stub.requests().len(), 1);
}

#[tokio::test]
async fn a_refusal_that_repeats_the_request_tells_no_secret() {
    let echo = "404: /stream?access_token=q0hush with hush0hush".to_owned();
    let stub = Stub::start(Speaks::Lines, vec![vec![Step::Status(404, vec![], echo)]]);
    let url = format!("http://{}/stream?access_token=q0hush", stub.address());
    let config = HttpLines { url, ..http_lines(&stub) };
    let mut reading = Reading::open(&Source::HttpLines(config), None);
    let error = reading.error().await;
    assert!(error.contains("404: /stream?access_token=*** with ***"), "{error}");
    assert!(!format!("{error} {:?}", reading.feed.health()).contains("hush"), "{error}");
}
