//! The window taken out of the ring for a checkpoint, and put back: what a driver restarts from.
//!
//! A slide goes out with the keys that no slide before has named ([`Ring::export`]); an image is everything at one
//! moment and shares the packed buckets, so that it can be written while counting goes on ([`Ring::image`]).
//! [`Restore`] takes both back in the order in which they went out, and is a window to read from on the way.

use std::collections::VecDeque;

use super::super::bucket::{Pairs, SealedBucket};
use super::super::dictionary::{Dictionary, KeyId, Keys, NULL};
use super::super::keys::{self, KeyListWriter, Malformed};
use super::super::rank;
use super::super::window::RankedKey;
use super::Ring;
use crate::ids::Millis;

/// One slide's counts with the keys they are the first to refer to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedSlide {
    /// The slide's end.
    pub end_ms: Millis,
    /// Its counts.
    pub bucket: SealedBucket,
    /// Keys with numbers that no export has named since the number was given out, as by [`keys::read`].
    pub keys: Vec<u8>,
}

/// The window at one moment. Never changes.
#[derive(Debug, Clone)]
pub struct RingImage {
    /// Every key that a bucket holds, and maybe more.
    pub keys: Keys,
    /// The buckets, by end ascending.
    pub buckets: Vec<(Millis, SealedBucket)>,
}

impl Ring {
    /// Packs the newest slide and returns it with its new keys; `None` before the first slide. To be called for
    /// every slide, once and in order: a key is named in the first export that refers to it and not again.
    pub fn export(&mut self) -> Option<ExportedSlide> {
        self.seal_newest();
        let (end_ms, bucket) = self.buckets.back()?;
        let (end_ms, bucket) = (*end_ms, bucket.clone());
        let mut list = KeyListWriter::default();
        for (id, _) in bucket.pairs() {
            if self.dictionary.name(id)
                && let Some(key) = self.dictionary.key(id)
            {
                list.put(id, key);
            }
        }
        Some(ExportedSlide { end_ms, bucket, keys: list.finish() })
    }

    /// Everything as it is now. Costs a copy of the keys; buckets are shared.
    pub fn image(&mut self) -> RingImage {
        self.seal_newest();
        RingImage { keys: self.dictionary.keys(), buckets: self.buckets.iter().cloned().collect() }
    }
}

/// Puts a ring together from an image and the slides after it; at every slide the window can be read off it.
///
/// Invariant: `totals[id]` is the sum of `id`'s counts over `buckets`.
#[derive(Debug)]
pub struct Restore {
    ids_max: usize,
    places: Vec<Option<(usize, u32)>>,
    arena: Vec<u8>,
    /// Bytes in the arena of keys whose numbers now belong to others.
    dead_bytes: usize,
    buckets: VecDeque<(Millis, SealedBucket)>,
    totals: Vec<u64>,
    total: u64,
    distinct: u64,
}

/// Dead bytes in the arena below which closing the gaps is not worth its time.
const DEAD_BYTES_MIN: usize = 1 << 20;

impl Restore {
    /// Nothing yet. `ids_max` bounds the numbers of keys and with them the memory that malformed input can ask
    /// for.
    pub fn new(ids_max: usize) -> Self {
        Self {
            ids_max,
            places: vec![None],
            arena: Vec::new(),
            dead_bytes: 0,
            buckets: VecDeque::new(),
            totals: vec![0],
            total: 0,
            distinct: 0,
        }
    }

    /// Takes a list of keys. A number that is named again belongs to the new key from here on.
    pub fn name(&mut self, list: &[u8]) -> Result<(), Malformed> {
        for entry in keys::read(list) {
            let (id, key) = entry?;
            let at = id as usize;
            if at > self.ids_max {
                return Err(Malformed("a key's number is beyond what driver.memory can hold"));
            }
            if at >= self.places.len() {
                self.places.resize(at + 1, None);
                self.totals.resize(at + 1, 0);
            }
            let length = u32::try_from(key.len()).map_err(|_| Malformed("a key is longer than 4 GiB"))?;
            let before = self.places[at].replace((self.arena.len(), length));
            self.dead_bytes += before.map_or(0, |(_, length)| length as usize);
            self.arena.extend_from_slice(key);
        }
        if self.dead_bytes > DEAD_BYTES_MIN.max(self.arena.len() / 2) {
            self.compact();
        }
        Ok(())
    }

