//! Records in a topic of two partitions, and the snapshots that a driver writes of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use spindle::checkpoint::Marks;
use spindle::config::{Snapshots, Timespan};
use spindle::count::{KeyTable, Pairs, Ring};
use spindle::ids::{Partition, Position, TopicId};
use spindle::snapshot::{Event, Events, Owner, Plan, Ranked, Setup, Slide, Writer as Snapshotter, start};
use spindle::store::Store;
use tempfile::TempDir;

use crate::produce::Writer;

pub(crate) const APP: &str = "TweetsApp";
/// Slides there are.
pub(crate) const SLIDES: u64 = 30;
/// End of the slide before the first: the 14th ends at 2026-11-23T11:00:00Z.
const BEFORE_MS: i64 = 1_795_431_600_000 - 14_000;
const SLIDE_MS: i64 = 1_000;
const LENGTH_SLIDES: u64 = 6;

/// Windows of 6 s, each 2 s, of 4 keys; files of 10 s.
pub(crate) fn plan() -> Plan {
    let (every, roll) = (Timespan::from_secs(2), Timespan::from_secs(10));
    Plan::new(APP, &Snapshots { every, roll, keys: 4, ..Snapshots::default() })
}

/// The same as a job file, in a directory of its own.
pub(crate) fn job(brokers: &str, topic: &str, path: &str, more: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("job.yaml");
    let text = format!(
        "name: {APP}\nsource: {{brokers: [\"{}\"], topics: [{topic}], group: verified}}\n\
         window: {{length: 6s, slide: 1s}}\n\
         snapshots: {{path: \"{path}\", keys: 4, every: 2s, roll: 10s}}\n{more}\n",
        brokers.replace(',', "\",\"")
    );
    std::fs::write(&file, text).unwrap();
    (dir, file)
}

/// Runs `spindle verify`: exit code, stdout, stderr.
pub(crate) fn verify(job: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let done =
        Command::new(env!("CARGO_BIN_EXE_spindle")).arg("verify").arg(job).args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (done.status.code(), text(done.stdout), text(done.stderr))
}

/// End of slide `number`.
pub(crate) fn end_ms(number: u64) -> i64 {
    BEFORE_MS + number.cast_signed() * SLIDE_MS
}

/// Keys of a slide's records in one partition; nothing at all for longer than a window.
fn keys(number: u64, partition: u64) -> Vec<Option<Vec<u8>>> {
    let many = if (16..24).contains(&number) { 0 } else { (number * 7 + partition * 3) % 6 };
    let key = |n: u64| match (number + n) % 6 {
        0 => None,
        1 => Some(b"null".to_vec()),
        2 => Some(vec![0xff, (number % 2) as u8]),
        3 => Some(Vec::new()),
        4 => Some(b"Bitcoin".to_vec()),
        _ => Some("ビット \"5G\"".into()),
    };
    (0..many).map(key).collect()
}

/// Writes every slide's records.
pub(crate) fn produce(writer: &mut Writer) {
    for number in 1..=SLIDES {
        for partition in 0..2 {
            for key in keys(number, partition) {
                writer.to(partition as i32, key.as_deref());
            }
        }
    }
    writer.flush();
}

/// The offset behind slide `number` in a partition.
pub(crate) fn offset(number: u64, partition: u64) -> i64 {
    (1..=number).map(|n| keys(n, partition).len() as i64).sum()
}

/// Hands slides over as a driver does.
pub(crate) struct Books {
    pub(crate) writer: Snapshotter,
    pub(crate) events: Events,
    ring: Ring,
    topic: String,
    id: Option<TopicId>,
    last: u64,
}

impl Books {
    pub(crate) fn start(store: Store, checkpoint: Store, topic: &str, id: Option<TopicId>) -> Self {
        let owner = Owner { checkpoint: checkpoint.address().to_string(), epoch: 1 };
        let (ids_max, queue_bytes, until_ms) = (1 << 20, 64 << 20, None);
        let relabeled = false;
        let setup =
            Setup { store, plan: plan(), owner, checkpoint, until_ms, relabeled, ids_max, queue_bytes };
        let (writer, events) = start(setup);
        Self { writer, events, ring: Ring::with_seed(1), topic: topic.to_owned(), id, last: 0 }
    }

