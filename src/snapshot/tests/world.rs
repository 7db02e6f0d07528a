//! A driver of a few lines with a checkpoint and snapshots, and what must be there in the end.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

use flate2::read::GzDecoder;

use super::super::*;
pub(super) use crate::checkpoint::samples::{LENGTH_MS, SLIDE_MS, opening};
use crate::checkpoint::{self, Marks, Opened, State};
use crate::config::{Snapshots, Timespan};
use crate::count::{KeyTable, Pairs, Ring};
use crate::ids::{Millis, Partition, Position};
use crate::random::Random;
use crate::store::Store;
use crate::store::faults::Faults;

/// Plenty.
pub(super) const QUEUE_BYTES: usize = 64 << 20;

/// Windows each 2 s, files each 10 s.
pub(in super::super) fn plan() -> Plan {
    let (every, roll) = (Timespan::from_secs(2), Timespan::from_secs(10));
    Plan::new("TweetsApp", &Snapshots { every, roll, keys: 4, ..Snapshots::default() })
}

/// What a driver that never stops would hand over: the slides with these numbers.
pub(in super::super) fn slides(seed: u64, numbers: RangeInclusive<u64>) -> Vec<Slide> {
    let mut counter = Counter::new(Ring::with_seed(1), *numbers.start() - 1, seed);
    numbers.map(|_| counter.count().1).collect()
}

fn partition() -> Partition {
    Partition::new("tweets", 0)
}

/// Counts slides that are a function of seed and number.
pub(in super::super) struct Counter {
    pub ring: Ring,
    pub last: u64,
    /// Ends are so much later than slides' numbers say.
    pub shift_ms: Millis,
    seed: u64,
}

impl Counter {
    pub(super) fn new(ring: Ring, last: u64, seed: u64) -> Self {
        Self { ring, last, shift_ms: 0, seed }
    }

    pub(in super::super) fn records(seed: u64, number: u64) -> Vec<Option<Vec<u8>>> {
        let mut random = Random::with_seed(seed ^ (number << 20));
        let key = |random: &mut Random| match random.below(6) {
            0 => None,
            1 => Some(b"null".to_vec()),
            2 => Some(vec![0xff, random.below(2) as u8]),
            n => Some(format!("key {}", random.below(3 * n)).into_bytes()),
        };
        // Sometimes nothing for longer than the window.
        let many = if number % 30 < 8 { 0 } else { random.below(9) };
        (0..many).map(|_| key(&mut random)).collect()
    }

    /// The next slide, as the checkpoint and as the snapshots get it.
    pub(super) fn count(&mut self) -> (checkpoint::Slide, Slide) {
        self.last += 1;
        let number = self.last;
        let end_ms = number.cast_signed() * SLIDE_MS + self.shift_ms;
        let mut table = KeyTable::with_seed(3);
        let records = Self::records(self.seed, number);
        records.iter().for_each(|key| match key {
            None => table.add_null(1),
            Some(key) => table.add(key),
        });
        let mut pairs = Pairs::default();
        self.ring.stage(&table.take_block(), &mut pairs).unwrap();
        self.ring.expire(end_ms - LENGTH_MS);
        self.ring.push(end_ms, pairs);
        let window = plan().is_written(end_ms).then(|| Ranked {
            length_ms: LENGTH_MS,
            slides: self.ring.slides() as u64,
            total: self.ring.total(),
            distinct: self.ring.distinct(),
            top: self.ring.rank(plan().keys),
        });
        let exported = self.ring.export().unwrap();
        let until = Self::offset(self.seed, number);
        let slide = checkpoint::Slide {
            end_ms,
            attempt: 1,
            // At least this had left; the window's length says the rest.
            expired_ms: end_ms - LENGTH_MS - (number % 3).cast_signed() * SLIDE_MS,
            marks: Marks { complete: number > 6, whole: number, behind_ms: 0, unread: Vec::new() },
            ranges: vec![(partition(), until - records.len() as i64, Position::at(until))],
            counts: vec![(end_ms, exported.bucket)],
            keys: exported.keys,
        };
        // What comes ahead of time must not matter.
        if number.is_multiple_of(3) {
            self.ring.settle();
            self.ring.expire(end_ms + SLIDE_MS - LENGTH_MS);
        }
        let told = Slide::of(number, &slide, window);
        (slide, told)
    }

    fn offset(seed: u64, number: u64) -> i64 {
        (1..=number).map(|n| Self::records(seed, n).len() as i64).sum()
    }

    fn state(&mut self) -> State {
        State {
            end_ms: (self.last > 0).then_some(self.last.cast_signed() * SLIDE_MS + self.shift_ms),
            attempt: 1,
            whole: self.last,
            positions: vec![(partition(), Position::at(Self::offset(self.seed, self.last)))],
            ring: self.ring.image(),
        }
    }
}

