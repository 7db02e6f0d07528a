//! A driver of a few lines, and an oracle of fewer.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

pub(super) use super::super::samples::{LENGTH_MS, SLIDE_MS, opening, owner};
use super::super::*;
use crate::count::{KeyTable, Pairs, Ring};
use crate::ids::{Partition, Position, TopicId};
use crate::random::Random;
use crate::store::faults::Faults;
pub(super) use crate::store::tests::scratch;

pub(super) type Counts = BTreeMap<Option<Vec<u8>>, u64>;

/// Every slide there was, by number from 1.
#[derive(Debug, Default, Clone)]
pub(super) struct Oracle {
    pub slides: Vec<(Millis, Counts, i64)>,
}

impl Oracle {
    /// The same slides with ends that are so much earlier.
    pub(super) fn put_back(mut self, by_ms: Millis) -> Self {
        self.slides.iter_mut().for_each(|(end_ms, ..)| *end_ms -= by_ms);
        self
    }

    /// The window after slide `number`, and the offset where reading goes on.
    pub(super) fn window(&self, number: u64) -> (Counts, i64) {
        let known = &self.slides[..number as usize];
        let Some((end_ms, _, offset)) = known.last() else { return (Counts::new(), 0) };
        let mut window = Counts::new();
        for (_, counts, _) in known.iter().filter(|(end, ..)| *end > end_ms - LENGTH_MS) {
            counts.iter().for_each(|(key, count)| *window.entry(key.clone()).or_default() += count);
        }
        (window, *offset)
    }
}

/// Counts, and offers what it counted.
pub(super) struct Driver {
    pub writer: Writer,
    pub events: Events,
    pub ring: Ring,
    pub oracle: Oracle,
    /// Number of the last durable slide.
    pub durable: u64,
    pub last: u64,
    pub based: u64,
    pub length_ms: Millis,
    /// Identity of the topic that is counted.
    pub topic: Option<TopicId>,
    /// Ends are so much later than slides' numbers say.
    shift_ms: Millis,
    offset: i64,
    random: Random,
}

pub(super) fn partition() -> Partition {
    Partition::new("tweets", 0)
}

/// Opens as attempt `attempt` of one application.
pub(super) async fn open_as(store: &Store, opening: Opening) -> Result<Opened, OpenError> {
    open(store.clone(), opening, Arc::new(|_: &Owner| None)).await
}

/// A store in `directory` whose calls nothing disturbs.
pub(super) fn calm(directory: &Path) -> Store {
    Store::for_test(directory, Arc::default())
}

/// What was recovered is what the oracle says of that slide. Returns the slide's number.
pub(super) fn assert_true(recovered: &Recovered, oracle: &Oracle) -> u64 {
    let (window, offset) = oracle.window(recovered.slide);
    let totals: Counts =
        recovered.ring.totals().map(|(key, total)| (key.map(<[u8]>::to_vec), total)).collect();
    assert_eq!(totals, window, "the window after slide {}", recovered.slide);
    assert_eq!(recovered.positions, [(partition(), Position::at(offset))]);
    let end_ms = recovered.slide.checked_sub(1).map(|at| oracle.slides[at as usize].0);
    assert_eq!(recovered.end_ms, end_ms);
    recovered.slide
}

