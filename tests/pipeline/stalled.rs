//! A driver that stalled for thousands of slides goes on in portions.

use spindle::driver::state::{CommitAnswer, Effect, Input, Settings, Start, State};
use spindle::ids::{CutNumber, Generation, Partition, Position, Session, Slot};
use spindle::wire::message::{Delta, Range, Reading, ToExecutor};

const SLIDES: i64 = 2_500;
const PORTION: usize = 1_000;

fn settings() -> Settings {
    Settings {
        attempt: 1,
        slide_ms: 1_000,
        length_ms: SLIDES * 1_000,
        top: 10,
        executors: 1,
        timeout_ms: 5_000,
        straggler_ms: 10_000,
        memory_bytes: 64 << 20,
        skip_lost: false,
        by_pattern: false,
        checkpoint: None,
        snapshots: None,
        report_slides: false,
        seed: 1,
    }
}

/// The window ends among these effects.
fn ends(effects: &[Effect]) -> Vec<i64> {
    let end = |effect: &Effect| match effect {
        Effect::Print(window) => Some(window.end_ms),
        _ => None,
    };
    effects.iter().filter_map(end).collect()
}

#[test]
fn ends_that_passed_close_in_portions_and_none_is_left_out() {
    let session = Session { slot: Slot(0), generation: Generation(0), connection: 1 };
    let partition = Partition { topic: "t".into(), number: 0 };
    let start =
        Start { partition: partition.clone(), position: Position::at(0), log_end: Some(0), earliest: false };
    let range = |cut| {
        let range = Range {
            partition: partition.clone(),
            from: 0,
            until: Position::at(0),
            log_end: Some(0),
            heard: None,
            reached_ms: None,
            reading: Reading::Following,
        };
        Input::Delta(
            session,
            Delta { cut: CutNumber(cut), ranges: vec![range], records: 0, unkeyed: Vec::new() },
        )
    };
    let mut state = State::new(settings(), 10_200);
    state.step(10_200, Input::Tick);
    state.step(10_200, Input::Opened { session, attempt: 1 });
    state.step(10_200, Input::Started { starts: vec![start], asked_ms: 10_200, resumed: None });
    state.step(10_200, Input::Committed(CommitAnswer::Taken));
    state.step(11_000, Input::Tick);
    assert_eq!(ends(&state.step(11_000, range(1))), [11_000]);

    let late_ms = 11_000 + SLIDES * 1_000;
    let cuts = state.step(late_ms, Input::Tick);
    assert!(cuts.iter().any(|effect| matches!(effect, Effect::Send(_, ToExecutor::Cut(_)))), "{cuts:?}");
    let mut seen = Vec::new();
    let mut effects = state.step(late_ms, range(2));
    while !ends(&effects).is_empty() {
        assert!(ends(&effects).len() <= PORTION, "{} at once", ends(&effects).len());
        seen.extend(ends(&effects));
        assert!(state.wake_ms() <= late_ms || seen.len() == SLIDES as usize, "the rest follows at once");
        effects = state.step(late_ms, Input::Tick);
    }
    assert_eq!(seen, (1..=SLIDES).map(|slide| 11_000 + slide * 1_000).collect::<Vec<_>>());
}
