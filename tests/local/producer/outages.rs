//! Kafka away, while the producer runs and when it is to end.

use super::*;

const ENDLESS: &str = "source: {synthetic: {rate: 1000}}";

/// The queue is full and the source waits: nothing is lost, nothing is doubled.
#[test]
fn an_outage_of_kafka_costs_nothing_but_time() {
    let place = Place::new();
    let mut producer = place.start(&[ENDLESS, KEYWORDS]);
    let scrape = Scrape::of(&mut producer);
    scrape.until("spindle_producer_acknowledged_total", 300);
    place.mock.cluster.broker_down(1).unwrap();
    scrape.until("spindle_producer_in_flight", 300);
    crate::process::until("trouble", crate::job::PATIENCE, || {
        scrape.get("/healthz").starts_with("HTTP/1.1 503")
    });
    place.mock.cluster.broker_up(1).unwrap();
    let acknowledged = scrape.value("spindle_producer_acknowledged_total");
    scrape.until("spindle_producer_acknowledged_total", acknowledged + 1_000);
    assert_eq!(stopped(&mut producer), 0, "{}", producer.seen);
    assert_balanced(&producer);
    assert_eq!(place.ids(), each_once(account(&producer, "received")));
}

#[test]
fn a_stop_during_an_outage_says_what_is_left_and_what_becomes_of_it() {
    for (cursor, code, fate) in
        [(true, 0, "they are read again at the next start"), (false, 1, "they are lost")]
    {
        let place = Place::new();
        let kept = if cursor { place.cursor() } else { "cursor: none".to_owned() };
        let mut producer = place.start(&[ENDLESS, KEYWORDS, &kept, "drain: 300ms"]);
        let scrape = Scrape::of(&mut producer);
        scrape.until("spindle_producer_acknowledged_total", 300);
        place.mock.cluster.broker_down(1).unwrap();
        scrape.until("spindle_producer_in_flight", 100);
        assert_eq!(stopped(&mut producer), code, "{}", producer.seen);
        assert_balanced(&producer);
        let left = producer.seen.lines.iter().find(|line| line.starts_with("left: ")).unwrap();
        assert!(left.contains(fate), "{left}");
        assert!(account(&producer, "in flight") > 0, "{}", producer.seen);
        if cursor {
            place.mock.cluster.broker_up(1).unwrap();
            let mut next = place.start(&[ENDLESS, KEYWORDS, &kept]);
            let scrape = Scrape::of(&mut next);
            scrape.until("spindle_producer_acknowledged_total", 500);
            assert_eq!(stopped(&mut next), 0, "{}", next.seen);
            let ids = place.ids();
            assert_eq!(ids, each_once(ids.len() as u64));
        }
    }
}

#[test]
fn kafka_that_cannot_be_reached_at_the_start_is_named() {
    let place = Place::new();
    let text = format!("{ENDLESS}\n{KEYWORDS}\nkafka: {{brokers: [\"127.0.0.1:1\"], topic: t}}");
    let file = place.file("producer.yaml", text);
    let mut producer = spindle(&["produce", file.to_str().unwrap()]);
    assert_eq!(producer.exit_code(), 1, "{}", producer.seen);
    assert_eq!(producer.seen.logs("127.0.0.1:1"), 1, "{}", producer.seen);
}
