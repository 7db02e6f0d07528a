//! Counts per key as one flat block of bytes: what an executor sends and the driver reads in place.
//!
//! Layout, all numbers varints: `null_count`, then per key `key_length`, the key's bytes, `count`. The null
//! key stands apart, so no key of bytes can be taken for it. Keys may repeat; their counts add up.

use super::varint;

/// Why a block is refused. A refused block changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// The bytes end inside a number or a key, or a number does not fit.
    #[error("counts are cut short or malformed at byte {0}")]
    Malformed(usize),
    /// A key with no records.
    #[error("counts hold a key with count 0 at byte {0}")]
    Zero(usize),
    /// The counts of one block do not fit 63 bits.
    #[error("counts of one block exceed 2^63")]
    TooLarge,
}

/// Writes one block.
#[derive(Debug, Default)]
pub struct BlockWriter {
    bytes: Vec<u8>,
}

impl BlockWriter {
    /// Starts a block with the count of the null key.
    pub fn new(null_count: u64, capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(capacity + varint::LEN_MAX);
        varint::put(&mut bytes, null_count);
        Self { bytes }
    }

    /// Appends one key.
    #[inline]
    pub fn put(&mut self, key: &[u8], count: u64) {
        varint::put(&mut self.bytes, key.len() as u64);
        self.bytes.extend_from_slice(key);
        varint::put(&mut self.bytes, count);
    }

    /// The finished block.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// A block that has been checked from end to end; reading it cannot fail.
#[derive(Debug, Clone, Copy)]
pub struct BlockReader<'a> {
    null_count: u64,
    entries: &'a [u8],
    total: u64,
}

impl<'a> BlockReader<'a> {
    /// Checks `bytes` whole.
    pub fn check(bytes: &'a [u8]) -> Result<Self, BlockError> {
        let mut rest = bytes;
        let at = |rest: &[u8]| bytes.len() - rest.len();
        let null_count = varint::take(&mut rest).ok_or(BlockError::Malformed(0))?;
        let entries = rest;
        let mut total = null_count;
        while !rest.is_empty() {
            let start = at(rest);
            let (_, count) = entry(&mut rest).ok_or(BlockError::Malformed(start))?;
            if count == 0 {
                return Err(BlockError::Zero(start));
            }
            total = total.checked_add(count).ok_or(BlockError::TooLarge)?;
        }
        if total > u64::MAX / 2 {
            return Err(BlockError::TooLarge);
        }
        Ok(Self { null_count, entries, total })
    }

    /// Records under the null key.
    pub fn null_count(&self) -> u64 {
        self.null_count
    }

    /// Records in the block, the null key's among them.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The keys of bytes with their counts, each at least 1, in the order they were written.
    pub fn entries(&self) -> impl Iterator<Item = (&'a [u8], u64)> + use<'a> {
        let mut rest = self.entries;
        std::iter::from_fn(move || entry(&mut rest))
    }
}

#[inline]
fn entry<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], u64)> {
    let length = usize::try_from(varint::take(rest)?).ok()?;
    let (key, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some((key, varint::take(rest)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_any_bytes_come_back() {
        let mut writer = BlockWriter::new(3, 0);
        writer.put(b"", 1);
        writer.put(b"\xff\n\0", 7);
        writer.put(&[b'x'; 300], u64::from(u32::MAX));
        let bytes = writer.finish();
        let block = BlockReader::check(&bytes).unwrap();
        assert_eq!(block.null_count(), 3);
        assert_eq!(block.total(), 3 + 1 + 7 + u64::from(u32::MAX));
        let keys: Vec<_> = block.entries().map(|(key, count)| (key.len(), count)).collect();
        assert_eq!(keys, [(0, 1), (3, 7), (300, u64::from(u32::MAX))]);
    }

    #[test]
    fn every_truncation_is_refused_or_a_shorter_block() {
        let mut writer = BlockWriter::new(0, 0);
        writer.put(b"Bitcoin", 300);
        writer.put(b"IoT", 2);
        let bytes = writer.finish();
        let whole: Vec<usize> =
            (0..bytes.len()).filter(|&n| BlockReader::check(&bytes[..n]).is_ok()).collect();
        assert_eq!(whole, [1, 1 + 1 + 7 + 2], "only the ends of entries are ends of blocks");
    }

    #[test]
    fn zero_and_overflow_are_refused() {
        let mut zero = BlockWriter::new(0, 0);
        zero.put(b"a", 0);
        assert_eq!(BlockReader::check(&zero.finish()).unwrap_err(), BlockError::Zero(1));
        let mut large = BlockWriter::new(1, 0);
        large.put(b"a", u64::MAX);
        assert_eq!(BlockReader::check(&large.finish()).unwrap_err(), BlockError::TooLarge);
    }
}
