//! The producer's way into a real Kafka, and its cursor in a real HDFS.

mod cursor;
mod java;
mod outages;
mod recall;
mod sink;
mod topics;
mod transactions;

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use spindle::clock::Clock;
use spindle::config::SecretMap;
use spindle::config::producer::{Kafka, Keyword, Keywords};
use spindle::ids::{Offset, Partition};
use spindle::produce::recall::{Recalled, recall};
use spindle::produce::sink::{Outcome, Report, SendError, Sink};

use crate::kafka::PATIENCE;

/// The section `kafka` of a producer file.
fn kafka(brokers: &str, topic: &str, properties: &[(&str, &str)]) -> Kafka {
    let properties = properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Kafka {
        brokers: vec![brokers.to_owned()],
        topic: topic.to_owned(),
        properties: properties.collect::<SecretMap>(),
        ..Kafka::default()
    }
}

/// Keywords with their named partitions.
fn keywords<'a>(list: impl IntoIterator<Item = (&'a str, Option<i32>)>) -> Keywords {
    let keyword = |(key, partition): (&str, Option<i32>)| Keyword {
        key: key.to_owned(),
        terms: vec![key.to_owned()],
        partition,
    };
    Keywords { list: list.into_iter().map(keyword).collect(), ..Keywords::default() }
}

/// Sends, and waits while there is no room. Reports that come meanwhile are kept.
fn send(sink: &Sink, number: u64, keyword: Option<u16>, json: &[u8], reports: &mut Vec<Report>) {
    let clock = Clock::start();
    while let Err(error) = sink.send(number, keyword, json) {
        assert_eq!(error, SendError::Full, "{number}");
        assert!(clock.monotonic() < PATIENCE, "no room for {number}");
        sink.reports(reports);
        thread::park_timeout(Duration::from_millis(1));
    }
}

/// Asks for reports until there are so many of them.
fn until(sink: &Sink, count: usize, reports: &mut Vec<Report>) {
    let clock = Clock::start();
    while reports.len() < count {
        sink.reports(reports);
        assert!(clock.monotonic() < PATIENCE, "{} of {count} reports; {:?}", reports.len(), sink.trouble());
        thread::park_timeout(Duration::from_millis(1));
    }
    assert_eq!(reports.len(), count);
}

/// Partition and offset of each number; each is there once, and acknowledged.
fn acknowledged(reports: &[Report]) -> BTreeMap<u64, (i32, Offset)> {
    let mut places = BTreeMap::new();
    for Report { number, outcome } in reports {
        match outcome {
            Outcome::Acknowledged { partition, offset } => {
                let place = (partition.number, offset.unwrap());
                assert_eq!(places.insert(*number, place), None, "{number} is reported twice");
            }
            Outcome::Failed { reason, .. } => panic!("{number}: {reason}"),
        }
    }
    places
}

/// Number and fatality of those that failed.
fn failed(reports: &[Report]) -> Vec<(u64, bool)> {
    let failed = |report: &Report| match report.outcome {
        Outcome::Failed { fatal, .. } => Some((report.number, fatal)),
        Outcome::Acknowledged { .. } => None,
    };
    reports.iter().filter_map(failed).collect()
}

/// What the topic holds from these offsets on, by partition in its order. Needs values that are unique.
fn read(kafka: &Kafka, committed_only: bool, from: &BTreeMap<Partition, Offset>) -> (Recalled, Vec<String>) {
    let mut values = Vec::new();
    let each = |_: i32, _: Offset, _: Option<&[u8]>, value: &[u8]| {
        values.push(String::from_utf8(value.to_owned()).unwrap())
    };
    let recalled = recall(kafka, committed_only, from, PATIENCE, each).unwrap();
    (recalled, values)
}

/// The beginning of each partition.
fn beginning(topic: &str, partitions: i32) -> BTreeMap<Partition, Offset> {
    (0..partitions).map(|number| (Partition::new(topic, number), 0)).collect()
}
