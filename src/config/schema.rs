//! JSON schemas of the files that people write, and what they say about keys: which are known where, and which is
//! nearest.
//!
//! One source: the structs. The schema is derived from them, unknown keys are found by the schema.

use std::sync::LazyLock;

use serde_json::Value as Json;
use serde_yaml::Value;

use super::error::Problem;
use super::keypath::KeyPath;
use super::{Job, Producer};

static JOB: LazyLock<Json> = LazyLock::new(|| schemars::schema_for!(Job).to_value());
static PRODUCER: LazyLock<Json> = LazyLock::new(|| schemars::schema_for!(Producer).to_value());

/// The schema of one kind of file.
#[derive(Debug, Clone, Copy)]
pub struct Schema(&'static Json);

/// Of job files.
pub fn job() -> Schema {
    Schema(&JOB)
}

/// Of producer files.
pub fn producer() -> Schema {
    Schema(&PRODUCER)
}

impl Schema {
    /// The schema itself, as JSON.
    pub fn json(self) -> &'static Json {
        self.0
    }

    /// Every key there is, dotted, in the order of the alphabet.
    pub fn keys(self) -> Vec<String> {
        let mut keys = Vec::new();
        self.collect(&[self.0], &KeyPath::default(), &mut keys);
        keys.sort();
        keys
    }

    fn collect(self, nodes: &[&'static Json], at: &KeyPath, keys: &mut Vec<String>) {
        for key in self.known(nodes) {
            let below = at.key(&key);
            keys.push(below.to_string());
            self.collect(&self.child(nodes, &key), &below, keys);
        }
    }

    /// The place that `dotted` names. In maps with free names (`source.properties`, `env`) the rest is one name,
    /// dots and all.
    pub(super) fn resolve(self, dotted: &str) -> Result<KeyPath, Problem> {
        let mut nodes = vec![self.0];
        let mut at = KeyPath::default();
        let mut rest = dotted;
        while !rest.is_empty() {
            if self.is_open(&nodes) {
                return Ok(at.key(rest));
            }
            let (key, tail) = rest.split_once('.').unwrap_or((rest, ""));
            let below = self.child(&nodes, key);
            if below.is_empty() {
                return Err(self.unknown(&nodes, &at, key, true));
            }
            at = at.key(key);
            (nodes, rest) = (below, tail);
        }
        Ok(at)
    }

    /// The first key of `tree` that the file does not have.
    pub(super) fn first_unknown(self, tree: &Value) -> Option<Problem> {
        self.search(tree, &[self.0], &KeyPath::default())
    }

    fn search(self, tree: &Value, nodes: &[&'static Json], at: &KeyPath) -> Option<Problem> {
        if let Value::Sequence(list) = tree {
            let items = self.items(nodes);
            return (0..).zip(list).find_map(|(nth, item)| self.search(item, &items, &at.index(nth)));
        }
        let Value::Mapping(map) = tree else { return None };
        // A mapping where none belongs is a wrong type, which serde reports.
        if self.is_open(nodes) || self.known(nodes).is_empty() {
            return None;
        }
        map.iter().find_map(|(key, value)| {
            let Some(key) = key.as_str() else {
                return Some(Problem::value(at.clone(), "has a key that is not a word"));
            };
            let below = self.child(nodes, key);
            if below.is_empty() {
                Some(self.unknown(nodes, at, key, false))
            } else {
                self.search(value, &below, &at.key(key))
            }
        })
    }

    /// `whole`: suggest the whole dotted key, as it is written on a command line.
    fn unknown(self, nodes: &[&'static Json], at: &KeyPath, key: &str, whole: bool) -> Problem {
        let siblings = self.known(nodes);
        let near = siblings.iter().map(|sibling| (slips(key, sibling), sibling)).min();
        let far = self
            .keys()
            .into_iter()
            .map(|full| (slips(key, full.rsplit('.').next().unwrap_or_default()), full))
            .min();
        let enough = key.len().div_ceil(3);
        let message = match (near, far) {
            (None, _) => format!("unknown key; {at} is a value, not a section"),
            (Some((slips, _)), Some((fewer, full))) if fewer < slips && fewer <= 1 => {
                format!("unknown key; did you mean {full}?")
            }
            (Some((slips, near)), _) if slips <= enough => match whole {
                true => format!("unknown key; did you mean {}?", at.key(near)),
                false => format!("unknown key; did you mean {near}?"),
            },
            _ => format!("unknown key; known here: {}", siblings.join(", ")),
        };
        Problem::key(at.key(key), message)
    }

    /// Keys that a mapping described by `nodes` may have, in the order of the alphabet.
    fn known(self, nodes: &[&'static Json]) -> Vec<String> {
        let objects = nodes.iter().flat_map(|node| self.alternatives(node));
        let properties = objects.filter_map(|node| node["properties"].as_object());
        let mut keys: Vec<String> = properties.flat_map(|map| map.keys().cloned()).collect();
        keys.sort();
        keys.dedup();
        keys
    }

    /// True where names are free.
    fn is_open(self, nodes: &[&'static Json]) -> bool {
        let mut objects = nodes.iter().flat_map(|node| self.alternatives(node));
        objects.any(|node| node["additionalProperties"].is_object() && node.get("properties").is_none())
    }

    /// What describes the value of `key`; empty where there is no such key.
    fn child(self, nodes: &[&'static Json], key: &str) -> Vec<&'static Json> {
        let objects = nodes.iter().flat_map(|node| self.alternatives(node));
        objects.filter_map(|node| node["properties"].get(key)).collect()
    }

    /// What describes the entries of a list.
    fn items(self, nodes: &[&'static Json]) -> Vec<&'static Json> {
        let lists = nodes.iter().flat_map(|node| self.alternatives(node));
        lists.filter_map(|node| node.get("items")).collect()
    }

    /// The node itself, or what it refers to and chooses between.
    fn alternatives(self, node: &'static Json) -> Vec<&'static Json> {
        let mut found = vec![node];
        if let Some(name) = node["$ref"].as_str().and_then(|name| name.strip_prefix("#/$defs/")) {
            found.extend(self.alternatives(&self.0["$defs"][name]));
        }
        for choice in ["anyOf", "oneOf", "allOf"].iter().filter_map(|word| node[word].as_array()).flatten() {
            found.extend(self.alternatives(choice));
        }
        found
    }
}

/// How many slips of the hand lie between two words.
fn slips(written: &str, meant: &str) -> usize {
    strsim::damerau_levenshtein(written, meant)
}

/// The one of `words` that is nearest to `written`, if it is near enough to be a slip.
pub(super) fn nearest<'a>(written: &str, words: &[&'a str]) -> Option<&'a str> {
    let near = words.iter().min_by_key(|word| slips(written, word))?;
    (slips(written, near) <= written.len().div_ceil(3)).then_some(near)
}

/// True for a name whose value must not be shown.
pub(super) fn is_secret_name(name: &str) -> bool {
    const SECRET_WORDS: [&str; 6] = ["password", "secret", "key", "token", "jaas", "oauthbearer.config"];
    let name = name.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| name.contains(word))
}
