//! `source.sse`, `source.websocket`, `source.http_lines`: streams without a protocol of their own, described here.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check_url;
use crate::config::error::Problem;
use crate::config::forms::{SecretMap, list, opaque_debug};
use crate::config::keypath::KeyPath;
use crate::config::pointer::Pointer;
use crate::config::units::Timespan;

/// Where a post has what; all within the post's JSON text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Places {
    /// Its id.
    pub id: Option<Pointer>,
    /// When it was written.
    pub time: Option<Pointer>,
    /// What the server resumes from.
    pub cursor: Option<Pointer>,
}

/// The section `source.sse`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Sse {
    /// The stream's address.
    pub url: String,
    /// Headers of the request, credentials among them.
    pub headers: SecretMap,
    /// Types of events that are posts; empty: those without a type, and `message`.
    #[serde(deserialize_with = "list")]
    pub events: Vec<String>,
    /// Where a post has its id.
    pub id: Option<Pointer>,
    /// Where it says when it was written.
    pub time: Option<Pointer>,
    /// Where it has what the server resumes from; without it the id of the event, sent as `Last-Event-ID`.
    pub cursor: Option<Pointer>,
    /// The parameter that a cursor is sent as; without it `Last-Event-ID`.
    pub resume: String,
    /// Silence after which the connection counts as dead.
    pub idle: Timespan,
}

/// The section `source.websocket`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WebSocket {
    /// The stream's address.
    pub url: String,
    /// Headers of the request, credentials among them.
    pub headers: SecretMap,
    /// Messages that are sent first, one after the other.
    #[serde(deserialize_with = "list")]
    pub subscribe: Vec<String>,
    /// Where a post has its id.
    pub id: Option<Pointer>,
    /// Where it says when it was written.
    pub time: Option<Pointer>,
    /// Where it has what the server resumes from.
    pub cursor: Option<Pointer>,
    /// The parameter that a cursor is sent as; without it nothing is resumed.
    pub resume: String,
    /// Silence after which the connection counts as dead; pings count as life.
    pub idle: Timespan,
}

/// The section `source.http_lines`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HttpLines {
    /// The stream's address.
    pub url: String,
    /// Headers of the request, credentials among them.
    pub headers: SecretMap,
    /// Where a post has its id.
    pub id: Option<Pointer>,
    /// Where it says when it was written.
    pub time: Option<Pointer>,
    /// Where it has what the server resumes from.
    pub cursor: Option<Pointer>,
    /// The parameter that a cursor is sent as; without it nothing is resumed.
    pub resume: String,
    /// Silence after which the connection counts as dead; blank lines count as life.
    pub idle: Timespan,
}

opaque_debug!(Sse, WebSocket, HttpLines);

/// Twice the longest interval of heartbeats that is usual (30 s).
const IDLE: Timespan = Timespan::from_secs(60);
const IDLE_MIN: Duration = Duration::from_secs(1);

macro_rules! stream {
    ($section:ident, $schemes:expr, {$($own:ident),*}) => {
        impl Default for $section {
            fn default() -> Self {
                Self {
                    url: String::new(),
                    headers: SecretMap::default(),
                    $($own: Vec::new(),)*
                    id: None,
                    time: None,
                    cursor: None,
                    resume: String::new(),
                    idle: IDLE,
                }
            }
        }

        impl $section {
            pub(super) fn check(&self, at: &KeyPath) -> Result<(), Problem> {
                check_url(&self.url, &$schemes, &at.key("url"))?;
                check_headers(&self.headers, &at.key("headers"))?;
                if self.idle.get() < IDLE_MIN {
                    let message = format!("{} is too short; at least 1s", self.idle);
                    return Err(Problem::value(at.key("idle"), message));
                }
                Ok(())
            }

            /// Where a post has what.
            pub fn places(&self) -> Places {
                Places { id: self.id.clone(), time: self.time.clone(), cursor: self.cursor.clone() }
            }
        }
    };
}

stream!(Sse, ["https", "http"], { events });
stream!(WebSocket, ["wss", "ws"], { subscribe });
stream!(HttpLines, ["https", "http"], {});

/// Names and values as HTTP allows them (RFC 9110, 5.1 and 5.5).
fn check_headers(headers: &SecretMap, at: &KeyPath) -> Result<(), Problem> {
    for (name, value) in headers.iter() {
        if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
            return Err(Problem::key(at.key(name), "is no name of a header"));
        }
        if http::HeaderValue::from_str(value).is_err() {
            return Err(Problem::value(
                at.key(name),
                "is no value of a header: control characters cannot be sent",
            ));
        }
    }
    Ok(())
}
