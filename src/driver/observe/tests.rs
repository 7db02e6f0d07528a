//! What is measured of windows that wait to be printed.

use super::*;
use crate::driver::state::Event;
use crate::sink::samples::window;

fn observer() -> Observer {
    let run = RunningAs { app: "local".to_owned(), app_dir: None, attempt: 1, http: String::new() };
    Observer::new(&Job::default(), run, 0)
}

#[test]
fn every_window_that_waits_in_the_console_is_measured_when_it_is_printed() {
    let mut observer = observer();
    for end_ms in 1..=300 {
        observer.offered(&window(end_ms, &[(1, "a")], 10), true, 0);
    }
    observer.offered(&window(301, &[(1, "a")], 10), false, 1);
    for end_ms in 1..=300 {
        observer.printed(end_ms, Duration::from_millis(1), Duration::ZERO, String::new());
    }
    let metrics = observer.metrics().encode();
    for line in ["spindle_windows_printed_total 300", "spindle_windows_skipped_total 1"] {
        assert!(metrics.contains(line), "{line} is missing in\n{metrics}");
    }
    assert!(observer.unprinted.is_empty(), "what is left out is not waited for");
}

#[test]
fn a_timestamp_in_seconds_makes_no_lag_of_decades() {
    let now_ms = 1_795_431_600_000;
    assert_eq!(age(Some(now_ms - 1_500), now_ms), Duration::from_millis(1_500));
    for reached_ms in [Some(now_ms / 1_000), Some(now_ms * 1_000), Some(now_ms + 1_500), None] {
        assert_eq!(age(reached_ms, now_ms), Duration::ZERO, "{reached_ms:?}");
    }
}

/// Its owner gives it up with the next cut, after the loss was told.
#[test]
fn a_partition_that_left_the_job_leaves_no_series_behind() {
    let mut observer = observer();
    let gone = Partition::new("t", 0);
    let session = Session { slot: Slot(0), generation: Generation(0), connection: 1 };
    let range = Range {
        partition: gone.clone(),
        from: 10,
        until: Position::at(10),
        log_end: Some(30),
        heard: None,
        reached_ms: None,
        reading: Reading::Gone("no such topic".to_owned()),
    };
    let delta =
        |cut| Delta { cut: CutNumber(cut), ranges: vec![range.clone()], records: 0, unkeyed: Vec::new() };
    observer.delta(session, &delta(2), 1_000, Duration::ZERO);
    observer.delta(session, &delta(3), 2_000, Duration::ZERO);
    observer.event(&Event::PartitionLeft(gone));
    let metrics = observer.metrics().encode();
    assert!(!metrics.contains(r#"topic="t""#), "{metrics}");
    assert_eq!(observer.lag().records, 0);
}
