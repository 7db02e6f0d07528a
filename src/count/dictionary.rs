//! Keys to small numbers and back, in the driver; numbers are given out anew when nothing refers to a key.

use std::hash::{BuildHasher, Hasher};

use foldhash::quality::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

mod image;

pub use image::Keys;

/// Number of a key in a [`Dictionary`].
pub type KeyId = u32;

/// The null key's number, in every dictionary.
pub const NULL: KeyId = 0;

/// Dead bytes in the arena below which compaction is not worth its time.
const DEAD_BYTES_MIN: usize = 1 << 20;

/// Keys looked up together by [`Dictionary::acquire_all`]: enough that their waits for memory overlap.
const TOGETHER: usize = 32;

/// Every key that some bucket holds, with the number of references to it.
///
/// Invariant: a number is either free (`references == 0`, not in the index) or names exactly one key. [`NULL`]
/// is never free and never in the index, so no key of bytes equals the null key.
#[derive(Debug)]
pub struct Dictionary {
    index: HashTable<Indexed>,
    keys: Vec<Key>,
    free: Vec<KeyId>,
    arena: Vec<u8>,
    dead_bytes: usize,
    /// One bit per number: whether a checkpoint has its key. Cleared when the number is given out.
    named: Vec<u64>,
    state: FixedState,
}

/// A place in the index. The hash is kept, so that neither a search nor growing the index reads other keys.
#[derive(Debug, Clone, Copy)]
struct Indexed {
    hash: u32,
    id: KeyId,
}

/// Where a key lies in the arena, and how many references it has.
#[derive(Debug, Clone, Copy)]
struct Key {
    offset: u64,
    length: u32,
    references: u32,
}

/// A key of [`Dictionary::acquire_all`] on its way to its number.
#[derive(Debug, Clone, Copy)]
struct Sought<'k> {
    key: &'k [u8],
    count: u64,
    hash: u32,
    /// The first number with the key's hash, [`NULL`] when there is none.
    id: KeyId,
}

impl Key {
    #[inline]
    fn bytes(self, arena: &[u8]) -> &[u8] {
        &arena[self.offset as usize..self.offset as usize + self.length as usize]
    }
}

impl Dictionary {
    /// An empty dictionary. `seed` should be unknown to whoever chooses the keys.
    pub fn with_seed(seed: u64) -> Self {
        Self {
            index: HashTable::new(),
            keys: vec![Key { offset: 0, length: 0, references: 1 }],
            free: Vec::new(),
            arena: Vec::new(),
            dead_bytes: 0,
            named: Vec::new(),
            state: FixedState::with_seed(seed),
        }
    }

    /// The number of `key`, new if need be, with one reference more.
    #[inline]
    pub fn acquire(&mut self, key: &[u8]) -> KeyId {
        let hash = self.hash(key);
        let (keys, arena) = (&self.keys, &self.arena);
        let same = |at: &Indexed| at.hash == hash && keys[at.id as usize].bytes(arena) == key;
        let id = match self.index.entry(spread(hash), same, |at| spread(at.hash)) {
            Entry::Occupied(known) => known.get().id,
            Entry::Vacant(vacant) => {
                let id = self.free.pop().unwrap_or_else(|| {
                    KeyId::try_from(keys.len()).expect("the memory limit ends the job before 2^32 keys")
                });
                vacant.insert(Indexed { hash, id });
                self.store(id, key);
                id
            }
        };
        self.keys[id as usize].references += 1;
        id
    }

    /// [`Dictionary::acquire`] for many keys with their counts, appended to `acquired`.
    ///
    /// With many keys each step of a search (index, place, bytes) waits for memory. Taking a step for several
    /// keys before the next one lets the processor wait for all of them at once (measured at a million keys:
    /// half the time).
    pub fn acquire_all<'k>(
        &mut self,
        mut entries: impl Iterator<Item = (&'k [u8], u64)>,
        acquired: &mut Vec<(KeyId, u64)>,
    ) {
        let mut together = [Sought { key: &[], count: 0, hash: 0, id: NULL }; TOGETHER];
        let mut places = [(0, 0); TOGETHER];
        loop {
            let mut some = 0;
            for (sought, (key, count)) in together.iter_mut().zip(&mut entries) {
                *sought = Sought { key, count, hash: self.hash(key), id: NULL };
                some += 1;
            }
            for sought in &mut together[..some] {
                sought.id = self.first_with(sought.hash);
            }
            for (place, sought) in places.iter_mut().zip(&together[..some]) {
                let known = self.keys[sought.id as usize];
                *place = (known.offset as usize, known.length as usize);
            }
            for (&(offset, length), sought) in places.iter().zip(&together[..some]) {
                let known = sought.id != NULL && self.arena[offset..offset + length] == *sought.key;
                let id = if known {
                    self.keys[sought.id as usize].references += 1;
                    sought.id
                } else {
                    self.acquire(sought.key)
                };
                acquired.push((id, sought.count));
            }
            if some < TOGETHER {
                return;
            }
        }
    }

    #[inline]
    fn first_with(&self, hash: u32) -> KeyId {
        self.index.find(spread(hash), |at| at.hash == hash).map_or(NULL, |at| at.id)
    }

