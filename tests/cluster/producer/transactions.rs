//! Transactions in a real Kafka: what a killed producer left open is aborted, and a paused one is fenced.

use std::thread;
use std::time::Duration;

use rdkafka::admin::{NewTopic, TopicReplication};
use spindle::clock::Clock;
use spindle::produce::recall::recall;
use spindle::produce::sink::{Outcome, Report, SendError, Sink, TransactionError};

use super::sink::{noise, set};
use super::{acknowledged, beginning, kafka, keywords, read, send, until};
use crate::broker::own;
use crate::kafka::{PATIENCE, Topic, brokers, options, wait};

fn open(topic: &str, brokers: &str, properties: &[(&str, &str)]) -> Sink {
    let kafka = kafka(brokers, topic, properties);
    Sink::open(&kafka, &keywords([("k", None)]), Some(topic)).unwrap()
}

/// Sends these numbers, their values too, and waits until they are acknowledged.
fn write(sink: &Sink, numbers: std::ops::Range<u64>) {
    let mut reports = Vec::new();
    for number in numbers.clone() {
        send(sink, number, Some(0), number.to_string().as_bytes(), &mut reports);
    }
    until(sink, numbers.count(), &mut reports);
    acknowledged(&reports);
}

fn names(numbers: std::ops::Range<u64>) -> Vec<String> {
    numbers.map(|number| number.to_string()).collect()
}

#[test]
fn what_a_killed_producer_left_open_is_aborted_by_the_next_one() {
    let topic = Topic::create("killed", 1);
    let kafka = kafka(&brokers(), &topic.name, &[]);
    let first = open(&topic.name, &brokers(), &[]);
    first.begin().unwrap();
    write(&first, 0..10);
    first.commit(PATIENCE).unwrap();
    let ends = first.ends().unwrap();
    first.begin().unwrap();
    write(&first, 10..15);
    // It commits nothing more.
    drop(first);

    let second = open(&topic.name, &brokers(), &[]);
    let (recalled, values) = read(&kafka, true, &beginning(&topic.name, 1));
    assert_eq!(values, names(0..10));
    // Ten records, a commit's mark, five records, an abort's mark: the end is behind all of it.
    assert_eq!(recalled.lanes[0].until, 17);
    assert_eq!(read(&kafka, false, &beginning(&topic.name, 1)).1, names(0..15));
    second.begin().unwrap();
    write(&second, 20..23);
    second.commit(PATIENCE).unwrap();
    assert_eq!(read(&kafka, true, &ends).1, names(20..23));
}

#[test]
fn a_producer_that_was_replaced_is_fenced() {
    let topic = Topic::create("fenced", 1);
    let first = open(&topic.name, &brokers(), &[]);
    first.begin().unwrap();
    write(&first, 0..5);
    let second = open(&topic.name, &brokers(), &[]);
    let _ = first.send(5, Some(0), b"late");
    let error = first.commit(PATIENCE).unwrap_err();
    assert!(matches!(&error, TransactionError::Fatal(why) if why.contains("another producer")), "{error}");
    assert!(first.broken().is_some_and(|why| why.contains("another producer")), "{:?}", first.broken());
    let error = first.send(6, Some(0), b"late").unwrap_err();
    assert!(matches!(error, SendError::Full | SendError::Broken(_)), "{error}");
    second.begin().unwrap();
    write(&second, 0..5);
    second.commit(PATIENCE).unwrap();
    let kafka = kafka(&brokers(), &topic.name, &[]);
    assert_eq!(read(&kafka, true, &beginning(&topic.name, 1)).1, names(0..5));
}

#[test]
fn an_aborted_transaction_is_sent_again_in_the_next_one() {
    let topic = Topic::create("aborted", 1);
    let sink = open(&topic.name, &brokers(), &[]);
    let kafka = kafka(&brokers(), &topic.name, &[]);
    for round in 0..3 {
        sink.begin().unwrap();
        write(&sink, 0..20);
        // Some are still under way.
        for number in 20..2_000 {
            sink.send(number, Some(0), number.to_string().as_bytes()).unwrap();
        }
        sink.abort(PATIENCE).unwrap();
        let mut late = Vec::new();
        sink.reports(&mut late);
        acknowledged(&late);
        sink.begin().unwrap();
        write(&sink, round * 100..round * 100 + 100);
        sink.commit(PATIENCE).unwrap();
    }
    assert_eq!(read(&kafka, true, &beginning(&topic.name, 1)).1, names(0..300));
}

#[test]
fn a_commit_that_meets_a_broker_restart_is_made_again_and_done_once() {
    let Some(cluster) = own("sink-to-commit") else { return };
    let topic = NewTopic::new("t", 1, TopicReplication::Fixed(1));
    wait(cluster.admin().create_topics([&topic], &options())).unwrap().remove(0).unwrap();
    let sink = open("t", &cluster.brokers, &[]);
    let kafka = kafka(&cluster.brokers, "t", &[]);
    for round in 0..2 {
        sink.begin().unwrap();
        let first = round * 100;
        write(&sink, first..first + 50);
        cluster.run(&["broker", "stop"]);
        // In the second round acknowledgements are missing, too.
        let more = first + 50..first + 50 + round * 50;
        for number in more.clone() {
            sink.send(number, Some(0), number.to_string().as_bytes()).unwrap();
        }
        let error = sink.commit(Duration::from_millis(500)).unwrap_err();
        assert!(matches!(error, TransactionError::Unfinished(_)), "{error}");
        cluster.run(&["broker", "start"]);
        while let Err(error) = sink.commit(PATIENCE) {
            assert!(matches!(error, TransactionError::Unfinished(_)), "{error}");
        }
        let mut reports = Vec::new();
        sink.reports(&mut reports);
        assert_eq!(acknowledged(&reports).len(), more.count());
    }
    let expected = [names(0..50), names(100..200)].concat();
    assert_eq!(read(&kafka, true, &beginning("t", 1)).1, expected);
}

