//! Frames of which only the configuration says where they have what: any object is a post.

use super::{Meaning, Place, What, id};
use crate::config::Pointer;
use crate::config::producer::source::Places;
use crate::produce::json::Found;
use crate::produce::time::written_ms;

/// The places that are configured: id, time, cursor, in this order.
pub(super) fn places(places: &Places) -> Vec<Pointer> {
    [&places.id, &places.time, &places.cursor].into_iter().flatten().cloned().collect()
}

/// A post. One whose id is missing, `null`, empty, an object or an array has none: nothing tells when it comes again.
pub(super) fn meaning(places: &Places, found: &Found) -> Meaning {
    let mut next = 0;
    let mut value = |place: &Option<Pointer>| {
        place.as_ref()?;
        next += 1;
        found.get(next - 1)
    };
    let (name, time, cursor) = (value(&places.id), value(&places.time), value(&places.cursor));
    let name = name.and_then(|value| value.text()).filter(|name| !name.is_empty());
    let cursor = cursor.and_then(|value| value.text());
    let place = cursor.map_or(Place::Unknown, |cursor| Place::Cursor(cursor.into()));
    let what = What::Post { id: name.map(|name| id::of(&[name])), time_ms: time.and_then(written_ms) };
    Meaning { what, place, notice: None }
}
