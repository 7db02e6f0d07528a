//! The worked example of a real Spark run, with ties in our order: null first, then key bytes.

use super::*;
use crate::sink::samples::window;

#[test]
fn an_empty_window_is_a_header_and_an_empty_line() {
    assert_eq!(
        spark_text(&window(1_795_365_040_000, &[], 10)),
        "-------------------------------------------\n\
         Time: 1795365040000 ms\n\
         -------------------------------------------\n\
         \n"
    );
}

#[test]
fn few_keys_are_all_shown() {
    assert_eq!(
        spark_text(&window(
            1_795_365_042_000,
            &[(2, "Bitcoin"), (1, "null"), (1, "5G"), (1, "Blockchain"), (1, "IoT")],
            10
        )),
        "-------------------------------------------\n\
         Time: 1795365042000 ms\n\
         -------------------------------------------\n\
         (2,Bitcoin)\n\
         (1,null)\n\
         (1,5G)\n\
         (1,Blockchain)\n\
         (1,IoT)\n\
         \n"
    );
}

#[test]
fn more_keys_than_the_top_are_three_dots() {
    let mut keys = vec![(2, "Bitcoin"), (1, "null"), (1, "5G"), (1, "Blockchain"), (1, "IoT")];
    keys.extend(["k1", "k10", "k11", "k12", "k2", "k3", "k4"].map(|key| (1, key)));
    assert_eq!(
        spark_text(&window(1_795_365_043_000, &keys, 10)),
        "-------------------------------------------\n\
         Time: 1795365043000 ms\n\
         -------------------------------------------\n\
         (2,Bitcoin)\n\
         (1,null)\n\
         (1,5G)\n\
         (1,Blockchain)\n\
         (1,IoT)\n\
         (1,k1)\n\
         (1,k10)\n\
         (1,k11)\n\
         (1,k12)\n\
         (1,k2)\n\
         ...\n\
         \n"
    );
}

#[test]
fn exactly_the_top_has_no_dots() {
    assert!(!spark_text(&window(1_000, &[(2, "a"), (1, "b")], 2)).contains("..."));
    assert!(spark_text(&window(1_000, &[(2, "a"), (1, "b")], 1)).ends_with("(2,a)\n...\n\n"));
}

#[test]
fn a_key_cannot_forge_a_line() {
    let text = spark_text(&window(1_000, &[(1, "x)\n(99,y")], 10));
    assert!(text.ends_with("\n(1,x)\\n(99,y)\n\n"), "{text}");
}
