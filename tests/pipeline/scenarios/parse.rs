//! The words of scenario commands: `t/0@5`, `t/0:5-9:end=20:gone`, `Bitcoin=2`, `length=3000`, `0.1`.

use spindle::count::KeyTable;
use spindle::driver::state::{Facts, Start};
use spindle::ids::{Generation, Millis, Offset, Partition, Position, Slot, TopicId};
use spindle::source::admin::LogRange;
use spindle::wire::message::{Heard, Range, Reading};

/// A command's words.
#[derive(Debug)]
pub(super) struct Words<'a> {
    words: Vec<&'a str>,
}

impl<'a> Words<'a> {
    pub(super) fn of(command: &'a str) -> (&'a str, Self) {
        let mut words = command.split_whitespace();
        (words.next().unwrap_or_default(), Self { words: words.collect() })
    }

    /// The value of `name=value`, taken away.
    pub(super) fn take(&mut self, name: &str) -> Option<i64> {
        let value = |word: &str| word.strip_prefix(name)?.strip_prefix('=').map(number);
        let at = self.words.iter().position(|word| value(word).is_some())?;
        value(self.words.remove(at))
    }

    /// Whether the word is there, taken away.
    pub(super) fn flag(&mut self, name: &str) -> bool {
        let before = self.words.len();
        self.words.retain(|word| *word != name);
        self.words.len() < before
    }

    pub(super) fn first(&mut self) -> &'a str {
        if self.words.is_empty() { "" } else { self.words.remove(0) }
    }

    pub(super) fn rest(self) -> Vec<&'a str> {
        self.words
    }

    /// Words with a `/` name partitions, the others are keys: `(partitions, keys)`.
    pub(super) fn divide(self) -> (Vec<&'a str>, Vec<&'a str>) {
        self.words.into_iter().partition(|word| word.contains('/'))
    }
}

pub(super) fn number(word: &str) -> i64 {
    word.parse().unwrap_or_else(|_| panic!("{word} is no number"))
}

fn split(word: &str, at: char) -> (&str, &str) {
    word.split_once(at).unwrap_or_else(|| panic!("{word} holds no {at}"))
}

fn partition(word: &str) -> Partition {
    let (topic, number) = split(word, '/');
    Partition::new(topic, self::number(number) as i32)
}

fn id(word: &str) -> TopicId {
    TopicId([number(word) as u8; 16])
}

/// `0.1`, and `#connection` if it is not the last one.
pub(super) fn executor(word: &str) -> (Slot, Generation, Option<u64>) {
    let (word, connection) = word.split_once('#').map_or((word, None), |(word, n)| (word, Some(n)));
    let (slot, generation) = split(word, '.');
    let connection = connection.map(|connection| number(connection) as u64);
    (Slot(number(slot) as u32), Generation(number(generation) as u32), connection)
}

/// `t/0@5`, `t/0@5:end=9:id=1`, `t/0@0:earliest`.
pub(super) fn start(word: &str) -> Start {
    let mut parts = word.split(':');
    let (partition, offset) = split(parts.next().unwrap_or_default(), '@');
    let offset = number(offset);
    let mut start = Start {
        partition: self::partition(partition),
        position: Position::at(offset),
        log_end: Some(offset),
        earliest: false,
    };
    for part in parts {
        match part.split_once('=').unwrap_or((part, "")) {
            ("end", end) => start.log_end = Some(number(end)),
            ("earliest", _) => start.earliest = true,
            ("id", topic) => start.position.topic_id = Some(id(topic)),
            _ => panic!("{part} in {word}"),
        }
    }
    start
}

fn bounds(word: &str) -> (Offset, Offset) {
    let (from, until) = split(word, '-');
    (number(from), number(until))
}

/// `t/0:5-9`, `t/0:5-9:end=20:at=10500:gone`, `t/0:5-9:end=9:high=20:age=1500`, `t/0:5-5:unheard`.
///
/// The leader has just said where the log ends, at the range's end, unless the word says otherwise.
pub(super) fn range(word: &str) -> Range {
    let mut parts = word.split(':');
    let partition = partition(parts.next().unwrap_or_default());
    let (from, until) = bounds(parts.next().unwrap_or_default());
    let mut range = Range {
        partition,
        from,
        until: Position::at(until),
        log_end: Some(until),
        heard: None,
        reached_ms: None,
        reading: Reading::Following,
    };
    let mut heard = Heard { end: until, high: until, age_ms: 0 };
    let mut unheard = false;
    for part in parts {
        match part.split_once('=').unwrap_or((part, "")) {
            ("end", end) => (heard.end, heard.high) = (number(end), number(end)),
            ("high", high) => heard.high = number(high),
            ("age", age) => heard.age_ms = number(age).unsigned_abs(),
            ("unheard", _) => unheard = true,
            ("starting", _) => range.reading = Reading::Starting,
            ("at", reached) => range.reached_ms = Some(number(reached) as Millis),
            ("id", topic) => range.until.topic_id = Some(id(topic)),
            ("gone", _) => range.reading = Reading::Gone("no such topic".into()),
            ("out", _) => range.reading = Reading::OutOfRange("offset out of range".into()),
            ("cut", _) => range.reading = Reading::Truncated("log truncation detected".into()),
            ("away", _) => range.reading = Reading::Unreachable("no leader".into()),
            ("denied", _) => range.reading = Reading::Denied("not authorized".into()),
            ("broken", _) => range.reading = Reading::Broken("bad batch".into()),
            _ => panic!("{part} in {word}"),
        }
    }
    range.log_end = Some(heard.end);
    range.heard = (!unheard).then_some(heard);
    range
}

/// `t/0:0-200`, `t/0:0-200:id=2`, `t/0:unled`.
pub(super) fn facts(word: &str) -> Facts {
    let mut parts = word.split(':');
    let partition = partition(parts.next().unwrap_or_default());
    let mut facts = Facts { partition, topic_id: None, log: None };
    for part in parts {
        match part {
            "unled" => facts.log = None,
            _ if part.starts_with("id=") => facts.topic_id = Some(id(split(part, '=').1)),
            _ => {
                let (first, end) = bounds(part);
                facts.log = Some(LogRange { first, end, high: end });
            }
        }
    }
    facts
}

/// `Bitcoin=2 null=1 "null"=3` as a block, with how many records it holds.
pub(super) fn block(words: &[&str]) -> (Vec<u8>, u64) {
    let mut table = KeyTable::with_seed(1);
    let mut records = 0;
    for word in words {
        let (key, count) = word.rsplit_once('=').unwrap_or((word, "1"));
        let count = number(count) as u64;
        records += count;
        match key {
            "null" => table.add_null(count),
            _ => (0..count).for_each(|_| table.add(key.trim_matches('"').as_bytes())),
        }
    }
    (table.take_block(), records)
}
