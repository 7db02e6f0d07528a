//! The window's buckets and one running total per key: a slide adds one bucket and takes one away, however
//! long the window is (subtract-on-evict: counts can be subtracted exactly).

use std::collections::VecDeque;

use super::block::{BlockError, BlockReader};
use super::bucket::{Pairs, SealedBucket};
use super::dictionary::{Dictionary, KeyId, NULL};
use super::rank;
use super::window::RankedKey;
use crate::ids::Millis;

mod image;

pub use image::{ExportedSlide, Restore, RingImage};

/// The window as numbers.
///
/// Invariant: `totals[id]` is the sum of `id`'s counts over `buckets` and `newest`; every pair in them, and every
/// pair staged and not yet pushed or dropped, holds one reference in the dictionary.
#[derive(Debug)]
pub struct Ring {
    dictionary: Dictionary,
    totals: Vec<u64>,
    buckets: VecDeque<(Millis, SealedBucket)>,
    newest: Option<(Millis, Pairs)>,
    total: u64,
    distinct: u64,
    sealed_bytes: usize,
}

impl Ring {
    /// An empty window. `seed` should be unknown to whoever chooses the keys.
    pub fn with_seed(seed: u64) -> Self {
        Self {
            dictionary: Dictionary::with_seed(seed),
            totals: vec![0],
            buckets: VecDeque::new(),
            newest: None,
            total: 0,
            distinct: 0,
            sealed_bytes: 0,
        }
    }

    /// Reads a block into `staged`; counts nothing yet. A malformed block leaves everything as it was.
    pub fn stage(&mut self, block: &[u8], staged: &mut Pairs) -> Result<(), BlockError> {
        let block = BlockReader::check(block)?;
        if block.null_count() > 0 {
            staged.pairs.push((NULL, block.null_count()));
        }
        self.dictionary.acquire_all(block.entries(), &mut staged.pairs);
        staged.total += block.total();
        Ok(())
    }

    /// Gives up what was staged: its session ended before the delta was whole.
    pub fn drop_staged(&mut self, staged: Pairs) {
        staged.pairs.iter().for_each(|&(id, _)| self.dictionary.release(id));
    }

    /// Adds the bucket of the slide that ends at `end_ms`, which must be later than every end before.
    pub fn push(&mut self, end_ms: Millis, pairs: Pairs) {
        self.seal_newest();
        assert!(self.buckets.back().is_none_or(|(last, _)| *last < end_ms), "ends only grow");
        self.totals.resize(self.dictionary.id_end().max(self.totals.len()), 0);
        for &(id, count) in &pairs.pairs {
            let total = &mut self.totals[id as usize];
            self.distinct += u64::from(*total == 0);
            *total += count;
        }
        self.total += pairs.total;
        self.newest = Some((end_ms, pairs));
    }

    /// Takes away every bucket that ended at `end_ms` or before.
    pub fn expire(&mut self, end_ms: Millis) {
        if self.newest.as_ref().is_some_and(|(newest, _)| *newest <= end_ms) {
            self.seal_newest();
        }
        while self.buckets.front().is_some_and(|(oldest, _)| *oldest <= end_ms) {
            let Some((_, bucket)) = self.buckets.pop_front() else { return };
            self.total -= bucket.total();
            self.sealed_bytes -= bucket.bytes();
            for (id, count) in bucket.pairs() {
                let total = &mut self.totals[id as usize];
                *total -= count;
                self.distinct -= u64::from(*total == 0);
                self.dictionary.release(id);
            }
        }
    }

    /// Gives every bucket an end that is so much later, or earlier; no count changes.
    pub fn shift(&mut self, by_ms: Millis) {
        let newest = self.newest.iter_mut().map(|(end_ms, _)| end_ms);
        self.buckets.iter_mut().map(|(end_ms, _)| end_ms).chain(newest).for_each(|end_ms| *end_ms += by_ms);
    }

    /// Work that changes no answer and need not be done before a window is printed: packs the newest bucket
    /// and closes gaps.
    pub fn settle(&mut self) {
        self.seal_newest();
        self.dictionary.compact();
    }

    fn seal_newest(&mut self) {
        let Some((end_ms, pairs)) = self.newest.take() else { return };
        let dictionary = &mut self.dictionary;
        let bucket = SealedBucket::seal(pairs, |id| dictionary.release(id));
        self.sealed_bytes += bucket.bytes();
        self.buckets.push_back((end_ms, bucket));
    }

    /// The first `limit` keys of the ranking.
    pub fn rank(&self, limit: usize) -> Vec<RankedKey> {
        rank::top(&self.totals, |id| self.dictionary.key(id), limit)
    }

    /// Records in the window.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Different keys in the window, the null key among them.
    pub fn distinct(&self) -> u64 {
        self.distinct
    }

    /// Slides in the window.
    pub fn slides(&self) -> usize {
        self.buckets.len() + usize::from(self.newest.is_some())
    }

    /// The counts of the newest slide, by key; a key may stand more than once.
    pub fn newest(&self) -> impl Iterator<Item = (Option<&[u8]>, u64)> {
        let pairs = self.newest.iter().flat_map(|(_, pairs)| &pairs.pairs);
        pairs.map(|&(id, count)| (self.dictionary.key(id), count))
    }

    /// The window's total of every key, in no order.
    pub fn totals(&self) -> impl Iterator<Item = (Option<&[u8]>, u64)> {
        let live = self.totals.iter().enumerate().filter(|(_, total)| **total > 0);
        live.map(|(id, &total)| (self.dictionary.key(id as KeyId), total))
    }

    /// Memory held, bytes.
    pub fn bytes(&self) -> usize {
        let newest = self.newest.as_ref().map_or(0, |(_, pairs)| pairs.bytes());
        self.dictionary.bytes()
            + self.totals.capacity() * size_of::<u64>()
            + self.buckets.capacity() * size_of::<(Millis, SealedBucket)>()
            + newest
            + self.sealed_bytes
    }
}

#[cfg(test)]
mod tests;
