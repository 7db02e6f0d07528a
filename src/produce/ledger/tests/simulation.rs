//! The ledger between a source that delivers again what lies behind its cursor and a Kafka that answers late, refuses
//! records and lets late requests through, with kills at any moment. What must come out is said by [`World::judge`], from
//! the topic alone.

use std::collections::{BTreeMap, VecDeque};

use super::*;
use crate::ids::Millis;
use crate::random::Random;

const POSTS: u64 = 300;
const PARTITIONS: usize = 3;
const RUNS: u64 = 1_000;
const FLIGHT: usize = 12;
const REWIND_MS: Millis = 2_000;

/// What happened in all runs together: a simulation in which it does not happen proves nothing.
#[derive(Debug, Default)]
struct Rare {
    kills: u64,
    kills_with_records_in_flight: u64,
    records_landed_late: u64,
    aborts: u64,
    out_of_order: u64,
    found_in_topic: u64,
}

/// How a run is set up.
#[derive(Debug, Clone, Copy)]
struct Setup {
    overlap: Overlap,
    ids: bool,
    transactions: bool,
    /// Whether requests of a killed producer may arrive after its successor has looked.
    late: bool,
}

/// A record on its way.
#[derive(Debug, Clone, Copy)]
struct Request {
    number: u64,
    id: u64,
}

struct World {
    setup: Setup,
    random: Random,
    rare: Rare,
    /// What is in each partition, in order, and whether it counts (is committed).
    topic: Vec<Vec<(u64, bool)>>,
    /// Requests of the running producer, per partition.
    requests: Vec<VecDeque<Request>>,
    /// Requests of killed producers.
    orphans: Vec<(usize, u64)>,
    /// The cursor file. It is there before the first record is sent.
    saved: (Option<Resume>, Ends),
    ledger: Ledger,
    /// The next post that the source delivers.
    next: u64,
    resent: u64,
    /// A transaction is open.
    open: bool,
}

/// Posts are half a second apart.
fn time_ms(id: u64) -> Millis {
    Millis::try_from(id).unwrap() * 500
}

fn place_of(id: u64) -> Resume {
    Resume::Token { text: id.to_string().into(), time_ms: Some(time_ms(id)) }
}

fn partition_of(id: u64) -> usize {
    usize::try_from(id * 7 % 11).unwrap() % PARTITIONS
}

impl World {
    fn new(seed: u64, setup: Setup) -> Self {
        let mut world = Self {
            setup,
            random: Random::with_seed(seed),
            rare: Rare::default(),
            topic: vec![Vec::new(); PARTITIONS],
            requests: vec![VecDeque::new(); PARTITIONS],
            orphans: Vec::new(),
            saved: (None, (0..).zip([0; PARTITIONS]).collect()),
            ledger: ledger(rules(1, WhenFull::Block)),
            next: 0,
            resent: 0,
            open: false,
        };
        world.start();
        world
    }

    /// A process begins: it looks into the topic from the saved ends on, then the source begins at the cursor.
    fn start(&mut self) {
        let Setup { overlap, ids, transactions, .. } = self.setup;
        let rules = Rules { transactions, flight_posts: FLIGHT, ..rules(8, WhenFull::Block) };
        let mut recalled = Recalled::new(self.random.one_in(2));
        let logs = || (0..).zip(self.topic.iter().map(Vec::len));
        let ends_now: Ends = logs().map(|(number, length)| (number, length as i64)).collect();
        let (resume, ends) = self.saved.clone();
        let mut found = 0;
        for (number, log) in (0..).zip(&self.topic) {
            let from = usize::try_from(ends[&number]).unwrap();
            for &(id, counts) in log[from..].iter().filter(|(_, counts)| *counts) {
                assert!(counts);
                found += 1;
                if ids {
                    recalled.insert(PostId(id.into()), id.to_string().as_bytes());
                }
            }
        }
        self.rare.found_in_topic += found;
        let read_to = if transactions { Ends::new() } else { ends_now };
        self.next = match (&resume, overlap) {
            (None, _) => 0,
            (Some(at), Overlap::Ms(rewind_ms)) => {
                let from_ms = at.time_ms().unwrap() - rewind_ms;
                (0..POSTS).find(|id| time_ms(*id) >= from_ms).unwrap_or(POSTS)
            }
            (Some(Resume::Token { text, .. }), Overlap::One) => text.parse().unwrap(),
            (Some(Resume::Token { text, .. }), Overlap::None) => text.parse::<u64>().unwrap() + 1,
            (Some(_), _) => unreachable!(),
        };
        let progress = Progress::new(overlap, resume, ends).found(read_to, FLIGHT as u64);
        self.ledger = Ledger::new(rules, progress, Seen::new(DEDUPE, NOW), recalled);
        if !ids {
            self.ledger.expect_repeats(found);
        }
        self.open = false;
    }