/// Where a job keeps what it keeps.
pub(in super::super) struct Place {
    pub checkpoint: Store,
    pub snapshots: Store,
}

impl Place {
    /// Both in `directory`; calls to the snapshots' store go through `faults`.
    pub(in super::super) fn new(directory: &Path, faults: &Arc<Faults>) -> Self {
        let calm = Arc::default();
        Self {
            checkpoint: Store::for_test(&directory.join("checkpoint"), calm),
            snapshots: Store::for_test(&directory.join("snapshots"), Arc::clone(faults)),
        }
    }
}

/// One attempt of a driver.
pub(super) struct Driver {
    pub counter: Counter,
    log: checkpoint::Writer,
    logged: checkpoint::Events,
    pub writer: Writer,
    pub events: Events,
    durable: u64,
    /// The slide whose base is asked for and not written.
    based: Option<u64>,
    pub through_ms: Option<Millis>,
    pub behind: u64,
}

/// What a writer is made from, with nothing in the checkpoint.
pub(in super::super) fn setup(place: &Place, epoch: u64) -> Setup {
    Setup {
        store: place.snapshots.clone(),
        plan: plan(),
        owner: Owner { checkpoint: place.checkpoint.address().to_string(), epoch },
        checkpoint: place.checkpoint.clone(),
        until_ms: None,
        relabeled: false,
        ids_max: 1 << 20,
        queue_bytes: QUEUE_BYTES,
    }
}

impl Driver {
    pub(super) async fn start(place: &Place, attempt: u32, seed: u64) -> Self {
        let opened = checkpoint::open(
            place.checkpoint.clone(),
            opening(attempt),
            Arc::new(|_: &checkpoint::Owner| None),
        )
        .await;
        Self::of(opened.unwrap(), place, seed, QUEUE_BYTES)
    }

    pub(super) fn of(opened: Opened, place: &Place, seed: u64, queue_bytes: usize) -> Self {
        let until_ms = opened.recovered.as_ref().and_then(|recovered| recovered.end_ms);
        let setup = Setup { until_ms, queue_bytes, ..setup(place, opened.epoch) };
        let (counter, log, logged) = Self::log(opened, 0, seed);
        Self::writing(counter, log, logged, setup)
    }

    /// Puts ends back, so that none is after `now_ms`. The first base waits until the past is visible.
    pub(super) fn relabel(mut opened: Opened, place: &Place, seed: u64, now_ms: Millis) -> Self {
        let until_ms = opened.recovered.as_ref().and_then(|recovered| recovered.end_ms);
        let setup = Setup { until_ms, relabeled: true, ..setup(place, opened.epoch) };
        let by_ms = opened.relabel(now_ms).unwrap();
        let (counter, log, logged) = Self::log(opened, -by_ms, seed);
        Self::writing(counter, log, logged, setup)
    }

    /// Waits until the past is visible.
    pub(super) async fn settled(&mut self) {
        loop {
            match self.events.recv().await.unwrap() {
                Event::Settled => return,
                event => self.heard(&event),
            }
        }
    }

    /// Has the first base written, which makes the new ends durable.
    pub(super) async fn put_back(&mut self) {
        self.log.settled();
        while !matches!(self.logged.recv().await.unwrap(), checkpoint::Event::Based { .. }) {}
    }

    /// Dies before the past is visible: then the new ends are not durable.
    pub(super) async fn die_with_the_first_base_held(self) {
        let Self { log, mut logged, .. } = self;
        log.close();
        assert_eq!(logged.recv().await, None, "nothing lets the first base be written");
    }

    /// Goes on behind a driver that put ends back.
    pub(super) fn relabeled(opened: Opened, place: &Place, seed: u64, shift_ms: Millis) -> Self {
        let until_ms = opened.recovered.as_ref().and_then(|recovered| recovered.end_ms);
        let setup = Setup { until_ms, ..setup(place, opened.epoch) };
        let (counter, log, logged) = Self::log(opened, shift_ms, seed);
        Self::writing(counter, log, logged, setup)
    }

    fn log(
        mut opened: Opened,
        shift_ms: Millis,
        seed: u64,
    ) -> (Counter, checkpoint::Writer, checkpoint::Events) {
        opened.keep_since(Millis::MIN);
        let recovered = opened.recovered.take();
        let last = recovered.as_ref().map_or(0, |recovered| recovered.slide);
        let ring = recovered.map_or_else(|| Ring::with_seed(2), |recovered| recovered.ring);
        let mut counter = Counter { shift_ms, ..Counter::new(ring, last, seed) };
        let (log, logged) = opened.start(Box::new(counter.state()));
        (counter, log, logged)
    }

