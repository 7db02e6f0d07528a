//! Events, held against the crate sse-stream, and what that does not do.

use futures_util::{FutureExt, StreamExt, stream};
use sse_stream::SseByteStream;

use super::*;
use crate::random::Random;

/// The items in `bytes`, which arrive in pieces of chance sizes.
fn items(bytes: &[u8], random: &mut Random) -> Vec<Item> {
    let mut events = Events::default();
    let mut items = Vec::new();
    for piece in pieces(bytes, random) {
        events.push(&piece);
        items.extend(std::iter::from_fn(|| events.next()));
    }
    items
}

fn pieces(mut bytes: &[u8], random: &mut Random) -> Vec<Bytes> {
    let mut pieces = Vec::new();
    let most = 1 + random.below(12);
    while !bytes.is_empty() {
        let (piece, rest) = bytes.split_at((1 + random.below(most)).min(bytes.len()));
        pieces.push(Bytes::copy_from_slice(piece));
        bytes = rest;
    }
    pieces
}

/// The same by the other parser, which keeps no id from one event to the next, and tells of events without data.
fn expected(bytes: &[u8], random: &mut Random) -> Vec<Item> {
    let pieces = stream::iter(pieces(bytes, random).into_iter().map(Ok::<_, std::io::Error>));
    let parsed: Vec<_> = SseByteStream::new(pieces).collect().now_or_never().unwrap();
    let mut items = Vec::new();
    let mut id = None;
    for event in parsed {
        let event = event.unwrap();
        if let Some(new) = event.id {
            id = (!new.is_empty()).then(|| Arc::from(new));
        }
        items.extend(event.retry.map(|ms| Item::Retry(Duration::from_millis(ms))));
        if let Some(data) = event.data.filter(|data| !data.is_empty()) {
            let name = event.event.unwrap_or_default();
            items.push(Item::Event(SentEvent { name, id: id.clone(), data: data.into() }));
        }
    }
    items
}

/// A stream of lines that mean something, and of some that do not.
fn stream_of(random: &mut Random) -> Vec<u8> {
    const LINES: [&str; 17] = [
        "data: {\"a\":1}",
        "data:x",
        "data:  two blanks",
        "data",
        "data:",
        "data: \u{fc}ber",
        "event: update",
        "event",
        "id: 7",
        "id: [{\"offset\":9}]",
        "id",
        ": comment",
        ":",
        "unknown: field",
        "retry: x9",
        "datax: no",
        "Data: no",
    ];
    const ENDS: [&str; 3] = ["\n", "\r", "\r\n"];
    let mut text = if random.one_in(2) { "\u{feff}".to_owned() } else { String::new() };
    for _ in 0..random.below(40) {
        if random.one_in(3) {
            text += ENDS[random.below(3)];
        } else {
            text += LINES[random.below(LINES.len())];
            text += ENDS[random.below(3)];
        }
    }
    text.into_bytes()
}

#[test]
fn chance_streams_are_read_as_another_parser_reads_them() {
    for seed in 0..3_000 {
        let mut random = Random::with_seed(seed);
        let bytes = stream_of(&mut random);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert_eq!(items(&bytes, &mut random), expected(&bytes, &mut random), "seed {seed}: {text:?}");
    }
}

#[test]
fn an_event_that_is_not_utf_8_does_not_end_the_stream() {
    let mut random = Random::with_seed(1);
    let bytes = b"id: 1\ndata: \xff\xfe\n\ndata: {}\n\n";
    let data: Vec<_> = items(bytes, &mut random)
        .into_iter()
        .map(|item| match item {
            Item::Event(event) => event.data,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(data, [&b"\xff\xfe"[..], b"{}"]);
    // Why it is not made of the other parser:
    let parsed = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(bytes))]);
    let parsed: Vec<_> = SseByteStream::new(parsed).collect().now_or_never().unwrap();
    assert!(parsed.len() == 1 && parsed[0].is_err());
}

#[test]
fn an_event_that_is_too_long_is_told_once_and_passed_over() {
    let line = format!("data: {}\n", "x".repeat(700_000));
    let long = format!("data: {}\n", "y".repeat(EVENT_BYTES_MAX));
    for bytes in [format!("{line}{line}{line}\n"), format!("{long}\n"), format!("{line}{long}{line}\n")] {
        let mut events = Events::default();
        events.push(format!("{bytes}id: 9\ndata: {{}}\n\n").as_bytes());
        assert_eq!(events.next(), Some(Item::TooLong));
        let event = SentEvent { name: String::new(), id: Some("9".into()), data: Bytes::from_static(b"{}") };
        assert_eq!(events.next(), Some(Item::Event(event)));
        assert_eq!(events.next(), None);
    }
}

#[test]
fn retries_are_numbers_of_milliseconds() {
    let mut random = Random::with_seed(2);
    let retry = |text: &str, random: &mut Random| items(format!("retry: {text}\n\n").as_bytes(), random);
    assert_eq!(retry("2500", &mut random), [Item::Retry(Duration::from_millis(2_500))]);
    assert_eq!(retry("99999999999999999999", &mut random), [Item::Retry(Duration::from_millis(u64::MAX))]);
    for text in ["", "-1", "1.5", "1s", " 1"] {
        assert_eq!(retry(text, &mut random), [], "{text:?}");
    }
}