    fn kill(&mut self) {
        self.rare.kills += 1;
        self.resent += self.ledger.accounts().resent;
        for (number, requests) in self.requests.iter_mut().enumerate() {
            self.rare.kills_with_records_in_flight += u64::from(!requests.is_empty());
            // What a broker has received is written; the rest is lost with the connection, or arrives after all.
            let received = self.random.below(requests.len() + 1);
            for (nth, request) in requests.drain(..).enumerate() {
                if nth < received {
                    self.topic[number].push((request.id, !self.setup.transactions));
                } else if self.setup.late && self.random.one_in(2) {
                    self.orphans.push((number, request.id));
                }
            }
        }
        // The successor of a transactional producer ends what that had open, and lets nothing more of it through.
        if self.setup.transactions {
            self.topic
                .iter_mut()
                .flatten()
                .filter(|(_, counts)| !counts)
                .for_each(|record| record.0 = u64::MAX);
            self.orphans.clear();
        }
        self.start();
        for (number, id) in std::mem::take(&mut self.orphans) {
            self.rare.records_landed_late += 1;
            self.topic[number].push((id, true));
        }
    }

    fn step(&mut self) {
        match self.random.below(100) {
            0..35 => self.deliver(),
            35..60 => self.send(),
            60..85 => self.answer(),
            85..95 => self.save(),
            95..97 => self.reorder(),
            _ => {
                if self.random.one_in(4) {
                    self.kill();
                }
            }
        }
        let accounts = self.ledger.accounts();
        assert_eq!(accounts.queued(), self.ledger.queued());
        assert_eq!(accounts.sent, accounts.acknowledged + accounts.failed + self.ledger.in_flight());
    }

    fn deliver(&mut self) {
        if self.next == POSTS || !self.ledger.has_room() {
            return;
        }
        if self.random.one_in(5) {
            self.ledger.take(Event { kind: Kind::Control, resume: None }, NOW);
        }
        let id = self.setup.ids.then_some(PostId(self.next.into()));
        let json = Bytes::from(self.next.to_string());
        let post = Post { json, keyword: None, id, time_ms: Some(time_ms(self.next)) };
        self.ledger.take(Event { kind: Kind::Post(post), resume: Some(place_of(self.next)) }, NOW);
        self.next += 1;
    }

    fn send(&mut self) {
        let Some((number, post)) = self.ledger.next() else { return };
        let id: u64 = std::str::from_utf8(&post.json).unwrap().parse().unwrap();
        self.requests[partition_of(id)].push_back(Request { number, id });
        self.ledger.sent();
        self.open = true;
    }

    fn answer(&mut self) {
        let number = self.random.below(PARTITIONS);
        let Some(Request { number: post, id }) = self.requests[number].pop_front() else { return };
        self.topic[number].push((id, !self.setup.transactions));
        let offset = self.topic[number].len() as i64 - 1;
        // Sometimes Kafka only says that it has the record.
        let offset = (!self.random.one_in(20)).then_some(offset);
        self.ledger.acknowledged(post, i32::try_from(number).unwrap(), offset);
    }

    /// A batch was refused because of one record, and the others are sent again behind what was sent meanwhile.
    fn reorder(&mut self) {
        let number = self.random.below(PARTITIONS);
        if self.requests[number].len() > 1 {
            self.rare.out_of_order += 1;
            self.requests[number].rotate_left(1);
        }
    }

