//! Producer files: those that come along, and what the README says of them.

use std::collections::BTreeSet;
use std::path::Path;

use spindle::config::{Layers, Producer, schema};

use crate::spindle as program;

fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_files_that_come_along_are_valid_and_name_every_key() {
    let conf = checkout().join("conf");
    for name in ["producer.yaml", "replay.yaml"] {
        Producer::load_between(&conf.join(name), &Layers::default()).unwrap();
    }
    let text = std::fs::read_to_string(conf.join("producer.yaml")).unwrap();
    let words: BTreeSet<&str> = text.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
    let missing: Vec<String> = schema::producer()
        .keys()
        .into_iter()
        .filter(|key| !words.contains(key.rsplit('.').next().unwrap()))
        .collect();
    assert_eq!(missing, ["kafka.transactional_id"; 0], "conf/producer.yaml shows every key");
}

#[test]
fn conf_shows_a_producer_with_every_default() {
    let mut command = program(checkout());
    let output = command.args(["conf", "conf/producer.yaml"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("when_full: block") && text.contains("jetstream.us-east.bsky.network"), "{text}");
    let schema = program(checkout()).args(["conf", "--schema", "producer"]).output().unwrap().stdout;
    let printed: serde_json::Value = serde_json::from_slice(&schema).unwrap();
    assert_eq!(&printed, schema::producer().json());
}

#[test]
fn the_readme_names_every_metric_of_the_producer() {
    let readme = std::fs::read_to_string(checkout().join("README.md")).unwrap();
    let metrics = spindle::metrics::ProducerMetrics::new();
    metrics.reconnects("lost", 1);
    let names: BTreeSet<String> = metrics
        .encode()
        .lines()
        .filter_map(|line| Some(line.strip_prefix("# TYPE spindle_producer_")?.split(' ').next()?.to_owned()))
        .collect();
    assert!(names.len() > 15, "{names:?}");
    for name in names {
        let stem = name.trim_end_matches("_total");
        let listed = readme.contains(&format!("spindle_producer_{name}"))
            || readme.lines().any(|line| {
                line.starts_with("| `spindle_producer_{")
                    && line.split(['{', '}', ',']).any(|part| part == stem)
            });
        assert!(listed, "{name}");
    }
}
