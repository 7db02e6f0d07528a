//! The window taken out of the ring for a checkpoint, and put back: what a driver restarts from.
//!
//! A slide goes out with the keys that no slide before has named ([`Ring::export`]); an image is everything at one
//! moment and shares the packed buckets, so that it can be written while counting goes on ([`Ring::image`]).
//! [`Restore`] takes both back in the order in which they went out.

use std::collections::VecDeque;

use super::super::bucket::{Pairs, SealedBucket};
use super::super::dictionary::{Dictionary, KeyId, Keys, NULL};
use super::super::keys::{self, KeyListWriter, Malformed};
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

/// Puts a ring together from an image and the slides after it.
#[derive(Debug)]
pub struct Restore {
    ids_max: usize,
    places: Vec<Option<(usize, u32)>>,
    arena: Vec<u8>,
    buckets: VecDeque<(Millis, SealedBucket)>,
}

impl Restore {
    /// Nothing yet. `ids_max` bounds the numbers of keys and with them the memory that malformed input can ask
    /// for.
    pub fn new(ids_max: usize) -> Self {
        Self { ids_max, places: Vec::new(), arena: Vec::new(), buckets: VecDeque::new() }
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
            }
            let length = u32::try_from(key.len()).map_err(|_| Malformed("a key is longer than 4 GiB"))?;
            self.places[at] = Some((self.arena.len(), length));
            self.arena.extend_from_slice(key);
        }
        Ok(())
    }

    /// Takes the counts of the slide that ends at `end_ms`; counts of an end that is there already are added.
    pub fn bucket(&mut self, end_ms: Millis, bucket: SealedBucket) -> Result<(), Malformed> {
        if !bucket.pairs().all(|(id, _)| id == NULL || self.place(id).is_some()) {
            return Err(Malformed("a count refers to a key that was never named"));
        }
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
            self.buckets.pop_front();
        }
    }

    /// The ring. `seed` should be unknown to whoever chooses the keys. Every key counts as named.
    pub fn finish(self, seed: u64) -> Result<Ring, Malformed> {
        let mut references = vec![0u32; self.places.len().max(1)];
        let mut totals = vec![0u64; references.len()];
        let (mut total, mut distinct, mut sealed_bytes) = (0u64, 0, 0);
        let too_large = || Malformed("the counts of the window exceed 2^64");
        for (_, bucket) in &self.buckets {
            for (id, count) in bucket.pairs() {
                let of_key = &mut totals[id as usize];
                distinct += u64::from(*of_key == 0);
                *of_key = of_key.checked_add(count).ok_or_else(too_large)?;
                references[id as usize] += 1;
            }
            total = total.checked_add(bucket.total()).ok_or_else(too_large)?;
            sealed_bytes += bucket.bytes();
        }
        let places = self.places.into_iter().map(Option::unwrap_or_default);
        let dictionary = Dictionary::restore(seed, self.arena, places, references);
        Ok(Ring { dictionary, totals, buckets: self.buckets, newest: None, total, distinct, sealed_bytes })
    }

    fn place(&self, id: KeyId) -> Option<(usize, u32)> {
        self.places.get(id as usize).copied().flatten()
    }
}

#[cfg(test)]
mod tests;
