//! Reading a real topic again: what has expired, what was made anew, what compaction left out.

use std::collections::BTreeMap;

use spindle::ids::{Offset, Partition};
use spindle::produce::cursor::Saved;
use spindle::produce::recall::Begin;
use spindle::produce::sink::Sink;

use super::{kafka, keywords, read, send, until};
use crate::kafka::{Topic, brokers};

fn at(topic: &str, offsets: &[Offset]) -> BTreeMap<Partition, Offset> {
    (0..).zip(offsets).map(|(number, offset)| (Partition::new(topic, number), *offset)).collect()
}

/// Sends `COUNT` records to each of two partitions, with values `PARTITION.NUMBER`.
fn fill(sink: &Sink, count: u64) {
    let mut reports = Vec::new();
    for number in 0..count {
        for partition in [0, 1] {
            let value = format!("{partition}.{number}");
            send(sink, number, Some(partition), value.as_bytes(), &mut reports);
        }
    }
    until(sink, 2 * count as usize, &mut reports);
}

fn named() -> spindle::config::producer::Keywords {
    keywords([("a", Some(0)), ("b", Some(1))])
}

#[test]
fn a_range_that_is_not_there_any_more_is_told() {
    let topic = Topic::create("recall", 2);
    let kafka = kafka(&brokers(), &topic.name, &[]);
    let sink = Sink::open(&kafka, &named(), None).unwrap();
    fill(&sink, 100);
    let ends: Vec<_> = sink.ends().unwrap().into_values().collect();
    assert_eq!(ends, [100, 100]);
    topic.expire(0, 60);
    let (recalled, values) = read(&kafka, false, &at(&topic.name, &[50, 90]));
    let begins: Vec<_> = recalled.lanes.iter().map(|lane| (lane.from, lane.begin)).collect();
    assert_eq!(begins, [(60, Begin::Expired(50)), (90, Begin::Saved)]);
    let expected: std::collections::BTreeSet<_> =
        (60..100).map(|n| format!("0.{n}")).chain((90..100).map(|n| format!("1.{n}"))).collect();
    assert_eq!((values.len(), values.into_iter().collect::<std::collections::BTreeSet<_>>()), (50, expected));

    let saved = Saved {
        source: "file".to_owned(),
        identity: String::new(),
        resume: None,
        topic: topic.name.clone(),
        topic_id: sink.topic_id(),
        ends: [(0, 3), (1, 30)].into(),
        saved_ms: 0,
    };
    topic.delete();
    topic.recreate();
    let sink = Sink::open(&kafka, &named(), None).unwrap();
    fill(&sink, 10);
    let (recalled, _) = read(&kafka, false, &saved.recall_from(None));
    let begins: Vec<_> = recalled.lanes.iter().map(|lane| (lane.from, lane.begin)).collect();
    assert_eq!(begins, [(3, Begin::Saved), (0, Begin::Cut(30))], "by offsets alone only one is noticed");
    let (recalled, _) = read(&kafka, false, &saved.recall_from(sink.topic_id()));
    assert_eq!(recalled.records, 20, "by the topic's identity both are");
}
