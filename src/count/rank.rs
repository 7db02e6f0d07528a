//! The first keys of a window, by selection: a full sort of a million keys to print ten is never done.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::dictionary::KeyId;
use super::window::RankedKey;

/// The first `limit` keys by count descending, then the null key, then key bytes ascending. `totals` is indexed
/// by key number; keys with total 0 are not in the window. `key` tells a number's bytes, `None` for the null key.
pub fn top<'k>(totals: &[u64], key: impl Fn(KeyId) -> Option<&'k [u8]>, limit: usize) -> Vec<RankedKey> {
    if limit == 0 {
        return Vec::new();
    }
    let least = least_count(totals, limit);
    let mut chosen = Vec::new();
    let mut ties = Vec::new();
    for (id, &total) in totals.iter().enumerate().filter(|(_, total)| **total >= least) {
        let list = if total == least { &mut ties } else { &mut chosen };
        list.push(id as KeyId);
    }
    let by_key = |a: &KeyId, b: &KeyId| key(*a).cmp(&key(*b));
    let places = limit - chosen.len();
    if ties.len() > places {
        if places > 0 {
            ties.select_nth_unstable_by(places - 1, by_key);
        }
        ties.truncate(places);
    }
    chosen.append(&mut ties);
    chosen.sort_unstable_by(|a, b| {
        let by_count: Ordering = totals[*b as usize].cmp(&totals[*a as usize]);
        by_count.then_with(|| by_key(a, b))
    });
    let ranked = |id: KeyId| RankedKey { key: key(id).map(Into::into), count: totals[id as usize] };
    chosen.into_iter().map(ranked).collect()
}

/// The `limit`-th largest total, or 1 if fewer keys are in the window: every key of the ranking has at least it.
fn least_count(totals: &[u64], limit: usize) -> u64 {
    let mut largest = BinaryHeap::with_capacity(limit + 1);
    let mut least = 1;
    for &total in totals {
        if total < least || (total == least && largest.len() == limit) {
            continue;
        }
        largest.push(Reverse(total));
        if largest.len() > limit {
            largest.pop();
        }
        if largest.len() == limit {
            least = largest.peek().map_or(1, |&Reverse(count)| count);
        }
    }
    least
}
