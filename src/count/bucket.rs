//! The counts of one slide: first a list of pairs as they arrive, then sealed into about two bytes a pair.
//!
//! Sealed form: pairs sorted by number, each a varint of `gap * 2 + more`, where `gap` is the distance to the
//! number before; `more = 0` says the count is 1, `more = 1` that a varint of `count - 2` follows.

use std::sync::Arc;

use super::dictionary::KeyId;
use super::keys::Malformed;
use super::varint;

/// Counts per key number of one slide, in no order; a number may stand more than once.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Pairs {
    /// The pairs.
    pub pairs: Vec<(KeyId, u64)>,
    /// Sum of the counts.
    pub total: u64,
}

impl Pairs {
    /// Memory held, bytes.
    pub fn bytes(&self) -> usize {
        self.pairs.capacity() * size_of::<(KeyId, u64)>()
    }

    /// Appends everything `other` holds.
    pub fn append(&mut self, other: Self) {
        self.total += other.total;
        if self.pairs.is_empty() {
            self.pairs = other.pairs;
        } else {
            self.pairs.extend_from_slice(&other.pairs);
        }
    }
}

/// The counts of one closed slide. Never changes; a clone shares the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedBucket {
    bytes: Arc<[u8]>,
    total: u64,
}

impl SealedBucket {
    /// Sorts and packs `pairs`; numbers that stand more than once are added up. Returns the surplus pairs'
    /// numbers through `repeated`, because each pair stands for one reference to its key.
    pub fn seal(mut pairs: Pairs, mut repeated: impl FnMut(KeyId)) -> Self {
        pairs.pairs.sort_unstable_by_key(|&(id, _)| id);
        let mut bytes = Vec::with_capacity(2 * pairs.pairs.len());
        let mut last = 0;
        let mut rest = pairs.pairs.as_slice();
        while let Some((&(id, first), tail)) = rest.split_first() {
            let same = tail.iter().take_while(|&&(other, _)| other == id).count();
            let count = first + tail[..same].iter().map(|&(_, count)| count).sum::<u64>();
            (0..same).for_each(|_| repeated(id));
            put(&mut bytes, id - last, count);
            last = id;
            rest = &tail[same..];
        }
        Self { bytes: bytes.into(), total: pairs.total }
    }

    /// Takes the sealed form back, after checking it from end to end.
    pub fn from_packed(packed: &[u8]) -> Result<Self, Malformed> {
        let mut rest = packed;
        let (mut id, mut total, mut first) = (0u32, 0u64, true);
        while !rest.is_empty() {
            let (gap, count) = take(&mut rest).ok_or(Malformed("counts are cut short"))?;
            let gap = KeyId::try_from(gap).ok().filter(|gap| first || *gap > 0);
            id = gap.and_then(|gap| id.checked_add(gap)).ok_or(Malformed("key numbers do not ascend"))?;
            total = total.checked_add(count).ok_or(Malformed("a count is too large"))?;
            first = false;
        }
        Ok(Self { bytes: packed.into(), total })
    }

    /// The sealed form.
    pub fn packed(&self) -> &[u8] {
        &self.bytes
    }

    /// The pairs by number ascending, each number once, each count at least 1.
    pub fn pairs(&self) -> impl Iterator<Item = (KeyId, u64)> + '_ {
        let mut rest = &*self.bytes;
        let mut id = 0;
        std::iter::from_fn(move || {
            let (gap, count) = take(&mut rest)?;
            id += gap as KeyId;
            Some((id, count))
        })
    }

    /// Sum of the counts.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Memory held, bytes.
    pub fn bytes(&self) -> usize {
        self.bytes.len() + size_of::<Self>()
    }
}

/// One pair: the distance to the number before, and the count.
#[inline]
fn take(rest: &mut &[u8]) -> Option<(u64, u64)> {
    let head = varint::take(rest)?;
    let count = if head & 1 == 0 { 1 } else { varint::take(rest)?.checked_add(2)? };
    Some((head >> 1, count))
}

fn put(bytes: &mut Vec<u8>, gap: KeyId, count: u64) {
    let head = u64::from(gap) * 2;
    match count {
        1 => varint::put(bytes, head),
        _ => {
            varint::put(bytes, head + 1);
            varint::put(bytes, count - 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_pairs_are_sorted_and_added_up() {
        let pairs =
            Pairs { pairs: vec![(9, 1), (0, 5), (9, 2), (700_000, 1), (1, u64::from(u32::MAX))], total: 0 };
        let mut repeated = Vec::new();
        let sealed = SealedBucket::seal(pairs, |id| repeated.push(id));
        let got: Vec<_> = sealed.pairs().collect();
        assert_eq!(got, [(0, 5), (1, u64::from(u32::MAX)), (9, 3), (700_000, 1)]);
        assert_eq!(repeated, [9]);
    }

    #[test]
    fn packed_counts_come_back_and_damage_is_refused() {
        let pairs = Pairs { pairs: vec![(0, 5), (1, 1), (700_000, u64::from(u32::MAX))], total: 0 };
        let sealed = SealedBucket::seal(pairs, |_| {});
        let back = SealedBucket::from_packed(sealed.packed()).unwrap();
        assert_eq!(back.pairs().collect::<Vec<_>>(), sealed.pairs().collect::<Vec<_>>());
        assert_eq!(back.total(), 6 + u64::from(u32::MAX));
        let length = sealed.packed().len();
        assert!(SealedBucket::from_packed(&sealed.packed()[..length - 1]).is_err());
        for malformed in [[2, 0].as_slice(), &[3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]] {
            assert!(SealedBucket::from_packed(malformed).is_err(), "{malformed:?}");
        }
        let mut beyond = Vec::new();
        put(&mut beyond, KeyId::MAX, 1);
        put(&mut beyond, 1, 1);
        assert!(SealedBucket::from_packed(&beyond).is_err());
    }

    #[test]
    fn a_dense_slide_takes_about_a_byte_a_pair() {
        let pairs: Vec<_> = (0..100_000).map(|n| (n * 10, 1 + u64::from(n % 20 == 0))).collect();
        let sealed = SealedBucket::seal(Pairs { pairs, total: 105_000 }, |_| {});
        assert!(sealed.bytes() < 120_000, "{}", sealed.bytes());
    }
}
