//! One pass over the JSON text of a post: checks it, and takes out what some JSON pointers name. `shape` reads posts
//! with it.
//!
//! Everything else is skipped without being decoded. Lone surrogates and numbers beyond `f64` are JSON by RFC 8259, so
//! they pass.

use super::event::Malformed;
use crate::config::Pointer;

mod decode;
mod depth;
mod found;
mod walk;

pub use found::{Found, Value};
use walk::{Node, Walk};

/// How deep objects and arrays may be nested in a post. The same limit as in `serde_json`, so that those who read the
/// posts from Kafka with it, or with anything that allows more, can read all of them.
pub const DEPTH_MAX: usize = 127;

/// Which values of a post are wanted.
#[derive(Debug, Clone)]
pub struct Pointers {
    root: Node,
    length: usize,
}

impl Pointers {
    /// The values at these pointers, in this order. A pointer may come twice.
    pub fn new(pointers: &[Pointer]) -> Self {
        let mut root = Node::default();
        for (index, pointer) in pointers.iter().enumerate() {
            root.want(index, pointer.names());
        }
        Self { root, length: pointers.len() }
    }

    /// Reads a post. Afterwards `found` has its values and nothing of the post before; after an error it is empty.
    ///
    /// Of members with the same name the last one counts, as in most parsers.
    ///
    /// # Errors
    /// [`Malformed::NotUtf8`], [`Malformed::NotJson`], or [`Malformed::NotAPost`] for JSON that is no object or is
    /// nested deeper than [`DEPTH_MAX`].
    pub fn read(&self, text: &[u8], found: &mut Found) -> Result<(), Malformed> {
        found.clear(self.length);
        let read = self.read_into(text, found);
        if read.is_err() {
            found.clear(self.length);
        }
        read
    }

    fn read_into(&self, text: &[u8], found: &mut Found) -> Result<(), Malformed> {
        let text = std::str::from_utf8(text).map_err(|_| Malformed::NotUtf8)?;
        // The first walk refuses some scalars that are JSON where a pointer expects an object. The second accepts them.
        self.walk(text, found, false).or_else(|_| self.walk(text, found, true))?;
        // The depth has to be checked on its own: serde_json has no limit for what it skips.
        let is_object = text.trim_ascii_start().starts_with('{');
        if is_object && !depth::exceeds(text, DEPTH_MAX) { Ok(()) } else { Err(Malformed::NotAPost) }
    }

    fn walk(&self, text: &str, found: &mut Found, careful: bool) -> Result<(), Malformed> {
        let mut parser = serde_json::Deserializer::from_str(text);
        let walked = Walk { node: &self.root, found, careful }.run(&mut parser).and_then(|()| parser.end());
        walked.map_err(|_| Malformed::NotJson)
    }
}

#[cfg(test)]
mod tests;