    /// Counts slides up to this one.
    pub(crate) fn slides(&mut self, last: u64) {
        while self.last < last {
            self.last += 1;
            let slide = self.slide(self.last);
            let end_ms = slide.end_ms;
            self.writer.closed(slide);
            self.writer.durable(end_ms);
        }
    }

    fn slide(&mut self, number: u64) -> Slide {
        let end_ms = end_ms(number);
        let mut table = KeyTable::with_seed(1);
        let records: Vec<_> = (0..2).flat_map(|partition| keys(number, partition)).collect();
        records.iter().for_each(|key| match key {
            None => table.add_null(1),
            Some(key) => table.add(key),
        });
        let mut pairs = Pairs::default();
        self.ring.stage(&table.take_block(), &mut pairs).unwrap();
        self.ring.expire(end_ms - LENGTH_SLIDES.cast_signed() * SLIDE_MS);
        self.ring.push(end_ms, pairs);
        let window = plan().is_written(end_ms).then(|| Ranked {
            length_ms: LENGTH_SLIDES.cast_signed() * SLIDE_MS,
            slides: self.ring.slides() as u64,
            total: self.ring.total(),
            distinct: self.ring.distinct(),
            top: self.ring.rank(plan().keys),
        });
        let range = |partition: u64| {
            let until = Position { topic_id: self.id, ..Position::at(offset(number, partition)) };
            let partition_name = Partition::new(self.topic.as_str(), partition as i32);
            (partition_name, offset(number - 1, partition), until)
        };
        let complete = number >= LENGTH_SLIDES;
        Slide {
            number,
            end_ms,
            attempt: 1,
            marks: Marks { complete, whole: number, behind_ms: 0, unread: Vec::new() },
            ranges: (0..2).map(range).collect(),
            total: records.len() as u64,
            window,
        }
    }

    /// Stops gracefully; everything is visible then.
    pub(crate) async fn finish(self) {
        let Self { writer, mut events, .. } = self;
        writer.close();
        let mut last = None;
        while let Some(event) = events.recv().await {
            last = Some(event);
        }
        assert_eq!(last, Some(Event::Closed));
    }
}

/// A row as readers are to see it: end, total, complete, rank, key, its base64, count.
pub(crate) type Row = (i64, u64, bool, Option<u64>, Option<String>, Option<String>, Option<u64>);

/// Every row there is to be, by obvious lines.
pub(crate) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for number in (2..=SLIDES).step_by(2) {
        let mut counts = BTreeMap::<Option<Vec<u8>>, u64>::new();
        let first = (number + 1).saturating_sub(LENGTH_SLIDES).max(1);
        let within = (first..=number).flat_map(|n| (0..2).flat_map(move |partition| keys(n, partition)));
        within.for_each(|key| *counts.entry(key).or_default() += 1);
        let total = counts.values().sum();
        let mut ranking: Vec<_> = counts.into_iter().collect();
        ranking.sort_by(|(one, a), (other, b)| b.cmp(a).then_with(|| one.cmp(other)));
        let complete = number >= LENGTH_SLIDES;
        let row = |rank, key, base64, count| (end_ms(number), total, complete, rank, key, base64, count);
        if ranking.is_empty() {
            rows.push(row(None, None, None, None));
        }
        for ((key, count), rank) in ranking.into_iter().take(4).zip(1..) {
            let (text, base64) = match key {
                Some(key) if key == [0xff, 0] => (Some("\u{fffd}\0".to_owned()), Some("/wA=".to_owned())),
                Some(key) if key == [0xff, 1] => (Some("\u{fffd}\u{1}".to_owned()), Some("/wE=".to_owned())),
                key => (key.map(|key| String::from_utf8(key).unwrap()), None),
            };
            rows.push(row(Some(rank), text, base64, Some(count)));
        }
    }
    rows
}
