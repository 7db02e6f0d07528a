//! Random slides, and who opens a checkpoint: for the tests of this module and of `snapshot`.

use super::slide::{Marks, Slide};
use super::{Fingerprint, Force, Limits, Opening, Owner};
use crate::count::Pairs;
use crate::count::SealedBucket;
use crate::count::keys::KeyListWriter;
use crate::ids::{Millis, Partition, Position, TopicId};
use crate::random::Random;

pub(crate) const SLIDE_MS: Millis = 1_000;
pub(crate) const LENGTH_MS: Millis = 6_000;

/// Who opens the tests' checkpoint.
pub(crate) fn owner(app: &str, attempt: u32) -> Owner {
    let (job, host) = ("TweetsApp".to_owned(), "nm1".to_owned());
    let (version, config) = ("1".to_owned(), "c".to_owned());
    Owner { app: app.to_owned(), attempt, job, host, pid: 1, version, config, since_ms: 0, process: None }
}

/// Attempt `attempt` of one application, which rolls its logs often.
pub(crate) fn opening(attempt: u32) -> Opening {
    let topics = vec![("tweets".to_owned(), None)];
    let (key, time) = ("record".to_owned(), "processing".to_owned());
    Opening {
        owner: owner("app", attempt),
        fingerprint: Fingerprint { cluster: None, topics, key, slide_ms: SLIDE_MS, time },
        length_ms: LENGTH_MS,
        force: Force::No,
        fresh: false,
        relabel: false,
        limits: Limits { roll_slides: 4, ..Limits::default() },
        ids_max: 1 << 20,
        seed: 1,
    }
}

/// A slide of anything that can be in one.
pub(crate) fn slide(random: &mut Random, number: i64) -> Slide {
    let end_ms = 1_700_000_000_000 + number * 1_000;
    let mut ranges = Vec::new();
    let mut unread = Vec::new();
    for partition in 0..random.below(6) {
        let partition = Partition::new(["tweets", "été"][partition % 2], partition as i32);
        let from = random.between(0, (1 << 40) - 1);
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
        keys.put(id, &random.next_u64().to_le_bytes()[..random.below(8)]);
    }
    let marks = Marks {
        complete: random.below(2) == 0,
        whole: random.below(500) as u64,
        behind_ms: random.below(9) as u64,
        unread,
    };
    let counts = (0..random.below(3)).map(|n| (end_ms - n as Millis * 1_000, bucket(random))).collect();
    let expired_ms = end_ms - random.between(0, 299_999);
    Slide { end_ms, attempt: 1, expired_ms, marks, ranges, counts, keys: keys.finish() }
}

fn position(random: &mut Random, from: i64) -> Position {
    Position {
        topic_id: (random.below(3) > 0).then(|| TopicId([random.below(3) as u8; 16])),
        offset: from + random.between(0, 999),
        leader_epoch: random.below(4) as i32 - 1,
        mark_ms: if random.below(2) == 0 { Millis::MIN } else { random.between(0, (1 << 41) - 1) },
    }
}

fn bucket(random: &mut Random) -> SealedBucket {
    let pairs: Vec<_> = (0..random.below(50)).map(|n| (n as u32 * 3, 1 + random.below(4) as u64)).collect();
    let total = pairs.iter().map(|(_, count)| count).sum();
    SealedBucket::seal(Pairs { pairs, total }, |_| {})
}
