//! One slide as a log frame's payload: where reading got to, what it counted, what its window was worth.
//!
//! Partitions go by their place in the log's own table and positions by what changed, so that a log can be read
//! without any other log; keys go by the ring's numbers, named in the first slide that refers to them.

use std::collections::BTreeMap;

use super::fields::{Fields, put_bytes, put_signed};
use crate::count::{Malformed, SealedBucket, varint};
use crate::ids::{Millis, Offset, Partition, Position, TopicId};

/// Everything that one slide added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slide {
    /// The slide's end, later than every end before.
    pub end_ms: Millis,
    /// Driver attempt that closed it.
    pub attempt: u32,
    /// Buckets that ended then or before had left the window when the slide's keys were named.
    pub expired_ms: Millis,
    /// What its window was worth.
    pub marks: Marks,
    /// What was read: from, and where reading goes on.
    pub ranges: Vec<(Partition, Offset, Position)>,
    /// Counts by the end of their bucket; under processing time one, of the slide's own end.
    pub counts: Vec<(Millis, SealedBucket)>,
    /// Keys that no slide before has named, as [`crate::count::keys`] lists them.
    pub keys: Vec<u8>,
}

/// Whether a window is the whole truth, and what is missing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Marks {
    /// Whether every slide of the window was the whole truth.
    pub complete: bool,
    /// How many slides in a row, up to this one, were.
    pub whole: u64,
    /// How old the oldest record was that should have been read, milliseconds.
    pub behind_ms: u64,
    /// Partitions that could not be read.
    pub unread: Vec<Partition>,
}

impl Slide {
    /// Memory it takes while it waits, bytes; roughly what it will be in the log.
    pub fn bytes(&self) -> usize {
        let counts: usize = self.counts.iter().map(|(_, bucket)| bucket.bytes()).sum();
        counts + self.keys.len() + self.ranges.len() * size_of::<(Partition, Offset, Position)>() + 64
    }
}

/// Places of partitions in one log, in the order in which they first came, with the last position of each.
#[derive(Debug, Default)]
pub(super) struct Table {
    places: BTreeMap<Partition, usize>,
    last: Vec<(Partition, Position)>,
}

const COMPLETE: u8 = 1;

/// What of a position differs from the one before; what is not said has not changed.
const FROM_MOVED: u8 = 1;
const TOPIC: u8 = 2;
const EPOCH: u8 = 4;
const MARK: u8 = 8;

impl Table {
    /// The slide as a payload.
    pub(super) fn encode(&mut self, slide: &Slide) -> Vec<u8> {
        let mut out = Vec::with_capacity(slide.bytes());
        put_signed(&mut out, slide.end_ms);
        varint::put(&mut out, u64::from(slide.attempt));
        put_signed(&mut out, slide.end_ms.wrapping_sub(slide.expired_ms));
        out.push(if slide.marks.complete { COMPLETE } else { 0 });
        varint::put(&mut out, slide.marks.whole);
        varint::put(&mut out, slide.marks.behind_ms);
        let first_new = self.last.len();
        let mentioned = slide.ranges.iter().map(|(partition, ..)| partition).chain(&slide.marks.unread);
        mentioned.for_each(|partition| self.add(partition));
        varint::put(&mut out, (self.last.len() - first_new) as u64);
        for (partition, _) in &self.last[first_new..] {
            put_bytes(&mut out, partition.topic.as_bytes());
            put_signed(&mut out, partition.number.into());
        }
        varint::put(&mut out, slide.ranges.len() as u64);
        for (partition, from, until) in &slide.ranges {
            self.put_range(&mut out, partition, *from, until);
        }
        varint::put(&mut out, slide.marks.unread.len() as u64);
        slide.marks.unread.iter().for_each(|partition| varint::put(&mut out, self.places[partition] as u64));
        varint::put(&mut out, slide.counts.len() as u64);
        for (end_ms, bucket) in &slide.counts {
            put_signed(&mut out, slide.end_ms.wrapping_sub(*end_ms));
            put_bytes(&mut out, bucket.packed());
        }
        put_bytes(&mut out, &slide.keys);
        out
    }

    fn add(&mut self, partition: &Partition) {
        if !self.places.contains_key(partition) {
            self.places.insert(partition.clone(), self.last.len());
            self.last.push((partition.clone(), Position::at(0)));
        }
    }

