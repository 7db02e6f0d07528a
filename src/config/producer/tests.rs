//! Producer files: what they may say, and what the errors name.

use std::path::Path;

use super::source::{File, Jetstream, Speed};
use super::*;
use crate::config::load::Setting;

const KAFKA: &str = "kafka: {brokers: [localhost:9092], topic: tweets_poc}\n";

fn read(text: &str) -> Result<Producer, String> {
    read_between(text, &Layers::default())
}

fn read_between(text: &str, layers: &Layers) -> Result<Producer, String> {
    Producer::of_text(Path::new("p.yaml"), text, layers).map_err(|error| error.to_string())
}

fn refused(text: &str) -> String {
    read(&format!("{KAFKA}{text}")).unwrap_err()
}

#[test]
fn brokers_and_topic_are_all_that_must_be_there() {
    let producer = read(KAFKA).unwrap();
    assert_eq!(producer.source, Source::Jetstream(Jetstream::default()));
    assert_eq!(producer.cursor, None);
    assert_eq!(producer.http.bind.to_string(), "127.0.0.1");
    assert_eq!(
        read("queue: {posts: 5}").unwrap_err(),
        "p.yaml:1:1: kafka.brokers: missing; list the Kafka brokers, as in [localhost:9092]"
    );
}

#[test]
fn keywords_are_words_or_mappings() {
    let list = "keywords: {list: [{key: Bitcoin, terms: [bitcoin, btc]}, IoT, {key: 5G, partition: 5}]}";
    let keywords = read(&format!("{KAFKA}{list}")).unwrap().keywords;
    let shown: Vec<_> =
        keywords.list.iter().map(|k| (k.key.as_str(), k.terms.join(" "), k.partition)).collect();
    assert_eq!(
        shown,
        [("Bitcoin", "bitcoin btc".into(), None), ("IoT", "IoT".into(), None), ("5G", "5G".into(), Some(5))]
    );
    for (list, error) in [
        (
            "[IoT, {key: IoT}]",
            "p.yaml:2:24: keywords.list[1]: the key \"IoT\" is there twice; give its terms in one entry",
        ),
        ("['']", "p.yaml:2:19: keywords.list[0]: a key has 1 to 1000 bytes"),
        (
            "[{key: a, terms: [' ']}]",
            "p.yaml:2:19: keywords.list[0]: \" \" is no term: 1 to 1000 bytes, not only spaces",
        ),
        ("[{key: a, partition: -1}]", "p.yaml:2:19: keywords.list[0]: a partition is a number from 0"),
        (
            "[{key: a, patition: 1}]",
            "p.yaml:2:28: keywords.list[0].patition: unknown key; did you mean partition?",
        ),
    ] {
        assert_eq!(refused(&format!("keywords: {{list: {list}}}")), error);
    }
}

#[test]
fn a_source_is_one_of_the_list() {
    let text = "source: {file: {path: posts.ndjson, speed: 10x, time: /created_at}}";
    let Source::File(file) = read(&format!("{KAFKA}{text}")).unwrap().source else { panic!() };
    assert_eq!(
        file,
        File {
            path: "posts.ndjson".to_owned(),
            speed: Speed::Times(10_000),
            time: Some("/created_at".parse().unwrap()),
            ..File::default()
        }
    );
    for (source, error) in [
        (
            "{file: {path: x, speed: 10x}}",
            "p.yaml:2:33: source.file.speed: 10x needs to know when posts were written; set time, as in /created_at",
        ),
        ("{files: {path: x}}", "p.yaml:2:10: source.files: unknown key; did you mean file?"),
        (
            "{file: {path: x, time: created_at}}",
            "p.yaml:2:32: source.file.time: `created_at` is not a JSON pointer; it starts with a slash, as in /user/lang",
        ),
        (
            "{sse: {url: ftp://x}}",
            "p.yaml:2:21: source.sse.url: begins with \"ftp\"; write https://host/path or http://host/path",
        ),
        (
            "{sse: {url: 'https://me:secret@host/'}}",
            "p.yaml:2:21: source.sse.url: has credentials in it, which would be shown; set a header instead",
        ),
    ] {
        assert_eq!(refused(&format!("source: {source}")), error);
    }
}

#[test]
fn the_path_of_a_replay_may_be_set_from_the_command_line() {
    let set = |key: &str, value: &str| Layers {
        settings: vec![Setting { key: key.to_owned(), value: value.to_owned(), origin: "--conf".to_owned() }],
        ..Layers::default()
    };
    let text = format!("{KAFKA}source: {{file: {{path: nothing}}}}");
    let Source::File(file) = read_between(&text, &set("source.file.path", "posts.ndjson")).unwrap().source
    else {
        panic!()
    };
    assert_eq!(file.path, "posts.ndjson");
    let error = read_between(&text, &set("source.file.pth", "x")).unwrap_err();
    assert_eq!(error, "--conf: source.file.pth: unknown key; did you mean source.file.path?");
}

#[test]
fn what_the_producer_must_decide_itself_cannot_be_set() {
    for (name, reason) in [
        ("acks", "Spindle owns this property: a record counts as acknowledged"),
        ("partitioner", "Spindle owns this property: keys go where Java's producer puts them"),
        ("buffer.memory", "a property of the Java client; set queue.buffering.max.kbytes"),
        ("linger.msx", "librdkafka knows no such property"),
    ] {
        let text = format!("kafka: {{brokers: [b:9092], topic: t, properties: {{{name}: 1}}}}");
        let error = read(&text).unwrap_err();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn transactions_need_a_cursor() {
    let text = "kafka: {brokers: [b:9092], topic: t, delivery: transactions}";
    assert!(
        read(text).unwrap_err().ends_with("transactions without a cursor guarantee nothing; set cursor.path")
    );
    assert!(read(&format!("{text}\ncursor: {{path: 'file:///var/x.cursor'}}")).is_ok());
    assert!(read(&format!("{text}\ncursor: none")).is_err());
}

#[test]
fn credentials_are_never_shown() {
    for source in [
        "{statuses_filter: {url: 'https://h/x', consumer_key: k1, consumer_secret: k2, token: k3, secret: k4}}",
        "{sse: {url: 'https://h/x', headers: {Authorization: k6}}}",
        "{http_lines: {url: 'https://h/x?token=k7'}}",
        "{websocket: {url: 'wss://h/x', subscribe: ['{\"auth\":\"k8\"}']}}",
    ] {
        let properties = "{sasl.password: k5, sasl.oauthbearer.config: k9}";
        let kafka = format!("kafka: {{brokers: [b:9092], topic: t, properties: {properties}}}");
        let producer = read(&format!("source: {source}\n{kafka}")).unwrap();
        let shown = serde_yaml::to_string(&producer.shown()).unwrap();
        assert!(
            shown.contains("***")
                && shown.contains("topic: t")
                && shown.contains("idle") != source.contains("statuses"),
            "{shown}"
        );
        for n in 1..=9 {
            let secret = format!("k{n}");
            assert!(!shown.contains(&secret) && !format!("{producer:?}").contains(&secret), "{shown}");
        }
    }
}

#[test]
fn metrics_are_for_this_machine_alone_unless_the_file_says_otherwise() {
    let producer = read(&format!("{KAFKA}http: {{port: 9401}}")).unwrap();
    assert_eq!(
        (producer.http.bind.to_string(), producer.http.port.to_string()),
        ("127.0.0.1".into(), "9401".into())
    );
}
