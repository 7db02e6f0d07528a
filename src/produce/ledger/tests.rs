//! The books by hand; `simulation` tries them between kills.

use std::time::Duration;

use tokio_util::bytes::Bytes;

use super::super::event::{Gap, Overlap, PostId};
use super::*;

mod simulation;

const NOW: Duration = Duration::ZERO;
const DEDUPE: Duration = Duration::from_secs(600);

fn rules(queue_posts: usize, when_full: WhenFull) -> Rules {
    Rules {
        queue_posts,
        flight_posts: 1_000,
        when_full,
        unmatched: Unmatched::NullKey,
        keywords: 2,
        transactions: false,
    }
}

fn ledger(rules: Rules) -> Ledger {
    Ledger::new(
        rules,
        Progress::new(Overlap::None, None, Ends::new()),
        Seen::new(DEDUPE, NOW),
        Recalled::default(),
    )
}

fn place(number: u64) -> Option<Resume> {
    Some(Resume::Token { text: number.to_string().into(), time_ms: None })
}

fn post(number: u64, keyword: Option<u16>) -> Event {
    let post =
        Post { json: Bytes::from_static(b"{}"), keyword, id: Some(PostId(number.into())), time_ms: None };
    Event { kind: Kind::Post(post), resume: place(number) }
}

fn other(number: u64, kind: Kind) -> Event {
    Event { kind, resume: place(number) }
}

fn stands_at(ledger: &Ledger) -> Option<u64> {
    match ledger.resume()? {
        Resume::Token { text, .. } => text.parse().ok(),
        _ => None,
    }
}

fn send_all(ledger: &mut Ledger) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some((number, _)) = ledger.next() {
        numbers.push(number);
        ledger.sent();
    }
    numbers
}

#[test]
fn the_cursor_follows_the_longest_run_of_acknowledged_posts() {
    let mut ledger = ledger(rules(10, WhenFull::Block));
    (0..4).for_each(|number| ledger.take(post(number, Some(0)), NOW));
    assert_eq!(send_all(&mut ledger), [0, 1, 2, 3]);
    assert_eq!(stands_at(&ledger), None);
    ledger.acknowledged(1, 0, Some(1));
    assert_eq!(stands_at(&ledger), None, "0 is open");
    ledger.acknowledged(0, 0, Some(0));
    assert_eq!(stands_at(&ledger), Some(1));
    assert_eq!(ledger.saved_ends(), Ends::from([(0, 2)]));
    ledger.acknowledged(3, 5, Some(9));
    assert_eq!(ledger.saved_ends(), Ends::from([(0, 2)]), "3 lies behind the cursor");
    ledger.failed(2);
    assert_eq!(stands_at(&ledger), Some(3), "a record that Kafka refused for good holds nothing back");
    assert_eq!(ledger.saved_ends(), Ends::from([(0, 2), (5, 10)]));
    assert_eq!(ledger.accounts().by_keyword, [3, 0, 0]);
}

#[test]
fn what_is_no_post_is_passed_together_with_what_stands_before_it() {
    let gap = Gap { from_ms: 1_000, until_ms: 4_500 };
    let mut ledger = ledger(rules(10, WhenFull::Block));
    ledger.take(other(0, Kind::Control), NOW);
    assert_eq!(stands_at(&ledger), Some(0), "nothing stands before it");
    ledger.take(post(1, None), NOW);
    ledger.take(other(2, Kind::Malformed(Malformed::TooLong)), NOW);
    assert_eq!(stands_at(&ledger), Some(0));
    send_all(&mut ledger);
    ledger.take(other(3, Kind::Gap(gap)), NOW);
    ledger.take(post(1, None), NOW);
    ledger.take(post(5, None), NOW);
    ledger.acknowledged(0, 0, Some(0));
    assert_eq!(stands_at(&ledger), Some(1), "the duplicate's place is kept by what is done, not by 5");
    let accounts = ledger.accounts();
    assert_eq!((accounts.control, accounts.malformed, accounts.too_long, accounts.duplicate), (1, 1, 1, 1));
    assert_eq!((accounts.gaps, accounts.gap_ms, accounts.unmatched), (1, 3_500, 2));
}

