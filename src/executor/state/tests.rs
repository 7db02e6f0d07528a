//! The executor's state, order by order.

use super::*;
use crate::config::KeyRule;
use crate::source::ClientSettings;
use crate::wire::message::Reading;

fn welcome(cores: u32) -> Welcome {
    Welcome {
        client: ClientSettings { properties: Vec::new(), max_rate_per_partition: 0 },
        key: KeyRule::Record,
        cores,
        alive_ms: 1_000,
        orphan_ms: 20_000,
    }
}

fn state(cores: u32) -> State {
    State::new(&welcome(cores), 0)
}

fn partition(number: i32) -> Partition {
    Partition::new("t", number)
}

fn assign(state: &mut State, numbers: &[i32]) -> Vec<Effect> {
    let partitions = numbers.iter().map(|n| (partition(*n), Position::at(0))).collect();
    state.step(0, Input::Message(ToExecutor::Assign(partitions)))
}

fn cut(state: &mut State, number: u64, release: &[i32]) -> Vec<Effect> {
    let release = release.iter().map(|n| partition(*n)).collect();
    state.step(0, Input::Message(ToExecutor::Cut(Cut { number: CutNumber(number), release })))
}

fn range(number: i32, from: i64, until: i64) -> Range {
    Range {
        partition: partition(number),
        from,
        until: Position::at(until),
        log_end: None,
        heard: None,
        reached_ms: None,
        reading: Reading::Following,
    }
}

fn block(byte: u8) -> Block {
    Block { bucket_ms: 0, bytes: vec![byte] }
}

fn answer(state: &mut State, thread: usize, cut: u64, ranges: Vec<Range>, blocks: Vec<Block>) -> Vec<Effect> {
    let unkeyed = vec![("no header".to_owned(), 1)];
    let part = Part { ranges, records: blocks.len() as u64, blocks, unkeyed };
    state.step(0, Input::Answered { thread, cut: CutNumber(cut), part })
}

/// Effects in short: `0:assign 1,2`, `counts 7 [3]`, `delta 7: 0 1 2 records 3`.
fn short(effects: &[Effect]) -> Vec<String> {
    effects.iter().map(shortened).collect()
}

fn shortened(effect: &Effect) -> String {
    let join = |numbers: Vec<String>| numbers.join(",");
    match effect {
        Effect::Order(n, ReaderOrder::Assign(list)) => {
            format!("{n}:assign {}", join(list.iter().map(|(p, _)| p.number.to_string()).collect()))
        }
        Effect::Order(n, ReaderOrder::Cut { number, release }) if release.is_empty() => {
            format!("{n}:cut {number}")
        }
        Effect::Order(n, ReaderOrder::Cut { number, release }) => {
            let release = join(release.iter().map(|p| p.number.to_string()).collect());
            format!("{n}:cut {number} release {release}")
        }
        Effect::Send(ToDriver::Alive) => "alive".into(),
        Effect::Send(ToDriver::Hello(_)) => "hello".into(),
        Effect::Send(ToDriver::Counts(counts)) => format!("counts {} {:?}", counts.cut, counts.block),
        Effect::Send(ToDriver::Delta(delta)) => {
            let ranges = delta.ranges.iter().map(|range| range.partition.number.to_string()).collect();
            let unkeyed: u64 = delta.unkeyed.iter().map(|(_, records)| records).sum();
            format!("delta {}: {} records {} unkeyed {unkeyed}", delta.cut, join(ranges), delta.records)
        }
        Effect::Exit { code, reason } => format!("exit {code}: {reason}"),
    }
}

#[test]
fn partitions_are_spread_over_threads_fewest_first() {
    let mut state = state(2);
    assert_eq!(short(&assign(&mut state, &[0, 1, 2])), ["0:assign 0,2", "1:assign 1"]);
    assert_eq!(short(&assign(&mut state, &[3])), ["1:assign 3"]);
    assert_eq!(state.partitions(), 4);
}

#[test]
fn a_release_is_one_order_with_its_cut_in_the_owning_thread() {
    let mut state = state(2);
    assign(&mut state, &[0, 1, 2]);
    assert_eq!(short(&cut(&mut state, 5, &[1])), ["0:cut 5", "1:cut 5 release 1"]);
    assert_eq!(short(&assign(&mut state, &[7, 8])), ["1:assign 7,8"]);
}

