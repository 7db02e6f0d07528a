//! Events in a stream of bytes (HTML standard, 9.2.5 and 9.2.6). Pure.
//!
//! Held against the crate sse-stream in the tests, and not made of it: that ends the stream at the first event that is
//! not UTF-8, which would come again after every connect, and it bounds no event.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::bytes::{Bytes, BytesMut};

use crate::produce::feed::lines::{Ends, Line, Lines};

/// Longest line, and longest event, in bytes. Kafka takes records of 1 MB.
pub(super) const EVENT_BYTES_MAX: usize = 1 << 20;
/// A BOM may stand before everything else.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// What comes in a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    /// An event with data.
    Event(SentEvent),
    /// How long the server wants clients to wait before they connect again.
    Retry(Duration),
    /// An event that is longer than is taken.
    TooLong,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SentEvent {
    /// Its type; empty if it names none.
    pub(super) name: String,
    /// The last id that came until then, in this event or an earlier one; `None` if none did, or it was taken back.
    pub(super) id: Option<Arc<str>>,
    /// Its data, as it came: it need not be UTF-8.
    pub(super) data: Bytes,
}

/// Finds events.
#[derive(Debug)]
pub(super) struct Events {
    lines: Lines,
    begun: bool,
    name: String,
    data: BytesMut,
    /// Whether data came, be it empty.
    has_data: bool,
    too_long: bool,
    /// The id as of the line that was read last, and as of the last event.
    id: Option<Arc<str>>,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            lines: Lines::new(Ends::NewlineOrReturn, EVENT_BYTES_MAX),
            begun: false,
            name: String::new(),
            data: BytesMut::new(),
            has_data: false,
            too_long: false,
            id: None,
        }
    }
}

impl Events {
    /// Adds what came.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.lines.push(bytes);
    }

    /// The next item that is whole.
    pub(super) fn next(&mut self) -> Option<Item> {
        if !self.begun {
            let buffer = self.lines.buffer();
            if buffer.len() < BOM.len() && BOM.starts_with(buffer) {
                return None;
            }
            let bom = buffer.starts_with(BOM);
            self.begun = true;
            self.lines.skip(if bom { BOM.len() } else { 0 });
        }
        loop {
            let item = match self.lines.next()? {
                Line::TooLong => {
                    self.too_long = true;
                    None
                }
                Line::Text(line) if line.is_empty() => self.dispatch(),
                Line::Text(line) => self.field(&line),
            };
            if item.is_some() {
                return item;
            }
        }
    }

    /// A blank line ends an event.
    fn dispatch(&mut self) -> Option<Item> {
        let name = std::mem::take(&mut self.name);
        let data = self.data.split().freeze();
        let has_data = std::mem::take(&mut self.has_data);
        if std::mem::take(&mut self.too_long) {
            return Some(Item::TooLong);
        }
        // Without data there is no event, only an id.
        let event = SentEvent { name, id: self.id.clone(), data };
        (has_data && !event.data.is_empty()).then_some(Item::Event(event))
    }

    fn field(&mut self, line: &Bytes) -> Option<Item> {
        let colon = memchr::memchr(b':', line);
        let name = line.get(..colon.unwrap_or(line.len())).unwrap_or_default();
        let value = colon.and_then(|colon| line.get(colon + 1..)).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"data" => self.append(value),
            b"event" => self.name = String::from_utf8_lossy(value).into_owned(),
            b"id" if !value.contains(&0) => {
                // An empty id takes back the one before.
                self.id = (!value.is_empty()).then(|| String::from_utf8_lossy(value).into());
            }
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                let ms = std::str::from_utf8(value).ok()?.parse().unwrap_or(u64::MAX);
                return Some(Item::Retry(Duration::from_millis(ms)));
            }
            _ => {}
        }
        None
    }

    /// Lines of data are joined by newlines.
    fn append(&mut self, value: &[u8]) {
        let newline = usize::from(self.has_data);
        self.has_data = true;
        if self.too_long || self.data.len() + newline + value.len() > EVENT_BYTES_MAX {
            self.too_long = true;
            self.data.clear();
            return;
        }
        if newline > 0 {
            self.data.extend_from_slice(b"\n");
        }
        self.data.extend_from_slice(value);
    }
}

#[cfg(test)]
mod tests;
