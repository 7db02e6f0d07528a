//! Kafka's own Java producer beside ours: keys must lie where it puts them, as other programs count on that.

use std::env;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use spindle::produce::sink::Sink;
use spindle::random::Random;

use super::{acknowledged, kafka, keywords, send, until};
use crate::kafka::{Topic, brokers};

#[test]
fn keys_go_where_the_java_producer_puts_them() {
    let seed = 20_261_130;
    let mut random = Random::with_seed(seed);
    let mut keys: Vec<String> = ["Bitcoin", "Blockchain", "IoT", "5G"].map(ToOwned::to_owned).into();
    while keys.len() < 300 {
        let length = 1 + random.below(40);
        let key: String =
            (0..length).map(|_| ['a', 'Z', '7', ' ', '#', 'é', '中', '🦀'][random.below(8)]).collect();
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    for partitions in [6, 11] {
        let topic = Topic::create("java", partitions);
        let java = java(&topic.name, &keys);
        let list = keywords(keys.iter().map(|key| (key.as_str(), None)));
        let sink = Sink::open(&kafka(&brokers(), &topic.name, &[]), &list, None).unwrap();
        let mut reports = Vec::new();
        (0..keys.len()).for_each(|nth| send(&sink, nth as u64, Some(nth as u16), b"{}", &mut reports));
        until(&sink, keys.len(), &mut reports);
        for (nth, (ours, _)) in acknowledged(&reports) {
            let nth = nth as usize;
            assert_eq!(ours, java[nth], "{:?} of {partitions}, seed {seed}", keys[nth]);
        }
        assert!(java.iter().collect::<std::collections::BTreeSet<_>>().len() as i32 == partitions);
    }
}

fn java(topic: &str, keys: &[String]) -> Vec<i32> {
    let home = env::var_os("JAVA_HOME").map(PathBuf::from);
    let program = home.map_or_else(|| "java".into(), |home| home.join("bin/java"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/producer/JavaPartitions.java");
    let mut child = Command::new(program)
        .args(["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"])
        .arg(format!("{}/*", jars().display()))
        .arg(source)
        .args([&brokers(), topic])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("run Java: {error}; a JDK from 17 on must be in JAVA_HOME or on the PATH")
        });
    let lines = keys.iter().map(|key| format!("{key}\n")).collect::<String>();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(|line| line.parse().unwrap()).collect()
}

/// The jars of the cluster's Kafka: `scripts/cluster` keeps them.
fn jars() -> PathBuf {
    let kept = env::var_os("SPINDLE_CLUSTER_LIB").map(PathBuf::from);
    let kept = kept.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".cluster/lib"));
    let folders = fs::read_dir(&kept).unwrap_or_else(|error| panic!("{}: {error}", kept.display()));
    let mut folders: Vec<PathBuf> = folders.map(|entry| entry.unwrap().path().join("lib")).collect();
    folders.retain(|lib| lib.to_string_lossy().contains("/kafka-") && lib.is_dir());
    folders.sort();
    folders
        .pop()
        .unwrap_or_else(|| panic!("no Kafka in {}: scripts/cluster up kafka fetches it", kept.display()))
}
