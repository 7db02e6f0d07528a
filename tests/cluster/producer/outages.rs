//! The broker is killed, started and frozen under load: nothing is lost, nothing doubled, and the order holds.

use std::thread;
use std::time::Duration;

use rdkafka::admin::{NewTopic, TopicReplication};
use spindle::clock::Clock;
use spindle::produce::sink::{SendError, Sink};

use super::{acknowledged, beginning, kafka, keywords, read};
use crate::broker::own;
use crate::kafka::{PATIENCE, options, wait};

const PARTITIONS: i32 = 3;

#[test]
fn a_broker_that_is_killed_and_frozen_under_load_loses_and_doubles_nothing() {
    let Some(cluster) = own("sink-to-be-killed") else { return };
    let topic = NewTopic::new("t", PARTITIONS, TopicReplication::Fixed(1));
    wait(cluster.admin().create_topics([&topic], &options())).unwrap().remove(0).unwrap();
    // Given up while the broker is frozen: it then takes requests that were sent again meanwhile.
    let properties = [("socket.timeout.ms", "1000"), ("request.timeout.ms", "1000")];
    let kafka = kafka(&cluster.brokers, "t", &properties);
    let list = keywords([("a", Some(0)), ("b", Some(1)), ("c", Some(2))]);
    let sink = Sink::open(&kafka, &list, None).unwrap();
    let (mut sent, mut full, mut reports) = (0_u64, 0_u64, Vec::new());
    // Sends for a while, about 20,000 records a second, and never waits for room.
    let mut load = |lasts: Duration, reports: &mut Vec<_>| {
        let clock = Clock::start();
        while clock.monotonic() < lasts {
            for _ in 0..20 {
                match sink.send(sent, Some((sent % 3) as u16), format!("{sent}").as_bytes()) {
                    Ok(()) => sent += 1,
                    Err(SendError::Full) => full += 1,
                    Err(error) => panic!("{sent}: {error}"),
                }
            }
            sink.reports(reports);
            thread::park_timeout(Duration::from_millis(1));
        }
    };
    load(Duration::from_secs(1), &mut reports);
    cluster.run(&["broker", "stop"]);
    load(Duration::from_secs(2), &mut reports);
    let before = reports.len();
    load(Duration::from_secs(1), &mut reports);
    assert_eq!(reports.len(), before, "nobody acknowledges");
    assert!(sink.trouble().is_some() && sink.broken().is_none(), "{:?}", sink.trouble());
    cluster.run(&["broker", "start"]);
    load(Duration::from_secs(2), &mut reports);
    cluster.run(&["broker", "pause"]);
    load(Duration::from_secs(3), &mut reports);
    cluster.run(&["broker", "resume"]);
    load(Duration::from_secs(1), &mut reports);
    let clock = Clock::start();
    while (reports.len() as u64) < sent {
        sink.reports(&mut reports);
        assert!(clock.monotonic() < 2 * PATIENCE, "{} of {sent}; {:?}", reports.len(), sink.trouble());
        thread::park_timeout(Duration::from_millis(1));
    }
    assert!(full > 0, "the queue was full meanwhile");
    assert_eq!(sink.trouble(), None);
    let places = acknowledged(&reports);
    assert_eq!(places.len() as u64, sent);

    let (_, values) = read(&kafka, false, &beginning("t", PARTITIONS));
    assert_eq!(values.len() as u64, sent, "nothing is lost or doubled");
    let mut lanes = vec![Vec::new(); 3];
    values.iter().for_each(|value| {
        let number: u64 = value.parse().unwrap();
        lanes[(number % 3) as usize].push(number);
    });
    for (lane, numbers) in lanes.iter().enumerate() {
        assert!(numbers.is_sorted_by(|a, b| a < b), "partition {lane} is in order");
        for (offset, number) in numbers.iter().enumerate() {
            assert_eq!(places[number], (lane as i32, offset as i64), "it is where its report said");
        }
    }
    println!("{sent} records, {full} times no room");
}
