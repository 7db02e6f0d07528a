//! Where in the job file something stands: `source.topics[1]`. Errors and hidden values are named by it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_yaml::Value;

/// One step down.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Step {
    /// Into a mapping.
    Key(String),
    /// Into a list, from 0.
    Index(usize),
}

/// A place in the job file, from the top.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KeyPath(pub Vec<Step>);

impl KeyPath {
    /// The place of the keys `keys`, none of them split at dots.
    pub fn of(keys: &[&str]) -> Self {
        Self(keys.iter().map(|key| Step::Key((*key).to_owned())).collect())
    }

    /// The place of `key` in the mapping at this place.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.step(Step::Key(key.to_owned()))
    }

    /// The place of entry `index` of the list at this place.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.step(Step::Index(index))
    }

    /// The mapping or list that this is a part of, `None` at the top.
    pub fn parent(&self) -> Option<Self> {
        let (_, rest) = self.0.split_last()?;
        Some(Self(rest.to_vec()))
    }

    /// True when `self` is `other` or stands above it.
    pub fn holds(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }

    /// What stands here in `tree`.
    pub fn find_mut<'a>(&self, tree: &'a mut Value) -> Option<&'a mut Value> {
        self.0.iter().try_fold(tree, |node, step| match (step, node) {
            (Step::Key(key), Value::Mapping(map)) => map.get_mut(key.as_str()),
            (Step::Index(index), Value::Sequence(list)) => list.get_mut(*index),
            _ => None,
        })
    }

    /// Puts `value` here, making mappings on the way where there are none.
    pub fn put(&self, tree: &mut Value, value: Value) {
        let mut node = tree;
        for step in &self.0 {
            let Step::Key(key) = step else { return };
            if !node.is_mapping() {
                *node = Value::Mapping(serde_yaml::Mapping::new());
            }
            let Value::Mapping(map) = node else { return };
            node = map.entry(Value::String(key.clone())).or_insert(Value::Null);
        }
        *node = value;
    }

    fn step(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if nth == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

impl From<&serde_path_to_error::Path> for KeyPath {
    fn from(path: &serde_path_to_error::Path) -> Self {
        use serde_path_to_error::Segment;
        let step = |segment: &Segment| match segment {
            Segment::Seq { index } => Some(Step::Index(*index)),
            Segment::Map { key } => Some(Step::Key(key.clone())),
            Segment::Enum { .. } | Segment::Unknown => None,
        };
        Self(path.iter().map_while(step).collect())
    }
}
