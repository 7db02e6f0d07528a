//! Snapshots in a real HDFS, recounted from a real Kafka, and read by somebody else's program.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use spindle::ids::TopicId;
use spindle::snapshot::Event;
use spindle::source::Admin;
use spindle::source::admin::TopicsRule;
use spindle::store::{Address, Patience, Store};
use tokio_util::bytes::Bytes;

use crate::checkpoint::Place;
use crate::cluster::{exclusive, fault, shared};
use crate::hdfs::{hdfs, place};
use crate::kafka::{Topic, brokers, settings, wait};
use crate::produce::Writer;
use crate::snapshots::{Books, Row, SLIDES, job, offset, produce, rows, verify};

fn topic_id(topic: &Topic) -> Option<TopicId> {
    let admin = Admin::connect(&settings("anyone", true)).unwrap();
    admin.describe(&TopicsRule::Names(vec![topic.name.clone()])).unwrap().found.remove(0).id
}

fn topic(name: &str) -> Topic {
    let topic = Topic::create(name, 2);
    produce(&mut Writer::new(&brokers(), &topic.name));
    topic
}

fn books(place: &Place, topic: &Topic, snapshots: Store) -> Books {
    let checkpoint = Place(format!("{}-checkpoint", place.0));
    Books::start(snapshots, checkpoint.store(), &topic.name, topic_id(topic))
}

fn written(place: &Place, topic: &Topic) {
    let mut books = books(place, topic, place.store());
    books.slides(SLIDES);
    wait(books.finish());
}

#[test]
fn windows_are_equal_until_somebody_changes_them_or_kafka_forgets() {
    let _shared = shared();
    let (topic, place) = (topic("verified"), place("verified"));
    written(&place, &topic);
    let (_dir, file) = job(&brokers(), &topic.name, &place.0, "");
    let (code, told, said) = verify(&file, &[]);
    assert_eq!(code, Some(0), "{told}{said}");
    assert!(told.contains("15 windows: 15 equal, 0 differ,"), "{told}");

    // The newest file of the hour, with one row less.
    let store = place.store();
    let (path, bytes) = wait(newest_rows(&store, "dt=2026-11-23/hh=10"));
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut text).unwrap();
    let shorter: String =
        text.lines().take(text.lines().count() - 1).map(|line| format!("{line}\n")).collect();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut packed, shorter.as_bytes()).unwrap();
    wait(store.replace(&path, packed.finish().unwrap().into())).unwrap();
    let (code, told, _) = verify(&file, &[]);
    assert_eq!(code, Some(1), "{told}");
    assert!(
        told.contains("2026-11-23T11:00:00Z  DIFFERS  ") && told.contains(": no row, recounted "),
        "{told}"
    );
    assert!(told.contains("14 equal, 1 differ,"), "{told}");
    wait(store.replace(&path, bytes)).unwrap();

    topic.expire(0, offset(12, 0));
    let (code, told, _) = verify(&file, &[]);
    assert_eq!(code, Some(0), "{told}");
    // Windows of 18 s and later begin behind slide 12.
    assert!(told.contains("15 windows: 7 equal, 0 differ, 8 cannot be verified,"), "{told}");
    assert!(told.contains(&format!("offsets below {} were deleted (retention)", offset(12, 0))), "{told}");

    topic.delete();
    topic.recreate();
    let (code, told, _) = verify(&file, &["--last", "2"]);
    assert_eq!(code, Some(1), "nothing could be verified: {told}");
    assert!(told.contains("was deleted and created again"), "{told}");
}

async fn newest_rows(store: &Store, dir: &str) -> (String, Bytes) {
    let entries = store.list(dir).await.unwrap();
    let name = entries.iter().rfind(|entry| entry.name.starts_with("windows-")).unwrap();
    let path = format!("{dir}/{}", name.name);
    let bytes = store.read(&path, 1 << 20).await.unwrap();
    (path, bytes)
}

#[test]
fn a_namenode_that_restarts_delays_files_and_changes_none() {
    let _alone = exclusive();
    let (topic, place) = (topic("away"), place("away"));
    // What waits for long is told late.
    let patience = Patience { retries: Duration::from_secs(1), ..Patience::default() };
    let store = Store::open(&Address::parse(&place.0).unwrap(), patience).unwrap();
    let mut books = books(&place, &topic, store);
    books.slides(10);
    fault("namenode stop");
    books.slides(20);
    wait(behind(&mut books));
    fault("namenode start");
    books.slides(SLIDES);
    wait(books.finish());
    let (_dir, file) = job(&brokers(), &topic.name, &place.0, "");
    let (code, told, said) = verify(&file, &[]);
    assert_eq!(code, Some(0), "{told}{said}");
    assert!(told.contains("15 windows: 15 equal,"), "{told}");
}

/// Until it has been told that the store is away.
async fn behind(books: &mut Books) {
    while !matches!(books.events.recv().await, Some(Event::Behind { .. })) {}
}

const READER: &str = r#"
import duckdb, json, sys
columns = "dt, hh, window_end_ms, total, complete, rank, key, key_base64, count"
table = f"read_json_auto('{sys.argv[1]}/dt=*/hh=*/windows-*', hive_partitioning = true)"
for row in duckdb.sql(f"SELECT {columns} FROM {table} ORDER BY window_end_ms, rank").fetchall():
    print(json.dumps([str(row[0]), int(row[1]), *row[2:]]))
"#;

/// The program is what `scripts/test` installs.
#[test]
fn duckdb_reads_them_as_a_partitioned_table() {
    let _shared = shared();
    let (topic, place) = (topic("read"), place("read"));
    written(&place, &topic);
    let local = tempfile::tempdir().unwrap();
    let copy = local.path().join("copy");
    hdfs(&["dfs", "-get", &place.0, copy.to_str().unwrap()]);
    let read = read(&copy);
    let hour = |end_ms: i64| ("2026-11-23".to_owned(), if end_ms <= 1_795_431_600_000 { 10 } else { 11 });
    let wanted: Vec<_> = rows().into_iter().map(|row| (hour(row.0), row)).collect();
    assert!(wanted.iter().any(|(_, row)| row.3.is_none()), "a window without keys is among them");
    assert_eq!(read, wanted);
}

fn reader() -> String {
    let named = std::env::var("SPINDLE_READER");
    named.unwrap_or_else(|_| {
        panic!("SPINDLE_READER is not set: scripts/test installs DuckDB and names its Python")
    })
}

fn read(copy: &Path) -> Vec<((String, u64), Row)> {
    let done = Command::new(reader()).args(["-c", READER]).arg(copy).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let row = |line: &str| {
        type Line = (String, u64, i64, u64, bool, Option<u64>, Option<String>, Option<String>, Option<u64>);
        let (dt, hh, end_ms, total, complete, rank, key, base64, count): Line =
            serde_json::from_str(line).unwrap();
        ((dt, hh), (end_ms, total, complete, rank, key, base64, count))
    };
    String::from_utf8(done.stdout).unwrap().lines().map(row).collect()
}
