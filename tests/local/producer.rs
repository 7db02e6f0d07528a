//! The producer as people run it, into a mock Kafka.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::job::{Running, spindle};
use crate::mock::Mock;
use crate::scrape::Scrape;
use crate::topic::{self, Found};

mod archive;
mod ends;
mod files;
mod outages;

const PARTITIONS: i32 = 6;
const KEYWORDS: &str = "keywords: {match: raw-substring, list: [Bitcoin, Blockchain, IoT, 5G]}";

/// Mock brokers, and a folder for files and cursors.
struct Place {
    mock: Mock,
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { mock: Mock::new(1, PARTITIONS), dir: TempDir::new().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file into the folder.
    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Starts a producer into `t`, with these sections besides.
    fn start(&self, sections: &[&str]) -> Running {
        let brokers = self.mock.cluster.bootstrap_servers();
        let kafka = format!("kafka: {{brokers: [{brokers:?}], topic: t}}");
        let sections = sections.iter().copied().chain([kafka.as_str()]).collect::<Vec<_>>().join("\n");
        let file = self.file("producer.yaml", sections);
        spindle(&["produce", file.to_str().unwrap()])
    }

    /// A cursor in the folder.
    fn cursor(&self) -> String {
        format!("cursor: {{path: \"file://{}\", every: 100ms}}", self.path("t.cursor").display())
    }

    fn topic(&self) -> Vec<Found> {
        topic::read(&self.mock.cluster.bootstrap_servers(), "t", PARTITIONS)
    }

    /// How often each id is in the topic.
    fn ids(&self) -> BTreeMap<u64, usize> {
        let mut ids = BTreeMap::new();
        for record in self.topic() {
            let post: Value = serde_json::from_slice(&record.value).unwrap();
            *ids.entry(post["id"].as_u64().unwrap()).or_default() += 1;
        }
        ids
    }
}

/// The ids from 1 to `last`, each once.
fn each_once(last: u64) -> BTreeMap<u64, usize> {
    (1..=last).map(|id| (id, 1)).collect()
}

/// The number behind a word of the accounts, as in `received 100`.
fn account(producer: &Running, word: &str) -> u64 {
    let text = format!(" {}", producer.seen.lines.join(" "));
    let (_, after) =
        text.split_once(&format!(" {word} ")).unwrap_or_else(|| panic!("{word}: {}", producer.seen));
    after.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

/// Both sums of the accounts, by what was printed.
fn assert_balanced(producer: &Running) {
    let of = |word| account(producer, word);
    let parts = ["control", "duplicate", "malformed", "unmatched_dropped", "dropped", "queued", "sent"];
    assert_eq!(of("received"), parts.iter().map(|word| of(word)).sum::<u64>(), "{}", producer.seen);
    assert_eq!(of("acknowledged") + of("failed") + of("in flight"), of("sent"), "{}", producer.seen);
}

/// Stops as people do; returns the exit code.
fn stopped(producer: &mut Running) -> i32 {
    producer.signal(Signal::TERM);
    producer.exit_code()
}