/// As after an outage that lasts longer than `transaction.timeout.ms`.
#[test]
fn a_transaction_that_was_open_for_too_long_ends_the_sink_with_a_reason() {
    let topic = Topic::create("too-long", 1);
    let properties = [("transaction.timeout.ms", "1500"), ("socket.timeout.ms", "1500")];
    let sink = open(&topic.name, &brokers(), &properties);
    let kafka = kafka(&brokers(), &topic.name, &[]);
    sink.begin().unwrap();
    write(&sink, 0..5);
    // The coordinator looks every 10 s; its abort moves what can be read behind the five records and its mark.
    let clock = Clock::start();
    while read(&kafka, true, &beginning(&topic.name, 1)).0.lanes[0].until < 6 {
        assert!(clock.monotonic() < PATIENCE, "the coordinator does not abort it");
    }
    let error = sink.commit(PATIENCE).unwrap_err();
    assert!(
        matches!(&error, TransactionError::Fatal(why) if why.contains("transaction.timeout.ms")),
        "{error}"
    );
}

/// Committed records behind the beginning of an open transaction cannot be read before that ends, whose ever it is.
#[test]
fn a_strangers_open_transaction_is_waited_for_and_hides_nothing() {
    let topic = Topic::create("hidden", 1);
    let kafka = kafka(&brokers(), &topic.name, &[]);
    let sink = open(&topic.name, &brokers(), &[]);
    let stranger = Sink::open(&kafka, &keywords([("k", None)]), Some(&format!("{}-x", topic.name))).unwrap();
    stranger.begin().unwrap();
    write(&stranger, 100..101);
    sink.begin().unwrap();
    write(&sink, 0..5);
    sink.commit(PATIENCE).unwrap();
    let from = beginning(&topic.name, 1);
    let error = recall(&kafka, true, &from, Duration::from_secs(1), |_, _, _, _| {}).unwrap_err().to_string();
    assert!(error.contains(&format!("{}/0", topic.name)) && error.contains("kafka-transactions"), "{error}");
    let values = thread::scope(|scope| {
        let reader = scope.spawn(|| read(&kafka, true, &from).1);
        // Long enough for the reader to have looked, if it does not wait; nothing depends on it otherwise.
        thread::park_timeout(Duration::from_millis(500));
        stranger.abort(PATIENCE).unwrap();
        reader.join().unwrap()
    });
    assert_eq!(values, names(0..5));
}

/// As the run loop does it: what is not refused for good is sent again in the next transaction.
#[test]
fn a_transaction_with_a_record_that_is_too_large_arrives_without_it() {
    let topic = Topic::create("large-in-transaction", 1);
    let sink = open(&topic.name, &brokers(), &[("linger.ms", "300")]);
    set(&topic, "max.message.bytes", "20000");
    let large = noise(25_000);
    let mut rounds = 0;
    loop {
        rounds += 1;
        assert!(rounds < 20, "what is too large is still taken");
        let first = rounds * 10;
        let refused = deliver(&sink, first..first + 4, first + 3, large.as_bytes());
        if !refused.is_empty() {
            assert_eq!(refused, [first + 3]);
            break;
        }
    }
    let kafka = kafka(&brokers(), &topic.name, &[]);
    let (_, values) = read(&kafka, true, &beginning(&topic.name, 1));
    let kept = values.into_iter().filter(|value| *value != large).collect::<Vec<_>>();
    let expected: Vec<_> = (1..=rounds).flat_map(|round| names(round * 10..round * 10 + 3)).collect();
    assert_eq!(kept, expected, "each once");
}

/// Sends these numbers in as many transactions as it takes; `odd` has this value. Returns what was refused.
fn deliver(sink: &Sink, numbers: std::ops::Range<u64>, odd: u64, value: &[u8]) -> Vec<u64> {
    let mut left: Vec<u64> = numbers.collect();
    let mut refused = Vec::new();
    for _ in 0..10 {
        sink.begin().unwrap();
        let mut reports = Vec::new();
        send_all(sink, &left, odd, value, &mut reports);
        let committed = sink.must_abort().is_none() && sink.commit(PATIENCE).is_ok();
        if !committed {
            sink.abort(PATIENCE).unwrap();
        }
        sink.reports(&mut reports);
        for Report { number, outcome } in reports {
            if let Outcome::Failed { fatal, reason } = outcome {
                assert!(!fatal, "{reason}");
                refused.push(number);
            }
        }
        if committed {
            return refused;
        }
        left.retain(|number| !refused.contains(number));
    }
    panic!("not done");
}

/// Returns when all are answered, or the transaction is given up.
fn send_all(sink: &Sink, numbers: &[u64], odd: u64, value: &[u8], reports: &mut Vec<Report>) {
    let (clock, mut waiting) = (Clock::start(), numbers.iter().copied().peekable());
    while sink.must_abort().is_none() && reports.len() < numbers.len() {
        if let Some(number) = waiting.peek().copied() {
            let plain = number.to_string();
            let sent = sink.send(number, Some(0), if number == odd { value } else { plain.as_bytes() });
            if sent.is_ok() {
                waiting.next();
                continue;
            }
            assert_eq!(sent, Err(SendError::Full));
        }
        sink.reports(reports);
        assert!(clock.monotonic() < PATIENCE, "{reports:?}");
        thread::park_timeout(Duration::from_millis(1));
    }
}
