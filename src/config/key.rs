//! Which bytes of a record are its key.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::Problem;
use super::keypath::KeyPath;

/// Which bytes of a record are counted (`key` in the job file).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyRule {
    /// The record's own key.
    #[default]
    Record,
    /// The value of the last header of this name.
    Header(String),
    /// The field at this JSON pointer (RFC 6901) in the value.
    Json(String),
}

impl KeyRule {
    pub(super) fn check(&self, at: &KeyPath) -> Result<(), Problem> {
        match self {
            Self::Header(name) if name.is_empty() => Err(Problem::value(
                at.key("header"),
                "is empty; name the header whose value is to be counted",
            )),
            Self::Json(pointer) => {
                check_pointer(pointer).map_err(|reason| Problem::value(at.key("json"), reason))
            }
            Self::Record | Self::Header(_) => Ok(()),
        }
    }
}

/// RFC 6901 section 3: tokens behind slashes, in which `~` comes only as `~0` or `~1`.
fn check_pointer(pointer: &str) -> Result<(), String> {
    if !pointer.starts_with('/') {
        return Err(format!("`{pointer}` is not a JSON pointer; it starts with a slash, as in /user/lang"));
    }
    let lone = pointer.split('~').skip(1).any(|after| !after.starts_with(['0', '1']));
    if lone {
        return Err(format!("`{pointer}` is not a JSON pointer; write ~ as ~0 and / within a name as ~1"));
    }
    Ok(())
}
