//! `raw-substring` against vectors of the JDK, which `Vectors.java` beside them writes.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use super::*;

const FOLDS: &str = include_str!("../../../../tests/data/keywords/folds.txt");
const CONTAINS: &str = include_str!("../../../../tests/data/keywords/contains.txt");

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.starts_with('#'))
}

fn hex(text: &str) -> u16 {
    u16::from_str_radix(text, 16).unwrap()
}

/// What the JDK makes of each UTF-16 unit that it changes.
pub(super) fn folds() -> HashMap<u16, u16> {
    let pairs = lines(FOLDS).filter(|line| !line.contains('-'));
    pairs.map(|line| line.split_once(' ').map(|(from, to)| (hex(from), hex(to))).unwrap()).collect()
}

/// What the JDK's Unicode does not know.
fn unknown() -> Vec<RangeInclusive<u16>> {
    lines(FOLDS).filter_map(|line| line.split_once(" - ")).map(|(from, to)| hex(from)..=hex(to)).collect()
}

/// The vectors are all ASCII, anything else as `\uXXXX`.
fn unescaped(text: &str) -> String {
    let mut parts = text.split("\\u");
    let mut units: Vec<u16> = parts.next().unwrap().encode_utf16().collect();
    for part in parts {
        units.push(hex(&part[..4]));
        units.extend(part[4..].encode_utf16());
    }
    String::from_utf16(&units).unwrap()
}

#[test]
fn every_character_folds_as_in_java() {
    let (folds, unknown) = (folds(), unknown());
    let is_known = |unit: u16| !unknown.iter().any(|range| range.contains(&unit));
    let mut compared = 0;
    for unit in (0..=u16::MAX).filter(|unit| is_known(*unit)) {
        let Some(c) = char::from_u32(u32::from(unit)) else { continue };
        let mut folded = String::new();
        Fold::Java.append(&String::from(c), &mut folded);
        let folded: Vec<u16> = folded.encode_utf16().collect();
        // A newer Unicode may have given an old character another case.
        if folded.iter().all(|unit| is_known(*unit)) {
            assert_eq!(folded, [folds.get(&unit).copied().unwrap_or(unit)], "{unit:04x}");
            compared += 1;
        }
    }
    assert!(compared > 50_000, "{compared}");
    assert_eq!(
        folds.iter().filter(|(unit, folded)| **unit > 127 && **folded < 128).count(),
        4,
        "the four traps"
    );
}

#[test]
fn a_term_is_found_where_java_finds_it() {
    let mut compared = 0;
    for line in lines(CONTAINS) {
        let parts: Vec<&str> = line.splitn(3, ' ').collect();
        let (term, text) = (unescaped(parts[1]), unescaped(parts[2]));
        let mut keywords = keywords(Match::RawSubstring, &[&[&term]]).unwrap();
        assert_eq!(keywords.find_raw(text.as_bytes()).is_some(), parts[0] == "true", "{line}");
        compared += 1;
    }
    assert!(compared > 1_000, "{compared}");
}
