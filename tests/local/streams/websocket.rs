//! Any WebSocket: what is sent first, where it goes on, and how it ends.

use std::time::Duration;

use spindle::config::SecretMap;
use spindle::config::producer::Source;
use spindle::config::producer::source::WebSocket;
use spindle::produce::event::{Malformed, Resume};
use spindle::produce::feed::Reason;

use super::{Reading, pass, pointer};
use crate::stub::{Speaks, Step, Stub};

fn config(stub: &Stub) -> WebSocket {
    WebSocket {
        url: format!("ws://{}/relay", stub.address()),
        headers: SecretMap::from_iter([("X-Key".to_owned(), "hush".to_owned())]),
        subscribe: vec!["[\"REQ\",\"a\",{\"kinds\":[1]}]".to_owned(), "{}".to_owned()],
        id: pointer("/id"),
        ..WebSocket::default()
    }
}

#[tokio::test]
async fn messages_are_posts_behind_what_is_sent_first() {
    let stub = Stub::start(
        Speaks::WebSocket,
        vec![vec![
            Step::Accept,
            Step::send("{\"id\":1,\"at\":7}"),
            Step::Ping,
            Step::Binary(b"{\"id\":2,\"at\":8}".to_vec()),
            // In two frames, with a ping between them.
            Step::Bytes(b"\x01\x06{\"id\":\x89\x00\x80\x03 3}".to_vec()),
            Step::Silence,
        ]],
    );
    let mut reading = Reading::open(&Source::Websocket(config(&stub)), None);
    reading.events(3).await;
    assert_eq!((reading.posts().len(), reading.feed.health()), (3, Ok(())));
    let seen = stub.until(|seen| seen.pongs == 2).await;
    assert_eq!(seen.texts, ["[\"REQ\",\"a\",{\"kinds\":[1]}]", "{}"]);
    assert_eq!(seen.requests[0].header("x-key"), Some("hush"));
}

#[tokio::test]
async fn it_goes_on_at_its_cursor_after_any_end() {
    let message = |id: u32| Step::send(format!("{{\"id\":{id},\"at\":{id}}}"));
    let stub = Stub::start(
        Speaks::WebSocket,
        vec![
            vec![Step::Accept, message(1), Step::Close(1000, "")],
            vec![Step::Accept, message(2), Step::Close(1008, "rate-limited: slow down")],
            vec![
                Step::Accept,
                message(3),
                Step::send(format!("{{\"a\":\"{}\"}}", "x".repeat(5 << 20))),
                Step::Silence,
            ],
            vec![Step::Accept, message(4), Step::Cut],
            vec![Step::Accept, message(5), Step::Silence],
        ],
    );
    let config = WebSocket { cursor: pointer("/at"), resume: "since".to_owned(), ..config(&stub) };
    let resume = Resume::Token { text: "0".into(), time_ms: None };
    let mut reading = Reading::open(&Source::Websocket(config), Some(resume));
    reading.until(|reading| reading.posts().len() == 5).await.unwrap();
    let since: Vec<_> = stub.requests().iter().map(|request| request.parameter("since").unwrap()).collect();
    assert_eq!(since, ["0", "1", "2", "3", "4"]);
    assert_eq!(reading.malformed(), [Malformed::TooLong]);
    let counts = [Reason::Normal, Reason::Lost, Reason::TooLong].map(|reason| reading.count(reason));
    assert_eq!((counts, reading.gaps().len()), ([1, 2, 1], 0));
}

#[tokio::test]
async fn a_server_without_websockets_is_told() {
    let stub =
        Stub::start(Speaks::WebSocket, vec![vec![Step::Status(401, vec![], "<h1>no</h1>".to_owned())]]);
    let error = Reading::open(&Source::Websocket(config(&stub)), None).error().await;
    assert!(error.contains("HTTP 401 Unauthorized: <h1>no</h1>; check the credentials"), "{error}");
}

#[tokio::test]
async fn the_text_of_a_refusal_is_not_waited_for_without_end() {
    let begun = b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n".to_vec();
    let stub = Stub::start(Speaks::WebSocket, vec![vec![Step::Bytes(begun), Step::Silence]]);
    let config = WebSocket { idle: spindle::config::Timespan::from_secs(600), ..config(&stub) };
    let reading = Reading::open(&Source::Websocket(config), None);
    stub.silent(1).await;
    let mut passed = 0;
    while reading.count(Reason::Http) == 0 {
        pass(Duration::from_secs(1)).await;
        passed += 1;
        assert!(passed < 300, "it still waits");
    }
}
