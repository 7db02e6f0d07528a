//! JSON strings to text, for `json`. serde_json decodes the escapes; what is added is a place for lone surrogates.

use std::fmt;

use serde::de::{Deserializer as _, Visitor};

/// Appends what the JSON string `raw`, in its quotes and well-formed, says. A lone surrogate becomes U+FFFD.
pub(super) fn string(raw: &str, out: &mut String) {
    let inside = inside(raw);
    if !inside.contains('\\') {
        out.push_str(inside);
        return;
    }
    // Asked for bytes, serde_json accepts lone surrogates and encodes them as UTF-8 would (WTF-8).
    let mut parser = serde_json::Deserializer::from_str(raw);
    let decoded = parser.deserialize_bytes(Append(out));
    debug_assert!(decoded.is_ok(), "{decoded:?} in {raw:?}");
}

/// A JSON string without its quotes.
pub(super) fn inside(raw: &str) -> &str {
    raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default()
}

struct Append<'a>(&'a mut String);

impl Visitor<'_> for Append<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<(), E> {
        for chunk in bytes.utf8_chunks() {
            self.0.push_str(chunk.valid());
            // A surrogate is ED, then A0 to BF, then one more byte. Each byte is an invalid chunk of its own.
            if chunk.invalid().first() == Some(&0xed) {
                self.0.push(char::REPLACEMENT_CHARACTER);
            }
        }
        Ok(())
    }
}
