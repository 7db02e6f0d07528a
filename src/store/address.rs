//! Where a tree of files is: `hdfs://...`, `viewfs://...` or `file:///...`.

use std::fmt;

/// A directory in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// `hdfs`, `viewfs` or `file`.
    pub(super) scheme: Scheme,
    /// Host and port, or name service; empty for the configured default, and for local files.
    pub(super) authority: String,
    /// Absolute path, without a slash at its end.
    pub(super) path: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Hdfs,
    ViewFs,
    File,
}

/// Text that names no directory in a store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` {reason}; write hdfs:///a/directory or file:///a/directory")]
pub struct AddressError {
    text: String,
    reason: &'static str,
}

impl Scheme {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Hdfs => "hdfs",
            Self::ViewFs => "viewfs",
            Self::File => "file",
        }
    }
}

impl Address {
    /// Reads an address; a bare absolute path is a local one.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let wrong = |reason| AddressError { text: text.to_owned(), reason };
        let (scheme, rest) = match text.split_once("://") {
            Some(("hdfs", rest)) => (Scheme::Hdfs, rest),
            Some(("viewfs", rest)) => (Scheme::ViewFs, rest),
            Some(("file", rest)) => (Scheme::File, rest),
            Some(_) => return Err(wrong("is in a store that cannot hold it")),
            None if text.starts_with('/') => (Scheme::File, text),
            None => return Err(wrong("does not say where it is")),
        };
        let slash = rest.find('/').ok_or_else(|| wrong("names no directory"))?;
        let (authority, path) = rest.split_at(slash);
        if scheme == Scheme::File && !authority.is_empty() {
            return Err(wrong("has a host, and local files have none"));
        }
        if path.split('/').any(|part| part == ".." || part == ".") {
            return Err(wrong("goes up and down"));
        }
        let path = path.trim_end_matches('/').to_owned();
        if path.is_empty() {
            return Err(wrong("is the root of a file system"));
        }
        Ok(Self { scheme, authority: authority.to_owned(), path })
    }

    /// The address of `path` within.
    pub(super) fn join(&self, path: &str) -> String {
        if path.is_empty() { self.to_string() } else { format!("{self}/{path}") }
    }

    /// The absolute path of `path` within, as the store knows it.
    pub(super) fn absolute(&self, path: &str) -> String {
        if path.is_empty() { self.path.clone() } else { format!("{}/{path}", self.path) }
    }

    /// The directory above and the last name, for a command that is given a file.
    pub fn split(&self) -> Option<(Self, String)> {
        let (above, name) = self.path.rsplit_once('/')?;
        let above = Self { path: above.to_owned(), ..self.clone() };
        (!above.path.is_empty()).then(|| (above, name.to_owned()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme.word(), self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_are_shown() {
        for text in ["hdfs:///user/me/x", "hdfs://nn1:9000/x", "viewfs://all/x/y", "file:///tmp/x"] {
            assert_eq!(Address::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Address::parse("/tmp/x//").unwrap().to_string(), "file:///tmp/x");
    }

    #[test]
    fn what_names_no_directory_is_refused() {
        for text in ["", "x", "oss://b/x", "hdfs://nn1", "hdfs:///", "file://host/x", "file:///x/../y"] {
            let error = Address::parse(text).unwrap_err().to_string();
            assert!(error.contains("write hdfs:///a/directory"), "{error}");
        }
    }
}