#[test]
fn a_full_queue_blocks_or_drops_as_it_should() {
    let mut blocking = ledger(rules(2, WhenFull::Block));
    blocking.take(post(0, None), NOW);
    assert!(blocking.has_room());
    blocking.take(post(1, None), NOW);
    assert!(!blocking.has_room());

    let filled = |when_full| {
        let mut ledger = ledger(rules(2, when_full));
        (0..5).for_each(|number| ledger.take(post(number, None), NOW));
        assert!(ledger.has_room());
        assert_eq!((ledger.queued(), ledger.accounts().dropped), (2, 3));
        ledger
    };
    let mut new = filled(WhenFull::DropNew);
    assert_eq!(stands_at(&new), None);
    send_all(&mut new);
    new.acknowledged(0, 0, Some(0));
    assert_eq!(stands_at(&new), Some(0));
    new.acknowledged(1, 0, Some(1));
    assert_eq!(stands_at(&new), Some(4), "what was dropped is done");

    let mut old = filled(WhenFull::DropOld);
    assert_eq!(stands_at(&old), Some(2), "3 and 4 wait");
    send_all(&mut old);
    old.acknowledged(0, 0, Some(0));
    assert_eq!(stands_at(&old), Some(3));
}

#[test]
fn the_queue_is_bounded_in_bytes() {
    let mut ledger = ledger(rules(1_000, WhenFull::Block));
    let long = Bytes::from(vec![b' '; QUEUE_BYTES_MAX]);
    let post = Post { json: long, keyword: None, id: None, time_ms: None };
    ledger.take(Event { kind: Kind::Post(post), resume: None }, NOW);
    assert!(!ledger.has_room());
    send_all(&mut ledger);
    assert!(ledger.has_room());
}

/// Old posts go until the new one finds a place, however large it is.
#[test]
fn a_queue_that_drops_old_posts_is_bounded_in_bytes() {
    let mut ledger = ledger(rules(1_000, WhenFull::DropOld));
    let third = Bytes::from(vec![b' '; QUEUE_BYTES_MAX / 3]);
    let large = Bytes::from(vec![b' '; QUEUE_BYTES_MAX]);
    for json in [third.clone(), third.clone(), large.clone(), third, large] {
        let post = Post { json, keyword: None, id: None, time_ms: None };
        ledger.take(Event { kind: Kind::Post(post), resume: None }, NOW);
        assert!(ledger.queue_bytes <= 2 * QUEUE_BYTES_MAX, "{}", ledger.queue_bytes);
    }
    let accounts = ledger.accounts();
    assert_eq!((ledger.queued(), accounts.received, accounts.queued()), (1 + 1, 5, 2));
}

/// Before anything of it is acknowledged: after a kill it is there where the stream began.
#[test]
fn the_first_event_of_a_stream_is_a_place_to_begin_at() {
    let at = |second: i64| Resume::Token { text: second.to_string().into(), time_ms: Some(second * 1_000) };
    let progress = Progress::new(Overlap::Ms(10_000), None, Ends::from([(0, 7)]));
    let mut ledger =
        Ledger::new(rules(10, WhenFull::Block), progress, Seen::new(DEDUPE, NOW), Recalled::default());
    let Event { kind, .. } = post(1, None);
    ledger.take(Event { kind, resume: Some(at(50)) }, NOW);
    let Event { kind, .. } = post(2, None);
    ledger.take(Event { kind, resume: Some(at(51)) }, NOW);
    assert_eq!((ledger.resume(), ledger.saved_ends()), (Some(&at(50)), Ends::from([(0, 7)])));
}

#[test]
fn a_post_is_in_the_topic_if_its_id_is_and_its_text() {
    let recalled = |by_id_alone| {
        let mut recalled = Recalled::new(by_id_alone);
        recalled.insert(PostId(1), b"another producer's post");
        recalled.insert(PostId(2), b"{}");
        recalled
    };
    for (by_id_alone, duplicates) in [(true, 2), (false, 1)] {
        let progress = Progress::new(Overlap::None, None, Ends::new());
        let rules = rules(10, WhenFull::Block);
        let mut ledger = Ledger::new(rules, progress, Seen::new(DEDUPE, NOW), recalled(by_id_alone));
        (1..=3).for_each(|number| ledger.take(post(number, None), NOW));
        assert_eq!(ledger.accounts().duplicate, duplicates, "{by_id_alone}");
        (1..=3).for_each(|number| ledger.take(post(number, None), NOW));
        assert_eq!(ledger.accounts().duplicate, duplicates + 3, "each came in this run");
    }
}

