//! The job file's JSON schema, and what it says about keys: which are known where, and which is nearest.
//!
//! One source: the structs. The schema is derived from them, unknown keys are found by the schema.

use std::sync::LazyLock;

use serde_json::Value as Json;
use serde_yaml::Value;

use super::Job;
use super::error::Problem;
use super::keypath::{KeyPath, Step};

static SCHEMA: LazyLock<Json> = LazyLock::new(|| schemars::schema_for!(Job).to_value());

/// The job file's JSON schema.
pub fn schema() -> &'static Json {
    &SCHEMA
}

/// Every key there is, dotted, in the order of the alphabet.
pub fn keys() -> Vec<String> {
    let mut keys = Vec::new();
    collect(&[schema()], &KeyPath::default(), &mut keys);
    keys.sort();
    keys
}

fn collect(nodes: &[&'static Json], at: &KeyPath, keys: &mut Vec<String>) {
    for key in known(nodes) {
        let below = at.key(&key);
        keys.push(below.to_string());
        collect(&child(nodes, &key), &below, keys);
    }
}

/// The place that `dotted` names. In maps with free names (`source.properties`, `env`) the rest is one name,
/// dots and all.
pub(super) fn resolve(dotted: &str) -> Result<KeyPath, Problem> {
    let mut nodes = vec![schema()];
    let mut at = KeyPath::default();
    let mut rest = dotted;
    while !rest.is_empty() {
        if is_open(&nodes) {
            return Ok(at.key(rest));
        }
        let (key, tail) = rest.split_once('.').unwrap_or((rest, ""));
        let below = child(&nodes, key);
        if below.is_empty() {
            return Err(unknown(&nodes, &at, key, true));
        }
        at = at.key(key);
        (nodes, rest) = (below, tail);
    }
    Ok(at)
}

/// The first key of `tree` that the job file does not have.
pub(super) fn first_unknown(tree: &Value) -> Option<Problem> {
    search(tree, &[schema()], &KeyPath::default())
}

fn search(tree: &Value, nodes: &[&'static Json], at: &KeyPath) -> Option<Problem> {
    let Value::Mapping(map) = tree else { return None };
    // A mapping where none belongs is a wrong type, which serde reports.
    if is_open(nodes) || known(nodes).is_empty() {
        return None;
    }
    map.iter().find_map(|(key, value)| {
        let Some(key) = key.as_str() else {
            return Some(Problem::value(at.clone(), "has a key that is not a word"));
        };
        let below = child(nodes, key);
        if below.is_empty() {
            Some(unknown(nodes, at, key, false))
        } else {
            search(value, &below, &at.key(key))
        }
    })
}

/// `whole`: suggest the whole dotted key, as it is written on a command line.
fn unknown(nodes: &[&'static Json], at: &KeyPath, key: &str, whole: bool) -> Problem {
    let siblings = known(nodes);
    let near = siblings.iter().map(|sibling| (slips(key, sibling), sibling)).min();
    let far =
        keys().into_iter().map(|full| (slips(key, full.rsplit('.').next().unwrap_or_default()), full)).min();
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

/// How many slips of the hand lie between two words.
fn slips(written: &str, meant: &str) -> usize {
    strsim::damerau_levenshtein(written, meant)
}

/// The one of `words` that is nearest to `written`, if it is near enough to be a slip.
pub(super) fn nearest<'a>(written: &str, words: &[&'a str]) -> Option<&'a str> {
    let near = words.iter().min_by_key(|word| slips(written, word))?;
    (slips(written, near) <= written.len().div_ceil(3)).then_some(near)
}

/// Keys that a mapping described by `nodes` may have, in the order of the alphabet.
fn known(nodes: &[&'static Json]) -> Vec<String> {
    let objects = nodes.iter().flat_map(|node| alternatives(node));
    let properties = objects.filter_map(|node| node["properties"].as_object());
    let mut keys: Vec<String> = properties.flat_map(|map| map.keys().cloned()).collect();
    keys.sort();
    keys.dedup();
    keys
}

/// True where names are free.
fn is_open(nodes: &[&'static Json]) -> bool {
    let mut objects = nodes.iter().flat_map(|node| alternatives(node));
    objects.any(|node| node["additionalProperties"].is_object() && node.get("properties").is_none())
}

/// What describes the value of `key`; empty where there is no such key.
fn child(nodes: &[&'static Json], key: &str) -> Vec<&'static Json> {
    let objects = nodes.iter().flat_map(|node| alternatives(node));
    objects.filter_map(|node| node["properties"].get(key)).collect()
}

/// The node itself, or what it refers to and chooses between.
fn alternatives(node: &'static Json) -> Vec<&'static Json> {
    let mut found = vec![node];
    if let Some(name) = node["$ref"].as_str().and_then(|name| name.strip_prefix("#/$defs/")) {
        found.extend(alternatives(&schema()["$defs"][name]));
    }
    for choice in ["anyOf", "oneOf", "allOf"].iter().filter_map(|word| node[word].as_array()).flatten() {
        found.extend(alternatives(choice));
    }
    found
}

/// True when `path` names a value that must not be shown because of its name.
pub(super) fn is_secret_name(path: &KeyPath) -> bool {
    const SECRET_WORDS: [&str; 5] = ["password", "secret", "key", "token", "jaas"];
    let name = match path.0.as_slice() {
        [Step::Key(env), Step::Key(name)] if env == "env" => name,
        [Step::Key(source), Step::Key(properties), Step::Key(name)]
            if source == "source" && properties == "properties" =>
        {
            name
        }
        _ => return false,
    };
    let name = name.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| name.contains(word))
}
