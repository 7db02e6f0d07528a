//! JSON pointers (RFC 6901): `/commit/record/text`. They name fields of posts; `produce::json` reads what they name.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

/// A place in a JSON document, by RFC 6901: empty (the whole document), or a slash before each name. In a name `~` is
/// written `~0` and `/` is written `~1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pointer(String);

impl Pointer {
    /// How many names a pointer may have. Reading one costs a level of recursion for each.
    pub const NAMES_MAX: usize = 64;

    /// The place that `text` names. Panics on what is no pointer: for texts in the code.
    pub fn of(text: &'static str) -> Self {
        text.parse().expect("a JSON pointer")
    }

    /// The pointer as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names on the way, from the top, as they are in the document. In an array a name is an index.
    pub fn names(&self) -> impl Iterator<Item = String> {
        self.0.split('/').skip(1).map(|name| name.replace("~1", "/").replace("~0", "~"))
    }
}

impl FromStr for Pointer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.is_empty() && !text.starts_with('/') {
            return Err(format!("`{text}` is not a JSON pointer; it starts with a slash, as in /user/lang"));
        }
        if text.split('~').skip(1).any(|after| !after.starts_with(['0', '1'])) {
            return Err(format!("`{text}` is not a JSON pointer; write ~ as ~0 and / within a name as ~1"));
        }
        if text.matches('/').count() > Self::NAMES_MAX {
            return Err(format!(
                "`{text}` is too deep; a JSON pointer has at most {} names",
                Self::NAMES_MAX
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Pointer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Pointer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for Pointer {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Pointer".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^(/([^/~]|~[01])*)*$"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        text.parse::<Pointer>().unwrap().names().collect()
    }

    #[test]
    fn names_are_those_of_rfc_6901() {
        // Section 5 has these.
        assert_eq!(names(""), [""; 0]);
        assert_eq!(names("/foo/0"), ["foo", "0"]);
        assert_eq!(names("/"), [""]);
        assert_eq!(names("/a~1b"), ["a/b"]);
        assert_eq!(names("/m~0n"), ["m~n"]);
        assert_eq!(names("/ "), [" "]);
        // Section 4: ~01 is ~1, never a slash.
        assert_eq!(names("/~01"), ["~1"]);
        assert_eq!(names("/a//"), ["a", "", ""]);
    }

    #[test]
    fn what_is_no_pointer_is_refused_with_the_remedy() {
        for (text, remedy) in [
            ("a", "starts with a slash"),
            ("#/a", "starts with a slash"),
            ("/a~", "write ~ as ~0"),
            ("/a~2", "write ~ as ~0"),
            ("/~~0", "write ~ as ~0"),
            (&*"/a".repeat(65), "at most 64 names"),
        ] {
            let error = text.parse::<Pointer>().unwrap_err();
            assert!(error.contains(remedy), "{error}");
        }
        assert!("/a".repeat(64).parse::<Pointer>().is_ok());
    }

    #[test]
    fn a_pointer_is_written_as_it_was_read() {
        let pointer: Pointer = serde_json::from_str(r#""/a~1b/0""#).unwrap();
        assert_eq!(pointer.to_string(), "/a~1b/0");
        assert_eq!(serde_json::to_string(&pointer).unwrap(), r#""/a~1b/0""#);
        assert!(serde_json::from_str::<Pointer>(r#""a""#).is_err());
    }
}
