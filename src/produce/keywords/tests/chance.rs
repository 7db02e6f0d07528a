//! Chance lists and texts, against oracles that search one term after the other at one place after the other.

use std::collections::HashMap;

use super::java::folds;
use super::*;
use crate::random::Random;

/// The first keyword of which a term is found, one after the other.
fn first(list: &[Vec<String>], finds: impl Fn(&str) -> bool) -> Option<u16> {
    let found = list.iter().position(|terms| terms.iter().any(|term| finds(term)));
    found.map(|index| u16::try_from(index).unwrap())
}

/// One to four keywords of one or two terms. `None` if they are refused because a term comes twice.
fn chance_list(
    how: Match,
    random: &mut Random,
    term: impl Fn(&mut Random) -> String,
) -> Option<(Keywords, Vec<Vec<String>>)> {
    let list: Vec<Vec<String>> =
        (0..=random.below(4)).map(|_| (0..=random.below(2)).map(|_| term(random)).collect()).collect();
    let keywords: Vec<Keyword> = list.iter().map(|terms| Keyword { terms: terms.clone() }).collect();
    Some((Keywords::new(how, &keywords).ok()?, list))
}

/// Java's rule, UTF-16 unit by unit, by the folds that the JDK wrote.
fn java_contains(folds: &HashMap<u16, u16>, text: &str, term: &str) -> bool {
    let units = |text: &str| -> Vec<u16> {
        text.encode_utf16().map(|unit| folds.get(&unit).copied().unwrap_or(unit)).collect()
    };
    let (text, term) = (units(text), units(term));
    (0..text.len()).any(|from| text[from..].starts_with(&term))
}

#[test]
fn chance_texts_have_the_raw_substrings_that_java_finds() {
    const ALPHABET: [&str; 24] = [
        "i", "I", "İ", "ı", "k", "K", "\u{212a}", "s", "S", "ſ", "ß", "µ", "Μ", "μ", "σ", "ς", "Σ", "ᾀ", "ᾈ",
        "\"", " ", "😀", "𐐀", "𐐨",
    ];
    let folds = folds();
    let chars = |random: &mut Random, length: usize| -> String {
        (0..length).map(|_| ALPHABET[random.below(ALPHABET.len())]).collect()
    };
    let (mut ran, mut found) = (0, 0);
    for seed in 0..6_000 {
        let mut random = Random::with_seed(seed);
        let term = |random: &mut Random| {
            let length = 1 + random.below(3);
            chars(random, length).replace(' ', "k")
        };
        let Some((mut keywords, list)) = chance_list(Match::RawSubstring, &mut random, term) else {
            continue;
        };
        let length = [5, 20, 80][random.below(3)];
        let text = chars(&mut random, length);
        let expected = first(&list, |term| java_contains(&folds, &text, term));
        assert_eq!(keywords.find_raw(text.as_bytes()), expected, "seed {seed}: {list:?} in {text:?}");
        (ran, found) = (ran + 1, found + u32::from(expected.is_some()));
    }
    assert!(ran > 3_000 && found > ran / 4 && found < ran, "{found} of {ran}");
}

/// Characters as the word oracle knows them: how they are written, what is compared, what they are.
const CHARACTERS: [(&str, &str, Sort); 26] = [
    ("a", "a", Sort::Letter),
    ("A", "a", Sort::Letter),
    ("b", "b", Sort::Letter),
    ("5", "5", Sort::Letter),
    ("_", "_", Sort::Letter),
    ("ß", "ss", Sort::Letter),
    ("S", "s", Sort::Letter),
    ("İ", "i", Sort::Letter),
    ("ı", "i", Sort::Letter),
    ("ς", "σ", Sort::Letter),
    ("Σ", "σ", Sort::Letter),
    ("한", "한", Sort::Letter),
    ("𐐀", "𐐨", Sort::Letter),
    (" ", " ", Sort::Space),
    ("\n", " ", Sort::Space),
    ("\u{3000}", " ", Sort::Space),
    ("#", "#", Sort::Sign),
    ("$", "$", Sort::Sign),
    ("'", "'", Sort::Sign),
    ("🚀", "🚀", Sort::Sign),
    ("日", "日", Sort::Alone),
    ("の", "の", Sort::Alone),
    ("ก", "ก", Sort::Alone),
    ("カ", "カ", Sort::Katakana),
    ("ー", "ー", Sort::Katakana),
    ("\u{301}", "\u{301}", Sort::Mark),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Letter,
    Katakana,
    Alone,
    Mark,
    Sign,
    Space,
}

