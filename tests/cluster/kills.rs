//! The promise: every record exactly once, on time, whichever executors are killed or frozen meanwhile.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use spindle::clock::Clock;
use spindle::random::Random;

use crate::job::{Job, Running};
use crate::kafka::{Topic, brokers};
use crate::produce::Writer;
use crate::seen::{Counts, Seen};

const RECORDS: u64 = 2_000_000;
/// The stream is spread over this time, and so are the faults.
const STREAM: Duration = Duration::from_secs(45);
const KILLS: usize = 20;
const FREEZES: usize = 5;
const PARTITIONS: i32 = 12;
const SLIDE_MS: i64 = 500;
const TIMEOUT_MS: i64 = 2_000;
/// How late beyond the promise a window may be on a machine that does other things as well.
const NOISE_MS: i64 = 1_500;
/// Long keys: a window that shows two of them is a line of 2 MB.
const LONG: usize = 1_000_000;

/// Five slots, because the wait before a slot is started again doubles with each of its failures: faults are
/// spread over the slots, and at least one executor always reads.
#[test]
fn counts_are_exact_and_on_time_through_kills() {
    let seed = seed();
    println!("seed {seed}; repeat this run by SPINDLE_TEST_SEED={seed}");
    let topic = Topic::create("kills", PARTITIONS);
    let mut job = Job::new(&brokers(), &topic.name)
        .set("executors.timeout", "2s")
        .arg("--master")
        .arg("local[5]")
        .start();
    job.until_connected(5);
    let name = topic.name.clone();
    let stream = thread::spawn(move || stream(seed, &name));
    let clock = Clock::start();
    let faults = faults(&mut job, &mut Random::with_seed(seed ^ 0x5eed), clock);
    assert_eq!(faults, KILLS + FREEZES);
    println!("{faults} faults in {:?}", clock.monotonic());
    while !stream.is_finished() {
        job.during(Duration::from_millis(100));
    }
    let produced = stream.join().unwrap();
    assert_eq!(produced.values().sum::<u64>(), RECORDS);
    println!("stream ended after {:?}", clock.monotonic());
    job.until_total(RECORDS);
    println!("all of it counted after {:?}", clock.monotonic());
    let seen = job.finish();
    compare(&produced, &seen.counts());
    seen.assert_whole();
    assert_on_time(&seen);
    println!("{RECORDS} records, {} keys, {} windows", produced.len(), seen.windows.len());
}

/// Kills and freezes at random moments, evenly over the slots. A frozen one is killed by the driver.
fn faults(job: &mut Running, random: &mut Random, clock: Clock) -> usize {
    let mut freezes: Vec<bool> = (0..KILLS + FREEZES).map(|n| n < FREEZES).collect();
    shuffle(random, &mut freezes);
    let mut of_slot: BTreeMap<u32, usize> = BTreeMap::new();
    let mut hit: Vec<Pid> = Vec::new();
    let mean = STREAM / u32::try_from(KILLS + FREEZES).unwrap();
    for (n, freeze) in freezes.iter().enumerate() {
        let due = mean * u32::try_from(n).unwrap() + mean.mul_f64(random.unit());
        job.during(due.saturating_sub(clock.monotonic()));
        // One that was hit a moment ago still seems to run: it is neither to be hit again nor the one that goes on.
        let unhurt = |seen: &Seen| -> Vec<(u32, Pid)> {
            seen.connected().into_iter().filter(|(_, pid)| !hit.contains(pid)).collect()
        };
        job.until("two executors, one to hit and one to go on", |seen| unhurt(seen).len() >= 2);
        let mut victims = unhurt(&job.seen);
        shuffle(random, &mut victims);
        let faults_of = |slot: u32| of_slot.get(&slot).copied().unwrap_or(0);
        let (slot, pid): (u32, Pid) = *victims.iter().min_by_key(|(slot, _)| faults_of(*slot)).unwrap();
        *of_slot.entry(slot).or_default() += 1;
        hit.push(pid);
        kill_process(pid, if *freeze { Signal::STOP } else { Signal::KILL }).unwrap();
    }
    freezes.len()
}

