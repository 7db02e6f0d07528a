//! Tables as a reader sees them, one after the other.

use super::*;
use crate::ids::Partition;
use crate::sink::samples::window;

#[test]
fn the_first_table_has_no_changes() {
    let table = Table::new("TweetsApp");
    insta::assert_snapshot!(
        table.format(&window(1_795_365_042_000, &[(20_123, "Bitcoin"), (10, "null"), (1, "ビット")], 10)),
        @r"
    TweetsApp  2026-11-22 16:30:42 UTC  total 20134  keys 3
     rank        count   share    change  key
        1        20123   99.9%            Bitcoin
        2           10    0.0%            (null)
        3            1    0.0%            ビット
    "
    );
}

#[test]
fn changes_are_against_the_window_shown_before() {
    let mut table = Table::new("TweetsApp");
    table.shown(&window(1_795_365_041_000, &[(10, "a"), (9, "b"), (8, "c")], 10));
    insta::assert_snapshot!(
        table.format(&window(1_795_365_042_000, &[(12, "a"), (9, "b"), (5, "d"), (3, "c"), (1, "e")], 4)),
        @r"
    TweetsApp  2026-11-22 16:30:42 UTC  total 30  keys 5
     rank        count   share    change  key
        1           12   40.0%        +2  a
        2            9   30.0%         =  b
        3            5   16.7%       new  d
        4            3   10.0%        -5  c
          and 1 more key
    "
    );
}

#[test]
fn a_window_that_is_not_the_whole_truth_says_why() {
    let mark = |behind_ms, unread: i32| {
        let mut window = window(0, &[], 10);
        window.complete = false;
        window.behind_ms = behind_ms;
        window.unread = (0..unread).map(|number| Partition::new("t", number)).collect();
        Table::new("A").format(&window).lines().nth(1).unwrap_or_default().to_owned()
    };
    assert_eq!(mark(3_260, 0), "! not complete: 3.2 s behind");
    assert_eq!(mark(0, 2), "! not complete: unread t/0 t/1");
    assert_eq!(
        mark(100, 10),
        "! not complete: 0.1 s behind, unread t/0 t/1 t/2 t/3 t/4 t/5 t/6 t/7 and 2 more"
    );
    assert_eq!(mark(0, 0), "! not complete; not every slide in it is whole");
}

#[test]
fn an_empty_window_is_its_head() {
    assert_eq!(
        Table::new("A\n").format(&window(0, &[], 10)),
        "A\\n  1970-01-01 00:00:00 UTC  total 0  keys 0\n\n"
    );
}

#[test]
fn endless_keys_are_cut_and_controls_escaped() {
    let long = "é".repeat(200);
    let text = Table::new("A").format(&window(0, &[(2, &long), (1, "x\ny")], 10));
    assert!(text.contains(&format!("  {}…\n", "é".repeat(120))), "{text}");
    assert!(text.contains("  x\\ny\n"), "{text}");
}
