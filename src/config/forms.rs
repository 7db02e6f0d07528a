//! Shapes of values that serde has no word for: lists that may be one text, words that may be a mapping,
//! maps whose values must not be printed.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A list of texts; one text stands for a list of its comma-separated parts, as on a command line. A text
/// that starts with `^` is a pattern and stays whole.
pub(super) fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct List;
    impl<'de> Visitor<'de> for List {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Vec<String>, E> {
            match text.trim() {
                "" => Ok(Vec::new()),
                flow if flow.starts_with('[') && flow.ends_with(']') => {
                    Err(E::custom(format!("`{flow}` is a text, expected a list")))
                }
                pattern if pattern.starts_with('^') => Ok(vec![pattern.to_owned()]),
                names => Ok(names.split(',').map(|name| name.trim().to_owned()).collect()),
            }
        }

        fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Vec<String>, A::Error> {
            Deserialize::deserialize(SeqAccessDeserializer::new(list))
        }
    }
    deserializer.deserialize_any(List)
}

/// What stands where a word or a mapping may stand.
pub(super) enum WordOr<T> {
    Word(&'static str),
    Mapping(T),
}

/// Reads one of `words`, or a mapping.
pub(super) fn word_or<'de, D, T>(
    deserializer: D,
    words: &'static [&'static str],
) -> Result<WordOr<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Words<T>(&'static [&'static str], PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Words<T> {
        type Value = WordOr<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{} or a mapping", self.0.join(", "))
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<WordOr<T>, E> {
            match self.0.iter().find(|word| **word == text) {
                Some(word) => Ok(WordOr::Word(word)),
                None => Err(E::custom(format!("`{text}` is neither {} nor a mapping", self.0.join(" nor ")))),
            }
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<WordOr<T>, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map)).map(WordOr::Mapping)
        }
    }
    deserializer.deserialize_any(Words(words, PhantomData))
}

/// What stands where a text or a mapping may stand.
pub(super) enum TextOr<T> {
    Text(String),
    Mapping(T),
}

/// Reads any text, or a mapping.
pub(super) fn text_or<'de, D, T>(deserializer: D) -> Result<TextOr<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Texts<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Texts<T> {
        type Value = TextOr<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text or a mapping")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<TextOr<T>, E> {
            Ok(TextOr::Text(text.to_owned()))
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TextOr<T>, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map)).map(TextOr::Mapping)
        }
    }
    deserializer.deserialize_any(Texts(PhantomData))
}

/// `none` or a section; for `serde(with)` and `schemars(schema_with)`.
pub(super) mod none_or {
    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{WordOr, word_or};

    const WORDS: &[&str] = &["none"];

    pub(in super::super) fn serialize<T: Serialize, S: Serializer>(
        value: &Option<T>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            None => to.serialize_str(WORDS[0]),
            Some(section) => section.serialize(to),
        }
    }

    pub(in super::super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<T>, D::Error> {
        Ok(match word_or(from, WORDS)? {
            WordOr::Word(_) => None,
            WordOr::Mapping(section) => Some(section),
        })
    }

    pub(in super::super) fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
        let section = generator.subschema_for::<T>();
        json_schema!({"anyOf": [{"const": WORDS[0]}, section]})
    }
}

/// Names with values that may be secret: `Debug` shows the names only.
///
/// Values may be written as numbers and booleans; they are kept as text.
#[derive(Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(transparent)]
pub struct SecretMap(BTreeMap<String, String>);

impl Deref for SecretMap {
    type Target = BTreeMap<String, String>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl SecretMap {
    /// Sets a value.
    pub fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.to_owned());
    }
}

impl FromIterator<(String, String)> for SecretMap {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl fmt::Debug for SecretMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.keys().map(|name| (name, "***"))).finish()
    }
}

impl<'de> Deserialize<'de> for SecretMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let map = BTreeMap::<String, Text>::deserialize(deserializer)?;
        Ok(map.into_iter().map(|(name, Text(value))| (name, value)).collect())
    }
}

/// A text, also written as a number or a boolean.
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyScalar;
        impl Visitor<'_> for AnyScalar {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a number, true or false")
            }

            fn visit_str<E>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.to_owned()))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }
        }
        deserializer.deserialize_any(AnyScalar)
    }
}

/// `Debug` of sections that hold texts, which `${env:...}` may have made secret: the name alone.
macro_rules! opaque_debug {
    ($($section:ident),*) => {$(
        impl std::fmt::Debug for $section {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($section)).finish_non_exhaustive()
            }
        }
    )*};
}
pub(super) use opaque_debug;