    /// Closes the gaps: a history of any length takes no more memory than the keys that have numbers.
    fn compact(&mut self) {
        let mut arena = Vec::with_capacity(self.arena.len() - self.dead_bytes);
        for (offset, length) in self.places.iter_mut().flatten() {
            let key = &self.arena[*offset..*offset + *length as usize];
            *offset = arena.len();
            arena.extend_from_slice(key);
        }
        self.arena = arena;
        self.dead_bytes = 0;
    }

    /// Takes the counts of the slide that ends at `end_ms`; counts of an end that is there already are added.
    pub fn bucket(&mut self, end_ms: Millis, bucket: SealedBucket) -> Result<(), Malformed> {
        if !bucket.pairs().all(|(id, _)| id == NULL || self.place(id).is_some()) {
            return Err(Malformed("a count refers to a key that was never named"));
        }
        let too_large = || Malformed("the counts of the window exceed 2^64");
        for (id, count) in bucket.pairs() {
            let of_key = &mut self.totals[id as usize];
            self.distinct += u64::from(*of_key == 0);
            *of_key = of_key.checked_add(count).ok_or_else(too_large)?;
        }
        self.total = self.total.checked_add(bucket.total()).ok_or_else(too_large)?;
        match self.buckets.binary_search_by_key(&end_ms, |(end, _)| *end) {
            Err(at) => self.buckets.insert(at, (end_ms, bucket)),
            Ok(at) => {
                let both = &mut self.buckets[at].1;
                let pairs = both.pairs().chain(bucket.pairs()).collect();
                let total =
                    both.total().checked_add(bucket.total()).ok_or(Malformed("a count is too large"))?;
                *both = SealedBucket::seal(Pairs { pairs, total }, |_| {});
            }
        }
        Ok(())
    }

    /// Drops every bucket that ended at `end_ms` or before: their keys' numbers may be named again.
    pub fn expire(&mut self, end_ms: Millis) {
        while self.buckets.front().is_some_and(|(oldest, _)| *oldest <= end_ms) {
            let Some((_, bucket)) = self.buckets.pop_front() else { return };
            self.total -= bucket.total();
            for (id, count) in bucket.pairs() {
                let of_key = &mut self.totals[id as usize];
                *of_key -= count;
                self.distinct -= u64::from(*of_key == 0);
            }
        }
    }

    /// As [`Ring::shift`].
    pub fn shift(&mut self, by_ms: Millis) {
        self.buckets.iter_mut().for_each(|(end_ms, _)| *end_ms += by_ms);
    }

    /// The first `limit` keys of the window's ranking, as [`Ring::rank`] has them.
    pub fn rank(&self, limit: usize) -> Vec<RankedKey> {
        let key = |id: KeyId| {
            let (offset, length) = self.place(id)?;
            Some(&self.arena[offset..offset + length as usize])
        };
        rank::top(&self.totals, key, limit)
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
        self.buckets.len()
    }

    /// The ring. `seed` should be unknown to whoever chooses the keys. Every key counts as named.
    pub fn finish(self, seed: u64) -> Ring {
        let mut references = vec![0u32; self.places.len()];
        let mut sealed_bytes = 0;
        for (_, bucket) in &self.buckets {
            bucket.pairs().for_each(|(id, _)| references[id as usize] += 1);
            sealed_bytes += bucket.bytes();
        }
        let places = self.places.into_iter().map(Option::unwrap_or_default);
        let dictionary = Dictionary::restore(seed, self.arena, places, references);
        let Self { buckets, totals, total, distinct, .. } = self;
        Ring { dictionary, totals, buckets, newest: None, total, distinct, sealed_bytes }
    }

    fn place(&self, id: KeyId) -> Option<(usize, u32)> {
        self.places.get(id as usize).copied().flatten()
    }
}

#[cfg(test)]
mod tests;
