//! A ring taken out slide by slide, or as a whole, and put back is the same ring.

use std::collections::BTreeMap;

use super::super::super::table::KeyTable;
use super::*;

const SLIDE_MS: Millis = 1_000;
const LENGTH_MS: Millis = 20_000;

/// splitmix64: enough randomness for a test, and the same everywhere.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Few keys that stay and many that come once, so that numbers are freed and given out again.
fn block(state: &mut u64) -> Vec<u8> {
    let mut table = KeyTable::with_seed(5);
    for _ in 0..random(state) % 40 {
        match random(state) % 4 {
            0 => table.add_null(1),
            1 => table.add(format!("stays {}", random(state) % 9).as_bytes()),
            _ => table.add(format!("comes {}", random(state) % 100_000).as_bytes()),
        }
    }
    table.take_block()
}

fn totals(ring: &Ring) -> BTreeMap<Option<Vec<u8>>, u64> {
    ring.totals().map(|(key, total)| (key.map(<[u8]>::to_vec), total)).collect()
}

fn same(one: &Ring, other: &Ring) {
    assert_eq!(totals(one), totals(other));
    assert_eq!((one.total(), one.distinct()), (other.total(), other.distinct()));
    assert_eq!(one.rank(7), other.rank(7));
}

/// Goes on with both rings alike: a restored one must not only look the same.
#[test]
fn image_and_later_slides_make_the_same_ring_at_every_slide() {
    let mut state = 11;
    let mut ring = Ring::with_seed(1);
    let mut image = (0, ring.image());
    let mut later: Vec<ExportedSlide> = Vec::new();
    let mut staged_early = None;
    for round in 0..300 {
        let end_ms = (round + 1) * SLIDE_MS;
        let mut pairs = staged_early.take().unwrap_or_default();
        ring.stage(&block(&mut state), &mut pairs).unwrap();
        // Counts of the next slide that come before this one closes; some are given up.
        let mut early = Pairs::default();
        ring.stage(&block(&mut state), &mut early).unwrap();
        if random(&mut state).is_multiple_of(3) {
            ring.drop_staged(early);
        } else {
            staged_early = Some(early);
        }
        ring.expire(end_ms - LENGTH_MS);
        ring.push(end_ms, pairs);
        later.push(ring.export().unwrap());
        let on_the_way = replayed(&image.1, &later);
        assert_eq!(on_the_way.rank(7), ring.rank(7));
        assert_eq!(
            (on_the_way.total(), on_the_way.distinct(), on_the_way.slides()),
            (ring.total(), ring.distinct(), ring.slides())
        );
        if random(&mut state).is_multiple_of(2) {
            ring.settle();
            ring.expire(end_ms + SLIDE_MS - LENGTH_MS);
        }
        if random(&mut state).is_multiple_of(40) {
            image = (end_ms, ring.image());
            later.clear();
        }
        let mut restored = restored(&image.1, &later);
        restored.expire(end_ms + SLIDE_MS - LENGTH_MS);
        let mut as_is = self::restored(&ring.image(), &[]);
        as_is.expire(end_ms + SLIDE_MS - LENGTH_MS);
        same(&restored, &as_is);
    }
}

fn restored(image: &RingImage, later: &[ExportedSlide]) -> Ring {
    replayed(image, later).finish(77)
}

fn replayed(image: &RingImage, later: &[ExportedSlide]) -> Restore {
    let mut restore = Restore::new(1 << 20);
    let mut list = KeyListWriter::default();
    image.keys.iter().for_each(|(id, key)| list.put(id, key));
    restore.name(&list.finish()).unwrap();
    for (end_ms, bucket) in &image.buckets {
        restore.bucket(*end_ms, bucket.clone()).unwrap();
    }
    for slide in later {
        restore.expire(slide.end_ms - LENGTH_MS);
        restore.name(&slide.keys).unwrap();
        restore.bucket(slide.end_ms, slide.bucket.clone()).unwrap();
    }
    restore
}

#[test]
fn a_restored_ring_counts_on() {
    let mut ring = Ring::with_seed(1);
    for end_ms in [1_000, 2_000, 3_000] {
        let mut pairs = Pairs::default();
        ring.stage(&block(&mut 4), &mut pairs).unwrap();
        ring.push(end_ms, pairs);
    }
    let mut copy = restored(&ring.image(), &[]);
    same(&ring, &copy);
    for end_ms in 4..40 {
        for ring in [&mut ring, &mut copy] {
            let mut pairs = Pairs::default();
            ring.stage(&block(&mut (end_ms as u64)), &mut pairs).unwrap();
            ring.expire(end_ms * 1_000 - 3_000);
            ring.push(end_ms * 1_000, pairs);
            ring.settle();
        }
        same(&ring, &copy);
    }
}

#[test]
fn counts_without_a_key_and_numbers_beyond_the_bound_are_refused() {
    let mut restore = Restore::new(10);
    let bucket = SealedBucket::seal(Pairs { pairs: vec![(3, 1)], total: 1 }, |_| {});
    assert!(restore.bucket(1_000, bucket).is_err());
    let mut list = KeyListWriter::default();
    list.put(11, b"x");
    assert!(restore.name(&list.finish()).is_err());
}

#[test]
fn counts_of_one_end_add_up() {
    let mut restore = Restore::new(10);
    let mut list = KeyListWriter::default();
    list.put(3, b"x");
    restore.name(&list.finish()).unwrap();
    for count in [1, 4] {
        let pairs = Pairs { pairs: vec![(NULL, 1), (3, count)], total: 1 + count };
        restore.bucket(1_000, SealedBucket::seal(pairs, |_| {})).unwrap();
    }
    let ring = restore.finish(0);
    assert_eq!(totals(&ring), BTreeMap::from([(None, 2), (Some(b"x".to_vec()), 5)]));
    assert_eq!((ring.total(), ring.slides()), (7, 1));
}

#[test]
fn a_long_history_takes_the_memory_of_the_keys_it_ends_with() {
    let mut restore = Restore::new(10);
    for round in 0..50_i64 {
        restore.expire((round - 1) * SLIDE_MS);
        let mut list = KeyListWriter::default();
        list.put(3, &vec![b'a' + (round % 26) as u8; 100_000]);
        list.put(4, &[b'z'; 7]);
        restore.name(&list.finish()).unwrap();
        let pairs = Pairs { pairs: vec![(3, 2), (4, 1)], total: 3 };
        restore.bucket(round * SLIDE_MS, SealedBucket::seal(pairs, |_| {})).unwrap();
        let top = restore.rank(1).remove(0);
        assert_eq!(top.key.as_deref(), Some([b'a' + (round % 26) as u8; 100_000].as_slice()));
        assert!(restore.arena.len() < 2_000_000, "{} bytes after {round}", restore.arena.len());
    }
    assert_eq!(restore.finish(0).rank(2)[1].key.as_deref(), Some([b'z'; 7].as_slice()));
}
