//! Where a Jetstream goes on after each kind of end, and which gaps are seen.

use super::*;

const HOUR_US: u64 = 3_600_000_000;
const T: u64 = 1_795_946_400_000_000;
const REWIND_US: u64 = 10_000_000;

fn name(host: &str) -> Name {
    Name::from(host)
}

fn place(seq: Option<u64>, busy: bool) -> Place {
    Place::new(Some(Resume::Jetstream { host: name("a"), seq, time_us: T }), busy).unwrap()
}

fn resume(host: &str, seq: Option<u64>, time_us: u64) -> Resume {
    Resume::Jetstream { host: name(host), seq, time_us }
}

fn gap_ms(gone_on: &GoneOn) -> Option<(Millis, Millis)> {
    gone_on.gap.map(|gap| (gap.from_ms, gap.until_ms))
}

#[test]
fn a_number_is_sent_to_its_own_host_only() {
    let mut place = place(Some(7), true);
    assert_eq!(place.ask(&name("a"), Version::V2), Asked::Seq(7));
    assert_eq!(place.ask(&name("b"), Version::V2), Asked::Time(T - REWIND_US));
    assert_eq!(place.ask(&name("a"), Version::V1), Asked::Time(T - REWIND_US));
    assert_eq!(Place::new(None, true).unwrap().ask(&name("a"), Version::V2), Asked::Live);
    let mut v1 = self::place(None, true);
    assert_eq!(v1.ask(&name("a"), Version::V2), Asked::Time(T - REWIND_US));
}

#[test]
fn the_place_never_goes_back() {
    let mut place = place(Some(7), true);
    place.ask(&name("b"), Version::V2);
    let now = T + 1_000_000;
    let mut at = |seq, time_us| place.event(&name("b"), Some(seq), time_us, now).unwrap();
    // The rewound part is older than the place, but its numbers are those of another host.
    assert_eq!(at(100, T - REWIND_US), GoneOn { resume: resume("b", Some(100), T), gap: None });
    assert_eq!(at(102, T + 2).resume, resume("b", Some(102), T + 2));
    assert_eq!(at(101, T + 1).resume, resume("b", Some(102), T + 2), "out of order");
    assert_eq!(at(103, T + 3).resume, resume("b", Some(103), T + 3));
    let mut place = self::place(None, true);
    place.ask(&name("a"), Version::V1);
    for (time_us, last) in [(T - 5, T), (T + 5, T + 5), (T + 4, T + 5)] {
        assert_eq!(place.event(&name("a"), None, time_us, now).unwrap().resume, resume("a", None, last));
    }
}

#[test]
fn what_a_host_does_not_keep_is_a_gap_up_to_the_first_event() {
    // Version 2, number refused, then by time with notice.
    let mut place = place(Some(7), false);
    assert_eq!(place.ask(&name("a"), Version::V2), Asked::Seq(7));
    place.too_old();
    assert_eq!(place.ask(&name("a"), Version::V2), Asked::Time(T - REWIND_US));
    place.outdated();
    let first = place.event(&name("a"), Some(900), T + HOUR_US, T + 37 * HOUR_US).unwrap();
    assert_eq!(gap_ms(&first), Some((1_795_946_400_000, 1_795_950_000_000)));
    let second = place.event(&name("a"), Some(901), T + 2 * HOUR_US, T + 37 * HOUR_US).unwrap();
    assert_eq!(gap_ms(&second), None, "once");
    assert_eq!(place.ask(&name("a"), Version::V2), Asked::Seq(901), "its numbers are good again");
}

#[test]
fn a_silent_clamp_is_seen_by_the_time_of_the_first_event() {
    let first = |busy, first_us: u64, now_us: u64| {
        let mut place = place(None, busy);
        place.ask(&name("a"), Version::V1);
        gap_ms(&place.event(&name("a"), None, first_us, now_us).unwrap()).is_some()
    };
    for busy in [true, false] {
        assert!(!first(busy, T - REWIND_US, T + HOUR_US), "it is kept");
        assert!(!first(busy, T + 30_000_000, T + 37 * HOUR_US), "half a minute is no gap");
        assert!(first(busy, T + 2 * HOUR_US, T + 38 * HOUR_US), "older than what is kept");
    }
    // Everyone is never silent for an hour; a few accounts are.
    assert!(first(true, T + HOUR_US, T + 2 * HOUR_US));
    assert!(!first(false, T + HOUR_US, T + 2 * HOUR_US));
    // Without a place nothing is missing.
    let mut place = Place::new(None, true).unwrap();
    place.ask(&name("a"), Version::V1);
    place.outdated();
    assert_eq!(place.event(&name("a"), None, T, T).unwrap().gap, None);
}

#[test]
fn a_host_that_numbers_anew_is_asked_by_time() {
    let mut place = place(Some(5_000), true);
    assert_eq!(place.ask(&name("a"), Version::V2), Asked::Seq(5_000));
    assert_eq!(place.event(&name("a"), Some(12), T + HOUR_US, T + HOUR_US), Err(Renumbered));
    assert_eq!(place.ask(&name("a"), Version::V2), Asked::Time(T - REWIND_US));
    let first = place.event(&name("a"), Some(3), T - 5, T + HOUR_US).unwrap();
    assert_eq!(first, GoneOn { resume: resume("a", Some(3), T), gap: None }, "its old number is forgotten");
    assert_eq!(
        place.event(&name("a"), Some(4), T + 1, T + HOUR_US).unwrap().resume,
        resume("a", Some(4), T + 1)
    );
}

#[test]
fn a_time_far_ahead_does_not_spoil_the_place() {
    let mut place = place(Some(7), true);
    place.ask(&name("a"), Version::V2);
    let now = T + 1_000_000;
    let ahead = place.event(&name("a"), Some(7), T + 1_000 * HOUR_US, now).unwrap();
    assert_eq!(ahead.resume, resume("a", Some(7), now + 60_000_000));
}

#[test]
fn cursors_of_other_sources_are_refused() {
    let token = Resume::Token { text: "7".into(), time_ms: None };
    assert!(Place::new(Some(token), true).unwrap_err().to_string().contains("source.jetstream"));
}
