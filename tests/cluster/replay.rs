//! An archive through the producer into a real Kafka, and through a job out of it: the counts are those of the file.

use std::fmt::Write as _;

use spindle::random::Random;

use crate::job::{Job, spindle};
use crate::kafka::{Topic, brokers};
use crate::seen::Counts;

const POSTS: u64 = 100_000;
const PARTITIONS: i32 = 6;
const WORDS: [&str; 10] =
    ["the", "weather", "BITCOIN", "blockchain", "patriot", "5g", "Bitcoins", "nobody", "io", "chain"];

/// Posts with and without keywords, several in one, and as parts of words.
fn archive(seed: u64) -> String {
    let mut random = Random::with_seed(seed);
    let mut text = String::new();
    for id in 0..POSTS {
        write!(text, r#"{{"id_str":"{id}","text":""#).unwrap();
        for _ in 0..random.below(9) {
            write!(text, "{} ", WORDS[random.below(WORDS.len())]).unwrap();
        }
        text.push_str("\"}\n");
    }
    text
}

/// The first keyword that a line holds, line by line, by nothing but the standard library.
fn counted(archive: &str) -> Counts {
    let mut counts = Counts::new();
    for line in archive.lines().map(str::to_lowercase) {
        let key =
            ["Bitcoin", "Blockchain", "IoT", "5G"].into_iter().find(|key| line.contains(&key.to_lowercase()));
        *counts.entry(key.map(|key| key.as_bytes().to_vec())).or_default() += 1;
    }
    counts
}

#[test]
fn the_job_counts_a_replayed_archive_as_the_archive_itself_says() {
    let topic = Topic::create("replay", PARTITIONS);
    let place = tempfile::tempdir().unwrap();
    let text = archive(12);
    let file = place.path().join("posts.ndjson");
    std::fs::write(&file, &text).unwrap();
    let mut job = Job::new(&brokers(), &topic.name).start();
    job.until_connected(2);
    let replay = concat!(env!("CARGO_MANIFEST_DIR"), "/conf/replay.yaml");
    let set = |key: &str, value: &str| format!("--conf={key}={value}");
    let mut producer = spindle(&[
        "produce",
        replay,
        &set("source.file.path", file.to_str().unwrap()),
        &set("kafka.brokers", &brokers()),
        &set("kafka.topic", &topic.name),
    ]);
    assert_eq!(producer.exit_code(), 0, "{}", producer.seen);
    job.until_total(POSTS);
    let seen = job.finish();
    assert_eq!(seen.counts(), counted(&text), "{seen}");
    seen.assert_whole();
}
