//! Windows recounted from records that are known, and every way in which they can be wrong.

mod relabel;

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::ids::Partition;
use crate::snapshot::Event;
use crate::snapshot::tests::world::{Counter, Place, setup, slides};
use crate::snapshot::writer::start;
use crate::store::tests::scratch;

/// The topic as it was produced.
struct Topic {
    records: Vec<Option<Vec<u8>>>,
    /// Offsets below this are gone.
    first: i64,
    /// Offsets that compaction took.
    gone: Vec<i64>,
    reads: usize,
}

impl Topic {
    fn new(seed: u64, last: u64) -> Self {
        let records = (1..=last).flat_map(|number| Counter::records(seed, number)).collect();
        Self { records, first: 0, gone: Vec::new(), reads: 0 }
    }
}

impl Recount for Topic {
    fn recount(&mut self, slides: &[Facts]) -> anyhow::Result<Vec<Recounted>> {
        self.reads += 1;
        let count = |facts: &Facts| {
            let (mut counts, mut holes) = (Counts::new(), 0);
            for (partition, from, until) in facts.read() {
                assert_eq!(partition, Partition::new("tweets", 0));
                if from < self.first {
                    return Recounted::Unreadable("retention".to_owned());
                }
                for offset in from..until {
                    if self.gone.contains(&offset) {
                        holes += 1;
                    } else {
                        let key = self.records[offset as usize].clone();
                        *counts.entry(key.map(Into::into)).or_default() += 1;
                    }
                }
            }
            Recounted::Counts { counts, holes }
        };
        Ok(slides.iter().map(count).collect())
    }
}

const ALL: Selection = Selection { since_ms: Millis::MIN, until_ms: Millis::MAX, last: None };

/// Snapshots of slides 1 to 30: windows of 6 s each 2 s, files of 10 s.
async fn written(directory: &Path) -> Store {
    let place = Place::new(directory, &Arc::default());
    let (mut writer, mut events) = start(setup(&place, 1));
    for slide in slides(5, 1..=30) {
        let end_ms = slide.end_ms;
        writer.closed(slide);
        writer.durable(end_ms);
    }
    writer.close();
    let mut last = None;
    while let Some(event) = events.recv().await {
        last = Some(event);
    }
    assert_eq!(last, Some(Event::Closed));
    place.snapshots
}

async fn found(store: &Store, topic: &mut Topic, selection: Selection) -> Vec<Finding> {
    let mut found = Vec::new();
    verify(store, topic, selection, &mut |finding| found.push(finding)).await.unwrap();
    found
}

/// Verdicts by window end in seconds; whatever else is found is not expected.
fn verdicts(found: Vec<Finding>) -> Vec<(Millis, Verdict)> {
    let verdict = |finding| match finding {
        Finding::Window { end_ms, verdict, .. } => (end_ms / 1_000, verdict),
        other => panic!("{other:?}"),
    };
    found.into_iter().map(verdict).collect()
}

/// Changes the text of the file of this name in the only partition there is.
fn edit(directory: &Path, name: &str, change: impl Fn(String) -> String) {
    let path = directory.join("snapshots/dt=1970-01-01/hh=00").join(name);
    let mut text = String::new();
    std::io::Read::read_to_string(
        &mut flate2::read::GzDecoder::new(&fs::read(&path).unwrap()[..]),
        &mut text,
    )
    .unwrap();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut packed, change(text).as_bytes()).unwrap();
    fs::write(path, packed.finish().unwrap()).unwrap();
}

const SECOND: &str = "windows-0000000012000-0000000020000.jsonl.gz";
const RANGES: &str = "_ranges-windows-0000000012000-0000000020000.jsonl.gz";

