//! Frames of `statuses/filter` 1.1: statuses, and objects with one known key that are none.
//!
//! Twitter's "Streaming message types" (developer.twitter.com, v1.1, filter realtime) lists them.

use super::{Meaning, Notice, What, id};
use crate::produce::json::{Found, Value};
use crate::produce::time::written_ms;

/// What is taken from a frame.
pub(super) const PLACES: [&str; 20] = [
    "/id_str",
    "/id",
    "/timestamp_ms",
    "/created_at",
    "/disconnect/code",
    "/disconnect/reason",
    "/limit/track",
    "/warning/code",
    "/warning/message",
    // From here on: what makes a frame a control message.
    "/disconnect",
    "/limit",
    "/warning",
    "/delete",
    "/scrub_geo",
    "/status_withheld",
    "/user_withheld",
    "/friends",
    "/event",
    "/control",
    "/for_user",
];
const CONTROL: std::ops::Range<usize> = 9..PLACES.len();

/// What a frame with these values is.
pub(super) fn meaning(found: &Found) -> Meaning {
    let text = |at: usize| found.get(at).and_then(Value::text);
    let name = text(0).or_else(|| text(1)).filter(|name| !name.is_empty());
    if let Some(name) = name {
        let time_ms = found.get(2).and_then(written_ms).or_else(|| found.get(3).and_then(written_ms));
        let what = What::Post { id: Some(id::of(&[name])), time_ms };
        return Meaning { what, ..Meaning::control() };
    }
    if CONTROL.into_iter().all(|at| found.get(at).is_none()) {
        return Meaning::not_a_post();
    }
    let words = |at: usize| text(at).unwrap_or_default().to_owned();
    let is = |at: usize| found.get(CONTROL.start + at).is_some();
    match () {
        () if is(0) => Meaning::notice(Notice::Disconnect(
            text(4).and_then(|code| code.parse().ok()).unwrap_or(0),
            words(5),
        )),
        () if is(1) => match text(6).and_then(|posts| posts.parse().ok()) {
            Some(posts) => Meaning::notice(Notice::Undelivered(posts)),
            None => Meaning::control(),
        },
        () if is(2) => Meaning::notice(Notice::Warning(words(7), words(8))),
        () => Meaning::control(),
    }
}
