//! Random slides for the tests of this module.

use super::slide::{Marks, Slide};
use crate::count::Pairs;
use crate::count::SealedBucket;
use crate::count::keys::KeyListWriter;
use crate::ids::{Millis, Partition, Position, TopicId};

/// splitmix64: enough randomness for a test, and the same everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// A slide of anything that can be in one.
pub(crate) fn slide(random: &mut Random, number: i64) -> Slide {
    let end_ms = 1_700_000_000_000 + number * 1_000;
    let mut ranges = Vec::new();
    let mut unread = Vec::new();
    for partition in 0..random.below(6) {
        let partition = Partition::new(["tweets", "été"][(partition % 2) as usize], partition as i32);
        let from = random.below(1 << 40).cast_signed();
        ranges.push((partition.clone(), from, position(random, from)));
        if random.below(5) == 0 {
            unread.push(partition);
        }
    }
    if random.below(5) == 0 {
        unread.push(Partition::new("unread only", 1));
    }
    let mut keys = KeyListWriter::default();
    let mut id = 0;
    for _ in 0..random.below(5) {
        id += 1 + random.below(1_000) as u32;
        keys.put(id, &random.next().to_le_bytes()[..random.below(8) as usize]);
    }
    let marks = Marks {
        complete: random.below(2) == 0,
        whole: random.below(500),
        behind_ms: random.below(9),
        unread,
    };
    let counts = (0..random.below(3)).map(|n| (end_ms - n as Millis * 1_000, bucket(random))).collect();
    let expired_ms = end_ms - random.below(300_000).cast_signed();
    Slide { end_ms, attempt: 1, expired_ms, marks, ranges, counts, keys: keys.finish() }
}

fn position(random: &mut Random, from: i64) -> Position {
    Position {
        topic_id: (random.below(3) > 0).then(|| TopicId([random.below(3) as u8; 16])),
        offset: from + random.below(1_000).cast_signed(),
        leader_epoch: random.below(4) as i32 - 1,
        mark_ms: if random.below(2) == 0 { Millis::MIN } else { random.below(1 << 41).cast_signed() },
    }
}

fn bucket(random: &mut Random) -> SealedBucket {
    let pairs: Vec<_> = (0..random.below(50)).map(|n| (n as u32 * 3, 1 + random.below(4))).collect();
    let total = pairs.iter().map(|(_, count)| count).sum();
    SealedBucket::seal(Pairs { pairs, total }, |_| {})
}
