//! Windows for the tests of the formats.

use std::sync::Arc;

use crate::count::{RankedKey, Window};
use crate::ids::Millis;

/// A complete 300 s window of these counts, already ranked; the key `null` is the null key.
pub(crate) fn window(end_ms: Millis, keys: &[(u64, &str)], top: usize) -> Window {
    let key = |name: &str| (name != "null").then(|| Arc::from(name.as_bytes()));
    let ranked = |&(count, name): &(u64, &str)| RankedKey { key: key(name), count };
    Window {
        start_ms: end_ms - 300_000,
        end_ms,
        attempt: 1,
        total: keys.iter().map(|(count, _)| count).sum(),
        distinct: keys.len() as u64,
        complete: true,
        behind_ms: 0,
        unread: Vec::new(),
        top: keys.iter().take(top).map(ranked).collect(),
        ranges: Vec::new(),
    }
}
