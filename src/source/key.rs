//! Record -> key: which bytes of a record are counted. Feeds the counting table of the reading thread.

use std::ffi::CString;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::Record;
use crate::config::KeyRule;

/// A record's key under the job's rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key<'a> {
    /// These bytes, possibly none.
    Bytes(&'a [u8]),
    /// The null key: a null record key, a null header value, JSON null.
    Null,
    /// The record has no key under the rule; counted as null and in a metric.
    Unkeyed(Unkeyed),
}

/// Why a record has no key under the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unkeyed {
    /// No header of the name.
    HeaderAbsent,
    /// The record has no value.
    Tombstone,
    /// The value is not one JSON document.
    NotJson,
    /// The document has nothing at the pointer.
    PointerAbsent,
    /// The pointer leads to an object or array.
    NotScalar,
}

impl Unkeyed {
    /// Every reason, in the order of [`Unkeyed::index`].
    pub const ALL: [Self; 5] =
        [Self::HeaderAbsent, Self::Tombstone, Self::NotJson, Self::PointerAbsent, Self::NotScalar];

    /// Its place in [`Unkeyed::ALL`], for arrays of counters.
    pub fn index(self) -> usize {
        self as usize
    }

    /// The value of the metric's label `reason`.
    pub fn label(self) -> &'static str {
        match self {
            Self::HeaderAbsent => "header_absent",
            Self::Tombstone => "tombstone",
            Self::NotJson => "not_json",
            Self::PointerAbsent => "pointer_absent",
            Self::NotScalar => "not_scalar",
        }
    }
}

/// Reads keys by one rule.
#[derive(Debug)]
pub struct KeyReader {
    rule: Rule,
    /// An unescaped JSON string; reused.
    scratch: String,
}

#[derive(Debug)]
enum Rule {
    Record,
    Header(CString),
    Json(Vec<String>),
}

impl KeyReader {
    /// A reader for this rule; refuses a header name with a zero byte and a pointer that is not RFC 6901.
    pub fn new(rule: &KeyRule) -> Result<Self, String> {
        let rule = match rule {
            KeyRule::Record => Rule::Record,
            KeyRule::Header(name) => Rule::Header(
                CString::new(name.as_str())
                    .map_err(|_| format!("key.header {name:?} contains a zero byte: name the header"))?,
            ),
            KeyRule::Json(pointer) => Rule::Json(tokens(pointer)?),
        };
        Ok(Self { rule, scratch: String::new() })
    }

    /// The record's key; borrowed from the record, or from this reader until the next call.
    #[inline(always)]
    pub fn read<'a>(&'a mut self, record: &'a Record<'_>) -> Key<'a> {
        match &self.rule {
            Rule::Record => record.key.map_or(Key::Null, Key::Bytes),
            Rule::Header(name) => match record.header(name) {
                Some(Some(value)) => Key::Bytes(value),
                Some(None) => Key::Null,
                None => Key::Unkeyed(Unkeyed::HeaderAbsent),
            },
            Rule::Json(tokens) => match record.value {
                Some(value) => json(value, tokens, &mut self.scratch),
                None => Key::Unkeyed(Unkeyed::Tombstone),
            },
        }
    }
}

/// The reference tokens of a JSON pointer (RFC 6901): `""` is the whole document, `~1` is `/`, `~0` is `~`.
fn tokens(pointer: &str) -> Result<Vec<String>, String> {
    if pointer.is_empty() {
        return Ok(Vec::new());
    }
    let Some(rest) = pointer.strip_prefix('/') else {
        return Err(format!("key.json {pointer:?} is not a JSON pointer: write /{pointer}"));
    };
    let decode = |token: &str| {
        let mut after = token.split('~').skip(1);
        if after.any(|rest| !rest.starts_with(['0', '1'])) {
            return Err(format!("key.json {pointer:?} is not a JSON pointer: ~ is written ~0"));
        }
        Ok(token.replace("~1", "/").replace("~0", "~"))
    };
    rest.split('/').map(decode).collect()
}

/// The scalar at the pointer. Of members with the same name the last one counts, as in most parsers.
fn json<'a>(value: &'a [u8], tokens: &[String], scratch: &'a mut String) -> Key<'a> {
    let mut parser = serde_json::Deserializer::from_slice(value);
    let found = At(tokens).deserialize(&mut parser).and_then(|found| parser.end().map(|()| found));
    let raw = match found {
        Err(_) => return Key::Unkeyed(Unkeyed::NotJson),
        Ok(None) => return Key::Unkeyed(Unkeyed::PointerAbsent),
        Ok(Some(raw)) => raw.get(),
    };
    match raw.as_bytes().first() {
        Some(b'"') if !raw.contains('\\') => Key::Bytes(&raw.as_bytes()[1..raw.len() - 1]),
        Some(b'"') => match serde_json::from_str::<String>(raw) {
            Ok(text) => {
                *scratch = text;
                Key::Bytes(scratch.as_bytes())
            }
            Err(_) => Key::Unkeyed(Unkeyed::NotJson),
        },
        Some(b'n') => Key::Null,
        Some(b'{' | b'[') => Key::Unkeyed(Unkeyed::NotScalar),
        _ => Key::Bytes(raw.as_bytes()),
    }
}

/// Finds what these tokens lead to, without building the rest of the document.
#[derive(Clone, Copy)]
struct At<'t>(&'t [String]);

impl<'de> DeserializeSeed<'de> for At<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        match self.0.split_first() {
            None => <&RawValue as serde::Deserialize>::deserialize(deserializer).map(Some),
            Some((token, rest)) => deserializer.deserialize_any(Into { token, rest: At(rest) }),
        }
    }
}

/// Goes one token deeper.
struct Into<'t> {
    token: &'t str,
    rest: At<'t>,
}

impl<'de> Visitor<'de> for Into<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(matches) = map.next_key_seed(Is(self.token))? {
            if matches {
                found = map.next_value_seed(self.rest)?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        // RFC 6901: no leading zeros, no sign.
        let plain = self.token == "0" || !self.token.starts_with(['0', '+']);
        let wanted = self.token.parse::<usize>().ok().filter(|_| plain);
        let (mut found, mut index) = (None, 0);
        loop {
            if wanted == Some(index) {
                let Some(inner) = seq.next_element_seed(self.rest)? else { break };
                found = inner;
            } else if seq.next_element::<IgnoredAny>()?.is_none() {
                break;
            }
            index += 1;
        }
        Ok(found)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// Whether a member's name is this one.
struct Is<'t>(&'t str);

impl<'de> DeserializeSeed<'de> for Is<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Is<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }

    fn visit_bytes<E: serde::de::Error>(self, _: &[u8]) -> Result<bool, E> {
        Err(E::custom("a name that is not UTF-8"))
    }
}

#[cfg(test)]
mod tests;
