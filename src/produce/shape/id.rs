//! The name of a post, from what its source calls it. Feeds `ledger`, which remembers names, and `recall`.

use sha2::{Digest, Sha256};

use crate::produce::event::PostId;

/// The post that its source names by these parts.
///
/// The first 128 bits of SHA-256 over the parts, each behind its length: the same in every process and version, so that
/// posts read back from Kafka are recognized.
pub(super) fn of(parts: &[&str]) -> PostId {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    let mut first = [0; 16];
    for (to, from) in first.iter_mut().zip(hash.finalize()) {
        *to = from;
    }
    PostId(u128::from_be_bytes(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_in_every_version() {
        // printf '\x04\0\0\0\0\0\0\x001817' | sha256sum
        assert_eq!(of(&["1817"]), PostId(0xf042_fcb7_410d_5dd5_1195_086b_58c0_ab73));
    }

    #[test]
    fn parts_are_not_run_together() {
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_ne!(of(&["ab"]), of(&["ab", ""]));
        assert_ne!(of(&["1"]), of(&["2"]));
    }
}
