//! Records that a real broker refuses, in the middle of others.

use rdkafka::admin::{AlterConfig, ResourceSpecifier};
use spindle::produce::sink::{Outcome, SendError, Sink};
use spindle::random::Random;

use super::{acknowledged, beginning, failed, kafka, keywords, read, send, until};
use crate::kafka::{Topic, admin, brokers, options, wait};

pub(super) fn set(topic: &Topic, name: &str, value: &str) {
    let change = AlterConfig::new(ResourceSpecifier::Topic(&topic.name)).set(name, value);
    wait(admin().alter_configs([&change], &options())).unwrap().remove(0).unwrap();
}

/// Text that compression does not make smaller.
pub(super) fn noise(bytes: usize) -> String {
    let mut random = Random::with_seed(bytes as u64);
    (0..bytes).map(|_| char::from(b'!' + random.below(90) as u8)).collect()
}

#[test]
fn what_follows_a_record_that_is_too_large_goes_on_in_order() {
    let topic = Topic::create("too-large", 1);
    let properties = [("batch.num.messages", "1"), ("linger.ms", "0")];
    let kafka = kafka(&brokers(), &topic.name, &properties);
    let sink = Sink::open(&kafka, &keywords([]), None).unwrap();
    // Lowered behind its back: what it knew when it was opened, it would refuse itself.
    set(&topic, "max.message.bytes", "20000");
    let (large, mut reports) = (noise(30_000), Vec::new());
    for number in 0..200 {
        let json = if number % 50 == 25 { large.clone() } else { format!("{number}") };
        send(&sink, number, None, json.as_bytes(), &mut reports);
    }
    until(&sink, 200, &mut reports);
    assert_eq!(failed(&reports), [(25, false), (75, false), (125, false), (175, false)]);
    reports.retain(|report| matches!(report.outcome, Outcome::Acknowledged { .. }));
    let offsets: Vec<_> = acknowledged(&reports).into_values().map(|(_, offset)| offset).collect();
    assert_eq!(offsets, (0..196).collect::<Vec<_>>());
    let (_, values) = read(&kafka, false, &beginning(&topic.name, 1));
    let expected = (0..200).filter(|number| number % 50 != 25).map(|number| number.to_string());
    assert_eq!(values, expected.collect::<Vec<_>>(), "each once, in order");
    assert_eq!(sink.broken(), None);

    let knows = Sink::open(&kafka, &keywords([]), None).unwrap();
    let error = knows.send(0, None, large.as_bytes()).unwrap_err();
    assert!(matches!(error, SendError::Refused(_)), "{error}");
}

/// A broker that finds a record invalid refuses its batch, and says which one it was.
#[test]
fn records_that_only_share_a_batch_with_a_refused_one_are_sent_again() {
    let topic = Topic::create("innocent", 1);
    let kafka = kafka(&brokers(), &topic.name, &[("linger.ms", "300")]);
    let sink = Sink::open(&kafka, &keywords([("k", None)]), None).unwrap();
    // A compacted topic takes no null keys. Its settings reach the leader a moment later.
    set(&topic, "cleanup.policy", "compact");
    let mut reports = Vec::new();
    let mut probes = 0;
    while failed(&reports).is_empty() {
        assert!(probes < 100, "null keys are still taken");
        send(&sink, probes, None, b"probe", &mut reports);
        probes += 1;
        until(&sink, probes as usize, &mut reports);
    }
    reports.clear();
    for number in 1_000..1_100 {
        let keyword = (number % 10 != 3).then_some(0);
        send(&sink, number, keyword, number.to_string().as_bytes(), &mut reports);
    }
    until(&sink, 100, &mut reports);
    let refused: Vec<u64> =
        failed(&reports).into_iter().map(|(number, fatal)| number * u64::from(!fatal)).collect();
    assert_eq!(refused, (1_000..1_100).filter(|number| number % 10 == 3).collect::<Vec<_>>());
    reports.retain(|report| matches!(report.outcome, Outcome::Acknowledged { .. }));
    assert_eq!(acknowledged(&reports).len(), 90);
    let (_, values) = read(&kafka, false, &beginning(&topic.name, 1));
    let kept = values.into_iter().filter(|value| value != "probe");
    let expected = (1_000..1_100).filter(|number| number % 10 != 3).map(|number: i32| number.to_string());
    assert_eq!(kept.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

/// As many small records as fit, and one that is too large: together they are a batch that is refused without a word on
/// which record it was.
#[test]
fn a_record_that_is_too_large_does_not_take_its_batch_along() {
    let topic = Topic::create("too-large-batch", 1);
    let kafka = kafka(&brokers(), &topic.name, &[("linger.ms", "300")]);
    let sink = Sink::open(&kafka, &keywords([("k", None)]), None).unwrap();
    let (large, mut reports, mut sent) = (noise(25_000), Vec::new(), 0);
    set(&topic, "max.message.bytes", "20000");
    // The setting reaches the leader a moment later.
    while failed(&reports).is_empty() {
        assert!(sent < 100, "what is too large is still taken");
        reports.clear();
        for nth in 0..7 {
            let json = if nth == 3 { large.clone() } else { format!("{}", sent + nth) };
            send(&sink, sent + nth, Some(0), json.as_bytes(), &mut reports);
        }
        sent += 7;
        until(&sink, 7, &mut reports);
    }
    assert_eq!(failed(&reports), [(sent - 4, false)]);
    let (_, values) = read(&kafka, false, &beginning(&topic.name, 1));
    let kept = values.into_iter().filter(|value| *value != large);
    let expected = (0..sent).filter(|number| number % 7 != 3).map(|number| number.to_string());
    assert_eq!(kept.collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "each once");
}

/// The broker finds one record invalid.
#[test]
fn one_invalid_record_among_seven_does_not_take_the_others_along() {
    let topic = Topic::create("one-of-seven", 1);
    let kafka = kafka(&brokers(), &topic.name, &[("linger.ms", "300")]);
    let sink = Sink::open(&kafka, &keywords([("k", None)]), None).unwrap();
    set(&topic, "cleanup.policy", "compact");
    let (mut reports, mut sent) = (Vec::new(), 0);
    while failed(&reports).is_empty() {
        assert!(sent < 100, "null keys are still taken");
        reports.clear();
        for nth in 0..7 {
            let number = sent + nth;
            send(&sink, number, (nth != 3).then_some(0), number.to_string().as_bytes(), &mut reports);
        }
        sent += 7;
        until(&sink, 7, &mut reports);
    }
    assert_eq!(failed(&reports), [(sent - 4, false)]);
    reports.retain(|report| matches!(report.outcome, Outcome::Acknowledged { .. }));
    assert_eq!(acknowledged(&reports).len(), 6);
}