impl Driver {
    /// Goes on from what was recovered; `oracle` knows everything that was ever offered.
    pub(super) fn start(mut opened: Opened, mut oracle: Oracle, seed: u64) -> Self {
        let recovered = opened.recovered.take();
        let slide = recovered.as_ref().map_or(0, |recovered| recovered.slide);
        oracle.slides.truncate(slide as usize);
        let (_, offset) = oracle.window(slide);
        let mut ring = recovered.map_or_else(|| Ring::with_seed(2), |recovered| recovered.ring);
        let first = State {
            end_ms: oracle.slides.last().map(|(end_ms, ..)| *end_ms),
            attempt: 1,
            whole: slide,
            positions: vec![(partition(), Position::at(offset))],
            ring: ring.image(),
        };
        let (writer, events) = opened.start(Box::new(first));
        let random = Random::with_seed(seed);
        let last_ms = oracle.slides.last().map_or(0, |(end_ms, ..)| *end_ms);
        Self {
            writer,
            events,
            ring,
            oracle,
            durable: slide,
            last: slide,
            based: 0,
            length_ms: LENGTH_MS,
            topic: None,
            shift_ms: last_ms - slide.cast_signed() * SLIDE_MS,
            offset,
            random,
        }
    }

    /// Counts one slide and offers it.
    pub(super) fn slide(&mut self) {
        let number = self.last + 1;
        let (counts, slide) = self.count(number);
        self.oracle.slides.push((slide.end_ms, counts, self.offset));
        assert_eq!(self.writer.offer(Box::new(slide)), number);
        self.last = number;
    }

    pub(super) fn count(&mut self, number: u64) -> (Counts, Slide) {
        let end_ms = number.cast_signed() * SLIDE_MS + self.shift_ms;
        let mut table = KeyTable::with_seed(3);
        let mut counts = Counts::new();
        for _ in 0..self.random.below(12) {
            let key = match self.random.below(5) {
                0 => None,
                1 => Some(b"null".to_vec()),
                n => Some(format!("key {}", self.random.below(10 * n)).into_bytes()),
            };
            match &key {
                None => table.add_null(1),
                Some(key) => table.add(key),
            }
            *counts.entry(key).or_default() += 1;
        }
        let records: u64 = counts.values().sum();
        let from = self.offset;
        self.offset += records.cast_signed();
        let mut pairs = Pairs::default();
        self.ring.stage(&table.take_block(), &mut pairs).unwrap();
        self.ring.expire(end_ms - self.length_ms);
        self.ring.push(end_ms, pairs);
        let exported = self.ring.export().unwrap();
        let slide = Slide {
            end_ms,
            attempt: 1,
            expired_ms: end_ms - self.length_ms,
            marks: Marks { whole: number, ..Marks::default() },
            ranges: vec![(partition(), from, self.position())],
            counts: vec![(end_ms, exported.bucket)],
            keys: exported.keys,
        };
        (counts, slide)
    }

    fn position(&self) -> Position {
        Position { topic_id: self.topic, ..Position::at(self.offset) }
    }

    pub(super) fn base(&mut self) {
        let state = State {
            end_ms: self.oracle.slides.last().map(|(end_ms, ..)| *end_ms),
            attempt: 1,
            whole: self.last,
            positions: vec![(partition(), self.position())],
            ring: self.ring.image(),
        };
        self.writer.base(Box::new(state));
    }

    /// Takes events until everything offered is durable. False if the writer came to its end, or died.
    pub(super) async fn settled(&mut self, faults: &Faults) -> bool {
        while self.durable < self.last || self.based == 0 {
            if faults.dead() {
                return false;
            }
            match self.events.recv().await {
                Some(Event::Durable { number, .. }) => self.durable = number,
                Some(Event::Based { .. }) => self.based += 1,
                Some(Event::BaseWanted) => self.base(),
                Some(Event::Behind { .. } | Event::BaseFailed(_)) => {}
                Some(Event::Fenced(_) | Event::GivenUp(_) | Event::Closed | Event::Died(_)) | None => {
                    return false;
                }
            }
        }
        true
    }

    /// The next event that is none of the usual ones.
    pub(super) async fn end(&mut self) -> Event {
        loop {
            match self.events.recv().await.unwrap() {
                Event::Durable { number, .. } => self.durable = number,
                Event::Based { .. } => self.based += 1,
                Event::BaseWanted | Event::Behind { .. } | Event::BaseFailed(_) => {}
                other => return other,
            }
        }
    }
}