    fn store(&mut self, id: KeyId, key: &[u8]) {
        let length = u32::try_from(key.len()).expect("a frame is shorter than 4 GiB");
        let stored = Key { offset: self.arena.len() as u64, length, references: 0 };
        self.arena.extend_from_slice(key);
        if let Some(named) = self.named.get_mut(id as usize / 64) {
            *named &= !(1 << (id % 64));
        }
        if id as usize == self.keys.len() {
            self.keys.push(stored);
        } else {
            self.keys[id as usize] = stored;
        }
    }

    /// Takes one reference off `id`; the last one frees the number.
    #[inline]
    pub fn release(&mut self, id: KeyId) {
        if id == NULL {
            return;
        }
        let references = &mut self.keys[id as usize].references;
        *references = references.checked_sub(1).expect("a number is released as often as acquired");
        if *references == 0 {
            self.forget(id);
        }
    }

    fn forget(&mut self, id: KeyId) {
        let key = self.keys[id as usize];
        let hash = self.hash(key.bytes(&self.arena));
        let entry = self.index.find_entry(spread(hash), |at| at.id == id);
        entry.expect("a number in use is in the index").remove();
        self.dead_bytes += key.length as usize;
        self.free.push(id);
    }

    /// The key's bytes; `None` for [`NULL`]. `id` must be in use.
    #[inline]
    pub fn key(&self, id: KeyId) -> Option<&[u8]> {
        (id != NULL).then(|| self.keys[id as usize].bytes(&self.arena))
    }

    /// One more than the largest number ever given out.
    pub fn id_end(&self) -> usize {
        self.keys.len()
    }

    /// Closes the gaps that forgotten keys left, once they are more than half the arena.
    pub fn compact(&mut self) {
        if self.dead_bytes < DEAD_BYTES_MIN.max(self.arena.len() / 2) {
            return;
        }
        let mut arena = Vec::with_capacity(self.arena.len() - self.dead_bytes);
        for key in self.keys.iter_mut().skip(1).filter(|key| key.references > 0) {
            let offset = arena.len() as u64;
            arena.extend_from_slice(key.bytes(&self.arena));
            key.offset = offset;
        }
        self.arena = arena;
        self.dead_bytes = 0;
    }

    /// Memory held, bytes.
    pub fn bytes(&self) -> usize {
        self.index.capacity() * (size_of::<Indexed>() + 1)
            + self.keys.capacity() * size_of::<Key>()
            + self.free.capacity() * size_of::<KeyId>()
            + self.named.capacity() * size_of::<u64>()
            + self.arena.capacity()
    }

    #[inline]
    fn hash(&self, key: &[u8]) -> u32 {
        let mut hasher = self.state.build_hasher();
        hasher.write(key);
        hasher.finish() as u32
    }
}

/// Fills 64 bits from 32: hashbrown takes the slot from the low bits and its tag from the high ones.
#[inline]
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_keeps_its_number_while_referred_to() {
        let mut dictionary = Dictionary::with_seed(1);
        let bitcoin = dictionary.acquire(b"Bitcoin");
        let iot = dictionary.acquire(b"IoT");
        assert_eq!(dictionary.acquire(b"Bitcoin"), bitcoin);
        dictionary.release(bitcoin);
        assert_eq!(dictionary.key(bitcoin), Some(b"Bitcoin".as_slice()));
        dictionary.release(bitcoin);
        let reused = dictionary.acquire(b"5G");
        assert_eq!(reused, bitcoin, "the freed number is given out again");
        assert_eq!(dictionary.key(reused), Some(b"5G".as_slice()));
        assert_eq!(dictionary.key(iot), Some(b"IoT".as_slice()));
        assert_eq!(dictionary.key(NULL), None);
    }

    #[test]
    fn many_keys_at_once_get_the_numbers_that_each_alone_would() {
        let names: Vec<String> = (0..1_000_u32).map(|n| format!("key {}", n.pow(2) % 331)).collect();
        for count in [0, 1, TOGETHER - 1, TOGETHER, TOGETHER + 1, names.len()] {
            let (mut one_by_one, mut at_once) = (Dictionary::with_seed(3), Dictionary::with_seed(3));
            for _ in 0..2 {
                let entries = names[..count].iter().zip(1..).map(|(name, count)| (name.as_bytes(), count));
                let alone: Vec<_> =
                    entries.clone().map(|(key, count)| (one_by_one.acquire(key), count)).collect();
                let mut acquired = Vec::new();
                at_once.acquire_all(entries, &mut acquired);
                assert_eq!(acquired, alone);
            }
            let references = |dictionary: &Dictionary| -> Vec<u32> {
                dictionary.keys.iter().map(|key| key.references).collect()
            };
            assert_eq!(references(&at_once), references(&one_by_one));
        }
    }

    #[test]
    fn compaction_keeps_every_live_key_and_frees_the_rest() {
        let mut dictionary = Dictionary::with_seed(7);
        let name = |n: u32| format!("key number {n:>40}");
        let ids: Vec<_> = (0..100_000).map(|n| dictionary.acquire(name(n).as_bytes())).collect();
        for (n, &id) in ids.iter().enumerate() {
            if n % 4 != 0 {
                dictionary.release(id);
            }
        }
        let before = dictionary.bytes();
        dictionary.compact();
        assert!(dictionary.bytes() < before / 2 + before / 4, "{} of {before}", dictionary.bytes());
        for n in (0..100_000).step_by(4) {
            assert_eq!(dictionary.key(ids[n]), Some(name(n as u32).as_bytes()));
            assert_eq!(dictionary.acquire(name(n as u32).as_bytes()), ids[n]);
        }
    }
}
