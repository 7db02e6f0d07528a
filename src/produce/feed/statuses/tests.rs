//! What the source makes of notices, and what it asks for.

use super::*;
use crate::config::producer::Keyword;
use crate::produce::shape::Shape;

fn statuses(counts: &Counts, track: &[&str]) -> Statuses {
    let config = source::StatusesFilter {
        url: "https://gateway.example.org/1.1/statuses/filter.json?tier=a%20b#no".to_owned(),
        track: track.iter().map(|term| (*term).to_owned()).collect(),
        consumer_key: "key".to_owned(),
        ..source::StatusesFilter::default()
    };
    let keyword = |key: &str, terms: &[&str]| {
        let terms = terms.iter().map(|term| (*term).to_owned()).collect();
        Keyword { key: key.to_owned(), terms, partition: None }
    };
    let list = vec![keyword("Bitcoin", &["bitcoin", "btc"]), keyword("5G", &["5G"])];
    let keywords = Keywords { list, ..Keywords::default() };
    let frames = Reader::new(Shape::Status, &keywords).unwrap();
    let clock = Clock::start();
    Statuses::new(&config, &keywords, frames, counts.clone(), clock, Random::with_seed(1)).unwrap()
}

#[test]
fn terms_are_those_that_are_configured_or_those_of_the_keywords() {
    let counts = Counts::default();
    assert_eq!(oauth::encoded(&statuses(&counts, &[]).form), "track=bitcoin%2Cbtc%2C5G");
    assert_eq!(oauth::encoded(&statuses(&counts, &["harbour"]).form), "track=harbour");
    let statuses = statuses(&counts, &[]);
    assert_eq!(oauth::encoded(&statuses.query), "delimited=length&stall_warnings=true&tier=a%20b");
    assert_eq!(statuses.url.as_str(), "https://gateway.example.org/1.1/statuses/filter.json");
}

#[test]
fn posts_that_the_server_left_out_are_counted_once() {
    let counts = Counts::default();
    let mut statuses = statuses(&counts, &[]);
    let mut limit = |posts: u64, undelivered: &mut u64| {
        let message = Bytes::from(format!("{{\"limit\":{{\"track\":{posts}}}}}"));
        let (event, ended) = statuses.event(message, undelivered);
        assert!(event.kind == Kind::Control && ended.is_none());
    };
    let (mut first, mut second) = (0, 0);
    limit(10, &mut first);
    limit(25, &mut first);
    limit(25, &mut first);
    limit(7, &mut first);
    assert_eq!(counts.all_undelivered(), 25);
    limit(5, &mut second);
    assert_eq!(counts.all_undelivered(), 30, "each connection counts from its beginning");
}

#[test]
fn a_disconnect_message_ends_the_stream_with_its_code() {
    let mut statuses = statuses(&Counts::default(), &[]);
    let message = r#"{"disconnect":{"code":12,"stream_name":"s","reason":"shed\u001b load"}}"#;
    let (event, ended) = statuses.event(Bytes::from_static(message.as_bytes()), &mut 0);
    let ended = ended.unwrap();
    assert_eq!((event.kind, ended.failure), (Kind::Control, Failure::Notice(12)));
    assert_eq!(ended.words, "the server disconnects with code 12: shed\\u{1b} load");
}
