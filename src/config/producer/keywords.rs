//! `keywords`: which word of a post becomes its key.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Deserializer;
use serde::{Deserialize, Serialize};

use crate::config::error::Problem;
use crate::config::forms::{TextOr, text_or};
use crate::config::keypath::KeyPath;
use crate::config::pointer::Pointer;

/// The section `keywords`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Keywords {
    /// Where and how terms are looked for.
    #[serde(rename = "match")]
    pub matching: Match,
    /// For `word`: the fields that are searched, within the source's post.
    pub fields: Vec<Pointer>,
    /// In the order in which they are tried: the first one that a post has is its key.
    pub list: Vec<Keyword>,
    /// What becomes of posts without any.
    pub unmatched: Unmatched,
}

/// Where and how terms are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Match {
    /// As whole words, in any case, in `fields`.
    #[default]
    Word,
    /// Anywhere in the raw JSON text, in any case, as the replaced producer did.
    RawSubstring,
}

/// What becomes of a post without any keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unmatched {
    /// It is sent without a key.
    #[default]
    NullKey,
    /// It is dropped and counted.
    Drop,
}

/// A keyword; in the file also its key alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Keyword {
    /// The records' key.
    pub key: String,
    /// What is looked for; the key itself if there are none.
    pub terms: Vec<String>,
    /// The partition that its records go to; `None`: the one that Java's producer chooses.
    pub partition: Option<i32>,
}

/// A keyword as a mapping.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Full {
    /// The records' key.
    key: String,
    /// What is looked for; the key itself if there are none.
    #[serde(default)]
    terms: Vec<String>,
    /// The partition that its records go to.
    partition: Option<i32>,
}

impl Keyword {
    /// One that is looked for by its key.
    pub fn named(key: &str) -> Self {
        Self { key: key.to_owned(), terms: vec![key.to_owned()], partition: None }
    }
}

impl<'de> Deserialize<'de> for Keyword {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match text_or::<D, Full>(deserializer)? {
            TextOr::Text(key) => Self::named(&key),
            TextOr::Mapping(Full { key, terms, partition }) => {
                let terms = if terms.is_empty() { vec![key.clone()] } else { terms };
                Self { key, terms, partition }
            }
        })
    }
}

impl JsonSchema for Keyword {
    fn schema_name() -> Cow<'static, str> {
        "Keyword".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let full = generator.subschema_for::<Full>();
        json_schema!({"anyOf": [{"type": "string"}, full]})
    }
}

impl Default for Keywords {
    fn default() -> Self {
        Self {
            matching: Match::Word,
            fields: vec![Pointer::of("/text")],
            list: Vec::new(),
            unmatched: Unmatched::NullKey,
        }
    }
}

/// Most keywords, and most terms of all of them together.
const LIST_MAX: usize = 10_000;
/// Longest key or term, in bytes.
const TEXT_BYTES_MAX: usize = 1_000;
/// Most fields.
const FIELDS_MAX: usize = 64;

impl Keywords {
    pub(super) fn check(&self, at: &KeyPath) -> Result<(), Problem> {
        if self.matching == Match::Word && !(1..=FIELDS_MAX).contains(&self.fields.len()) {
            let message = format!("{} fields; name 1 to {FIELDS_MAX}, as in [/text]", self.fields.len());
            return Err(Problem::value(at.key("fields"), message));
        }
        let list = at.key("list");
        if self.list.iter().map(|keyword| keyword.terms.len()).sum::<usize>() > LIST_MAX {
            return Err(Problem::value(list, format!("has more than {LIST_MAX} terms")));
        }
        for (nth, keyword) in self.list.iter().enumerate() {
            let wrong = |message: String| Err(Problem::value(list.index(nth), message));
            if self.list[..nth].iter().any(|other| other.key == keyword.key) {
                return wrong(format!(
                    "the key {:?} is there twice; give its terms in one entry",
                    keyword.key
                ));
            }
            if keyword.key.is_empty() || keyword.key.len() > TEXT_BYTES_MAX {
                return wrong(format!("a key has 1 to {TEXT_BYTES_MAX} bytes"));
            }
            if keyword.partition.is_some_and(|partition| partition < 0) {
                return wrong("a partition is a number from 0".to_owned());
            }
            if let Some(term) = keyword.terms.iter().find(|term| !is_term(term)) {
                return wrong(format!("{term:?} is no term: 1 to {TEXT_BYTES_MAX} bytes, not only spaces"));
            }
        }
        Ok(())
    }
}

fn is_term(term: &str) -> bool {
    !term.trim().is_empty() && term.len() <= TEXT_BYTES_MAX
}
