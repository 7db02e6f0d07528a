//! Where words begin and end, for `keywords`.
//!
//! Near to the default word boundaries of Unicode (UAX #29), but an apostrophe or a full stop always ends a word, and
//! scripts written without spaces need no dictionary: in them every character is taken for a word.

/// What a character does to its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Is part of a word that spaces, punctuation or symbols end.
    Letter,
    /// Is part of a word in Katakana.
    Katakana,
    /// Is a word: the script has no spaces.
    Alone,
}

/// Whether a word may begin or end at byte `at` of `text`: not where both neighbours are parts of one word.
pub(super) fn is_boundary(text: &str, at: usize) -> bool {
    let (Some(before), Some(after)) = (text.get(..at), text.get(at..)) else { return false };
    let Some(next) = after.chars().next() else { return true };
    // A mark belongs to the character before it, so that is what counts.
    let Some(last) = before.chars().rev().find(|c| !is_mark(*c)) else { return true };
    match (class(last), class(next)) {
        (None, _) => true,
        (Some(_), _) if is_mark(next) || joins_next(before) => false,
        (Some(last), Some(next)) => last != next || last == Class::Alone,
        (Some(_), None) => true,
    }
}

/// `None` for what is no part of a word.
fn class(c: char) -> Option<Class> {
    match c {
        // UAX #29, Word_Break=Katakana: with the sign for long vowels, which Hiragana has too.
        '\u{3031}'..='\u{3035}'
        | '\u{309b}'..='\u{309c}'
        | '\u{30a0}'..='\u{30fa}'
        | '\u{30fc}'..='\u{30ff}'
        | '\u{31f0}'..='\u{31ff}'
        | '\u{ff66}'..='\u{ff9f}'
        | '\u{1aff0}'..='\u{1b000}'
        | '\u{1b120}'..='\u{1b122}'
        | '\u{1b155}'
        | '\u{1b164}'..='\u{1b167}' => Some(Class::Katakana),
        _ if !is_part_of_word(c) => None,
        // Han.
        '\u{3005}'..='\u{3007}'
        | '\u{3021}'..='\u{3029}'
        | '\u{3038}'..='\u{303b}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{16ff0}'..='\u{16ff6}'
        | '\u{20000}'..='\u{3ffff}' => Some(Class::Alone),
        // Hiragana.
        '\u{3041}'..='\u{309f}' | '\u{1b001}'..='\u{1b11f}' | '\u{1b132}' | '\u{1b150}'..='\u{1b152}' => {
            Some(Class::Alone)
        }
        // Thai, Lao; Myanmar; Khmer; Myanmar Extended B, A and C.
        '\u{e00}'..='\u{eff}'
        | '\u{1000}'..='\u{109f}'
        | '\u{1780}'..='\u{17ff}'
        | '\u{a9e0}'..='\u{a9ff}'
        | '\u{aa60}'..='\u{aa7f}'
        | '\u{116d0}'..='\u{116ff}' => Some(Class::Alone),
        _ => Some(Class::Letter),
    }
}

/// Letters, digits and other numbers, marks, `_` and its like.
fn is_part_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || c == '_'
        || !c.is_ascii() && (regex_syntax::is_word_character(c) || c.is_numeric())
}

/// Whether `c` is written on, below or around the character before it, or joins that to the next without being seen.
fn is_mark(c: char) -> bool {
    match c {
        _ if c.is_ascii() => false,
        // Vowels and tones of the scripts without spaces. Rust takes most of them for letters.
        '\u{e31}' | '\u{e33}'..='\u{e3a}' | '\u{e47}'..='\u{e4e}' => true,
        '\u{eb1}' | '\u{eb3}'..='\u{ebc}' | '\u{ec8}'..='\u{ece}' => true,
        '\u{102b}'..='\u{103e}' | '\u{1056}'..='\u{1059}' | '\u{105e}'..='\u{1060}' => true,
        '\u{1062}'..='\u{1064}' | '\u{1067}'..='\u{106d}' | '\u{1071}'..='\u{1074}' => true,
        '\u{1082}'..='\u{108d}' | '\u{108f}' | '\u{109a}'..='\u{109d}' => true,
        '\u{17b4}'..='\u{17d3}' | '\u{17dd}' => true,
        '\u{a9e5}' | '\u{aa7b}'..='\u{aa7d}' => true,
        // Connectors, such as `_`, are no marks.
        '\u{203f}'
        | '\u{2040}'
        | '\u{2054}'
        | '\u{fe33}'
        | '\u{fe34}'
        | '\u{fe4d}'..='\u{fe4f}'
        | '\u{ff3f}' => false,
        _ => regex_syntax::is_word_character(c) && !c.is_alphanumeric(),
    }
}

/// Whether the text ends with a sign that puts the next consonant below this one (Myanmar, Khmer).
fn joins_next(before: &str) -> bool {
    before.ends_with(['\u{1039}', '\u{17d2}'])
}
