//! Case folding of texts and terms, for `keywords`: afterwards, what differs only in case is equal.

use std::sync::LazyLock;

/// How to fold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fold {
    /// As Java compares strings until JDK 15: each UTF-16 unit by its upper case, then by the lower case of that.
    /// Surrogates have no case in it (from JDK 16 they have), nor do mappings to several units count.
    Java,
    /// As people read: each character by its lower case, the upper case of that, and the lower case of that. Mappings
    /// to several characters count, so `ß`, `ẞ` and `SS` are `ss`.
    Words,
    /// The same, and one space for each run of white space.
    WordsAndSpaces,
}

/// In a table: what this character becomes is not one character below U+10000.
const OTHERWISE: u16 = 0xd800;

/// What the characters below U+10000 become, by [`java`]. 128 KiB, of which few are read.
static JAVA: LazyLock<Vec<u16>> = LazyLock::new(|| table(|c| Some(java(c))));

/// The same by [`words`].
static WORDS: LazyLock<Vec<u16>> = LazyLock::new(|| {
    table(|c| {
        let mut folded = words(c);
        folded.next().filter(|_| folded.next().is_none())
    })
});

impl Fold {
    /// Appends `text`, folded.
    pub(super) fn append(self, text: &str, out: &mut String) {
        if self == Self::WordsAndSpaces && !has_plain_spaces(text) {
            return append_words(text, out);
        }
        // Whole runs are copied: in most texts only ASCII capitals change, and the last line changes them by vector
        // instructions.
        let from = out.len();
        let (table, mut copied) = (self.table(), 0);
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            let rest = chars.as_str();
            if c.is_ascii() {
                chars = after_ascii(rest).chars();
            } else if table.get(c as usize).is_none_or(|folded| u32::from(*folded) != u32::from(c)) {
                let next = text.len() - rest.len();
                out.push_str(&text[copied..next - c.len_utf8()]);
                self.push(c, out);
                copied = next;
            }
        }
        out.push_str(&text[copied..]);
        out[from..].make_ascii_lowercase();
    }

    fn push(self, c: char, out: &mut String) {
        match self.table().get(c as usize).and_then(|folded| char::from_u32(u32::from(*folded))) {
            Some(folded) => out.push(folded),
            None if self == Self::Java => out.push(c),
            None => out.extend(words(c)),
        }
    }

    fn table(self) -> &'static [u16] {
        if self == Self::Java { &JAVA } else { &WORDS }
    }
}

/// Whether all white space is single spaces between words.
fn has_plain_spaces(text: &str) -> bool {
    !text.contains("  ") && !text.contains(|c: char| c.is_whitespace() && c != ' ')
}

fn append_words(text: &str, out: &mut String) {
    for (index, word) in text.split_whitespace().enumerate() {
        if index > 0 {
            out.push(' ');
        }
        Fold::Words.append(word, out);
    }
}

/// Skips ASCII at the front in steps of 32 bytes, which is vectorized.
fn after_ascii(mut text: &str) -> &str {
    while let Some((front, rest)) = text.split_at_checked(32) {
        if !front.is_ascii() {
            break;
        }
        text = rest;
    }
    text
}

fn table(folded: impl Fn(char) -> Option<char>) -> Vec<u16> {
    let one = |unit: u16| {
        let folded = char::from_u32(u32::from(unit)).and_then(&folded);
        folded.and_then(|c| u16::try_from(u32::from(c)).ok()).unwrap_or(OTHERWISE)
    };
    (0..=u16::MAX).map(one).collect()
}

/// Java's `Character.toLowerCase(Character.toUpperCase(c))` for characters below U+10000.
///
/// Rust knows the full mappings of Unicode, Java uses the simple ones. They differ where the full one has several
/// characters. The simple upper case then is the character itself or its title case, and both have the same lower case.
/// Only `İ` has a full lower case of two characters; the simple one is `i`.
fn java(c: char) -> char {
    let upper = single(c.to_uppercase()).unwrap_or(c);
    single(upper.to_lowercase()).unwrap_or(if upper == 'İ' { 'i' } else { upper })
}

/// `İ` is `i`, as for Java: `BİTCOİN` is how `bitcoin` looks in Turkish capitals. Its full mapping keeps the dot.
fn words(c: char) -> impl Iterator<Item = char> {
    let c = if c == 'İ' { 'I' } else { c };
    c.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase)
}

fn single(mut mapping: impl Iterator<Item = char>) -> Option<char> {
    mapping.next().filter(|_| mapping.next().is_none())
}