#[test]
fn parts_in_any_order_make_deltas_in_the_order_of_cuts() {
    let mut state = state(2);
    assign(&mut state, &[0, 1, 2]);
    cut(&mut state, 5, &[]);
    cut(&mut state, 6, &[]);
    let ahead = answer(&mut state, 0, 5, vec![range(2, 0, 4), range(0, 0, 1)], vec![block(1)]);
    assert_eq!(short(&ahead), ["counts 5 [1]"]);
    let further = answer(&mut state, 0, 6, vec![range(0, 1, 1), range(2, 4, 4)], vec![]);
    assert_eq!(short(&further), [""; 0]);
    let whole = answer(&mut state, 1, 5, vec![range(1, 0, 9)], vec![block(2), block(3)]);
    assert_eq!(short(&whole), ["counts 5 [2]", "counts 5 [3]", "delta 5: 0,1,2 records 3 unkeyed 2"]);
    let next = answer(&mut state, 1, 6, vec![range(1, 9, 9)], vec![]);
    assert_eq!(short(&next), ["delta 6: 0,1,2 records 0 unkeyed 2"]);
}

#[test]
fn early_counts_are_tagged_with_the_cut_after_the_threads_last_answer() {
    let mut state = state(2);
    assign(&mut state, &[0, 1]);
    assert_eq!(short(&state.step(0, Input::Spilled { thread: 0, block: block(1) })), [""; 0]);
    assert_eq!(short(&cut(&mut state, 5, &[])), ["counts 5 [1]", "0:cut 5", "1:cut 5"]);
    answer(&mut state, 0, 5, vec![range(0, 0, 1)], vec![]);
    assert_eq!(short(&state.step(0, Input::Spilled { thread: 0, block: block(2) })), ["counts 6 [2]"]);
    assert_eq!(short(&state.step(0, Input::Spilled { thread: 1, block: block(3) })), ["counts 5 [3]"]);
}

#[test]
fn a_part_that_is_not_owed_ends_the_process() {
    for (thread, number) in [(0, 4), (0, 6), (2, 5)] {
        let mut state = state(2);
        cut(&mut state, 5, &[]);
        cut(&mut state, 6, &[]);
        let effects = answer(&mut state, thread, number, vec![], vec![]);
        assert!(short(&effects)[0].starts_with("exit 12: "), "{effects:?}");
        assert_eq!(short(&state.step(1_000, Input::Tick)), [""; 0]);
    }
}

#[test]
fn a_thread_leaves_no_cut_out() {
    let mut state = state(1);
    (5..=7).for_each(|number| drop(cut(&mut state, number, &[])));
    assert_eq!(short(&answer(&mut state, 0, 5, vec![], vec![])), ["delta 5:  records 0 unkeyed 1"]);
    let gap = answer(&mut state, 0, 7, vec![], vec![]);
    assert_eq!(short(&gap), ["exit 12: reading thread 0 answered cut 7, which it does not owe"]);
}

#[test]
fn a_driver_that_breaks_the_protocol_is_left() {
    let mut twice = state(1);
    assign(&mut twice, &[0]);
    assert!(short(&assign(&mut twice, &[0]))[0].starts_with("exit 11: "));
    let mut gap = state(1);
    cut(&mut gap, 5, &[]);
    assert!(short(&cut(&mut gap, 7, &[]))[0].starts_with("exit 11: "));
    let mut foreign = state(1);
    assert!(short(&cut(&mut foreign, 5, &[3]))[0].starts_with("exit 11: "));
    let second = state(1).step(0, Input::Message(ToExecutor::Welcome(Box::new(welcome(1)))));
    assert_eq!(short(&second), ["exit 11: the driver broke the protocol: a second welcome"]);
}

#[test]
fn it_says_that_it_lives_and_ends_when_the_driver_does_not() {
    let mut state = state(1);
    assert_eq!(state.wake_ms(), 1_000);
    assert_eq!(short(&state.step(999, Input::Tick)), [""; 0]);
    assert_eq!(short(&state.step(1_000, Input::Tick)), ["alive"]);
    assert_eq!(state.wake_ms(), 2_000);
    state.step(5_000, Input::Message(ToExecutor::Alive));
    assert_eq!(short(&state.step(24_999, Input::Tick)), ["alive"]);
    assert_eq!(state.wake_ms(), 25_000);
    let end = ["exit 10: nothing was heard from the driver for 20000 ms"];
    assert_eq!(short(&state.step(25_000, Input::Tick)), end);
}

#[test]
fn end_and_a_lost_link_end_the_process() {
    let end = state(1).step(0, Input::Message(ToExecutor::End { reason: "surplus".into() }));
    assert_eq!(short(&end), ["exit 11: the driver ended the session: surplus"]);
    let closed = state(1).step(0, Input::Closed { reason: "reset".into() });
    assert_eq!(short(&closed), ["exit 10: the link to the driver is gone: reset"]);
    let failed = state(1).step(0, Input::Failed { thread: 0, reason: "fetch".into() });
    assert_eq!(short(&failed), ["exit 12: reading thread 0 failed: fetch"]);
}
