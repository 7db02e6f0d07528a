//! Restarts, in steps too many for a scenario.

use super::*;

/// Slot 0 works and slot 1 has been ordered.
fn slots() -> Slots {
    let mut slots = Slots::new(2);
    slots.target(0);
    slots.opened(Slot(0), Generation(0), 0).unwrap();
    slots
}

/// The present generation of slot 1 fails; returns how long the next one waits, milliseconds.
fn fail(slots: &mut Slots, now_ms: Millis) -> Millis {
    slots.target(now_ms);
    let generation = slots.slots[&Slot(1)].generation;
    slots.failed(Slot(1), generation, now_ms, "killed");
    slots.target(now_ms);
    slots.next_change().unwrap() - now_ms
}

#[test]
fn back_off_doubles_up_to_its_longest_and_begins_anew_after_a_minute_of_work() {
    let mut slots = slots();
    let waits: Vec<_> = (1..=7).map(|n| fail(&mut slots, n * 40_000)).collect();
    assert_eq!(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    for (worked_ms, wait_ms) in [(59_999, 30_000), (60_000, 1_000), (0, 2_000)] {
        let now_ms = slots.next_change().unwrap();
        slots.target(now_ms);
        let generation = slots.slots[&Slot(1)].generation;
        slots.opened(Slot(1), generation, now_ms).unwrap();
        assert_eq!(fail(&mut slots, now_ms + worked_ms), wait_ms, "after {worked_ms} ms of work");
    }
}

#[test]
fn a_spent_budget_ends_nothing_while_one_works_and_is_full_again_after_an_hour() {
    let mut slots = slots();
    for n in 0..20 {
        assert_eq!(slots.failures_left(n * 40_000), 20 - u32::try_from(n).unwrap());
        fail(&mut slots, n * 40_000);
    }
    let last_ms = 19 * 40_000;
    assert_eq!(slots.given_up(1, last_ms), None);
    assert!(slots.given_up(0, last_ms).unwrap().contains("failed 20 times within an hour"));
    assert_eq!(slots.failures_left(BUDGET_WINDOW_MS - 1), 0);
    assert_eq!(slots.failures_left(BUDGET_WINDOW_MS), 1);
    assert_eq!(slots.failures_left(BUDGET_WINDOW_MS + last_ms), 20);
}

#[test]
fn a_stall_of_the_driver_counts_against_no_process_that_starts() {
    let mut slots = slots();
    slots.launched(Slot(1), Generation(0), 5_000);
    slots.forgive(7_000);
    assert_eq!(slots.never_opened(41_999), []);
    assert_eq!(slots.never_opened(42_000), [(Slot(1), Generation(0))]);
}

#[test]
fn a_lost_node_is_no_failure_of_its_executors() {
    let mut slots = slots();
    for n in 1..=3 {
        fail(&mut slots, n * 40_000);
    }
    slots.failed(Slot(0), Generation(0), 130_000, "silent");
    assert_eq!(slots.failures_left(130_000), 16);
    slots.excuse(Slot(0), Generation(0));
    slots.excuse(Slot(1), Generation(0));
    assert_eq!(slots.failures_left(130_000), 18, "those two and no others");
    let silent_again = |slots: &mut Slots, generation| {
        slots.target(200_000);
        slots.failed(Slot(0), Generation(generation), 200_000, "silent");
        slots.excuse(Slot(0), Generation(generation));
        slots.target(200_000);
        slots.next_change()
    };
    assert_eq!(
        (1..=5).map(|n| silent_again(&mut slots, n)).last(),
        Some(Some(201_000)),
        "no back-off grows of it"
    );
}
