//! The clock against wall clocks that drift and are set.

use super::*;

const fn at(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn a_wall_clock_stepped_back_slows_the_pace_by_a_hundredth_only() {
    let mut pace = Pace::start(1_000, at(1_000_000_000), at(0));
    let mut last = pace.now_ms(at(0));
    for second in 1..=100u64 {
        pace.correct(at(1_000_000_000 - 3_600_000 + second * 1_000), at(second * 1_000));
        let now = pace.now_ms(at(second * 1_000));
        assert_eq!(now - last, 990);
        last = now;
    }
}

#[test]
fn drift_is_worn_off_and_then_stays_off() {
    let mut pace = Pace::start(1_000, at(500), at(0));
    let left: Vec<_> = (1..=5u64).map(|s| pace.correct(at(525 + s * 1_000), at(s * 1_000)).left_ms).collect();
    assert_eq!(left, [15, 5, 0, 0, 0]);
}

#[test]
fn correcting_twice_at_one_instant_never_goes_back() {
    let mut pace = Pace::start(100, at(1_000), at(0));
    let before = pace.now_ms(at(0));
    pace.correct(at(0), at(0));
    assert_eq!(pace.now_ms(at(0)), before);
}

#[test]
fn until_is_the_time_left_on_the_monotonic_clock() {
    let pace = Pace::start(1_000, at(10_300), at(50));
    assert_eq!(pace.until(11_000, at(150)), at(600));
    assert_eq!(pace.until(10_000, at(150)), Duration::ZERO);
}

#[test]
fn a_clock_read_within_a_millisecond_makes_no_window_late() {
    let pace = Pace::start(1_000, Duration::from_micros(10_300_900), at(0));
    assert_eq!(pace.until(10_301, at(0)), Duration::from_micros(100));
    assert_eq!(pace.now_ms(Duration::from_micros(99)), 10_300);
    assert_eq!(pace.now_ms(Duration::from_micros(100)), 10_301);
}

const SECOND: u64 = 1_000;
const HOUR: u64 = 3_600 * SECOND;
const EPOCH: u64 = 1_000 * HOUR;

/// What each of these wall clocks, one a slide, comes to.
fn changes(
    pace: &mut Pace,
    slide_ms: u64,
    from: u64,
    walls: impl Iterator<Item = u64>,
) -> Vec<(u64, ClockChange)> {
    let read = (from..).zip(walls).filter_map(|(slide, wall)| {
        let correction = pace.correct(at(wall), at(slide * slide_ms));
        Some((slide, correction.change?))
    });
    read.collect()
}

#[test]
fn labels_follow_a_step_forward_after_three_readings_over_two_seconds() {
    let mut pace = Pace::start(1_000, at(EPOCH), at(0));
    let walls = (1..=10).map(|slide| EPOCH + slide * SECOND + if slide >= 4 { HOUR } else { 0 });
    let changes = changes(&mut pace, 1_000, 1, walls);
    let ClockChange::Forward { by_ms } = changes[0].1 else { panic!("{changes:?}") };
    assert_eq!((changes.len(), changes[0].0), (1, 6), "{changes:?}");
    // The two readings before have been taken for drift.
    assert_eq!(by_ms, HOUR.cast_signed() - 20);
    let (now, label) = (pace.now_ms(at(10 * SECOND)), pace.label_ms(at(10 * SECOND)));
    assert_eq!(label, (EPOCH + 10 * SECOND + HOUR).cast_signed());
    assert_eq!(label - now, by_ms, "time-outs do not see it");
}

#[test]
fn short_slides_need_two_seconds_of_readings_and_long_ones_three_readings() {
    let mut pace = Pace::start(10, at(EPOCH), at(0));
    let forward = |slide_ms: u64| (1..=1_000).map(move |slide| EPOCH + slide * slide_ms + 100 * HOUR);
    assert_eq!(changes(&mut pace, 10, 1, forward(10))[0].0, 201);
    let mut pace = Pace::start(60_000, at(EPOCH), at(0));
    assert_eq!(changes(&mut pace, 60_000, 1, forward(60_000))[0].0, 3);
}

#[test]
fn a_clock_that_is_set_forward_and_back_at_once_changes_nothing() {
    let mut pace = Pace::start(1_000, at(EPOCH), at(0));
    let walls = (1..=60).map(|slide| EPOCH + slide * SECOND + if slide % 3 == 0 { 0 } else { HOUR });
    assert_eq!(changes(&mut pace, 1_000, 1, walls), []);
    let mut pace = Pace::start(1_000, at(EPOCH), at(0));
    let walls = (1..=60).map(|slide| EPOCH + slide * SECOND + 2_000);
    assert_eq!(changes(&mut pace, 1_000, 1, walls), [], "two slides are drift");
}

#[test]
fn a_step_back_is_said_once_and_its_end_too() {
    let mut pace = Pace::start(1_000, at(EPOCH), at(0));
    let walls = (1..=1_000).map(|slide| EPOCH + slide * SECOND - 5_000);
    let changes = changes(&mut pace, 1_000, 1, walls);
    let [(3, ClockChange::Ahead { by_ms }), (ends, ClockChange::InStep)] = changes[..] else {
        panic!("{changes:?}");
    };
    assert_eq!(by_ms, 5_000 - 20, "two readings were taken for drift");
    // Three of five seconds give way by a hundredth.
    assert_eq!(ends, 301);
}

#[test]
fn a_driver_goes_on_from_an_end_that_is_far_ahead_and_waits_for_one_that_is_near() {
    let mut pace = Pace::start(1_000, at(EPOCH), at(0));
    let now = pace.now_ms(at(0));
    assert_eq!(pace.go_on_from(now + 2_000, at(0)), None);
    assert_eq!(pace.go_on_from(now - 2_000, at(0)), None);
    assert_eq!(pace.label_ms(at(0)), now);
    assert_eq!(pace.go_on_from(now + 2_001, at(0)), Some(2_001));
    assert_eq!((pace.now_ms(at(0)), pace.label_ms(at(0))), (now, now + 2_001));
    let walls = (1..=2).map(|slide| EPOCH + slide * SECOND);
    assert_eq!(changes(&mut pace, 1_000, 1, walls), [(2, ClockChange::InStep)]);
}

#[test]
fn own_time_never_goes_back_nor_jumps_with_long_slides() {
    for wall in [EPOCH + HOUR - 60 * SECOND, EPOCH + HOUR + 60 * SECOND] {
        let mut pace = Pace::start(3_600_000, at(EPOCH), at(0));
        let before = pace.now_ms(at(HOUR));
        pace.correct(at(wall), at(HOUR));
        let moved = pace.now_ms(at(HOUR + SECOND)) - before;
        assert!((990..=1_010).contains(&moved), "a second takes {moved} ms");
    }
}
