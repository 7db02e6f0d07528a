//! A reading thread as the executor's state sees one: orders in, parts and spills out, at its own speed.

use std::collections::{BTreeMap, VecDeque};

use spindle::count::KeyTable;
use spindle::executor::state::{Block, Input, Part, ReaderOrder};
use spindle::ids::{Millis, Offset, Partition, Position};
use spindle::random::Random;
use spindle::wire::message::{Heard, Range, Reading};

use super::logs::{KEYS, Log, Logs};

/// How often a client tells what its leaders said.
const STATISTICS_MS: Millis = 1_000;

/// One thread.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) thread: usize,
    /// Records per second and partition.
    pub(crate) speed: i64,
    pub(crate) stuck_until_ms: Millis,
    pub(crate) orders: VecDeque<ReaderOrder>,
    cursors: BTreeMap<Partition, Cursor>,
    table: KeyTable,
    records: u64,
    unkeyed: u64,
    read_ms: Millis,
}

#[derive(Debug)]
struct Cursor {
    from: Offset,
    position: Position,
    incarnation: u8,
    reached_ms: Option<Millis>,
    reading: Reading,
    /// What the leader said last, and when.
    fetched: Option<(Millis, Offset, Offset)>,
    /// The same as of the client's last statistics.
    told: Option<(Millis, Offset, Offset)>,
    told_ms: Millis,
}

impl Reader {
    pub(crate) fn new(thread: usize, speed: i64, now_ms: Millis) -> Self {
        Self {
            thread,
            speed,
            stuck_until_ms: 0,
            orders: VecDeque::new(),
            cursors: BTreeMap::new(),
            table: KeyTable::with_seed(7),
            records: 0,
            unkeyed: 0,
            read_ms: now_ms,
        }
    }

    /// Reads, obeys one order, and says what the executor's state is to hear.
    pub(crate) fn step(&mut self, now_ms: Millis, logs: &Logs, random: &mut Random) -> Option<Input> {
        self.read(now_ms, logs);
        let Some(order) = self.orders.pop_front() else {
            return (self.records > 0 && random.one_in(3)).then(|| self.spill());
        };
        match order {
            ReaderOrder::Assign(partitions) => self.assign(partitions, logs),
            ReaderOrder::Cut { number: cut, release } => {
                let part = self.part(logs, random);
                for partition in release {
                    assert!(self.cursors.remove(&partition).is_some(), "{partition} is released once");
                }
                return Some(Input::Answered { thread: self.thread, cut, part });
            }
        }
        None
    }

    fn spill(&mut self) -> Input {
        let block = Block { bucket_ms: 0, bytes: self.table.take_block() };
        Input::Spilled { thread: self.thread, block }
    }

    fn assign(&mut self, partitions: Vec<(Partition, Position)>, logs: &Logs) {
        for (partition, position) in partitions {
            let log = &logs.logs[&partition];
            let known = position.topic_id.map(|id| id.0[0]);
            let incarnation = known.unwrap_or(log.incarnation);
            let cursor = Cursor {
                from: position.offset,
                position,
                incarnation,
                reached_ms: None,
                reading: Reading::Starting,
                fetched: None,
                told: None,
                told_ms: self.read_ms,
            };
            assert!(self.cursors.insert(partition, cursor).is_none(), "a partition has one cursor");
        }
    }

    fn read(&mut self, now_ms: Millis, logs: &Logs) {
        let passed_ms = now_ms - std::mem::replace(&mut self.read_ms, now_ms);
        let budget = (self.speed * passed_ms / 1_000).max(1) as usize;
        for (partition, cursor) in &mut self.cursors {
            let log = &logs.logs[partition];
            if cursor.stopped() {
                continue;
            }
            cursor.reading = cursor.look(log);
            if cursor.reading != Reading::Following {
                continue;
            }
            cursor.fetched = Some((now_ms, log.stable(), log.end));
            let waiting = log.read(log.epoch(), cursor.position.offset);
            let waiting = &waiting[..waiting.partition_point(|record| record.offset < log.stable())];
            for record in &waiting[..budget.min(waiting.len())] {
                match KEYS[record.key] {
                    Some(key) => self.table.add(key),
                    None => self.table.add_null(1),
                }
                self.unkeyed += u64::from(record.key == 0);
                self.records += 1;
                cursor.position.offset = record.offset + 1;
                cursor.reached_ms = Some(record.written_ms);
            }
            cursor.position.leader_epoch = log.epoch();
            if now_ms >= cursor.told_ms + STATISTICS_MS {
                (cursor.told, cursor.told_ms) = (cursor.fetched, now_ms);
            }
            if waiting.len() <= budget {
                cursor.position.offset = cursor.position.offset.max(log.stable());
            }
        }
    }

    fn part(&mut self, logs: &Logs, random: &mut Random) -> Part {
        let mut ranges = Vec::new();
        for (partition, cursor) in &mut self.cursors {
            let log = &logs.logs[partition];
            let known = log.incarnation == cursor.incarnation && log.exists && log.led;
            if known && !cursor.stopped() && random.one_in(400) {
                cursor.reading = Reading::OutOfRange("this follower lags behind".to_owned());
            }
            let id = cursor.position.topic_id.filter(|_| random.one_in(2));
            ranges.push(Range {
                partition: partition.clone(),
                from: std::mem::replace(&mut cursor.from, cursor.position.offset),
                until: Position { topic_id: id, ..cursor.position },
                log_end: known.then_some(log.stable()),
                heard: cursor.told.map(|(at_ms, end, high)| heard(self.read_ms - at_ms, end, high)),
                reached_ms: cursor.reached_ms,
                reading: cursor.reading.clone(),
            });
        }
        let empty = self.table.is_empty();
        let blocks =
            if empty { vec![] } else { vec![Block { bucket_ms: 0, bytes: self.table.take_block() }] };
        let unkeyed = vec![("no key".to_owned(), std::mem::take(&mut self.unkeyed))];
        Part { ranges, blocks, records: std::mem::take(&mut self.records), unkeyed }
    }
}

fn heard(age_ms: Millis, end: Offset, high: Offset) -> Heard {
    Heard { end, high, age_ms: age_ms.unsigned_abs() }
}

impl Cursor {
    fn stopped(&self) -> bool {
        !matches!(self.reading, Reading::Starting | Reading::Following | Reading::Unreachable(_))
    }

    fn look(&self, log: &Log) -> Reading {
        let (offset, epoch) = (self.position.offset, self.position.leader_epoch);
        if !log.exists || log.incarnation != self.incarnation {
            Reading::Gone("unknown topic".into())
        } else if !log.led || log.hung {
            Reading::Unreachable("no leader".into())
        } else if offset < log.first || offset > log.end {
            Reading::OutOfRange("offset out of range".into())
        } else if log.was_cut_below(offset, epoch, log.epoch()) {
            Reading::Truncated("log truncation detected".into())
        } else {
            Reading::Following
        }
    }
}