    /// With transactions only when one is committed, or aborted.
    fn save(&mut self) {
        if self.setup.transactions && self.open {
            if !self.ledger.is_answered() {
                return;
            }
            self.open = false;
            if self.random.one_in(4) {
                self.rare.aborts += 1;
                let aborted = self.topic.iter_mut().flatten().filter(|(_, counts)| !counts);
                aborted.for_each(|record| *record = (u64::MAX, false));
                return self.ledger.aborted();
            }
            self.topic
                .iter_mut()
                .flatten()
                .filter(|(id, _)| *id != u64::MAX)
                .for_each(|record| record.1 = true);
            self.ledger.committed();
            // Killed between commit and save.
            if self.random.one_in(8) {
                return self.kill();
            }
        }
        self.saved = (self.ledger.resume().cloned(), self.ledger.saved_ends());
    }

    /// Until everything that the source has is in the topic, without further kills.
    fn finish(&mut self) {
        while self.next < POSTS || self.ledger.queued() + self.ledger.in_flight() > 0 {
            self.deliver();
            self.send();
            (0..PARTITIONS).for_each(|_| self.answer());
            self.save();
        }
        self.resent += self.ledger.accounts().resent;
    }

    /// Every post is there. Once, if anything names it; and what is there more often was counted as sent again. Of
    /// requests that arrive late that is true of most: a kill before Kafka's first answer hides them.
    fn judge(&self, seed: u64) {
        let mut copies: BTreeMap<u64, u64> = BTreeMap::new();
        for &(id, _) in self.topic.iter().flatten().filter(|(_, counts)| *counts) {
            *copies.entry(id).or_default() += 1;
        }
        let missing: Vec<_> = (0..POSTS).filter(|id| !copies.contains_key(id)).collect();
        assert_eq!(missing, [0; 0], "lost, seed {seed}, {:?}", self.setup);
        let doubled: Vec<_> = copies.iter().filter(|(_, copies)| **copies > 1).collect();
        if self.setup.ids && !self.setup.late {
            assert!(doubled.is_empty(), "{doubled:?}, seed {seed}, {:?}", self.setup);
        }
        let extra: u64 = doubled.iter().map(|(_, copies)| *copies - 1).sum();
        assert!(
            self.setup.late || extra <= self.resent,
            "{extra} > {}, seed {seed}, {:?}",
            self.resent,
            self.setup
        );
    }
}

fn run(seed: u64, setup: Setup) -> Rare {
    let mut world = World::new(seed, setup);
    for _ in 0..4_000 {
        world.step();
    }
    world.finish();
    world.judge(seed);
    world.rare
}

#[test]
fn every_post_is_in_the_topic_once_through_kills_if_anything_names_it() {
    let mut total = Rare::default();
    for seed in 0..RUNS {
        let mut choice = Random::with_seed(seed);
        let overlap = [Overlap::None, Overlap::One, Overlap::Ms(REWIND_MS)][choice.below(3)];
        let transactions = choice.one_in(2);
        // Without names only a source that goes on exactly where it was can say what it sends again.
        let ids = overlap != Overlap::None || choice.one_in(2);
        let rare = run(seed, Setup { overlap, ids, transactions, late: !transactions && choice.one_in(3) });
        total.kills += rare.kills;
        total.kills_with_records_in_flight += rare.kills_with_records_in_flight;
        total.records_landed_late += rare.records_landed_late;
        total.aborts += rare.aborts;
        total.out_of_order += rare.out_of_order;
        total.found_in_topic += rare.found_in_topic;
    }
    let Rare {
        kills,
        kills_with_records_in_flight,
        records_landed_late,
        aborts,
        out_of_order,
        found_in_topic,
    } = total;
    let happened =
        [kills, kills_with_records_in_flight, records_landed_late, aborts, out_of_order, found_in_topic];
    assert!(happened.iter().all(|times| *times > 100), "{total:?}");
}