    fn writing(counter: Counter, log: checkpoint::Writer, logged: checkpoint::Events, setup: Setup) -> Self {
        let last = counter.last;
        let (writer, events) = start(setup);
        let (based, through_ms, behind) = (None, None, 0);
        Self { counter, log, logged, writer, events, durable: last, based, through_ms, behind }
    }

    /// Counts so many slides, each durable before the next.
    pub(super) async fn slides(&mut self, many: u64) {
        for _ in 0..many {
            self.closed();
            self.settle().await;
        }
    }

    /// Counts a slide that may not become durable.
    pub(super) fn closed(&mut self) {
        let (slide, told) = self.counter.count();
        assert_eq!(self.log.offer(Box::new(slide)), told.number);
        self.writer.closed(told);
    }

    pub(super) async fn settle(&mut self) {
        while self.durable < self.counter.last || self.based.is_some() {
            match self.logged.recv().await.unwrap() {
                checkpoint::Event::Durable { number, end_ms, .. } => {
                    self.durable = number;
                    self.writer.durable(end_ms);
                }
                checkpoint::Event::BaseWanted => {
                    self.based = Some(self.counter.last);
                    self.log.base(Box::new(self.counter.state()));
                }
                checkpoint::Event::Based { number, .. } => {
                    self.based = self.based.filter(|wanted| number < *wanted);
                }
                _ => {}
            }
            while let Ok(event) = self.events.try_recv() {
                self.heard(&event);
            }
        }
    }

    fn heard(&mut self, event: &Event) {
        self.behind += u64::from(matches!(event, Event::Behind { .. }));
        if let Event::Visible { through_ms } = event {
            assert!(self.through_ms.max(Some(*through_ms)) == Some(*through_ms), "it only grows");
            self.through_ms = Some(*through_ms);
            self.log.keep_since(*through_ms);
        }
    }

    /// Waits for an event that is not one of the usual ones, or for this much to be visible.
    pub(super) async fn until(&mut self, through_ms: Millis) -> Option<Event> {
        while self.through_ms < Some(through_ms) {
            let event = self.events.recv().await?;
            self.heard(&event);
            if !matches!(event, Event::Visible { .. } | Event::Behind { .. }) {
                return Some(event);
            }
        }
        None
    }

    /// Stops gracefully. Returns the writer's last event.
    pub(super) async fn stop(self) -> Option<Event> {
        let Self { log, mut logged, writer, mut events, .. } = self;
        log.close();
        while logged.recv().await.is_some() {}
        writer.close();
        let mut last = None;
        while let Some(event) = events.recv().await {
            last = Some(event);
        }
        last
    }
}

/// Every file that a reader sees, hidden ones of ranges too, by path.
pub(super) fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let root = directory.join("snapshots");
    let mut dirs = vec![root.clone()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if !path.components().any(|part| part.as_os_str() == "_staging") {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// The files that slides up to number `last` give, all in one go.
pub(super) fn expected(seed: u64, last: u64) -> BTreeMap<String, Vec<u8>> {
    let mut builder = builder::Builder::new(plan(), None);
    let mut files = BTreeMap::new();
    for file in slides(seed, 1..=last).iter().flat_map(|slide| builder.push(slide)).collect::<Vec<_>>() {
        for (name, bytes) in [(file.name.rows(), &file.rows), (file.name.ranges(), &file.ranges)] {
            files.insert(file.name.path(&name), bytes.to_vec());
        }
        files.insert(layout::LATEST.to_owned(), file.latest.to_vec());
    }
    files
}

/// The windows in files of rows, in the files' order.
pub(super) fn windows(files: &BTreeMap<String, Vec<u8>>) -> Vec<rows::Written> {
    let mut windows = Vec::new();
    for bytes in files.iter().filter(|(name, _)| name.contains("/windows-")).map(|(_, bytes)| bytes) {
        let mut text = String::new();
        GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
        let mut reader = rows::Reader::default();
        windows.extend(text.lines().filter_map(|line| reader.line(line).unwrap()));
        windows.extend(reader.finish());
    }
    windows
}

/// Every slide in files of ranges, by end.
pub(super) fn facts(files: &BTreeMap<String, Vec<u8>>) -> Vec<Facts> {
    let mut facts: Vec<Facts> = Vec::new();
    for bytes in files.iter().filter(|(name, _)| name.contains("/_ranges-")).map(|(_, bytes)| bytes) {
        let mut text = String::new();
        GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
        facts.extend(text.lines().map(|line| serde_json::from_str::<Facts>(line).unwrap()));
    }
    facts.sort_by_key(|slide| slide.end_ms);
    facts
}
