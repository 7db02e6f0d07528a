//! Frames of Bluesky's Jetstream, both versions. A post is a commit that creates a record; all else is control.
//!
//! github.com/bluesky-social/jetstream: docs/README.md 5.1 (version 1) and 5.2 with
//! lexicons/network/bsky/jetstream/subscribeEvents.json (version 2).

use jiff::Timestamp;

use super::{Meaning, Notice, Place, What, id};
use crate::ids::Millis;
use crate::produce::json::{Found, Value};

/// What is taken from a frame of version 1.
pub(super) const V1: [&str; 7] =
    ["/kind", "/time_us", "/did", "/commit/operation", "/commit/collection", "/commit/rkey", "/commit/rev"];

/// What is taken from a frame of version 2.
pub(super) const V2: [&str; 14] = [
    "/$type",
    "/payload/$type",
    "/payload/seq",
    "/payload/time",
    "/payload/did",
    "/payload/operation",
    "/payload/collection",
    "/payload/rkey",
    "/payload/rev",
    "/payload/name",
    "/payload/message",
    "/error",
    "/message",
    "/payload/witnessedAt",
];

/// What a frame of version 1 with these values is.
pub(super) fn v1(found: &Found) -> Meaning {
    let text = |at: usize| found.get(at).and_then(Value::text);
    let Some(kind) = text(0) else { return Meaning::not_a_post() };
    let time_us = text(1).and_then(|number| number.parse().ok());
    let place = time_us.map_or(Place::Unknown, |time_us| Place::Jetstream { seq: None, time_us });
    let what = match kind {
        "commit" => commit([3, 2, 4, 5, 6].map(text), time_us),
        _ => What::Control,
    };
    Meaning { what, place, notice: None }
}

/// What a frame of version 2 with these values is.
pub(super) fn v2(found: &Found) -> Meaning {
    let text = |at: usize| found.get(at).and_then(Value::text);
    let words = |at: usize| text(at).unwrap_or_default().to_owned();
    match text(0) {
        Some("message") => {}
        Some("error") => return Meaning::notice(Notice::Error(words(11), words(12))),
        // Frames of types to come are no errors.
        Some(_) => return Meaning::control(),
        None => return Meaning::not_a_post(),
    }
    let Some((_, kind)) = text(1).and_then(|name| name.rsplit_once('#')) else {
        return Meaning::not_a_post();
    };
    if kind == "info" {
        return Meaning::notice(Notice::Info(words(9), words(10)));
    }
    let seq = text(2).and_then(|number| number.parse().ok());
    let time_at = |at: usize| {
        let time = text(at)?.parse::<Timestamp>().ok()?;
        u64::try_from(time.as_microsecond()).ok()
    };
    let time_us = time_at(3);
    // Hosts find a time by when they saw the event, and an import of times may override `time` (lexicon of
    // subscribeEvents). Older hosts do not send `witnessedAt`.
    let place = match (seq, time_at(13).or(time_us)) {
        (Some(seq), Some(time_us)) => Place::Jetstream { seq: Some(seq), time_us },
        _ => Place::Unknown,
    };
    let what = match kind {
        "commit" => commit([5, 4, 6, 7, 8].map(text), time_us),
        _ => What::Control,
    };
    Meaning { what, place, notice: None }
}

/// A commit with this operation, and the four parts that name its record: account, collection, key, revision.
///
/// The collection is one of them, because a commit may create records of several collections under the same key.
fn commit(parts: [Option<&str>; 5], time_us: Option<u64>) -> What {
    match parts {
        [Some("create"), Some(did), Some(collection), Some(rkey), Some(rev)] => What::Post {
            id: Some(id::of(&[did, collection, rkey, rev])),
            time_ms: time_us.and_then(|time_us| Millis::try_from(time_us / 1_000).ok()),
        },
        [Some("create") | None, ..] => What::NotAPost,
        _ => What::Control,
    }
}
