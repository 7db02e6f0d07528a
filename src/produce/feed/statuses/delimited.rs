//! Messages behind their lengths (`delimited=length`): `23\r\n` and then so many bytes. Pure.
//!
//! Twitter's "Consuming streaming data" (v1.1), and hbc's `DelimitedStreamReader` for what is tolerated.

use tokio_util::bytes::Bytes;

use crate::produce::feed::lines::{Ends, Line, Lines};

/// Longest message, in bytes (hbc's `HosebirdMessageProcessor`).
pub(super) const MESSAGE_BYTES_MAX: usize = 500_000;
/// Longest line with a length.
const LENGTH_BYTES_MAX: usize = 64;
/// How many lines in a row may be no lengths (hbc).
const BAD_LINES_MAX: u32 = 3;

/// What comes in a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    /// A message.
    Message(Bytes),
    /// A message that is longer than is taken, and passed over.
    TooLong,
    /// There are no lengths here; this line is the last one that is none.
    NoLengths(String),
}

/// Finds messages.
#[derive(Debug)]
pub(super) struct Delimited {
    lines: Lines,
    /// How long the message is that comes next, once that is known.
    length: Option<usize>,
    /// How many bytes are still to be passed over.
    passing: usize,
    bad_lines: u32,
}

impl Default for Delimited {
    fn default() -> Self {
        Self { lines: Lines::new(Ends::Newline, LENGTH_BYTES_MAX), length: None, passing: 0, bad_lines: 0 }
    }
}

impl Delimited {
    /// Adds what came.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let passed = self.passing.min(bytes.len());
        self.passing -= passed;
        self.lines.push(bytes.get(passed..).unwrap_or_default());
    }

    /// The next item that is whole.
    pub(super) fn next(&mut self) -> Option<Item> {
        loop {
            if let Some(length) = self.length {
                let message = self.lines.exactly(length)?;
                self.length = None;
                // What ends a message counts as a part of it.
                return Some(Item::Message(Bytes::copy_from_slice(message.trim_ascii())));
            }
            let line = match self.lines.next()? {
                Line::Text(line) if line.trim_ascii().is_empty() => continue,
                Line::Text(line) => String::from_utf8_lossy(line.trim_ascii()).into_owned(),
                Line::TooLong => "a long line".to_owned(),
            };
            match line.parse::<usize>() {
                Ok(length) if length > MESSAGE_BYTES_MAX => {
                    self.bad_lines = 0;
                    self.pass(length);
                    return Some(Item::TooLong);
                }
                Ok(length) => {
                    self.bad_lines = 0;
                    self.length = Some(length);
                }
                Err(_) if self.bad_lines < BAD_LINES_MAX => self.bad_lines += 1,
                Err(_) => return Some(Item::NoLengths(line)),
            }
        }
    }

    /// Passes over what is here of a message, and over the rest when it comes.
    fn pass(&mut self, length: usize) {
        let here = self.lines.buffer().len().min(length);
        self.lines.skip(here);
        self.passing = length - here;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn items(mut bytes: &[u8], mut size: impl FnMut() -> usize) -> Vec<Item> {
        let mut messages = Delimited::default();
        let mut items = Vec::new();
        while !bytes.is_empty() {
            let (piece, rest) = bytes.split_at(size().clamp(1, bytes.len()));
            bytes = rest;
            messages.push(piece);
            items.extend(std::iter::from_fn(|| messages.next()).take(20));
        }
        items
    }

    fn message(text: &str) -> Item {
        Item::Message(Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn messages_are_the_same_however_their_bytes_arrive() {
        let umlaut = "{\"a\":\"\u{fc}\n\"}";
        let long = format!("{}\r\n{}\r\n", 500_002, "x".repeat(500_000));
        let text = format!(
            "\r\n4\r\n{{}}\r\n{}\r\n{umlaut}\r\n\r\n\r\nno\r\n{{}}\r\n\r\n-1\r\n4\r\n{{}}\r\n{long}2\r\n{{}}",
            umlaut.len() + 2
        );
        let expected = [message("{}"), message(umlaut), message("{}"), Item::TooLong, message("{}")];
        for seed in 0..20 {
            let mut random = Random::with_seed(seed);
            let most = if seed < 10 { 20 } else { 200_000 };
            assert_eq!(items(text.as_bytes(), || 1 + random.below(most)), expected, "seed {seed}");
        }
    }

    #[test]
    fn three_lines_may_be_no_lengths_and_a_fourth_may_not() {
        let text = "a\nb\nc\n2\n{}a\nb\nc\n2\n{}";
        assert_eq!(items(text.as_bytes(), || 3), [message("{}"), message("{}")]);
        let text = "a\nb\nc\nd\n";
        assert_eq!(items(text.as_bytes(), || 100), [Item::NoLengths("d".to_owned())]);
        let long = "x".repeat(100) + "\n";
        assert_eq!(items(long.repeat(4).as_bytes(), || 9), [Item::NoLengths("a long line".to_owned())]);
    }
}
