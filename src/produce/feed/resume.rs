//! Where a stream without a protocol of its own goes on: what the server calls the place, sent back as it came. Feeds
//! `sse`, `websocket` and `http_lines`.

use std::sync::Arc;

use anyhow::bail;
use reqwest::Url;

use crate::produce::event::{Event, Kind, Resume};
use crate::produce::shape::{Frame, Place};

/// Longest place that is kept, in bytes: it is sent back in the head of a request.
const TEXT_BYTES_MAX: usize = 4 << 10;

/// The place that a stream goes on at.
#[derive(Debug)]
pub(super) struct Token {
    /// The parameter that it is sent as; empty: none.
    parameter: String,
    last: Option<Resume>,
}

impl Token {
    pub(super) fn new(parameter: &str, resume: Option<Resume>) -> anyhow::Result<Self> {
        if !matches!(resume, None | Some(Resume::Token { .. })) {
            bail!("the cursor is none of this kind of source; name another cursor.path for it");
        }
        Ok(Self { parameter: parameter.to_owned(), last: resume })
    }

    /// What the server called the place of the last event that had one.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.last {
            Some(Resume::Token { text, .. }) => Some(text),
            _ => None,
        }
    }

    /// Puts the place into an address, if it is sent there.
    pub(super) fn put(&self, url: &mut Url) {
        if let Some(text) = self.text().filter(|_| self.is_parameter()) {
            // The configured address may have it already, as the place to begin at for the first time.
            let others: Vec<(String, String)> =
                url.query_pairs().filter(|(name, _)| *name != self.parameter).map(owned).collect();
            url.query_pairs_mut().clear().extend_pairs(others).append_pair(&self.parameter, text);
        }
    }

    pub(super) fn is_parameter(&self) -> bool {
        !self.parameter.is_empty()
    }

    /// Whether the next connection goes on where this one ends.
    pub(super) fn is_sent(&self) -> bool {
        self.is_parameter() && self.last.is_some()
    }

    /// The event that `frame` is, with its place in it.
    pub(super) fn event(&mut self, frame: Frame) -> Event {
        match &frame.place {
            Place::Cursor(text) => self.event_at(&Arc::clone(text), frame),
            Place::Unknown | Place::Jetstream { .. } => Event { kind: frame.kind, resume: None },
        }
    }

    /// The event that `frame` is, at a place that is known otherwise.
    pub(super) fn event_at(&mut self, text: &Arc<str>, frame: Frame) -> Event {
        if text.len() > TEXT_BYTES_MAX {
            return Event { kind: frame.kind, resume: None };
        }
        let time_ms = match &frame.kind {
            Kind::Post(post) => post.time_ms,
            _ => None,
        };
        self.last = Some(Resume::Token { text: Arc::clone(text), time_ms });
        Event { kind: frame.kind, resume: self.last.clone() }
    }
}

fn owned<A: ToString, B: ToString>((name, value): (A, B)) -> (String, String) {
    (name.to_string(), value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(text: &str) -> Frame {
        Frame { kind: Kind::Control, place: Place::Cursor(text.into()), notice: None }
    }

    #[test]
    fn the_last_place_is_sent_as_the_parameter() {
        let mut token = Token::new("since", None).unwrap();
        let address = || -> Url { "https://host/stream?since=now&lang=en&a%26b=%20".parse().unwrap() };
        let put = |token: &Token| {
            let mut url = address();
            token.put(&mut url);
            url
        };
        assert!(!token.is_sent());
        assert_eq!(put(&token), address());
        token.event(frame("[{\"offset\":7}]"));
        let event = token.event(Frame { place: Place::Unknown, ..frame("") });
        assert_eq!(event.resume, None);
        assert!(token.is_sent());
        let pairs: Vec<_> = put(&token).query_pairs().map(owned).collect();
        let expected = [("lang", "en"), ("a&b", " "), ("since", "[{\"offset\":7}]")];
        assert_eq!(pairs, expected.map(owned));
        let silent = Token::new("", Some(Resume::Token { text: "7".into(), time_ms: None })).unwrap();
        assert!(!silent.is_sent());
        assert_eq!(put(&silent), address());
    }

    #[test]
    fn places_without_measure_are_not_kept() {
        let mut token = Token::new("since", None).unwrap();
        assert_eq!(token.event(frame(&"x".repeat(5_000))).resume, None);
        assert_eq!(token.text(), None);
        let offset = Resume::Offset { file: "posts".into(), bytes: 1, head: 2 };
        assert!(Token::new("since", Some(offset)).is_err());
    }
}