/// Else a start would read the topic from where the one before it began.
#[test]
fn ends_move_again_when_all_that_was_found_has_come() {
    let start = |found: &[u64]| {
        let mut recalled = Recalled::new(true);
        found.iter().for_each(|id| recalled.insert(PostId((*id).into()), b"{}"));
        let progress = Progress::new(Overlap::None, None, Ends::from([(0, 5)])).found(Ends::new(), 1_000);
        let mut ledger = Ledger::new(rules(10, WhenFull::Block), progress, Seen::new(DEDUPE, NOW), recalled);
        (1..=3).for_each(|number| ledger.take(post(number, None), NOW));
        send_all(&mut ledger);
        (0..3).for_each(|number| ledger.acknowledged(number, 0, Some(7 + i64::try_from(number).unwrap())));
        ledger
    };
    assert_eq!(start(&[1, 2]).saved_ends()[&0], 8);
    let mut waits = start(&[1, 2, 4]);
    assert_eq!(waits.saved_ends()[&0], 5, "4 is to come");
    waits.expect_no_more();
    waits.take(post(5, None), NOW);
    send_all(&mut waits);
    waits.acknowledged(1, 0, Some(9));
    assert_eq!(waits.saved_ends()[&0], 10);
}

#[test]
fn posts_behind_one_without_an_answer_are_bounded() {
    let mut ledger = ledger(Rules { flight_posts: 3, ..rules(10, WhenFull::Block) });
    (0..4).for_each(|number| ledger.take(post(number, None), NOW));
    assert_eq!(send_all(&mut ledger), [0, 1, 2]);
    (1..3).for_each(|number| ledger.acknowledged(number, 0, None));
    assert!(ledger.next().is_none(), "0 is open");
    ledger.acknowledged(0, 1, None);
    assert!(ledger.next().is_some());
}

#[test]
fn posts_that_nothing_names_are_counted_as_sent_again() {
    let mut ledger = ledger(rules(10, WhenFull::Block));
    ledger.expect_repeats(2);
    (0..3).for_each(|number| ledger.take(post(number, None), NOW));
    send_all(&mut ledger);
    assert_eq!(ledger.accounts().resent, 2);
}

#[test]
fn an_answer_counts_once() {
    let mut ledger = ledger(rules(10, WhenFull::Block));
    (0..2).for_each(|number| ledger.take(post(number, None), NOW));
    send_all(&mut ledger);
    for _ in 0..2 {
        ledger.acknowledged(1, 0, Some(1));
        ledger.failed(1);
        ledger.acknowledged(7, 0, Some(7));
    }
    assert_eq!((ledger.accounts().acknowledged, ledger.accounts().failed, ledger.in_flight()), (1, 0, 1));
}

#[test]
fn what_is_written_in_a_transaction_counts_when_that_is_committed() {
    let mut ledger = ledger(Rules { transactions: true, ..rules(10, WhenFull::Block) });
    (0..3).for_each(|number| ledger.take(post(number, None), NOW));
    send_all(&mut ledger);
    ledger.acknowledged(0, 0, Some(0));
    ledger.failed(1);
    assert!(!ledger.is_answered());
    ledger.acknowledged(2, 0, Some(1));
    assert!(ledger.is_answered());
    assert_eq!((stands_at(&ledger), ledger.in_flight()), (None, 2));
    ledger.committed();
    assert_eq!((stands_at(&ledger), ledger.in_flight()), (Some(2), 0));
    assert_eq!(ledger.saved_ends(), Ends::from([(0, 2)]));
}

#[test]
fn what_was_written_in_an_aborted_transaction_is_sent_again() {
    let mut ledger = ledger(Rules { transactions: true, ..rules(10, WhenFull::Block) });
    (0..4).for_each(|number| ledger.take(post(number, None), NOW));
    for _ in 0..3 {
        ledger.sent();
    }
    ledger.acknowledged(0, 0, Some(0));
    ledger.failed(1);
    ledger.aborted();
    assert!(!ledger.is_answered());
    assert_eq!(send_all(&mut ledger), [0, 2, 3], "1 is refused for good, 3 was never sent");
    [0, 2, 3].into_iter().for_each(|number| ledger.acknowledged(number, 0, Some(5)));
    ledger.committed();
    let accounts = ledger.accounts();
    assert_eq!((accounts.sent, accounts.acknowledged, accounts.failed), (4, 3, 1));
    assert_eq!(stands_at(&ledger), Some(3));
}

#[test]
fn posts_that_are_kept_are_bounded_in_bytes() {
    let mut ledger = ledger(Rules { transactions: true, ..rules(1_000, WhenFull::Block) });
    let half = Bytes::from(vec![b' '; FLIGHT_BYTES_MAX / 2]);
    for _ in 0..3 {
        let post = Post { json: half.clone(), keyword: None, id: None, time_ms: None };
        ledger.take(Event { kind: Kind::Post(post), resume: None }, NOW);
        send_all(&mut ledger);
    }
    assert_eq!((ledger.accounts().sent, ledger.queued()), (2, 1));
    (0..2).for_each(|number| ledger.acknowledged(number, 0, None));
    ledger.committed();
    assert_eq!(send_all(&mut ledger), [2]);
}