/// Produces the stream, evenly over its time; returns what it holds.
pub(crate) fn stream(seed: u64, topic: &str) -> Counts {
    let mut random = Random::with_seed(seed);
    let properties = [("enable.idempotence", "true"), ("queue.buffering.max.messages", "200000")];
    let mut writer = Writer::with(&brokers(), topic, &properties);
    let odd: [&[u8]; 7] =
        [b"", b"null", b"\xff\xfe\x00", b"a\nb", b"\x1b[31mred", b"\xed\xa0\x80", "\u{202e}x\"\\".as_bytes()];
    let clock = Clock::start();
    for n in 0..RECORDS {
        if n % 5_000 == 0 {
            let due = STREAM.mul_f64(n as f64 / RECORDS as f64);
            while clock.monotonic() < due {
                writer.producer.poll(due.saturating_sub(clock.monotonic()));
            }
        }
        let unit = random.unit();
        match random.next_u64() % 64 {
            // The second one last: windows with both are more than half of what may wait to be printed.
            _ if n == RECORDS / 3 || n == RECORDS / 3 * 2 => writer.key(Some(&[b'x'; LONG])),
            _ if n == RECORDS - 10 => writer.key(Some(&[b'y'; LONG])),
            0 | 1 => writer.key(None),
            2 => writer.key(Some(odd[random.below(7)])),
            // A long tail: few keys often, most of 2,000 seldom.
            _ => writer.key(Some(format!("key-{}", (unit * unit * unit * 2_000.0) as u32).as_bytes())),
        }
    }
    writer.flush();
    writer.counts
}

pub(crate) fn compare(produced: &Counts, counted: &Counts) {
    let differ = |key: &&Option<Vec<u8>>| produced.get(*key) != counted.get(*key);
    let keys: std::collections::BTreeSet<_> = produced.keys().chain(counted.keys()).collect();
    let wrong: Vec<_> = keys.into_iter().filter(differ).collect();
    let shown = |key: &Option<Vec<u8>>| {
        let name = key.as_ref().map(|key| String::from_utf8_lossy(&key[..key.len().min(40)]).into_owned());
        format!("{name:?}: produced {:?}, counted {:?}", produced.get(key), counted.get(key))
    };
    let lines: Vec<_> = wrong.iter().take(20).map(|key| shown(key)).collect();
    assert!(wrong.is_empty(), "{} keys differ\n{}", wrong.len(), lines.join("\n"));
}

/// No window later than one slide after a silent executor was given up.
fn assert_on_time(seen: &Seen) {
    let bound_ms = TIMEOUT_MS + SLIDE_MS + NOISE_MS;
    let late = |window: &crate::seen::Window| window.arrived_ms - window.window_end_ms;
    let worst = seen.windows.iter().map(late).max().unwrap();
    let mut sorted: Vec<_> = seen.windows.iter().map(late).collect();
    sorted.sort_unstable();
    println!("windows after their end: median {} ms, worst {worst} ms", sorted[sorted.len() / 2]);
    let shown = |window: &&crate::seen::Window| format!("{} by {} ms", window.window_end_ms, late(window));
    let all: Vec<_> = seen.windows.iter().filter(|window| late(window) > bound_ms).collect();
    let all = all.iter().map(shown).collect::<Vec<_>>().join("\n");
    assert!(worst <= bound_ms, "late by more than {bound_ms} ms:\n{all}\n{}", seen.log.join("\n"));
}

pub(crate) fn seed() -> u64 {
    match std::env::var("SPINDLE_TEST_SEED") {
        Ok(seed) => seed.parse().expect("SPINDLE_TEST_SEED is a number"),
        Err(_) => getrandom::u64().unwrap(),
    }
}

/// Fisher and Yates.
fn shuffle<T>(random: &mut Random, items: &mut [T]) {
    for n in (1..items.len()).rev() {
        items.swap(n, random.below(n + 1));
    }
}
