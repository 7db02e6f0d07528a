//! Finds the line and column of a key in YAML text, so that every error can name them.
//!
//! `yaml_serde` knows where it reads but tells it only in errors: so the text is read once more along the
//! path, and reading fails on purpose at its end.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::keypath::{KeyPath, Step};

/// Line and column, from 1, of the key at `path` (`on_key`) or of its value; where the text lacks it, of
/// what stands nearest above it.
pub(super) fn locate(text: &str, path: &KeyPath, on_key: bool) -> (usize, usize) {
    let seek = Seek { rest: &path.0, on_key: on_key && !path.0.is_empty() };
    let found = seek.deserialize(serde_yaml::Deserializer::from_str(text)).err();
    match (found.and_then(|error| error.location()), path.parent()) {
        (Some(at), _) => (at.line(), at.column()),
        (None, Some(parent)) => locate(text, &parent, true),
        (None, None) => (1, 1),
    }
}

/// The rest of the way.
struct Seek<'a> {
    rest: &'a [Step],
    on_key: bool,
}

/// What the deliberate error says; nobody reads it.
const HERE: &str = "the place that was looked for";

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Scalars end the way: here when nothing is left of it, nowhere otherwise.
macro_rules! scalars {
    ($($visit:ident: $type:ty),*) => {
        $(fn $visit<E: serde::de::Error>(self, _: $type) -> Result<(), E> { self.end() })*
    };
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    scalars!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.end()
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<(), E> {
        self.end()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Some((step, rest)) = self.rest.split_first() else { return self.end() };
        for nth in 0.. {
            let more = if *step == Step::Index(nth) {
                list.next_element_seed(Seek { rest, on_key: self.on_key })?.is_some()
            } else {
                list.next_element::<IgnoredAny>()?.is_some()
            };
            if !more {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((step, rest)) = self.rest.split_first() else { return self.end() };
        let stop = self.on_key && rest.is_empty();
        while let Some(hit) = map.next_key_seed(KeySeek { step, stop })? {
            if hit {
                map.next_value_seed(Seek { rest, on_key: self.on_key })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

impl Seek<'_> {
    fn end<E: serde::de::Error>(&self) -> Result<(), E> {
        if self.rest.is_empty() { Err(E::custom(HERE)) } else { Ok(()) }
    }
}

/// Compares one key of a mapping with the next step, and fails there when it is the last one.
struct KeySeek<'a> {
    step: &'a Step,
    stop: bool,
}

impl<'de> DeserializeSeed<'de> for KeySeek<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeek<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<bool, E> {
        let hit = matches!(self.step, Step::Key(wanted) if wanted == key);
        if hit && self.stop { Err(E::custom(HERE)) } else { Ok(hit) }
    }
}

/// Line and column, from 1, of the first key that its mapping has already.
pub(super) fn duplicate(text: &str) -> Option<(usize, usize)> {
    let error = Unique.deserialize(serde_yaml::Deserializer::from_str(text)).err()?;
    error.to_string().contains(HERE).then(|| error.location().map(|at| (at.line(), at.column())))?
}

/// Fails at a key that is there twice.
struct Unique;

impl<'de> DeserializeSeed<'de> for Unique {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

macro_rules! pass {
    ($($visit:ident: $type:ty),*) => {
        $(fn $visit<E>(self, _: $type) -> Result<(), E> { Ok(()) })*
    };
}

impl<'de> Visitor<'de> for Unique {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    pass!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Unique)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while map.next_key_seed(KeyOnce(&mut seen))?.is_some() {
            map.next_value_seed(Unique)?;
        }
        Ok(())
    }
}

struct KeyOnce<'a>(&'a mut HashSet<String>);

impl<'de> DeserializeSeed<'de> for KeyOnce<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyOnce<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<(), E> {
        if self.0.insert(key.to_owned()) { Ok(()) } else { Err(E::custom(HERE)) }
    }
}
