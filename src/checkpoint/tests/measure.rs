//! How large and how fast: a million keys, 300 slides of 100,000 records. Run by hand:
//! `cargo test --release --lib measure -- --ignored --nocapture`.

use super::super::base::{self, Base};
use super::super::frame::{self, Frames, Identity, Kind};
use super::super::head::FORMAT;
use super::super::slide::Table;
use super::super::*;
use super::world::{opening, partition};
use crate::clock::Clock;
use crate::count::{KeyTable, Pairs, Ring};
use crate::ids::Position;
use crate::random::Random;

const KEYS: u64 = 1_000_000;
const SLIDES: i64 = 300;
const RECORDS: u64 = 100_000;
const THIS: Identity = Identity { epoch: 1, number: 1 };

#[test]
#[ignore = "measures"]
fn a_million_keys_over_300_slides() {
    let clock = Clock::start();
    let mut random = Random::with_seed(1);
    let mut ring = Ring::with_seed(1);
    let mut log = Vec::new();
    let mut table = Table::default();
    let (mut pairs, mut key_bytes) = (0, 0);
    let (mut exporting, mut encoding) = (Vec::new(), Vec::new());
    for number in 1..=SLIDES {
        let mut counts = KeyTable::with_seed(3);
        (0..RECORDS)
            .for_each(|_| counts.add(format!("keyword-{:07}", random.below(KEYS as usize)).as_bytes()));
        let mut staged = Pairs::default();
        ring.stage(&counts.take_block(), &mut staged).unwrap();
        ring.push(number * 1_000, staged);
        let began = clock.monotonic();
        let exported = ring.export().unwrap();
        exporting.push(clock.monotonic() - began);
        pairs += exported.bucket.pairs().count();
        key_bytes += exported.keys.len();
        let until = Position::at(number * RECORDS.cast_signed());
        let slide = Slide {
            end_ms: number * 1_000,
            attempt: 1,
            expired_ms: number * 1_000 - 300_000,
            marks: Marks::default(),
            ranges: (0..12).map(|_| (partition(), until.offset - 1, until)).collect(),
            counts: vec![(exported.end_ms, exported.bucket)],
            keys: exported.keys,
        };
        let began = clock.monotonic();
        frame::put(&mut log, THIS, Kind::Slide, number.unsigned_abs(), &table.encode(&slide));
        encoding.push(clock.monotonic() - began);
    }
    exporting.sort();
    encoding.sort();
    println!("{pairs} pairs, {} keys, {} MB in the ring", ring.distinct(), ring.bytes() >> 20);
    let of_pairs = (log.len() - key_bytes) as f64 / pairs as f64;
    println!(
        "log: {} bytes, {of_pairs:.2} a pair without keys, {:.2} with",
        log.len(),
        log.len() as f64 / pairs as f64
    );
    println!("export of a slide: median {:?}, worst {:?}", exporting[150], exporting[299]);
    println!("encoding of a slide: median {:?}, worst {:?}", encoding[150], encoding[299]);

    let began = clock.monotonic();
    let image = ring.image();
    println!("image for a base: {:?}", clock.monotonic() - began);
    let began = clock.monotonic();
    let content = Base { head: head(), ring: image }.content(THIS);
    let bytes: Vec<u8> = content().flatten().collect();
    let took = clock.monotonic() - began;
    println!(
        "base: {} bytes, {:.2} a pair, encoded in {took:?}",
        bytes.len(),
        bytes.len() as f64 / pairs as f64
    );
    let began = clock.monotonic();
    let (_, restore) = base::decode(&bytes, THIS, 1 << 30).unwrap();
    let read = clock.monotonic() - began;
    let back = restore.finish(3);
    println!("base decoded in {read:?}, ring after {:?}", clock.monotonic() - began);
    assert_eq!((back.total(), back.distinct()), (ring.total(), ring.distinct()));
    let began = clock.monotonic();
    let mut table = Table::default();
    let slides = Frames::new(&log, THIS).map(|frame| table.decode(frame.payload).unwrap()).count();
    println!("{slides} slides of the log decoded in {:?}", clock.monotonic() - began);
}

fn head() -> BaseHead {
    BaseHead {
        format: FORMAT,
        version: String::new(),
        slide: SLIDES.unsigned_abs(),
        end_ms: Some(SLIDES * 1_000),
        attempt: 1,
        whole: 300,
        length_ms: 300_000,
        fingerprint: opening(1).fingerprint,
        positions: vec![(partition(), Position::at(0))],
        relabeled: Vec::new(),
    }
}