    fn put_range(&mut self, out: &mut Vec<u8>, partition: &Partition, from: Offset, until: &Position) {
        let place = self.places[partition];
        let last = &mut self.last[place].1;
        let mut changes = 0;
        for (bit, changed) in [
            (FROM_MOVED, from != last.offset),
            (TOPIC, until.topic_id != last.topic_id),
            (EPOCH, until.leader_epoch != last.leader_epoch),
            (MARK, until.mark_ms != last.mark_ms),
        ] {
            changes |= if changed { bit } else { 0 };
        }
        varint::put(out, place as u64);
        out.push(changes);
        if changes & FROM_MOVED != 0 {
            put_signed(out, from.wrapping_sub(last.offset));
        }
        put_signed(out, until.offset.wrapping_sub(from));
        if changes & TOPIC != 0 {
            out.push(until.topic_id.is_some().into());
            out.extend_from_slice(until.topic_id.as_ref().map_or(&[], |id| id.0.as_slice()));
        }
        if changes & EPOCH != 0 {
            put_signed(out, until.leader_epoch.into());
        }
        if changes & MARK != 0 {
            put_signed(out, until.mark_ms.wrapping_sub(last.mark_ms));
        }
        *last = *until;
    }

    /// The payload as a slide. After an error the table is of no more use.
    pub(super) fn decode(&mut self, payload: &[u8]) -> Result<Slide, Malformed> {
        let mut fields = Fields(payload);
        let end_ms = fields.signed()?;
        let attempt = fields.small()?;
        let expired_ms = end_ms.wrapping_sub(fields.signed()?);
        let complete = fields.byte()? & COMPLETE != 0;
        let (whole, behind_ms) = (fields.unsigned()?, fields.unsigned()?);
        for _ in 0..fields.unsigned()? {
            let topic = fields.text()?;
            let number = i32::try_from(fields.signed()?);
            let number = number.map_err(|_| Malformed("a partition's number is too large"))?;
            self.add(&Partition::new(topic, number));
        }
        let mut ranges = Vec::new();
        for _ in 0..fields.unsigned()? {
            ranges.push(self.take_range(&mut fields)?);
        }
        let mut unread = Vec::new();
        for _ in 0..fields.unsigned()? {
            let place = fields.small::<usize>()?;
            unread.push(self.at(place)?.0.clone());
        }
        let mut counts = Vec::new();
        for _ in 0..fields.unsigned()? {
            let bucket_ms = end_ms.wrapping_sub(fields.signed()?);
            counts.push((bucket_ms, SealedBucket::from_packed(fields.bytes()?)?));
        }
        let keys = fields.bytes()?.to_vec();
        let marks = Marks { complete, whole, behind_ms, unread };
        Ok(Slide { end_ms, attempt, expired_ms, marks, ranges, counts, keys })
    }

    fn take_range(&mut self, fields: &mut Fields<'_>) -> Result<(Partition, Offset, Position), Malformed> {
        let place = fields.small::<usize>()?;
        let changes = fields.byte()?;
        let (partition, last) = self.at(place)?;
        let has = |bit| changes & bit != 0;
        let from = last.offset.wrapping_add(if has(FROM_MOVED) { fields.signed()? } else { 0 });
        let offset = from.wrapping_add(fields.signed()?);
        let mut until = Position { offset, ..*last };
        if has(TOPIC) {
            let known = fields.byte()? != 0;
            until.topic_id = known.then(|| fields.array().map(TopicId)).transpose()?;
        }
        if has(EPOCH) {
            let epoch = i32::try_from(fields.signed()?);
            until.leader_epoch = epoch.map_err(|_| Malformed("a leader epoch is too large"))?;
        }
        if has(MARK) {
            until.mark_ms = last.mark_ms.wrapping_add(fields.signed()?);
        }
        *last = until;
        Ok((partition.clone(), from, until))
    }

    fn at(&mut self, place: usize) -> Result<&mut (Partition, Position), Malformed> {
        self.last.get_mut(place).ok_or(Malformed("a partition was never named"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::samples;
    use crate::random::Random;

    #[test]
    fn slides_come_back_as_they_went_and_no_damage_panics() {
        let mut random = Random::with_seed(5);
        let (mut writing, mut reading) = (Table::default(), Table::default());
        for number in 0..300 {
            let slide = samples::slide(&mut random, number);
            let payload = writing.encode(&slide);
            for _ in 0..20 {
                let mut damaged = payload.clone();
                let at = random.below(damaged.len());
                damaged[at] ^= 1 << random.below(8);
                damaged.truncate(random.below(1 + 2 * payload.len()));
                let _ = Table::default().decode(&damaged);
            }
            assert_eq!(reading.decode(&payload).unwrap(), slide);
        }
    }

    #[test]
    fn every_truncation_is_refused() {
        let slide = samples::slide(&mut Random::with_seed(8), 3);
        let payload = Table::default().encode(&slide);
        for length in 0..payload.len() {
            assert!(Table::default().decode(&payload[..length]).is_err(), "cut at {length}");
        }
    }

    #[test]
    fn a_quiet_partition_costs_three_bytes() {
        let mut table = Table::default();
        let mut slide = samples::slide(&mut Random::with_seed(8), 3);
        slide.ranges = (0..100).map(|n| (Partition::new("t", n), 7, Position::at(7))).collect();
        slide.counts.clear();
        slide.keys.clear();
        slide.marks = Marks::default();
        table.encode(&slide);
        assert!(table.encode(&slide).len() < 330, "{}", table.encode(&slide).len());
    }
}
