//! How a producer ends, and how its successor goes on.

use super::*;

const ENDLESS: &str = "source: {synthetic: {rate: 2000}}";

#[test]
fn a_stop_brings_to_kafka_what_was_read() {
    for signal in [Signal::INT, Signal::TERM] {
        let place = Place::new();
        let mut producer = place.start(&[ENDLESS, KEYWORDS]);
        let scrape = Scrape::of(&mut producer);
        scrape.until("spindle_producer_acknowledged_total", 500);
        assert!(scrape.get("/healthz").starts_with("HTTP/1.1 200"));
        producer.signal(signal);
        assert_eq!(producer.exit_code(), 0, "{}", producer.seen);
        assert_balanced(&producer);
        assert_eq!(place.ids(), each_once(account(&producer, "acknowledged")));
        assert_eq!(account(&producer, "received"), account(&producer, "acknowledged"));
    }
}

#[test]
fn a_second_producer_on_a_cursor_is_refused_with_the_name_of_the_first() {
    let place = Place::new();
    let cursor = place.cursor();
    let mut first = place.start(&[ENDLESS, KEYWORDS, &cursor]);
    Scrape::of(&mut first);
    let mut second = place.start(&[ENDLESS, KEYWORDS, &cursor]);
    assert_eq!(second.exit_code(), 20, "{}", second.seen);
    let pid = format!("pid {}", first.pid().as_raw_nonzero());
    assert_eq!(second.seen.logs(&pid), 1, "{}", second.seen);
    assert_eq!(stopped(&mut first), 0, "{}", first.seen);
}

/// Kills at any moment, also before the first cursor is saved.
#[test]
fn posts_with_ids_are_there_once_after_kills() {
    let place = Place::new();
    let cursor = place.cursor();
    let source = "source: {synthetic: {rate: 5000, posts: 6000}}";
    for round in 0..4 {
        let mut producer = place.start(&[source, KEYWORDS, &cursor]);
        let scrape = Scrape::of(&mut producer);
        scrape.until("spindle_producer_sent_total", 200 + 150 * round);
        producer.signal(Signal::KILL);
        assert_eq!(producer.exit_code(), -9);
    }
    let mut last = place.start(&[source, KEYWORDS, &cursor]);
    assert_eq!(last.exit_code(), 0, "{}", last.seen);
    assert_balanced(&last);
    assert_eq!(place.ids(), each_once(6_000));
}

/// Everything that was taken out of the pipe: what is left in there is the writer's.
#[test]
fn a_stop_loses_nothing_of_what_was_read_from_a_pipe() {
    let place = Place::new();
    let brokers = place.mock.cluster.bootstrap_servers();
    let text =
        format!("source: {{stdin: {{id: /id}}}}\n{KEYWORDS}\nkafka: {{brokers: [{brokers:?}], topic: t}}");
    let file = place.file("producer.yaml", text);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_spindle"));
    command.arg("produce").arg(file);
    let (reader, writer) = std::io::pipe().unwrap();
    let mut producer = crate::job::start_reading(command, reader.into());
    let fill = std::thread::spawn(move || {
        let mut pipe = writer;
        let mut written = 0_u64;
        while writeln!(pipe, "{{\"id\":{},\"text\":\"{:050}\"}}", written + 1, 0).is_ok() {
            written += 1;
        }
        written
    });
    let scrape = Scrape::of(&mut producer);
    scrape.until("spindle_producer_acknowledged_total", 2_000);
    assert_eq!(stopped(&mut producer), 0, "{}", producer.seen);
    assert_balanced(&producer);
    let received = account(&producer, "received");
    assert_eq!(place.ids(), each_once(received));
    // A pipe holds 64 KiB (pipe(7)), and one line may be half in it.
    let line_bytes = 22 + 50;
    let in_pipe = (64 << 10) / line_bytes + 1;
    let written = fill.join().unwrap();
    assert!(written - received <= in_pipe, "{written} written, {received} received");
}

/// A broker that takes connections and says nothing.
#[test]
fn a_stop_during_the_start_is_obeyed() {
    let place = Place::new();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let text = format!("{ENDLESS}\n{KEYWORDS}\nkafka: {{brokers: [\"{address}\"], topic: t}}");
    let file = place.file("producer.yaml", text);
    let mut producer = spindle(&["produce", file.to_str().unwrap()]);
    let _connection = silent.accept().unwrap();
    let clock = spindle::clock::Clock::start();
    assert_eq!(stopped(&mut producer), 0, "{}", producer.seen);
    assert!(clock.monotonic() < crate::job::STOP, "{:?}", clock.monotonic());
    assert!(
        producer.seen.lines.iter().any(|line| line == "stopped before anything was read"),
        "{}",
        producer.seen
    );
}
