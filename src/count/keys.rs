//! Keys with their numbers as one flat run of bytes: how a checkpoint names what its counts refer to.
//!
//! Layout, all numbers varints: per key `gap`, `length`, then the key's bytes; `gap` is the distance to the number
//! before, at least 1 and for the first counted from the null key's 0. So a list is ascending, and the null key,
//! which has no bytes, cannot be in it.

use super::dictionary::{KeyId, NULL};
use super::varint;

/// Numbers or bytes that no writer of this program makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("keys or counts are malformed: {0}")]
pub struct Malformed(pub &'static str);

/// Writes one list; keys come by number ascending.
#[derive(Debug)]
pub struct KeyListWriter {
    bytes: Vec<u8>,
    last: KeyId,
}

impl Default for KeyListWriter {
    fn default() -> Self {
        Self { bytes: Vec::new(), last: NULL }
    }
}

impl KeyListWriter {
    /// Appends `key`, whose number is larger than every one before.
    pub fn put(&mut self, id: KeyId, key: &[u8]) {
        assert!(id > self.last, "keys are listed by number ascending");
        varint::put(&mut self.bytes, u64::from(id - self.last));
        varint::put(&mut self.bytes, key.len() as u64);
        self.bytes.extend_from_slice(key);
        self.last = id;
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The finished list.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// The keys of a list, in order; ends after the first one that is malformed.
pub fn read(list: &[u8]) -> impl Iterator<Item = Result<(KeyId, &[u8]), Malformed>> {
    let mut rest = list;
    let mut last = NULL;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let entry = entry(&mut rest, last).ok_or(Malformed("a list of keys is cut short"));
        match entry {
            Ok((id, _)) => last = id,
            Err(_) => rest = &[],
        }
        Some(entry)
    })
}

fn entry<'a>(rest: &mut &'a [u8], last: KeyId) -> Option<(KeyId, &'a [u8])> {
    let gap = KeyId::try_from(varint::take(rest)?).ok().filter(|gap| *gap > 0)?;
    let id = last.checked_add(gap)?;
    let length = usize::try_from(varint::take(rest)?).ok()?;
    let (key, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some((id, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_and_every_truncation_is_noticed() {
        let keys = [(1, b"Bitcoin".as_slice()), (2, b""), (700, b"\xff\0"), (KeyId::MAX, b"5G")];
        let mut writer = KeyListWriter::default();
        keys.iter().for_each(|&(id, key)| writer.put(id, key));
        let list = writer.finish();
        let all: Result<Vec<_>, _> = read(&list).collect();
        assert_eq!(all.unwrap(), keys);
        let whole: Vec<usize> =
            (0..=list.len()).filter(|&n| read(&list[..n]).all(|key| key.is_ok())).collect();
        assert_eq!(whole.len(), keys.len() + 1, "only whole keys make a list: {whole:?}");
    }

    #[test]
    fn the_null_key_and_numbers_beyond_the_last_are_malformed() {
        assert!(read(&[0, 0]).any(|key| key.is_err()));
        let mut writer = KeyListWriter::default();
        writer.put(KeyId::MAX, b"");
        let mut list = writer.finish();
        list.extend_from_slice(&[1, 0]);
        assert!(read(&list).any(|key| key.is_err()));
    }
}
