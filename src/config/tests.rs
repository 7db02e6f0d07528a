//! Job files, right and wrong, section by section.

use std::io;
use std::path::Path;

use super::*;

struct Fixed;

impl substitute::Lookup for Fixed {
    fn env(&self, name: &str) -> Option<String> {
        let value = match name {
            "PW" => "p: \"w\"",
            "TOP" => "3",
            "NUMBER" => "007",
            "KEY" => "{header: h}",
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn file(&self, _: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }
}

const BASE: &str = "name: T\nsource: {brokers: [b], topics: [t], group: g}\n";

/// Loads `text` from a real file, as people do, named `job.yaml` in messages.
fn load(text: &str, layers: &Layers) -> Result<Job, String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("job.yaml");
    std::fs::write(&file, text).unwrap();
    let prefix = format!("{}/", dir.path().display());
    load::load(&file, layers, &Fixed).map_err(|error| error.to_string().replace(&prefix, ""))
}

fn job(rest: &str) -> Job {
    load(&format!("{BASE}{rest}"), &Layers::default()).unwrap()
}

fn error(rest: &str) -> String {
    load(&format!("{BASE}{rest}"), &Layers::default()).unwrap_err()
}

fn with(settings: &[(&str, &str)]) -> Result<Job, String> {
    let setting = |(key, value): &(&str, &str)| Setting {
        key: (*key).to_owned(),
        value: (*value).to_owned(),
        origin: "--conf".to_owned(),
    };
    load(BASE, &Layers { settings: settings.iter().map(setting).collect(), ..Layers::default() })
}

#[test]
fn defaults_are_those_of_the_documentation() {
    let job = job("");
    let rest = Job { name: "T".to_owned(), source: job.source.clone(), ..Job::default() };
    assert_eq!(job, rest);
    insta::assert_snapshot!(serde_yaml::to_string(&Job::default()).unwrap(), @r"
    name: ''
    source:
      brokers: []
      topics: []
      group: ''
      start: latest
      isolation: read_committed
      on_data_loss: fail
      max_rate_per_partition: 0
      properties: {}
    key: record
    window:
      length: 300s
      slide: 1s
      time: processing
      lateness: 5s
      idle: 30s
    top: 10
    console: spark
    snapshots: none
    checkpoint: auto
    executors:
      instances: 2
      memory: 256M
      cores: 1
      timeout: 5s
      straggler: 10s
    driver:
      memory: 256M
      cores: 1
      port: 0
    yarn:
      queue: default
      tags: []
      attempts: 2
      attempts_window: 1h
      client_timeout: 60s
      priority: 0
      label: ''
      exclude_nodes: []
      staging: hdfs:///user/NAME/.spindle
    http:
      bind: 0.0.0.0
      port: 0
    log:
      level: info
      format: text
    env: {}
    files: []
    ");
}

#[test]
fn every_key_rule_is_read_and_written() {
    let rules = [
        ("key: record", KeyRule::Record),
        ("key: {header: lang}", KeyRule::Header("lang".to_owned())),
        ("key: {json: /user/lang}", KeyRule::Json("/user/lang".to_owned())),
    ];
    for (text, rule) in rules {
        let read = job(text);
        assert_eq!(read.key, rule);
        let written = serde_yaml::to_string(&read).unwrap();
        assert_eq!(load(&written, &Layers::default()), Ok(read));
    }
}

#[test]
fn wrong_key_rules_are_refused() {
    insta::assert_snapshot!(error("key: {json: user/lang}"), @"job.yaml:3:13: key.json: `user/lang` is not a JSON pointer; it starts with a slash, as in /user/lang");
    insta::assert_snapshot!(error("key: {json: /a~b}"), @"job.yaml:3:13: key.json: `/a~b` is not a JSON pointer; write ~ as ~0 and / within a name as ~1");
    insta::assert_snapshot!(error("key: {header: ''}"), @"job.yaml:3:15: key.header: is empty; name the header whose value is to be counted");
    insta::assert_snapshot!(error("key: {heder: x}"), @"job.yaml:3:7: key.heder: unknown key; did you mean header?");
    insta::assert_snapshot!(error("key: value"), @"job.yaml:3:6: key: `value` is not one of record, header, json");
}

#[test]
fn start_is_a_word_or_a_timestamp() {
    let start = |text: &str| with(&[("source.start", text)]).map(|job| job.source.start);
    assert_eq!(start("latest"), Ok(Start::Latest));
    assert_eq!(start("earliest"), Ok(Start::Earliest));
    let time = "2026-11-22T10:00:00Z".parse().unwrap();
    assert_eq!(start("{timestamp: 2026-11-22T10:00:00Z}"), Ok(Start::Timestamp(time)));
    insta::assert_snapshot!(start("{timestamp: yesterday}").unwrap_err(), @"--conf: source.start.timestamp: `yesterday` is not a time; write it as 2026-11-22T10:00:00Z");
}

#[test]
fn topics_are_names_or_one_expression() {
    let topics =
        |text: &str| with(&[("source.topics", text)]).map(|job| format!("{:?}", job.source.topics()));
    insta::assert_snapshot!(topics("a,b").unwrap(), @r#"Ok(Named(["a", "b"]))"#);
    insta::assert_snapshot!(topics("^tweets_.*,x").unwrap(), @r#"Ok(Matching(Regex("^(?:tweets_.*,x)$")))"#);
    insta::assert_snapshot!(topics("^tweets_(").unwrap_err(), @"--conf: source.topics[0]: `^tweets_(` is not a regular expression: unclosed group");
    insta::assert_snapshot!(topics("[^a, b]").unwrap_err(), @"--conf: source.topics[0]: `^a` is an expression, which must be the only entry; join them by |");
    insta::assert_snapshot!(topics("a,a").unwrap_err(), @"--conf: source.topics[1]: `a` is there twice");
    insta::assert_snapshot!(topics("a b").unwrap_err(), @"--conf: source.topics[0]: `a b` is no topic name: 1 to 249 of a-z A-Z 0-9 . _ -");
    insta::assert_snapshot!(topics("[]").unwrap_err(), @"--conf: source.topics: missing; list the topics, as in [tweets_poc]");
}

#[test]
fn brokers_are_hosts_with_ports() {
    let brokers = |text: &str| with(&[("source.brokers", text)]).map(|job| job.source.brokers);
    assert_eq!(brokers("a:1, b,[::1]:9092").map(|list| list.len()), Ok(3));
    insta::assert_snapshot!(brokers("a:x").unwrap_err(), @"--conf: source.brokers[0]: `a:x` is not a broker; write host:port, as in localhost:9092");
    insta::assert_snapshot!(brokers("[]").unwrap_err(), @"--conf: source.brokers: missing; list the Kafka brokers, as in [localhost:9092]");
}

#[test]
fn missing_names_are_asked_for() {
    let missing = |text: &str| load(text, &Layers::default()).unwrap_err();
    insta::assert_snapshot!(missing("top: 1"), @"job.yaml:1:1: name: missing; give the job a name, as in TweetsApp");
    insta::assert_snapshot!(missing("name: T\nsource:\n  brokers: [b]\n  topics: [t]\n"), @"job.yaml:2:1: source.group: missing; name the consumer group, as in tweets_group");
}

#[test]
fn a_client_that_asks_every_ten_seconds_is_given_more() {
    insta::assert_snapshot!(error("yarn: {client_timeout: 14s}"), @"job.yaml:3:24: yarn.client_timeout: 14s is too short; at least 15s");
}

#[test]
fn wrong_windows_are_refused() {
    insta::assert_snapshot!(error("window: {length: 300s, slide: 7s}"), @"job.yaml:3:18: window.length: 300s is not a multiple of slide (7s); take 294s or 301s");
    insta::assert_snapshot!(error("window: {length: 1s, slide: 2s}"), @"job.yaml:3:18: window.length: 1s is not a multiple of slide (2s); take 2s");
    insta::assert_snapshot!(error("window: {slide: 0s}"), @"job.yaml:3:17: window.slide: 0s is too short; at least 10ms");
    insta::assert_snapshot!(error("window: {slide: 9ms}"), @"job.yaml:3:17: window.slide: 9ms is too short; at least 10ms");
    insta::assert_snapshot!(error("window: {length: 300}"), @"job.yaml:3:18: window.length: 300 has no unit, so seconds and milliseconds cannot be told apart; write 300s or 300ms");
    insta::assert_snapshot!(error("window: {length: 30d, slide: 1s}"), @"job.yaml:3:18: window.length: 30d in slides of 1s makes 2592000 slides, at most 1000000 are kept; take a longer slide");
    insta::assert_snapshot!(error("window: {length: 900000s, slide: 1s}\ndriver: {memory: 64M}"), @"job.yaml:3:18: window.length: 900000 slides do not fit in driver.memory (64M) even when empty; raise it to 110M or take a longer slide");
    insta::assert_snapshot!(error("window: {lateness: 1s}"), @"job.yaml:3:20: window.lateness: belongs to event time (window.time: event), which is not built yet; leave it out");
    insta::assert_snapshot!(error("window: {idle: 1s}"), @"job.yaml:3:16: window.idle: belongs to event time (window.time: event), which is not built yet; leave it out");
    insta::assert_snapshot!(error("window: {time: evnt}"), @"job.yaml:3:16: window.time: `evnt` is not one of processing, event; did you mean event?");
}

#[test]
fn event_time_is_refused_until_it_is_built() {
    let refused = "window.time: event time is not built yet, records are counted when they are read; take processing, or leave it out";
    assert_eq!(error("window: {time: event}"), format!("job.yaml:3:16: {refused}"));
    assert_eq!(error("window: {time: event, lateness: 1s}"), format!("job.yaml:3:16: {refused}"));
    assert_eq!(error("window:\n  slide: 1s\n  time: event"), format!("job.yaml:5:9: {refused}"));
    assert_eq!(with(&[("window.time", "event")]).unwrap_err(), format!("--conf: {refused}"));
}

#[test]
fn snapshots_are_checked_against_the_window() {
    let path = "path: hdfs:///x";
    let snapshots = job(&format!("snapshots: {{{path}}}")).snapshots.unwrap();
    assert_eq!(snapshots, Snapshots { path: "hdfs:///x".to_owned(), ..Snapshots::default() });
    insta::assert_snapshot!(error(&format!("snapshots: {{{path}, every: 1500ms}}")), @"job.yaml:3:37: snapshots.every: 1500ms is not a multiple of window.slide (1s)");
    insta::assert_snapshot!(error(&format!("snapshots: {{{path}, roll: 2h}}")), @"job.yaml:3:36: snapshots.roll: 2h is too long; files end at the UTC hour, so at most 1h");
    insta::assert_snapshot!(error(&format!("snapshots: {{{path}, evry: 1s}}")), @"job.yaml:3:30: snapshots.evry: unknown key; did you mean every?");
    insta::assert_snapshot!(error("snapshots: {keys: 1}"), @"job.yaml:3:1: snapshots.path: missing; name a directory, as in hdfs:///user/me/tweets");
    insta::assert_snapshot!(error("snapshots: hdfs:///x"), @"job.yaml:3:12: snapshots: `hdfs:///x` is neither none nor a mapping");
}

#[test]
fn checkpoint_is_auto_none_or_a_directory() {
    let resolved = |text: &str, staging| job(text).checkpoint.resolve("T", staging).map(|at| at.path);
    assert_eq!(resolved("checkpoint: auto", Some("hdfs:///s/")), Some("hdfs:///s/checkpoint/T".to_owned()));
    assert_eq!(resolved("checkpoint: auto", None), None);
    assert_eq!(resolved("checkpoint: none", Some("hdfs:///s")), None);
    assert_eq!(resolved("checkpoint: {path: 'file:///c', wait: true}", None), Some("file:///c".to_owned()));
    insta::assert_snapshot!(error("checkpoint: {path: /tmp/x}"), @"job.yaml:3:20: checkpoint.path: `/tmp/x` does not say where it is; write hdfs://... or file:///...");
    insta::assert_snapshot!(error("checkpoint: {path: 'oss://b/x'}"), @"job.yaml:3:20: checkpoint.path: `oss://b/x` is in a store that cannot hold it (oss); write hdfs://... or file:///...");
    insta::assert_snapshot!(error("checkpoint: {path: 'hdfs://host'}"), @"job.yaml:3:20: checkpoint.path: `hdfs://host` names no directory; write hdfs:///a/directory");
}

#[test]
fn staging_is_the_users_own() {
    assert_eq!(Yarn::default().staging_of("ann"), "hdfs:///user/ann/.spindle");
}

#[test]
fn processes_have_bounds() {
    insta::assert_snapshot!(error("executors: {instances: 0}"), @"job.yaml:3:24: executors.instances: 0 is too few; at least 1");
    insta::assert_snapshot!(error("executors: {instances: 1001}"), @"job.yaml:3:24: executors.instances: 1001 is too many; at most 1000");
    insta::assert_snapshot!(error("executors: {memory: 1M}"), @"job.yaml:3:21: executors.memory: 1M is too little; at least 64M");
    insta::assert_snapshot!(error("executors: {instances: -1}"), @"job.yaml:3:24: executors.instances: `-1`, expected a whole number from 0");
    insta::assert_snapshot!(error("top: 0"), @"job.yaml:3:6: top: 0 would show no key; at least 1, or console: none");
    insta::assert_snapshot!(error("http: {port: 70000}"), @r#"job.yaml:3:14: http.port: `70000` is not a port; write 0 to 65535, or a range such as "50100-50200""#);
    insta::assert_snapshot!(error("http: {bind: here}"), @"job.yaml:3:14: http.bind: is not an IP address; write it as 0.0.0.0");
    insta::assert_snapshot!(error("env: {1A: x}"), @"job.yaml:3:7: env.1A: is no name of an environment variable: letters, digits and _, no digit first");
    insta::assert_snapshot!(error("files: [a/x, b/x]"), @"job.yaml:3:14: files[1]: `b/x` and `a/x` have the same name; rename one");
}

#[test]
fn properties_spindle_owns_are_refused_with_the_reason() {
    let refused = |name: &str| with(&[(&format!("source.properties.{name}"), "1")]).unwrap_err();
    insta::assert_snapshot!(refused("group.id"), @"--conf: source.properties.group.id: Spindle owns this property: set source.group");
    insta::assert_snapshot!(refused("enable.auto.commit"), @"--conf: source.properties.enable.auto.commit: Spindle owns this property: Spindle commits what is durable, never what was merely read");
    insta::assert_snapshot!(refused("queued.max.messages.kbytes"), @"--conf: source.properties.queued.max.messages.kbytes: Spindle owns this property: the prefetch follows from executors.memory");
    insta::assert_snapshot!(refused("session.timeout.ms"), @"--conf: source.properties.session.timeout.ms: Spindle owns this property: the driver assigns partitions, executors are no members of the group");
    insta::assert_snapshot!(refused("rebalance_cb"), @"--conf: source.properties.rebalance_cb: a callback of C programs, not a setting");
}

#[test]
fn java_property_names_are_answered_with_their_equivalent() {
    let refused =
        |name: &str, value: &str| with(&[(&format!("source.properties.{name}"), value)]).unwrap_err();
    insta::assert_snapshot!(refused("sasl.jaas.config", "x"), @"--conf: source.properties.sasl.jaas.config: a property of the Java client; set sasl.username and sasl.password (with sasl.mechanism)");
    insta::assert_snapshot!(refused("ssl.truststore.location", "x"), @"--conf: source.properties.ssl.truststore.location: a property of the Java client; set ssl.ca.location, a PEM file");
    insta::assert_snapshot!(refused("ssl.keystore.location", "/x.jks"), @"--conf: source.properties.ssl.keystore.location: is a JKS file; librdkafka reads PKCS#12: convert it by keytool -importkeystore -deststoretype PKCS12, or set ssl.certificate.location and ssl.key.location (PEM)");
    insta::assert_snapshot!(refused("key.deserializer", "x"), @"--conf: source.properties.key.deserializer: a property of the Java client; leave it out; keys are counted as the bytes they are");
    insta::assert_snapshot!(refused("max.poll.records", "5"), @"--conf: source.properties.max.poll.records: a property of the Java client; leave it out; records are read in batches anyway");
    insta::assert_snapshot!(refused("fetch.mesage.max.bytes", "5"), @"--conf: source.properties.fetch.mesage.max.bytes: librdkafka knows no such property");
    insta::assert_snapshot!(refused("security.protocol", "sesame"), @"--conf: source.properties.security.protocol: librdkafka does not take this value; see its CONFIGURATION.md");
}

#[test]
fn properties_may_be_numbers_and_booleans() {
    let job = job("").source.properties;
    assert!(job.is_empty());
    let text = "name: T\nsource: {brokers: b, topics: t, group: g, properties: {check.crcs: true, fetch.min.bytes: 65536, client.id: x}}";
    let read = load(text, &Layers::default()).unwrap().source.properties;
    let pairs: Vec<_> = read.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(pairs, ["check.crcs=true", "client.id=x", "fetch.min.bytes=65536"]);
}

#[test]
fn substituted_values_fit_where_they_are_put() {
    assert_eq!(job("top: ${env:TOP}").top, 3);
    assert_eq!(job("key: ${env:KEY}").key, KeyRule::Header("h".to_owned()));
    assert_eq!(job("env: {N: '${env:NUMBER}'}").env["N"], "007", "a text stays a text");
}

#[test]
fn secrets_are_never_shown() {
    let job = job("env: {API_TOKEN: abc, PLAIN: shown, USER_NAME: '${env:PW}'}\nfiles: ['${env:PW}']");
    let shown = format!("{job:?}");
    assert!(shown.contains("shown") && !shown.contains("abc") && !shown.contains("p: "), "{shown}");
    insta::assert_snapshot!(format!("{:?} {:?}", job.env, job.source), @r#"{"API_TOKEN": "***", "PLAIN": "***", "USER_NAME": "***"} Source { .. }"#);
}

#[test]
fn secrets_are_kept_out_of_messages() {
    insta::assert_snapshot!(error("window: {length: '${env:PW}'}"), @"job.yaml:3:18: window.length: `***` is not a duration; write a whole number and ms, s, m, h or d, as in 300s");
    insta::assert_snapshot!(error("executors: {instances: '${env:PW}'}"), @r#"job.yaml:3:24: executors.instances: "***", expected a whole number from 0"#);
    insta::assert_snapshot!(error("console: '${env:PW}'"), @"job.yaml:3:10: console: `***` is not one of spark, table, json, none");
    insta::assert_snapshot!(error("executors: '${env:PW}'"), @"job.yaml:3:1: executors: the substituted value does not fit here");
    insta::assert_snapshot!(error("files: ['${env:PW}', '${env:PW}']"), @"job.yaml:3:22: files[1]: `***` and `***` have the same name; rename one");
}

#[test]
fn secrets_travel_in_the_handover_and_stay_secret_there() {
    let job = job("env: {USER_NAME: '${env:PW}'}\nkey: {json: /a}\nsnapshots: {path: 'hdfs:///x'}");
    let back = Job::from_handover(&job.to_handover().unwrap()).unwrap();
    assert_eq!(back, job);
    assert!(!format!("{back:?}").contains("p: "));
}

#[test]
fn settings_stand_above_the_file_and_defaults_below() {
    let setting =
        |key: &str, value: &str| Setting { key: key.into(), value: value.into(), origin: "--x".into() };
    let layers = Layers {
        defaults: vec![setting("top", "1"), setting("http.port", "4040-4056")],
        settings: vec![setting("executors.instances", "4"), setting("executors.instances", "5")],
    };
    let job = load(&format!("{BASE}top: 7\nexecutors: {{instances: 3}}"), &layers).unwrap();
    assert_eq!((job.top, job.executors.instances, job.http.port), (7, 5, Ports::Range(4040, 4056)));
}

#[test]
fn wrong_settings_name_their_origin() {
    insta::assert_snapshot!(with(&[("source.grop", "x")]).unwrap_err(), @"--conf: source.grop: unknown key; did you mean source.group?");
    insta::assert_snapshot!(with(&[("grop", "x")]).unwrap_err(), @"--conf: grop: unknown key; did you mean source.group?");
    insta::assert_snapshot!(with(&[("brokers", "x")]).unwrap_err(), @"--conf: brokers: unknown key; did you mean source.brokers?");
    insta::assert_snapshot!(with(&[("executors.instances", "many")]).unwrap_err(), @r#"--conf: executors.instances: "many", expected a whole number from 0"#);
    insta::assert_snapshot!(with(&[("executors", "{instances: 0}")]).unwrap_err(), @"--conf: executors.instances: 0 is too few; at least 1");
    insta::assert_snapshot!(with(&[("snapshots", "{pth: x}")]).unwrap_err(), @"--conf: snapshots.pth: unknown key; did you mean path?");
    insta::assert_snapshot!(with(&[("source.consumer", "1")]).unwrap_err(), @"--conf: source.consumer: unknown key; known here: brokers, group, isolation, max_rate_per_partition, on_data_loss, properties, start, topics");
    insta::assert_snapshot!(with(&[("top.x", "1")]).unwrap_err(), @"--conf: top.x: unknown key; top is a value, not a section");
}

#[test]
fn keys_given_twice_are_found() {
    insta::assert_snapshot!(error("window:\n  slide: 1s\n  length: 3s\n  slide: 2s\n"), @r#"job.yaml:6:3: the key "slide" is there twice"#);
}

#[test]
fn empty_sections_keep_their_defaults() {
    assert_eq!(job("executors:\nwindow:\n  length:\n").window, Window::default());
}

#[test]
fn line_and_column_are_found_behind_anchors_and_in_lists() {
    let text = "name: &n T\nsource:\n  brokers:\n    - b\n    - 'x y'\n  topics: [*n]\n  group: g\n";
    insta::assert_snapshot!(load(text, &Layers::default()).unwrap_err(), @"job.yaml:5:7: source.brokers[1]: `x y` is not a broker; write host:port, as in localhost:9092");
}
