//! Double-entry bookkeeping for the demo: what Kafka acknowledged on one side, what was counted on the other.

use std::collections::BTreeMap;

type Key = Option<Box<[u8]>>;

/// Records per key: acknowledged by Kafka, and counted in some slide.
#[derive(Debug, Default)]
pub(super) struct Books {
    produced: BTreeMap<Key, u64>,
    counted: BTreeMap<Key, u64>,
}

impl Books {
    /// So many records with this key were acknowledged in all.
    pub(super) fn produced(&mut self, key: Option<&[u8]>, records: u64) {
        self.produced.insert(key.map(Into::into), records);
    }

    pub(super) fn counted(&mut self, key: Key, records: u64) {
        *self.counted.entry(key).or_default() += records;
    }

    /// Records counted so far.
    pub(super) fn counted_total(&self) -> u64 {
        self.counted.values().sum()
    }

    /// Records acknowledged so far.
    pub(super) fn produced_total(&self) -> u64 {
        self.produced.values().sum()
    }

    /// Records acknowledged and not counted, key by key.
    pub(super) fn missed(&self) -> u64 {
        surplus(&self.produced, &self.counted)
    }

    /// Records counted more often than acknowledged, key by key.
    pub(super) fn doubled(&self) -> u64 {
        surplus(&self.counted, &self.produced)
    }
}

/// By how much `these` exceed `those`, summed over the keys where they do.
fn surplus(these: &BTreeMap<Key, u64>, those: &BTreeMap<Key, u64>) -> u64 {
    these.iter().map(|(key, count)| count.saturating_sub(those.get(key).copied().unwrap_or(0))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_missed_does_not_hide_behind_another_doubled() {
        let mut books = Books::default();
        books.produced(Some(b"a"), 5);
        books.produced(None, 2);
        books.counted(Some(b"a".as_slice().into()), 4);
        books.counted(None, 3);
        assert_eq!((books.produced_total(), books.counted_total()), (7, 7));
        assert_eq!((books.missed(), books.doubled()), (1, 1));
    }
}
