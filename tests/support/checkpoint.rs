//! A driver of a few lines that keeps a checkpoint, and what must be recovered of it.

use std::sync::Arc;
use std::time::Duration;

use spindle::checkpoint::{
    Event, Events, Fingerprint, Force, Limits, Marks, OpenError, Opened, Opening, Owner, Slide, State,
    Writer, open,
};
use spindle::clock::Clock;
use spindle::count::{KeyTable, Pairs, Ring};
use spindle::ids::{Partition, Position};
use spindle::store::{Address, Patience, Store};

const SLIDE_MS: i64 = 1_000;
const LENGTH_MS: i64 = 60_000;
/// How long the worst fault may keep a slide from being durable.
const PATIENCE: Duration = Duration::from_secs(120);

/// A directory of its own, as one more client sees it.
pub(crate) struct Place(pub(crate) String);

impl Place {
    /// Another process as far as HDFS can tell: each store has a client and a lease of its own.
    pub(crate) fn store(&self) -> Store {
        Store::open(&Address::parse(&self.0).unwrap(), Patience::default()).unwrap()
    }

    pub(crate) async fn open(&self, attempt: u32) -> Result<Opened, OpenError> {
        open(self.store(), opening(attempt), Arc::new(|_: &Owner| None)).await
    }
}

/// What attempt `attempt` of the application opens it as.
pub(crate) fn opening(attempt: u32) -> Opening {
    let word = |word: &str| word.to_owned();
    let owner = Owner {
        app: word("application_1_1"),
        attempt,
        job: word("test"),
        host: word("here"),
        pid: 1,
        version: word("1"),
        config: word("c"),
        since_ms: 0,
        process: None,
    };
    let topics = vec![(word("t"), None)];
    Opening {
        owner,
        fingerprint: Fingerprint {
            cluster: None,
            topics,
            key: word("record"),
            slide_ms: SLIDE_MS,
            time: word("processing"),
        },
        length_ms: LENGTH_MS,
        force: Force::No,
        fresh: false,
        relabel: false,
        limits: Limits::default(),
        ids_max: 1 << 20,
        seed: 1,
    }
}

/// Counts number `n` in slide `n`, and has it made durable.
pub(crate) struct Driver {
    pub(crate) writer: Writer,
    pub(crate) events: Events,
    ring: Ring,
    /// Where slide 1 begins.
    begin_ms: i64,
    pub(crate) last: u64,
    pub(crate) durable: u64,
    /// How long each sync took.
    pub(crate) syncs: Vec<Duration>,
    /// How often the store did not take something.
    pub(crate) behind: u64,
    /// The longest that anything offered took to be durable.
    pub(crate) worst: Duration,
}

impl Driver {
    pub(crate) async fn start(place: &Place, attempt: u32) -> Self {
        Self::of(place.open(attempt).await.unwrap())
    }

    /// Its slides begin then, not with the epoch.
    pub(crate) async fn start_at(place: &Place, begin_ms: i64) -> Self {
        Self { begin_ms, ..Self::start(place, 1).await }
    }

    pub(crate) fn of(mut opened: Opened) -> Self {
        let found = opened.recovered.take();
        let last = found.as_ref().map_or(0, |found| found.slide);
        let mut ring = found.map_or_else(|| Ring::with_seed(1), |found| found.ring);
        let (writer, events) = opened.start(Box::new(state(last, &mut ring)));
        Self {
            writer,
            events,
            ring,
            begin_ms: 0,
            last,
            durable: last,
            syncs: Vec::new(),
            behind: 0,
            worst: Duration::ZERO,
        }
    }

    pub(crate) fn slide(&mut self) {
        let number = self.last + 1;
        let end_ms = self.begin_ms + number.cast_signed() * SLIDE_MS;
        let mut counts = KeyTable::with_seed(1);
        counts.add(format!("slide {number}").as_bytes());
        let mut pairs = Pairs::default();
        self.ring.stage(&counts.take_block(), &mut pairs).unwrap();
        self.ring.expire(end_ms - LENGTH_MS);
        self.ring.push(end_ms, pairs);
        let exported = self.ring.export().unwrap();
        let slide = Slide {
            end_ms,
            attempt: 1,
            expired_ms: end_ms - LENGTH_MS,
            marks: Marks::default(),
            ranges: vec![(
                Partition::new("t", 0),
                number.cast_signed() - 1,
                Position::at(number.cast_signed()),
            )],
            counts: vec![(end_ms, exported.bucket)],
            keys: exported.keys,
        };
        assert_eq!(self.writer.offer(Box::new(slide)), number);
        self.last = number;
    }

    pub(crate) fn base(&mut self) {
        let mut state = state(self.last, &mut self.ring);
        state.end_ms = state.end_ms.map(|end_ms| self.begin_ms + end_ms);
        self.writer.base(Box::new(state));
    }

    /// Writes so many slides and ends well.
    pub(crate) async fn write(mut self, slides: u64) {
        for _ in 0..slides {
            self.slide();
        }
        self.settle().await;
        self.writer.close();
        while self.events.recv().await.is_some() {}
    }

    /// Takes events until everything offered is durable.
    pub(crate) async fn settle(&mut self) {
        let clock = Clock::start();
        while self.durable < self.last {
            let left = PATIENCE.saturating_sub(clock.monotonic());
            let event = tokio::time::timeout(left, self.events.recv()).await;
            match event.unwrap_or_else(|_| panic!("slide {} is not durable", self.last)).unwrap() {
                Event::Durable { number, took, .. } => {
                    self.durable = number;
                    self.syncs.push(took);
                }
                Event::Behind { .. } => self.behind += 1,
                Event::Based { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        self.worst = self.worst.max(clock.monotonic());
    }

    /// The event that ends it.
    pub(crate) async fn end(&mut self) -> Event {
        loop {
            match self.events.recv().await.unwrap() {
                Event::Durable { number, .. } => self.durable = number,
                Event::Based { .. } | Event::Behind { .. } | Event::BaseFailed(_) | Event::BaseWanted => {}
                other => return other,
            }
        }
    }
}

fn state(last: u64, ring: &mut Ring) -> State {
    State {
        end_ms: (last > 0).then_some(last.cast_signed() * SLIDE_MS),
        attempt: 1,
        whole: last,
        positions: vec![(Partition::new("t", 0), Position::at(last.cast_signed()))],
        ring: ring.image(),
    }
}

/// The slide it was recovered up to, with exactly the counts and positions that belong to it.
pub(crate) fn recovered(opened: &Opened) -> u64 {
    assert_eq!(opened.report.corrupt, []);
    let found = opened.recovered.as_ref().unwrap();
    let slides = (LENGTH_MS / SLIDE_MS).cast_unsigned();
    let first = (found.slide + 1).saturating_sub(slides).max(1);
    let mut expected: Vec<_> = (first..=found.slide).map(|n| format!("slide {n}").into_bytes()).collect();
    let mut keys: Vec<_> = found.ring.totals().map(|(key, _)| key.unwrap().to_vec()).collect();
    expected.sort();
    keys.sort();
    assert_eq!(keys, expected);
    assert_eq!(found.positions, [(Partition::new("t", 0), Position::at(found.slide.cast_signed()))]);
    found.slide
}
