//! Bytes as they come, cut into lines of bounded length. Feeds the sources that send one post a line.

use memchr::{memchr, memchr2};
use tokio_util::bytes::{Buf, Bytes, BytesMut};

/// What ends a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    /// LF, also after CR.
    Newline,
    /// LF, CR, or CR and LF (HTML standard, 9.2.5 "Parsing an event stream").
    NewlineOrReturn,
}

/// One line without what ends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// Its bytes, shared with the lines around it.
    Text(Bytes),
    /// Longer than allowed, and skipped.
    TooLong,
}

/// Collects bytes and gives lines back.
///
/// What a line may occupy is bounded: of one that is too long nothing is kept.
#[derive(Debug)]
pub(super) struct Lines {
    buffer: BytesMut,
    /// So many bytes of `buffer` hold no end of a line.
    searched: usize,
    /// The line that `buffer` begins with is too long; its beginning is gone already.
    skipping: bool,
    /// The last line ended in CR: an LF that comes next belongs to it.
    after_return: bool,
    ends: Ends,
    bytes_max: usize,
    /// Bytes that went out as lines, with what ended them.
    taken: u64,
}

impl Lines {
    /// Lines of at most `bytes_max` bytes.
    pub(super) fn new(ends: Ends, bytes_max: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            searched: 0,
            skipping: false,
            after_return: false,
            ends,
            bytes_max,
            taken: 0,
        }
    }

    /// Adds what came.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The buffer, for reading into its end.
    pub(super) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// How many bytes have gone out as lines, what ended them included.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// Whether a line has begun and not ended.
    pub(super) fn within_line(&self) -> bool {
        self.skipping || !self.buffer.is_empty()
    }

    /// Drops `bytes` from the front: a BOM, for instance.
    pub(super) fn skip(&mut self, bytes: usize) {
        self.buffer.advance(bytes);
        self.searched = self.searched.saturating_sub(bytes);
        self.taken += bytes as u64;
    }

    /// Exactly `bytes` bytes, whatever they are; `None` if there are fewer as yet.
    pub(super) fn exactly(&mut self, bytes: usize) -> Option<Bytes> {
        if self.buffer.len() < bytes {
            return None;
        }
        self.searched = 0;
        self.taken += bytes as u64;
        Some(self.buffer.split_to(bytes).freeze())
    }

    /// The next whole line.
    pub(super) fn next(&mut self) -> Option<Line> {
        if self.after_return && !self.buffer.is_empty() {
            self.after_return = false;
            if self.buffer.first() == Some(&b'\n') {
                self.skip(1);
            }
        }
        let unseen = self.buffer.get(self.searched..).unwrap_or_default();
        let found = match self.ends {
            Ends::Newline => memchr(b'\n', unseen),
            Ends::NewlineOrReturn => memchr2(b'\n', b'\r', unseen),
        };
        let Some(found) = found else {
            self.searched = self.buffer.len();
            // A CR may still turn out to belong to what ends the line.
            if self.buffer.len() > self.bytes_max + 1 {
                self.skipping = true;
                self.taken += self.buffer.len() as u64;
                self.buffer.clear();
                self.searched = 0;
            }
            return None;
        };
        let length = self.searched + found;
        self.searched = 0;
        self.taken += length as u64 + 1;
        let mut line = self.buffer.split_to(length + 1);
        self.after_return = self.ends == Ends::NewlineOrReturn && line.last() == Some(&b'\r');
        line.truncate(length);
        Some(self.line(line))
    }

    /// What is left when no more comes: a line without an end.
    pub(super) fn rest(&mut self) -> Option<Line> {
        if !self.within_line() {
            return None;
        }
        self.searched = 0;
        self.taken += self.buffer.len() as u64;
        let line = self.buffer.split();
        Some(self.line(line))
    }

    fn line(&mut self, mut line: BytesMut) -> Line {
        if self.ends == Ends::Newline && line.last() == Some(&b'\r') {
            line.truncate(line.len() - 1);
        }
        if std::mem::take(&mut self.skipping) || line.len() > self.bytes_max {
            return Line::TooLong;
        }
        Line::Text(line.freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// What comes of `text` when it arrives in pieces of these sizes, with `taken` after each line.
    fn lines(ends: Ends, text: &[u8], mut size: impl FnMut() -> usize) -> Vec<(Option<String>, u64)> {
        let mut lines = Lines::new(ends, 8);
        let mut found = Vec::new();
        let mut rest = text;
        let word = |line| match line {
            Line::Text(text) => Some(String::from_utf8(text.to_vec()).unwrap()),
            Line::TooLong => None,
        };
        while !rest.is_empty() {
            let (piece, tail) = rest.split_at(size().clamp(1, rest.len()));
            rest = tail;
            lines.push(piece);
            while let Some(line) = lines.next() {
                found.push((word(line), lines.taken()));
            }
        }
        found.extend(lines.rest().map(|line| (word(line), lines.taken())));
        found
    }

    #[test]
    fn lines_are_the_same_however_their_bytes_arrive() {
        let text = b"one\n\ntwo\r\n12345678\r\n123456789\nthree\r\r\n1234567890123\n\r\nlast";
        let expected = |lines: &[(Option<&str>, u64)]| -> Vec<_> {
            lines.iter().map(|(line, taken)| (line.map(str::to_owned), *taken)).collect()
        };
        let newline = expected(&[
            (Some("one"), 4),
            (Some(""), 5),
            (Some("two"), 10),
            (Some("12345678"), 20),
            (None, 30),
            (Some("three\r"), 38),
            (None, 52),
            (Some(""), 54),
            (Some("last"), 58),
        ]);
        for seed in 0..200 {
            let mut random = Random::with_seed(seed);
            let found = lines(Ends::Newline, text, || 1 + random.below(9));
            assert_eq!(found, newline, "seed {seed}");
        }
        let texts = |found: Vec<(Option<String>, u64)>| found.into_iter().map(|(line, _)| line);
        let either: Vec<_> = ["one", "", "two", "12345678", "!", "three", "", "!", "", "last"]
            .map(|line| (line != "!").then(|| line.to_owned()))
            .to_vec();
        for seed in 0..200 {
            let mut random = Random::with_seed(seed);
            let found = lines(Ends::NewlineOrReturn, text, || 1 + random.below(9));
            assert_eq!(texts(found).collect::<Vec<_>>(), either, "seed {seed}");
        }
    }

    #[test]
    fn of_a_line_that_is_too_long_nothing_is_kept() {
        let mut lines = Lines::new(Ends::Newline, 8);
        for _ in 0..1_000 {
            lines.push(&[b'x'; 1_000]);
            assert_eq!(lines.next(), None);
            assert!(
                lines.buffer.is_empty() && lines.buffer.capacity() < 10_000,
                "{:?}",
                lines.buffer.capacity()
            );
        }
        lines.push(b"\nnext\n");
        assert_eq!(lines.next(), Some(Line::TooLong));
        assert_eq!(lines.next(), Some(Line::Text(Bytes::from_static(b"next"))));
        assert_eq!(lines.taken(), 1_000_006);
    }

    #[test]
    fn bytes_of_a_known_number_are_no_lines() {
        let mut lines = Lines::new(Ends::Newline, 8);
        lines.push(b"5\r\n1\n\n4");
        assert_eq!(lines.next(), Some(Line::Text(Bytes::from_static(b"5"))));
        assert_eq!(lines.exactly(5), None);
        lines.push(b"5\n");
        assert_eq!(lines.exactly(5).as_deref(), Some(&b"1\n\n45"[..]));
        assert_eq!(lines.next(), Some(Line::Text(Bytes::new())));
        assert!(!lines.within_line());
    }
}
