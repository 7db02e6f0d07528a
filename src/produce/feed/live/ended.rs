//! How a connection ended, or why there is none: for `reconnect`, for the metrics, and in words for people.

use super::Reason;
use crate::produce::event::{Event, Kind, Malformed};
use crate::produce::reconnect::Failure;

/// The end of a connection. Its words hold nothing secret, and others' words only escaped and cut.
#[derive(Debug)]
pub(in crate::produce::feed) struct Ended {
    pub(in crate::produce::feed) failure: Failure,
    pub(in crate::produce::feed) reason: Reason,
    pub(in crate::produce::feed) words: String,
}

impl Ended {
    /// No connection came about.
    pub(in crate::produce::feed) fn connect(words: impl Into<String>) -> Self {
        Self { failure: Failure::Io, reason: Reason::Connect, words: words.into() }
    }

    /// The connection broke.
    pub(in crate::produce::feed) fn lost(words: impl Into<String>) -> Self {
        Self { failure: Failure::Lost, reason: Reason::Lost, words: words.into() }
    }

    /// Nothing came for too long.
    pub(in crate::produce::feed) fn silent(words: impl Into<String>) -> Self {
        Self { failure: Failure::Silent, reason: Reason::Silent, words: words.into() }
    }

    /// The server ended it in an orderly way.
    pub(in crate::produce::feed) fn normal(words: impl Into<String>) -> Self {
        Self { failure: Failure::Normal, reason: Reason::Normal, words: words.into() }
    }

    /// The server will not have it. `remedy` says what to do.
    pub(in crate::produce::feed) fn refused(words: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { failure: Failure::Refused(remedy.into()), reason: Reason::Refused, words: words.into() }
    }

    /// Something came that is longer than is taken.
    pub(in crate::produce::feed) fn too_long(words: impl Into<String>) -> Self {
        Self { failure: Failure::Lost, reason: Reason::TooLong, words: words.into() }
    }

    /// What the end is to be counted as beside itself: something that could not be read.
    pub(in crate::produce::feed) fn event(&self) -> Option<Event> {
        let too_long = Event { kind: Kind::Malformed(Malformed::TooLong), resume: None };
        (self.reason == Reason::TooLong).then_some(too_long)
    }

    /// It was closed here.
    pub(super) fn paused() -> Self {
        let words = "there is room for posts again".to_owned();
        Self { failure: Failure::Paused, reason: Reason::Paused, words }
    }
}
