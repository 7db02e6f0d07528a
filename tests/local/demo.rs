//! The demo: nothing installed, and a last line that convinces.

use crate::job::spindle;

/// Twelve windows, because an executor is killed after the tenth.
#[test]
fn the_demo_kills_an_executor_and_balances_its_books() {
    let mut demo = spindle(&["demo", "--windows", "12", "--port", "0"]);
    assert_eq!(demo.exit_code(), 0, "{}", demo.seen);
    let last = demo.seen.lines.last().unwrap();
    let words: Vec<_> = last.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    let [
        "produced",
        produced,
        "=",
        "counted",
        counted,
        "missed",
        "0",
        "doubled",
        "0",
        "1",
        "executor",
        "killed",
        ..,
    ] = words.as_slice()
    else {
        panic!("{last}")
    };
    assert_eq!(produced, counted);
    assert!(produced.parse::<u64>().unwrap() > 5_000, "{last}");
    let windows = demo.seen.lines.iter().filter(|line| line.starts_with("Time: ")).count();
    assert!(windows >= 12, "{windows}");
    assert_eq!(demo.seen.logs("killed an executor"), 1, "{}", demo.seen);
}

#[test]
fn a_short_demo_is_exact_as_well() {
    let mut demo = spindle(&["demo", "--windows", "3", "--rate", "5000", "--port", "0"]);
    assert_eq!(demo.exit_code(), 0, "{}", demo.seen);
    let last = demo.seen.lines.last().unwrap();
    assert!(last.contains("missed 0, doubled 0, 0 executors killed, slowest window"), "{last}");
}

/// Every way out leads to a closed port of this machine.
#[test]
fn without_a_network_live_posts_give_way_to_synthetic_ones() {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_spindle"));
    command.args(["demo", "--live", "bitcoin,5g", "--windows", "4", "--port", "0"]);
    command.env("HTTPS_PROXY", "http://127.0.0.1:1").env("ALL_PROXY", "http://127.0.0.1:1");
    let mut demo = crate::job::start(command);
    assert_eq!(demo.exit_code(), 0, "{}", demo.seen);
    assert_eq!(demo.seen.logs("going on with synthetic posts"), 1, "{}", demo.seen);
    let last = demo.seen.lines.last().unwrap();
    assert!(last.contains("missed 0, doubled 0"), "{last}");
}