/// Characters of `CHARACTERS`, by index.
fn written(characters: &[usize]) -> String {
    characters.iter().map(|index| CHARACTERS[*index].0).collect()
}

/// What is compared, each with the number of its word; 0 is no word. White space is one space.
fn numbered(characters: &[usize]) -> Vec<(char, usize)> {
    let mut out: Vec<(char, usize)> = Vec::new();
    let (mut words, mut before) = (0, Sort::Space);
    for (index, at) in characters.iter().enumerate() {
        let (_, folded, sort) = CHARACTERS[*at];
        let last = out.last().map_or(0, |(_, word)| *word);
        let word = match sort {
            Sort::Sign | Sort::Space => 0,
            Sort::Mark => last,
            Sort::Letter | Sort::Katakana if last > 0 && sort == before => last,
            Sort::Letter | Sort::Katakana | Sort::Alone => words + 1,
        };
        words = words.max(word);
        let again = sort == Sort::Space && index > 0 && CHARACTERS[characters[index - 1]].2 == Sort::Space;
        if !again {
            out.extend(folded.chars().map(|c| (c, word)));
        }
        if sort != Sort::Mark {
            before = sort;
        }
    }
    out
}

fn has_word(text: &[usize], term: &[usize]) -> bool {
    let text = numbered(text);
    let term: Vec<char> = numbered(term).into_iter().map(|(c, _)| c).collect();
    let is_edge = |at: usize| {
        at == 0 || at == text.len() || text[at].1 == 0 || text[at - 1].1 == 0 || text[at].1 != text[at - 1].1
    };
    (0..text.len()).any(|from| {
        let until = from + term.len();
        until <= text.len()
            && is_edge(from)
            && is_edge(until)
            && text[from..until].iter().map(|(c, _)| c).eq(term.iter())
    })
}

#[test]
fn chance_texts_have_the_words_that_a_naive_search_finds() {
    let chance = |random: &mut Random, length: usize| -> Vec<usize> {
        (0..length).map(|_| random.below(CHARACTERS.len())).collect()
    };
    let (mut ran, mut found) = (0, 0);
    for seed in 0..10_000 {
        let mut random = Random::with_seed(seed);
        let few: Vec<usize> = chance(&mut random, 6);
        let some = |random: &mut Random, length: usize| -> Vec<usize> {
            (0..length).map(|_| few[random.below(few.len())]).collect()
        };
        let term = |random: &mut Random| {
            let length = 1 + random.below(3);
            let mut term = some(random, length);
            let is_space = |index: &usize| CHARACTERS[*index].2 == Sort::Space;
            while term.last().is_some_and(is_space) {
                term.pop();
            }
            let spaces = term.iter().take_while(|index| is_space(index)).count();
            term.split_off(spaces)
        };
        let list: Vec<Vec<Vec<usize>>> = (0..=random.below(4))
            .map(|_| (0..=random.below(2)).map(|_| term(&mut random)).collect())
            .collect();
        let lengths: Vec<usize> = (0..=random.below(2)).map(|_| random.below(20)).collect();
        let texts: Vec<Vec<usize>> = lengths.iter().map(|length| some(&mut random, *length)).collect();
        let keywords: Vec<Keyword> = list
            .iter()
            .map(|terms| Keyword { terms: terms.iter().map(|term| written(term)).collect() })
            .collect();
        let Ok(mut search) = Keywords::new(Match::Word, &keywords) else { continue };
        let has = |term: &Vec<usize>| texts.iter().any(|text| has_word(text, term));
        let expected =
            list.iter().position(|terms| terms.iter().any(has)).map(|at| u16::try_from(at).unwrap());
        let written: Vec<String> = texts.iter().map(|text| written(text)).collect();
        let got = search.find_in(written.iter().map(String::as_str));
        assert_eq!(got, expected, "seed {seed}: {keywords:?} in {written:?}");
        (ran, found) = (ran + 1, found + u32::from(expected.is_some()));
    }
    assert!(ran > 3_000 && found > ran / 4 && found < ran * 9 / 10, "{found} of {ran}");
}
