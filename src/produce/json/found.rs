//! The values that `json` found in a post.

use std::ops::Range;

use super::decode;

/// One value of a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// A string, decoded. A lone surrogate, which no Unicode text can hold, is U+FFFD.
    Text(&'a str),
    /// A number, as it was written.
    Number(&'a str),
    /// A boolean.
    Bool(bool),
    /// `null`.
    Null,
    /// An object or an array.
    Other,
}

impl<'a> Value<'a> {
    /// A string, or a number or boolean as it was written; `None` for anything else.
    pub fn text(self) -> Option<&'a str> {
        match self {
            Self::Text(text) | Self::Number(text) => Some(text),
            Self::Bool(true) => Some("true"),
            Self::Bool(false) => Some("false"),
            Self::Null | Self::Other => None,
        }
    }
}

/// The values of the post read last. Its buffers are reused: keep one, and give it to each `Pointers::read`.
#[derive(Debug, Clone, Default)]
pub struct Found {
    values: Vec<Option<Held>>,
    /// The texts of the values. They are copied, so that nothing borrows from the post; there are few of them.
    text: String,
}

/// A value whose text is in [`Found::text`].
#[derive(Debug, Clone)]
enum Held {
    Text(Range<usize>),
    Number(Range<usize>),
    Bool(bool),
    Null,
    Other,
}

impl Found {
    /// The value at the pointer of this index in `Pointers::new`; `None` if the post has none there.
    pub fn get(&self, index: usize) -> Option<Value<'_>> {
        let held = self.values.get(index)?.as_ref()?;
        let text = |range: &Range<usize>| self.text.get(range.clone()).unwrap_or_default();
        Some(match held {
            Held::Text(range) => Value::Text(text(range)),
            Held::Number(range) => Value::Number(text(range)),
            Held::Bool(value) => Value::Bool(*value),
            Held::Null => Value::Null,
            Held::Other => Value::Other,
        })
    }

    /// Forgets all values, and makes room for `length` of them.
    pub(super) fn clear(&mut self, length: usize) {
        self.values.clear();
        self.values.resize(length, None);
        self.text.clear();
    }

    /// Keeps the value that `raw` is the JSON text of.
    pub(super) fn keep(&mut self, index: usize, raw: &str) {
        let from = self.text.len();
        let held = match raw.as_bytes().first() {
            Some(b'"') => {
                decode::string(raw, &mut self.text);
                Held::Text(from..self.text.len())
            }
            Some(b'{' | b'[') => Held::Other,
            Some(b't') => Held::Bool(true),
            Some(b'f') => Held::Bool(false),
            Some(b'n') => Held::Null,
            _ => {
                self.text.push_str(raw);
                Held::Number(from..self.text.len())
            }
        };
        if let Some(slot) = self.values.get_mut(index) {
            *slot = Some(held);
        }
    }

    /// Forgets the value at the pointer of this index.
    pub(super) fn forget(&mut self, index: usize) {
        if let Some(slot) = self.values.get_mut(index) {
            *slot = None;
        }
    }
}
