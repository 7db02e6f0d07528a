//! The way through a JSON text along several pointers at once, for `json`: a tree of names, walked by serde.

use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

use super::decode;
use super::found::Found;

/// A place that pointers lead to or through.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    /// The pointers that end here.
    wanted: Vec<usize>,
    below: Vec<Branch>,
}

#[derive(Debug, Clone)]
struct Branch {
    name: String,
    /// The same as an index into an array, if it is one.
    index: Option<usize>,
    node: Node,
}

impl Node {
    /// Adds the pointer of this index, which has these names.
    pub(super) fn want(&mut self, index: usize, names: impl Iterator<Item = String>) {
        let mut node = self;
        for name in names {
            let known = node.below.iter().position(|branch| branch.name == name);
            let at = known.unwrap_or(node.below.len());
            if known.is_none() {
                node.below.push(Branch { index: array_index(&name), name, node: Self::default() });
            }
            node = &mut node.below[at].node;
        }
        node.wanted.push(index);
    }

    /// Drops what was found here and below: a member of the same name comes later in the text.
    fn forget(&self, found: &mut Found) {
        self.wanted.iter().for_each(|index| found.forget(*index));
        self.below.iter().for_each(|branch| branch.node.forget(found));
    }

    /// What leads on from the member whose name has this JSON text.
    fn named(&self, raw: &str) -> Option<&Self> {
        let inside = decode::inside(raw);
        let is = |name: &str| self.below.iter().find(|branch| branch.name == name).map(|branch| &branch.node);
        if !inside.contains('\\') {
            return is(inside);
        }
        let mut name = String::new();
        decode::string(raw, &mut name);
        is(&name)
    }

    fn at(&self, index: usize) -> Option<&Self> {
        self.below.iter().find(|branch| branch.index == Some(index)).map(|branch| &branch.node)
    }
}

/// RFC 6901 section 4: digits without a leading zero.
fn array_index(name: &str) -> Option<usize> {
    let plain = name == "0" || !name.starts_with('0') && name.bytes().all(|byte| byte.is_ascii_digit());
    name.parse().ok().filter(|_| plain)
}

/// Walks on from one place.
pub(super) struct Walk<'n, 'f> {
    pub(super) node: &'n Node,
    pub(super) found: &'f mut Found,
    /// Takes scalars as text also where an object is expected. serde_json parses them otherwise, and then refuses
    /// numbers beyond `f64` and lone surrogates.
    pub(super) careful: bool,
}

impl Walk<'_, '_> {
    /// Walks through the value that comes next.
    pub(super) fn run<'de, D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.node.wanted.is_empty() && !self.careful {
            return deserializer.deserialize_any(self);
        }
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        for index in &self.node.wanted {
            self.found.keep(*index, raw);
        }
        if self.node.below.is_empty() || !raw.starts_with(['{', '[']) {
            return Ok(());
        }
        let mut inner = serde_json::Deserializer::from_str(raw);
        Deserializer::deserialize_any(&mut inner, self).map_err(D::Error::custom)
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.run(deserializer)
    }
}

impl<'de> Visitor<'de> for Walk<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<&RawValue>()? {
            let Some(node) = self.node.named(name.get()) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            node.forget(self.found);
            map.next_value_seed(Walk { node, found: &mut *self.found, careful: self.careful })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        for index in 0.. {
            let element = match self.node.at(index) {
                Some(node) => {
                    seq.next_element_seed(Walk { node, found: &mut *self.found, careful: self.careful })?
                }
                None => seq.next_element::<IgnoredAny>()?.map(|_| ()),
            };
            if element.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}
