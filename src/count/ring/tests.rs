//! The ring against a recount of everything, over random slides.

use std::collections::BTreeMap;

use super::super::table::KeyTable;
use super::*;
use crate::random::Random;

type Counts = BTreeMap<Option<Vec<u8>>, u64>;

fn block(counts: &Counts) -> Vec<u8> {
    let mut table = KeyTable::with_seed(3);
    for (key, &count) in counts {
        match key {
            None => table.add_null(count),
            Some(key) => (0..count).for_each(|_| table.add(key)),
        }
    }
    table.take_block()
}

fn slide(random: &mut Random) -> Counts {
    let mut counts = Counts::new();
    for _ in 0..random.below(60) {
        let key = match random.below(40) {
            0 => None,
            1 => Some(Vec::new()),
            2 => Some(b"null".to_vec()),
            n => Some(format!("k{}", n * (1 + random.below(3))).into_bytes()),
        };
        *counts.entry(key).or_default() += 1;
    }
    counts
}

fn expected_ranking(window: &Counts, limit: usize) -> Vec<(Option<Vec<u8>>, u64)> {
    let mut all: Vec<_> = window.iter().map(|(key, &count)| (key.clone(), count)).collect();
    all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    all.truncate(limit);
    all
}

#[test]
fn every_window_equals_a_recount_of_its_slides() {
    let mut random = Random::with_seed(42);
    let mut ring = Ring::with_seed(9);
    let mut history: Vec<(Millis, Counts)> = Vec::new();
    let mut end_ms = 1_000;
    for round in 0..400 {
        end_ms += 1_000 * (1 + i64::from(random.one_in(10)) * 3);
        let (one, two) = (slide(&mut random), slide(&mut random));
        let mut pairs = Pairs::default();
        ring.stage(&block(&one), &mut pairs).unwrap();
        ring.stage(&block(&two), &mut pairs).unwrap();
        let mut lost = Pairs::default();
        ring.stage(&block(&slide(&mut random)), &mut lost).unwrap();
        ring.drop_staged(lost);
        let mut both = one;
        two.into_iter().for_each(|(key, count)| *both.entry(key).or_default() += count);
        history.push((end_ms, both));

        ring.expire(end_ms - 20_000);
        ring.push(end_ms, pairs);
        let mut window = Counts::new();
        let inside = history.iter().filter(|(end, _)| *end > end_ms - 20_000);
        inside.clone().flat_map(|(_, counts)| counts).for_each(|(key, count)| {
            *window.entry(key.clone()).or_default() += count;
        });
        let ranking: Vec<_> =
            ring.rank(10).into_iter().map(|r| (r.key.map(|k| k.to_vec()), r.count)).collect();
        assert_eq!(ranking, expected_ranking(&window, 10), "round {round}");
        assert_eq!(ring.total(), window.values().sum::<u64>());
        assert_eq!(ring.distinct(), window.len() as u64);
        assert_eq!(ring.slides(), inside.count());
        let totals: Counts = ring.totals().map(|(key, n)| (key.map(<[u8]>::to_vec), n)).collect();
        assert_eq!(totals, window);
        if round % 3 > 0 {
            ring.settle();
        }
    }
    ring.expire(end_ms);
    assert_eq!((ring.total(), ring.distinct(), ring.slides()), (0, 0, 0));
    assert_eq!(ring.rank(10), []);
}

#[test]
fn a_refused_block_changes_nothing() {
    let mut ring = Ring::with_seed(1);
    let mut pairs = Pairs::default();
    let mut bytes = block(&Counts::from([(Some(b"a".to_vec()), 1)]));
    bytes.push(0x80);
    assert!(ring.stage(&bytes, &mut pairs).is_err());
    assert_eq!(pairs, Pairs::default());
}
