//! The keys of a dictionary taken out for a checkpoint, and put back. Feeds [`crate::count::ring`].

use foldhash::quality::FixedState;
use hashbrown::HashTable;

use super::{Dictionary, Indexed, Key, KeyId, NULL, spread};

/// Every key of a dictionary at one moment, with its number. Never changes.
#[derive(Debug, Clone)]
pub struct Keys {
    keys: Vec<Key>,
    arena: Vec<u8>,
}

impl Keys {
    /// The keys that something referred to, by number ascending; the null key is not among them.
    pub fn iter(&self) -> impl Iterator<Item = (KeyId, &[u8])> {
        self.after(NULL)
    }

    /// Those of them with numbers beyond `last`.
    pub fn after(&self, last: KeyId) -> impl Iterator<Item = (KeyId, &[u8])> {
        let known = self.keys.iter().enumerate().skip(last as usize + 1);
        let live = known.filter(|(_, key)| key.references > 0);
        live.map(|(id, key)| (id as KeyId, key.bytes(&self.arena)))
    }

    /// Memory held, bytes.
    pub fn bytes(&self) -> usize {
        self.keys.capacity() * size_of::<Key>() + self.arena.capacity()
    }
}

impl Dictionary {
    /// Copies out every key.
    pub fn keys(&self) -> Keys {
        Keys { keys: self.keys.clone(), arena: self.arena.clone() }
    }

    /// Marks that `id`'s key is written down; true the first time since the number was given out.
    pub fn name(&mut self, id: KeyId) -> bool {
        let (word, bit) = (id as usize / 64, 1 << (id % 64));
        if word >= self.named.len() {
            self.named.resize(word + 1, 0);
        }
        let first = self.named[word] & bit == 0;
        self.named[word] |= bit;
        first
    }

    /// A dictionary in which every number has its place in `arena` and so many references; numbers without any
    /// are free. Every key counts as written down.
    pub fn restore(
        seed: u64,
        arena: Vec<u8>,
        places: impl Iterator<Item = (usize, u32)>,
        references: Vec<u32>,
    ) -> Self {
        let state = FixedState::with_seed(seed);
        let named = vec![u64::MAX; references.len().div_ceil(64)];
        let mut this = Self { arena, state, named, ..Self::with_seed(seed) };
        let known = places.zip(references).skip(NULL as usize + 1);
        this.keys.extend(known.map(|((offset, length), references)| Key {
            offset: offset as u64,
            length,
            references,
        }));
        let live = this.keys.iter().skip(1).filter(|key| key.references > 0);
        let (count, live_bytes) = live.fold((0, 0), |(n, bytes), key| (n + 1, bytes + key.length as usize));
        this.dead_bytes = this.arena.len() - live_bytes;
        this.index = HashTable::with_capacity(count);
        for id in (1..this.keys.len()).rev() {
            let key = this.keys[id];
            if key.references == 0 {
                this.free.push(id as KeyId);
                continue;
            }
            let hash = this.hash(key.bytes(&this.arena));
            let indexed = Indexed { hash, id: id as KeyId };
            this.index.insert_unique(spread(hash), indexed, |at| spread(at.hash));
        }
        this
    }
}
