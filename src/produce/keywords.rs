//! Which keyword a post has: the first of an ordered list that occurs in it. `shape` asks for it, and it becomes the
//! record's key.
//!
//! Text and terms are folded to one case; then one search looks for all terms at once.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod fold;
mod search;
mod words;

use fold::Fold;
use search::Search;

/// The most terms that all keywords may have together.
pub const TERMS_MAX: usize = 10_000;

/// The most bytes that a term may have. What finds it is built in a time that grows with the square.
pub const TERM_BYTES_MAX: usize = 200;

/// The most bytes that the terms of all keywords may have together. What finds them needs about 50 times as much
/// memory.
pub const TERMS_BYTES_MAX: usize = 256 << 10;

/// When a term occurs in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Match {
    /// As whole words, in any case. `IoT` occurs in `#iot` and in `IoT's`, not in `patriot`. Between the words of a
    /// term there may be any white space. In scripts that are written without spaces each character is a word.
    Word,
    /// Anywhere, in any case by the rule of Java's `String.regionMatches`, as in the replaced producer. `IoT` occurs
    /// in `patriot`.
    RawSubstring,
}

/// A keyword.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyword {
    /// A text has the keyword if one of these occurs in it.
    pub terms: Vec<String>,
}

/// Finds keywords. It reuses a buffer, so each thread needs its own.
#[derive(Debug, Clone)]
pub struct Keywords {
    how: Match,
    fold: Fold,
    search: Search,
    /// The text that is searched, folded.
    folded: String,
}

impl Keywords {
    /// Finds these keywords. They are numbered from 0, and a lower number wins.
    ///
    /// # Errors
    /// A keyword without terms, an empty term, a term that an earlier keyword has too, a term of more than
    /// [`TERM_BYTES_MAX`] bytes, more than [`TERMS_MAX`] terms or [`TERMS_BYTES_MAX`] bytes of them. The message counts
    /// keywords from 1.
    pub fn new(how: Match, keywords: &[Keyword]) -> Result<Self, String> {
        let terms = terms(how, keywords)?;
        let fold = match how {
            Match::RawSubstring => Fold::Java,
            Match::Word if terms.iter().any(|(term, _)| term.contains(' ')) => Fold::WordsAndSpaces,
            Match::Word => Fold::Words,
        };
        Ok(Self { how, fold, search: Search::new(&terms)?, folded: String::new() })
    }

    /// The first keyword in the list that occurs in a raw JSON text, whose escapes stay as they are. What is not UTF-8
    /// in it counts as U+FFFD.
    pub fn find_raw(&mut self, text: &[u8]) -> Option<u16> {
        match std::str::from_utf8(text) {
            Ok(text) => self.find(text),
            Err(_) => self.find(&String::from_utf8_lossy(text)),
        }
    }

    /// The first keyword in the list that occurs in any of these texts.
    pub fn find_in<'a>(&mut self, texts: impl Iterator<Item = &'a str>) -> Option<u16> {
        let mut first = None;
        for text in texts {
            first = [first, self.find(text)].into_iter().flatten().min();
            if first == Some(0) {
                break;
            }
        }
        first
    }

    fn find(&mut self, text: &str) -> Option<u16> {
        self.folded.clear();
        self.fold.append(text, &mut self.folded);
        let text = self.folded.as_str();
        match self.how {
            Match::RawSubstring => self.search.lowest(text, |_, _| true),
            Match::Word => self.search.lowest(text, |from, until| {
                words::is_boundary(text, from) && words::is_boundary(text, until)
            }),
        }
    }
}

/// The terms of all keywords, checked and folded, each with the number of its keyword.
fn terms(how: Match, keywords: &[Keyword]) -> Result<Vec<(String, u16)>, String> {
    let mut terms = Vec::new();
    let mut known: HashMap<String, u16> = HashMap::new();
    let (mut count, mut bytes) = (0, 0);
    for (number, keyword) in (0_u16..).zip(keywords) {
        let named = number + 1;
        if keyword.terms.is_empty() {
            return Err(format!("keyword {named} has no terms; give it one"));
        }
        for term in &keyword.terms {
            (count, bytes) = (count + 1, bytes + term.len());
            if count > TERMS_MAX || bytes > TERMS_BYTES_MAX {
                let most = format!("{TERMS_MAX}, and {TERMS_BYTES_MAX} bytes in all");
                return Err(format!("the keywords have too many terms; at most {most}"));
            }
            let folded = folded(how, term).map_err(|what| format!("keyword {named} has {what}"))?;
            let first = *known.entry(folded.clone()).or_insert(number);
            if first != number {
                let both = format!("keywords {} and {named} have the same term {term:?}", first + 1);
                return Err(format!("{both}; the first would always win, so remove one"));
            }
            terms.push((folded, number));
        }
    }
    Ok(terms)
}

/// A term as it is searched for, or what is wrong with it.
fn folded(how: Match, term: &str) -> Result<String, String> {
    if term.len() > TERM_BYTES_MAX {
        return Err(format!("a term of {} bytes; at most {TERM_BYTES_MAX}", term.len()));
    }
    if term.trim().is_empty() {
        return Err("an empty term; remove it, or write a word".to_owned());
    }
    let mut folded = String::new();
    match how {
        Match::RawSubstring => Fold::Java.append(term, &mut folded),
        Match::Word => Fold::WordsAndSpaces.append(term.trim(), &mut folded),
    }
    Ok(folded)
}

#[cfg(test)]
mod tests;