#[tokio::test]
async fn what_was_written_is_equal() {
    let directory = scratch();
    let store = written(directory.path()).await;
    let found = verdicts(found(&store, &mut Topic::new(5, 30), ALL).await);
    assert_eq!(found, (1..=15).map(|n| (2 * n, Verdict::Equal)).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_selection_is_verified_with_the_slides_before_it() {
    let directory = scratch();
    let store = written(directory.path()).await;
    for last in 1..=15 {
        let mut topic = Topic::new(5, 30);
        let selection = Selection { last: Some(last), ..ALL };
        let found = verdicts(found(&store, &mut topic, selection).await);
        let first = 16 - last as i64;
        assert_eq!(found, (first..=15).map(|n| (2 * n, Verdict::Equal)).collect::<Vec<_>>());
    }
    let selection = Selection { since_ms: 12_000, until_ms: 16_500, last: None };
    let found = verdicts(found(&store, &mut Topic::new(5, 30), selection).await);
    assert_eq!(found, [(14, Verdict::Equal), (16, Verdict::Equal)]);
}

#[tokio::test]
async fn a_changed_count_a_lost_record_and_a_record_more_are_found() {
    let directory = scratch();
    let store = written(directory.path()).await;
    // One record of slide 15 had another key.
    let mut topic = Topic::new(5, 30);
    let offset: usize = (1..=15).map(|n| Counter::records(5, n).len()).sum::<usize>() - 1;
    let was = topic.records[offset].replace(b"other".to_vec());
    let found = verdicts(found(&store, &mut topic, ALL).await);
    let wrong: Vec<_> = found.iter().filter(|(_, verdict)| *verdict != Verdict::Equal).collect();
    let ends: Vec<_> = wrong.iter().map(|(end, _)| *end).collect();
    assert!(ends.iter().all(|end| [16, 18, 20].contains(end)) && !ends.is_empty(), "{wrong:?}");
    let Verdict::Differs { keys, .. } = &wrong[0].1 else { panic!("{wrong:?}") };
    let was: Option<Arc<[u8]>> = was.map(Into::into);
    assert!(
        keys.iter().any(|found| found.key == was && found.written == Some(found.recounted + 1)),
        "{keys:?}"
    );
}

#[tokio::test]
async fn a_tampered_row_is_found() {
    let directory = scratch();
    let store = written(directory.path()).await;
    edit(directory.path(), SECOND, |text| {
        let (first, rest) = text.split_once('\n').unwrap();
        let (row, count) = first.rsplit_once(':').unwrap();
        let count: u64 = count.trim_end_matches('}').parse().unwrap();
        format!("{row}:{}}}\n{rest}", count + 1)
    });
    let found = verdicts(found(&store, &mut Topic::new(5, 30), ALL).await);
    assert!(matches!(&found[5], (12, Verdict::Differs { keys, .. }) if keys.len() == 1), "{found:?}");
    assert_eq!(found.iter().filter(|(_, verdict)| *verdict == Verdict::Equal).count(), 14);
}

#[tokio::test]
async fn what_kafka_deleted_cannot_be_verified_and_the_rest_can() {
    let directory = scratch();
    let store = written(directory.path()).await;
    let mut topic = Topic::new(5, 30);
    topic.first = (1..=12).map(|n| Counter::records(5, n).len() as i64).sum();
    for (end, verdict) in verdicts(found(&store, &mut topic, ALL).await) {
        let first = (end - 5).max(1).unsigned_abs();
        let needs = (first..=12.min(end.unsigned_abs())).any(|n| !Counter::records(5, n).is_empty());
        let gone = Verdict::Unverifiable("retention".to_owned());
        assert_eq!(verdict, if needs { gone } else { Verdict::Equal }, "window {end}");
    }
}

#[tokio::test]
async fn what_compaction_took_is_not_a_difference() {
    let directory = scratch();
    let store = written(directory.path()).await;
    let mut topic = Topic::new(5, 30);
    topic.gone = vec![(1..=15).map(|n| Counter::records(5, n).len() as i64).sum::<i64>() - 1];
    for (end, verdict) in verdicts(found(&store, &mut topic, ALL).await) {
        let gone = "1 of its records are not in the log any more (compaction, or transactions)".to_owned();
        let compacted = [16, 18, 20].contains(&end);
        assert_eq!(verdict, if compacted { Verdict::Unverifiable(gone) } else { Verdict::Equal }, "{end}");
    }
}

#[tokio::test]
async fn a_window_that_is_missing_or_there_twice_is_found() {
    let directory = scratch();
    let store = written(directory.path()).await;
    edit(directory.path(), SECOND, |text| {
        text.lines()
            .filter(|line| !line.contains("\"window_end_ms\":14000"))
            .map(|l| format!("{l}\n"))
            .collect()
    });
    let dir = directory.path().join("snapshots/dt=1970-01-01/hh=00");
    let third = "windows-0000000022000-0000000030000.jsonl.gz";
    fs::copy(dir.join(third), dir.join("windows-0000000022000-0000000030001.jsonl.gz")).unwrap();
    let found = verdicts(found(&store, &mut Topic::new(5, 30), ALL).await);
    assert_eq!(found[6], (14, Verdict::Missing));
    assert_eq!(found.len(), 20);
    assert!(found[15..].iter().all(|(_, verdict)| *verdict == Verdict::Twice), "{found:?}");
    assert_eq!(found.iter().filter(|(_, verdict)| *verdict == Verdict::Equal).count(), 14);
}

#[tokio::test]
async fn missing_ranges_are_told_and_make_windows_unverifiable() {
    let directory = scratch();
    let store = written(directory.path()).await;
    fs::remove_file(directory.path().join("snapshots/dt=1970-01-01/hh=00").join(RANGES)).unwrap();
    let found = found(&store, &mut Topic::new(5, 30), ALL).await;
    let breaks = found
        .iter()
        .filter(|found| matches!(found, Finding::Chain { what, .. } if what.contains("10 slides")));
    assert_eq!(breaks.count(), 1, "{found:?}");
    let mut by_verdict: HashMap<bool, Vec<Millis>> = HashMap::new();
    for finding in found {
        if let Finding::Window { end_ms, verdict, .. } = finding {
            by_verdict.entry(verdict == Verdict::Equal).or_default().push(end_ms / 1_000);
        }
    }
    // Windows that have slides of the second file cannot be recounted.
    assert_eq!(by_verdict[&true], [2, 4, 6, 8, 10, 26, 28, 30]);
    assert_eq!(by_verdict[&false], [12, 14, 16, 18, 20, 22, 24]);
}

#[tokio::test]
async fn offsets_that_were_left_out_or_read_twice_are_told() {
    let directory = scratch();
    let store = written(directory.path()).await;
    let at: usize = (1..15).map(|n| Counter::records(5, n).len()).sum();
    let from = format!("[{at},");
    for (shift, word) in [(1, "were not read"), (-1, "were read twice")] {
        let other = format!("[{},", at as i64 + shift);
        edit(directory.path(), RANGES, |text| text.replace(&from, &other));
        let told = found(&store, &mut Topic::new(5, 30), ALL).await;
        let is_told = |found: &&Finding| matches!(found, Finding::Chain { what, .. } if what.contains(word));
        assert_eq!(told.iter().filter(is_told).count(), 1, "{told:?}");
        edit(directory.path(), RANGES, |text| text.replace(&other, &from));
    }
}

#[tokio::test]
async fn a_damaged_file_is_told() {
    let directory = scratch();
    let store = written(directory.path()).await;
    edit(directory.path(), SECOND, |text| text.replacen("\"rank\":2", "\"rank\":3", 1));
    let found = found(&store, &mut Topic::new(5, 30), ALL).await;
    assert!(found.iter().any(|found| matches!(found, Finding::File { .. })), "{found:?}");
}

#[test]
fn pieces_are_bounded_by_records_and_slides() {
    let facts = |slide| Facts {
        slide,
        end_ms: 0,
        attempt: 1,
        total: if slide == 3 { 5_000_000 } else { 300_000 },
        complete: true,
        whole: 0,
        ranges: Default::default(),
        topics: Default::default(),
        relabeled: false,
        window: None,
    };
    let mut slides: VecDeque<Facts> = (0..9).map(facts).collect();
    let mut sizes = Vec::new();
    while !slides.is_empty() {
        sizes.push(piece(&mut slides).len());
    }
    assert_eq!(sizes, [3, 1, 3, 2]);
}
