//! Archives of posts: what comes out is what the replaced producer wrote.

use std::fmt::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

fn file_source(path: &std::path::Path) -> String {
    format!("source: {{file: {{path: {:?}}}}}", path.display().to_string())
}

/// Partitions by Kafka's murmur2 over 6 partitions, as Java's producer chooses them.
#[test]
fn posts_are_keyed_and_placed_as_the_replaced_producer_did() {
    let place = Place::new();
    let lines = [
        (r#"{"text":"BITCOIN and blockchain"}"#, Some(("Bitcoin", 1))),
        (r#"{"text":"a Blockchain"}"#, Some(("Blockchain", 1))),
        (r#"{"text":"patriots"}"#, Some(("IoT", 0))),
        (r#"{"user":"5G","text":"hello"}"#, Some(("5G", 5))),
        ("{\"text\":\"bitc\u{f3}in\"}", None),
        ("{\"text\":\"Bloc\u{212a}chain\"}", Some(("Blockchain", 1))),
    ];
    let text: String = lines.iter().map(|(line, _)| format!("{line}\n")).collect();
    let file = place.file("posts.ndjson", text);
    let mut producer = place.start(&[&file_source(&file), KEYWORDS]);
    assert_eq!(producer.exit_code(), 0, "{}", producer.seen);
    let found = place.topic();
    for (line, keyed) in lines {
        let record = found.iter().find(|record| record.value == line.as_bytes()).unwrap();
        match keyed {
            Some((key, partition)) => {
                assert_eq!((record.key.as_deref(), record.partition), (Some(key), partition), "{line}");
            }
            None => assert_eq!(record.key, None, "{line}"),
        }
    }
    assert_eq!((found.len(), account(&producer, "acknowledged")), (6, 6));
    let keys = "acknowledged by key: Bitcoin 1, Blockchain 2, IoT 1, 5G 1, null 1";
    assert!(producer.seen.lines.iter().any(|line| line == keys), "{}", producer.seen);
    assert_balanced(&producer);
}

#[test]
fn what_is_no_post_is_counted_and_the_rest_goes_on() {
    let place = Place::new();
    let mut bytes = Vec::new();
    for line in [
        &br#"{"id":1}"#[..],
        br#"{"id":NaN}"#,
        br#"{"id":2} and more"#,
        b"{\"id\":\"\xff\"}",
        br#"[1]"#,
        br#"{"id":"#,
        br#"{"id":"\ud83d"}"#,
        b"",
        br#"{"id":3}"#,
    ] {
        bytes.extend_from_slice(line);
        bytes.push(b'\n');
    }
    let long = bytes.len();
    bytes.resize(long + (2 << 20), b'x');
    bytes.extend_from_slice(b"\n{\"id\":4}");
    let file = place.file("posts.ndjson", bytes);
    let mut producer = place.start(&[&file_source(&file), KEYWORDS]);
    assert_eq!(producer.exit_code(), 0, "{}", producer.seen);
    assert_eq!(
        (account(&producer, "malformed"), account(&producer, "acknowledged")),
        (6, 4),
        "{}",
        producer.seen
    );
    assert_balanced(&producer);
    assert!(producer.seen.logs("not readable as a post") >= 1, "{}", producer.seen);
    let values: Vec<_> =
        place.topic().into_iter().map(|record| String::from_utf8(record.value).unwrap()).collect();
    assert!(
        values.contains(&r#"{"id":"\ud83d"}"#.to_owned()),
        "it is JSON, and goes on as it is: {values:?}"
    );
}

#[test]
fn a_truncated_archive_is_an_error_behind_what_it_holds() {
    let place = Place::new();
    let mut text = String::new();
    (1..=20_000).for_each(|id| writeln!(text, r#"{{"id":{id},"text":"{:x}"}}"#, id * 7_919).unwrap());
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    let whole = gzip.finish().unwrap();
    let file = place.file("posts.ndjson.gz", &whole);
    let mut producer = place.start(&[&file_source(&file), KEYWORDS]);
    assert_eq!((producer.exit_code(), place.ids()), (0, each_once(20_000)), "{}", producer.seen);

    let place = Place::new();
    let file = place.file("posts.ndjson.gz", &whole[..whole.len() / 2]);
    let sections = [file_source(&file), KEYWORDS.to_owned(), place.cursor()];
    let sections: Vec<&str> = sections.iter().map(String::as_str).collect();
    let mut producer = place.start(&sections);
    assert_eq!(producer.exit_code(), 1, "{}", producer.seen);
    assert!(producer.seen.log.iter().any(|line| line.contains("posts.ndjson.gz")), "{}", producer.seen);
    let ids = place.ids();
    assert!(ids.len() > 1_000 && ids == each_once(ids.len() as u64), "{}", ids.len());

    // The rest has come: the cursor stands where the first half ended.
    place.file("posts.ndjson.gz", &whole);
    let mut producer = place.start(&sections);
    assert_eq!((producer.exit_code(), account(&producer, "duplicate")), (0, 0), "{}", producer.seen);
    assert_eq!(place.ids(), each_once(20_000));
}

#[test]
fn what_has_no_keyword_is_dropped_if_the_file_says_so() {
    let place = Place::new();
    let file = place.file("posts.ndjson", "{\"t\":\"iot\"}\n{\"t\":\"x\"}\n{\"t\":\"5g\"}\n");
    let keywords =
        "keywords: {match: word, fields: [/t], list: [IoT, {key: 5G, partition: 3}], unmatched: drop}";
    let mut producer = place.start(&[&file_source(&file), keywords]);
    assert_eq!(producer.exit_code(), 0, "{}", producer.seen);
    let keys: Vec<_> =
        place.topic().into_iter().map(|record| (record.key.unwrap(), record.partition)).collect();
    assert_eq!(keys, [("IoT".to_owned(), 0), ("5G".to_owned(), 3)]);
    assert_eq!(account(&producer, "unmatched_dropped"), 1);
    assert_balanced(&producer);
}

#[test]
fn a_restart_goes_on_behind_the_last_line() {
    let place = Place::new();
    let file = place.file("posts.ndjson", "{\"id\":1}\n{\"id\":2}\n");
    let sections = [file_source(&file), KEYWORDS.to_owned(), place.cursor()];
    let sections: Vec<&str> = sections.iter().map(String::as_str).collect();
    let mut first = place.start(&sections);
    assert_eq!(first.exit_code(), 0, "{}", first.seen);
    std::fs::OpenOptions::new().append(true).open(&file).unwrap().write_all(b"{\"id\":3}\n").unwrap();
    let mut second = place.start(&sections);
    assert_eq!((second.exit_code(), account(&second, "received")), (0, 1), "{}", second.seen);
    assert_eq!(place.ids(), each_once(3));
}
