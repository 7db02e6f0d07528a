//! `${env:NAME}` and `${file:PATH}` in values, resolved before anything is typed.
//!
//! A resolved value stays a text wherever it is put and never becomes YAML, so a password with a colon in it
//! is a password.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use serde_yaml::Value;

use super::error::Problem;
use super::keypath::KeyPath;

/// Where substitutions come from.
pub trait Lookup {
    /// The environment variable `name`.
    fn env(&self, name: &str) -> Option<String>;
    /// The text of the file at `path`, relative to the job file.
    fn file(&self, path: &Path) -> io::Result<String>;
}

/// The process's environment and the files beside the job file.
#[derive(Debug)]
pub struct System {
    /// Directory of the job file, if it lies on this machine.
    pub base: Option<PathBuf>,
}

/// Longest text that a substitution may put in, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 10;

impl Lookup for System {
    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        let path = match &self.base {
            Some(base) => base.join(path),
            None if path.is_absolute() => path.to_owned(),
            None => return Err(io::Error::other("the job file lies elsewhere; write the whole path")),
        };
        super::load::read_bounded(&path, FILE_BYTES_MAX)
    }
}

/// What was put in.
#[derive(Default)]
pub(super) struct Substituted {
    /// Where.
    pub paths: BTreeSet<KeyPath>,
    /// What; to be kept out of messages.
    pub secrets: Vec<String>,
}

/// Resolves every substitution in `tree`.
pub(super) fn substitute(tree: &mut Value, lookup: &dyn Lookup) -> Result<Substituted, Problem> {
    let mut done = Substituted::default();
    walk(tree, &KeyPath::default(), lookup, &mut done)?;
    Ok(done)
}

fn walk(node: &mut Value, at: &KeyPath, lookup: &dyn Lookup, done: &mut Substituted) -> Result<(), Problem> {
    match node {
        Value::String(text) => {
            if let Some(resolved) =
                resolve(text, lookup, done).map_err(|reason| Problem::value(at.clone(), reason))?
            {
                if resolved.secret {
                    done.paths.insert(at.clone());
                }
                *text = resolved.text;
            }
            Ok(())
        }
        Value::Sequence(list) => {
            let mut entries = list.iter_mut().enumerate();
            entries.try_for_each(|(nth, entry)| walk(entry, &at.index(nth), lookup, done))
        }
        Value::Mapping(map) => {
            let mut entries = map.iter_mut();
            entries
                .try_for_each(|(key, value)| walk(value, &at.key(key.as_str().unwrap_or("?")), lookup, done))
        }
        _ => Ok(()),
    }
}

struct Resolved {
    text: String,
    secret: bool,
}

/// `None` when there is nothing to resolve. `$${` stands for `${`.
fn resolve(text: &str, lookup: &dyn Lookup, done: &mut Substituted) -> Result<Option<Resolved>, String> {
    if !text.contains("${") {
        return Ok(None);
    }
    let mut out = Resolved { text: String::with_capacity(text.len()), secret: false };
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, after) = (&rest[..start], &rest[start + 2..]);
        let found = match before.strip_suffix('$') {
            Some(_) => None,
            None => after.split_once('}').and_then(|(inner, tail)| Some((inner.split_once(':')?, tail))),
        };
        let Some(((kind, name), tail)) = found else {
            out.text.push_str(before.strip_suffix('$').unwrap_or(before));
            out.text.push_str("${");
            rest = after;
            continue;
        };
        let value = value_of(kind, name, lookup)?;
        out.text.push_str(before);
        out.text.push_str(&value);
        out.secret = true;
        done.secrets.push(value);
        rest = tail;
    }
    out.text.push_str(rest);
    Ok(Some(out))
}

fn value_of(kind: &str, name: &str, lookup: &dyn Lookup) -> Result<String, String> {
    match kind {
        "env" => {
            lookup.env(name).ok_or_else(|| format!("${{env:{name}}}: the environment variable is not set"))
        }
        "file" => {
            let text = lookup.file(Path::new(name)).map_err(|error| format!("${{file:{name}}}: {error}"))?;
            Ok(text
                .strip_suffix('\n')
                .map(|line| line.strip_suffix('\r').unwrap_or(line))
                .unwrap_or(&text)
                .to_owned())
        }
        _ => Err(format!(
            "${{{kind}:{name}}}: there is ${{env:NAME}} and ${{file:PATH}}; write $${{ for a plain ${{"
        )),
    }
}

#[cfg(test)]
mod tests;
