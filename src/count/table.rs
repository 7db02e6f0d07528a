//! Keys to counts for one slide, in an executor: a hash table over one byte arena. Feeds [`super::block`].

use std::hash::{BuildHasher, Hasher};

use foldhash::quality::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::block::BlockWriter;

/// Arena a table keeps for the next slide at most, bytes, unless the last slide filled a quarter of it.
const ARENA_KEPT_BYTES: usize = 1 << 20;

/// Counts per key since the last [`KeyTable::take_block`].
///
/// Keys are not allocated one by one: they lie behind each other in one arena, which is what makes adding a
/// known key one hash, one probe and one comparison.
#[derive(Debug)]
pub struct KeyTable {
    counts: HashTable<Count>,
    arena: Vec<u8>,
    null_count: u64,
    state: FixedState,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    offset: u32,
    length: u32,
    count: u64,
}

impl Count {
    #[inline]
    fn key(self, arena: &[u8]) -> &[u8] {
        &arena[self.offset as usize..self.offset as usize + self.length as usize]
    }
}

impl KeyTable {
    /// An empty table. `seed` should be unknown to whoever chooses the keys, or they can make it slow.
    pub fn with_seed(seed: u64) -> Self {
        Self {
            counts: HashTable::new(),
            arena: Vec::new(),
            null_count: 0,
            state: FixedState::with_seed(seed),
        }
    }

    /// Counts one record with this key. Keys longer than 4 GiB less what the arena holds do not occur: a Kafka
    /// record is at most 2 GiB, and the caller takes the block long before.
    #[inline]
    pub fn add(&mut self, key: &[u8]) {
        let hash = hash_of(&self.state, key);
        let arena = &self.arena;
        let entry = self.counts.entry(
            hash,
            |known| known.key(arena) == key,
            |known| hash_of(&self.state, known.key(arena)),
        );
        match entry {
            Entry::Occupied(mut known) => known.get_mut().count += 1,
            Entry::Vacant(free) => {
                let offset = u32::try_from(arena.len()).expect("the arena is taken before it holds 4 GiB");
                let length = u32::try_from(key.len()).expect("a record is shorter than 4 GiB");
                free.insert(Count { offset, length, count: 1 });
                self.arena.extend_from_slice(key);
            }
        }
    }

    /// Counts `records` records without a key.
    #[inline]
    pub fn add_null(&mut self, records: u64) {
        self.null_count += records;
    }

    /// Bytes the keys take, the measure by which a caller bounds the table.
    pub fn key_bytes(&self) -> usize {
        self.arena.len()
    }

    /// Different keys, the null key not among them.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// True when nothing was counted since the last block.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.null_count == 0
    }

    /// Everything counted since the last call, as one block; the table is empty afterwards.
    pub fn take_block(&mut self) -> Vec<u8> {
        let mut writer = BlockWriter::new(self.null_count, self.arena.len() + 4 * self.counts.len());
        for known in &self.counts {
            writer.put(known.key(&self.arena), known.count);
        }
        if self.arena.capacity() > ARENA_KEPT_BYTES.max(4 * self.arena.len()) {
            self.counts = HashTable::new();
            self.arena = Vec::new();
        }
        self.counts.clear();
        self.arena.clear();
        self.null_count = 0;
        writer.finish()
    }
}

#[inline]
fn hash_of(state: &FixedState, key: &[u8]) -> u64 {
    let mut hasher = state.build_hasher();
    hasher.write(key);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::block::BlockReader;
    use super::*;

    fn counts(block: &[u8]) -> (u64, BTreeMap<Vec<u8>, u64>) {
        let block = BlockReader::check(block).unwrap();
        (block.null_count(), block.entries().map(|(key, count)| (key.to_vec(), count)).collect())
    }

    #[test]
    fn null_empty_and_the_word_null_are_three_keys() {
        let mut table = KeyTable::with_seed(1);
        table.add(b"");
        table.add(b"null");
        table.add_null(2);
        let (null, keys) = counts(&table.take_block());
        assert_eq!(null, 2);
        assert_eq!(keys, BTreeMap::from([(b"".to_vec(), 1), (b"null".to_vec(), 1)]));
    }

    #[test]
    fn a_taken_table_starts_from_nothing() {
        let mut table = KeyTable::with_seed(1);
        for round in 0..3u64 {
            for number in 0..10_000u32 {
                table.add(&number.to_be_bytes());
                table.add(&(number % 7).to_be_bytes());
            }
            let (null, keys) = counts(&table.take_block());
            assert_eq!((null, keys.len()), (0, 10_000), "round {round}");
            assert_eq!(keys.values().sum::<u64>(), 20_000);
            assert!(table.is_empty());
        }
    }
}
