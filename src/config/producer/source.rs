//! `source`: where posts come from. One of a closed list; which protocol each speaks stands in `produce::feed`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::error::Problem;
use crate::config::keypath::KeyPath;

mod archive;
mod jetstream;
mod speed;
mod statuses;
mod streams;
mod synthetic;

pub use archive::{File, Stdin};
pub use jetstream::Jetstream;
pub use speed::Speed;
pub use statuses::StatusesFilter;
pub use streams::{HttpLines, Places, Sse, WebSocket};
pub use synthetic::Synthetic;

/// The section `source`: one of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Source {
    /// Posts of Bluesky, by Jetstream.
    Jetstream(Jetstream),
    /// The protocol of `statuses/filter` 1.1: archives, gateways and emulators speak it.
    StatusesFilter(StatusesFilter),
    /// Server-sent events.
    Sse(Sse),
    /// A WebSocket, one post a message.
    Websocket(WebSocket),
    /// An HTTP response without end, one post a line.
    HttpLines(HttpLines),
    /// A file, or all files of a directory, one post a line.
    File(File),
    /// Standard input, one post a line.
    Stdin(Stdin),
    /// Posts made up from a seed.
    Synthetic(Synthetic),
}

impl Default for Source {
    fn default() -> Self {
        Self::Jetstream(Jetstream::default())
    }
}

impl Source {
    /// As the file calls it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Jetstream(_) => "jetstream",
            Self::StatusesFilter(_) => "statuses_filter",
            Self::Sse(_) => "sse",
            Self::Websocket(_) => "websocket",
            Self::HttpLines(_) => "http_lines",
            Self::File(_) => "file",
            Self::Stdin(_) => "stdin",
            Self::Synthetic(_) => "synthetic",
        }
    }

    /// What tells two servers of one kind apart: scheme, host and path of the address. The query may hold secrets. Empty
    /// where a cursor is good for any: hosts of Jetstream share times, and a file is known by how it begins.
    pub fn identity(&self) -> String {
        let url = match self {
            Self::StatusesFilter(statuses) => &statuses.url,
            Self::Sse(sse) => &sse.url,
            Self::Websocket(websocket) => &websocket.url,
            Self::HttpLines(lines) => &lines.url,
            Self::Jetstream(_) | Self::File(_) | Self::Stdin(_) | Self::Synthetic(_) => return String::new(),
        };
        let url = url.split(['?', '#']).next().unwrap_or_default();
        let Some((scheme, rest)) = url.split_once("://") else { return String::new() };
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        format!("{}://{}/{path}", scheme.to_ascii_lowercase(), host.to_ascii_lowercase())
    }

    pub(super) fn check(&self, at: &KeyPath) -> Result<(), Problem> {
        let at = at.key(self.name());
        match self {
            Self::Jetstream(jetstream) => jetstream.check(&at),
            Self::StatusesFilter(statuses) => statuses.check(&at),
            Self::Sse(sse) => sse.check(&at),
            Self::Websocket(websocket) => websocket.check(&at),
            Self::HttpLines(lines) => lines.check(&at),
            Self::File(file) => file.check(&at),
            Self::Stdin(stdin) => stdin.check(&at),
            Self::Synthetic(synthetic) => synthetic.check(&at),
        }
    }

    /// The places of credentials, which are never shown, however they were written.
    pub(super) fn secrets(&self, at: &KeyPath) -> Vec<KeyPath> {
        let at = at.key(self.name());
        match self {
            Self::StatusesFilter(statuses) => {
                let keys = StatusesFilter::SECRETS.iter().map(|key| at.key(key));
                keys.chain(query(&statuses.url, &at)).collect()
            }
            Self::Sse(Sse { headers, url, .. }) | Self::HttpLines(HttpLines { headers, url, .. }) => {
                let headers = headers.keys().map(|name| at.key("headers").key(name));
                headers.chain(query(url, &at)).collect()
            }
            Self::Websocket(WebSocket { headers, url, .. }) => {
                let headers = headers.keys().map(|name| at.key("headers").key(name));
                headers.chain(query(url, &at)).chain([at.key("subscribe")]).collect()
            }
            Self::Jetstream(_) | Self::File(_) | Self::Stdin(_) | Self::Synthetic(_) => Vec::new(),
        }
    }
}

/// The place of an address that has a query, in which there may be a token.
fn query(url: &str, at: &KeyPath) -> Option<KeyPath> {
    url.contains('?').then(|| at.key("url"))
}

/// An address that begins with one of `schemes` and names a host.
fn check_url(url: &str, schemes: &[&str], at: &KeyPath) -> Result<(), Problem> {
    let wrong = |message: String| Err(Problem::value(at.clone(), message));
    let expected =
        schemes.iter().map(|scheme| format!("{scheme}://host/path")).collect::<Vec<_>>().join(" or ");
    if url.is_empty() {
        return wrong(format!("missing; write {expected}"));
    }
    // The address itself may hold a secret, and so is not repeated.
    let Some((scheme, rest)) = url.split_once("://") else {
        return wrong(format!("is not an address; write {expected}"));
    };
    if !schemes.contains(&scheme) {
        return wrong(format!("begins with {scheme:?}; write {expected}"));
    }
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.contains('@') {
        return wrong("has credentials in it, which would be shown; set a header instead".to_owned());
    }
    if host.is_empty() || url.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return wrong(format!("names no host; write {expected}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_known_by_its_address_without_the_query() {
        let of = |url: &str| Source::Sse(Sse { url: url.to_owned(), ..Sse::default() }).identity();
        assert_eq!(of("https://Host.example:81/a/B?access_token=s#x"), "https://host.example:81/a/B");
        assert_eq!(of("https://host.example?access_token=s"), "https://host.example/");
        assert_eq!(Source::default().identity(), "");
    }
}
