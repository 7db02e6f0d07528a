//! How far everything is done: where the source goes on, and up to where the topic holds what came before that.
//!
//! After a restart the topic is read from the ends that were saved, and posts found there are not sent again. So a saved
//! end must never lie behind a record of a post that the source may deliver again. A source that goes on at exactly the
//! cursor delivers only posts behind it, whose records lie behind the ends as they were at the cursor. One that also
//! delivers the post at the cursor has its record before the ends; one that begins a while before the cursor has the ends
//! from that while before.

use std::collections::{BTreeMap, VecDeque};

use super::super::event::{Overlap, Resume};
use crate::ids::{Millis, Offset};

/// Ends are remembered at this spacing, in milliseconds of the source's time.
const SPACING_MS: Millis = 1_000;
/// Most ends that are remembered.
const PAST_MAX: usize = 64;

/// A partition's number and the offset behind its last record.
pub type Ends = BTreeMap<i32, Offset>;

/// Where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// How much of what came before its cursor the source delivers again.
    overlap: Overlap,
    /// Where the source goes on; `None` if it cannot say.
    resume: Option<Resume>,
    /// Behind the last record of everything before `resume`, per partition.
    ends: Ends,
    /// Ends as they were at earlier times of the source, oldest first.
    past: VecDeque<(Millis, Ends)>,
    /// The last record of everything before `resume`.
    last: Option<(i32, Offset)>,
    /// The newest post that Kafka answered for, per partition.
    newest: BTreeMap<i32, u64>,
    /// Partitions whose end stands still until this post is done: see [`Progress::answered`].
    disorder: BTreeMap<i32, u64>,
    /// Ends stand still until this post is done. An earlier run may have left records of posts behind the first ones of
    /// this run, and a source delivers those posts later than what this run writes behind their records.
    still_until: u64,
    /// Where each partition ended when it was last read, until a record of this run is acknowledged there.
    read_to: Ends,
}

impl Progress {
    /// Goes on at `resume`; the topic holds nothing of what comes then behind `ends`.
    pub fn new(overlap: Overlap, resume: Option<Resume>, ends: Ends) -> Self {
        let time_ms = resume.as_ref().and_then(Resume::time_ms).unwrap_or(Millis::MIN);
        Self {
            overlap,
            resume,
            past: VecDeque::from([(time_ms, ends.clone())]),
            ends,
            last: None,
            newest: BTreeMap::new(),
            disorder: BTreeMap::new(),
            still_until: 0,
            read_to: Ends::new(),
        }
    }

    /// The same after a restart: the topic was read from `ends` up to `read_to`, and may hold records of so many posts that
    /// come again.
    #[must_use]
    pub fn found(mut self, read_to: Ends, posts: u64) -> Self {
        (self.read_to, self.still_until) = (read_to, posts);
        self
    }

    /// Nothing of an earlier run is expected any more, from the post of this number on.
    pub(super) fn settle_at(&mut self, number: u64) {
        self.still_until = self.still_until.min(number);
    }

    /// An event came. The first one of a source that begins a while before its cursor is a place to begin at already: what
    /// is there comes again.
    pub(super) fn comes(&mut self, at: Option<&Resume>) {
        if self.resume.is_none() && matches!(self.overlap, Overlap::Ms(_)) {
            self.resume = at.cloned();
        }
    }

    /// Where the source goes on.
    pub fn resume(&self) -> Option<&Resume> {
        self.resume.as_ref()
    }

    /// From where the topic must be read after a restart.
    pub fn saved_ends(&self) -> Ends {
        let time_ms = self.resume.as_ref().and_then(Resume::time_ms);
        if let (Overlap::Ms(rewind_ms), Some(time_ms)) = (self.overlap, time_ms) {
            let old_enough = self.past.iter().rev().find(|(past_ms, _)| *past_ms < time_ms - rewind_ms);
            return old_enough
                .or(self.past.front())
                .map_or_else(|| self.ends.clone(), |(_, ends)| ends.clone());
        }
        let mut ends = self.ends.clone();
        if let (Overlap::One | Overlap::Ms(_), Some((partition, offset))) = (self.overlap, self.last) {
            ends.insert(partition, offset);
        }
        ends
    }

    /// Everything before `resume` is done. A source that begins a while before its cursor gets there twice; the cursor
    /// stays where it was until then, because the ends do.
    pub(super) fn go_on_at(&mut self, resume: Resume) {
        let time_ms = resume.time_ms();
        if matches!(self.overlap, Overlap::Ms(_)) && time_ms < self.resume.as_ref().and_then(Resume::time_ms)
        {
            return;
        }
        if let Some(time_ms) = time_ms {
            self.remember(time_ms);
        }
        self.resume = Some(resume);
    }

    /// Keeps the ends as they are before anything later than `time_ms` is done.
    fn remember(&mut self, time_ms: Millis) {
        if self.past.back().is_some_and(|(last_ms, _)| time_ms < last_ms + SPACING_MS) {
            return;
        }
        if self.past.len() == PAST_MAX {
            self.past.pop_front();
        }
        self.past.push_back((time_ms, self.ends.clone()));
    }

    /// Kafka has the record of a post, at `offset` if it said where. Returns how many records somebody else put between it
    /// and what was read: requests of an earlier run that were still on their way.
    ///
    /// Usually records of a partition are in the order of their posts. One that was sent again may stand behind those of
    /// newer posts; until these are done, its offset says nothing about theirs.
    pub(super) fn answered(&mut self, number: u64, partition: i32, offset: Option<Offset>) -> u64 {
        match self.newest.get(&partition) {
            Some(&newest) if newest > number => drop(self.disorder.insert(partition, newest)),
            _ => drop(self.newest.insert(partition, number)),
        }
        let Some(read_to) = self.read_to.get_mut(&partition) else { return 0 };
        let Some(offset) = offset else {
            *read_to += 1;
            return 0;
        };
        let strangers = u64::try_from(offset - *read_to).unwrap_or(0);
        self.read_to.remove(&partition);
        strangers
    }

    /// A post of this run is done, and its record is at `offset`, if Kafka said where.
    pub(super) fn wrote(&mut self, number: u64, partition: i32, offset: Option<Offset>) {
        let Some(offset) = offset.filter(|_| number >= self.still_until) else { return };
        match self.disorder.get(&partition) {
            Some(&until) if number < until => return,
            Some(_) => drop(self.disorder.remove(&partition)),
            None => {}
        }
        let end = self.ends.entry(partition).or_default();
        *end = (*end).max(offset + 1);
        self.last = Some((partition, offset));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time_ms: Millis) -> Resume {
        Resume::Token { text: time_ms.to_string().into(), time_ms: Some(time_ms) }
    }

    /// Ten seconds, one record a second in partition 0, at offset = second.
    fn ten_seconds(overlap: Overlap) -> Progress {
        let mut progress = Progress::new(overlap, None, Ends::from([(0, 0)]));
        for second in 0..=10 {
            progress.wrote(0, 0, Some(second));
            progress.go_on_at(at(second * 1_000));
        }
        progress
    }

    #[test]
    fn ends_are_those_at_the_cursor_when_the_source_goes_on_behind_it() {
        assert_eq!(ten_seconds(Overlap::None).saved_ends()[&0], 11);
    }

    #[test]
    fn the_record_of_the_post_at_the_cursor_is_read_when_that_comes_again() {
        assert_eq!(ten_seconds(Overlap::One).saved_ends()[&0], 10);
        let nothing_yet = Progress::new(Overlap::One, Some(at(50_000)), Ends::from([(0, 7)]));
        assert_eq!(nothing_yet.saved_ends()[&0], 7);
    }

    #[test]
    fn ends_never_lie_behind_a_record_that_may_come_again() {
        for rewind_ms in [1, 999, 1_000, 3_500, 9_000] {
            // The first second whose post may come again; the record of a second has that offset.
            let again: Millis = (10_000 - rewind_ms + 999) / 1_000;
            let end = ten_seconds(Overlap::Ms(rewind_ms)).saved_ends()[&0];
            assert!(end <= again, "{rewind_ms} ms: {end}");
            assert!(end >= again - 1, "{rewind_ms} ms: {end} reads more than needed");
        }
    }

    #[test]
    fn before_the_rewind_is_covered_the_first_ends_are_kept() {
        let mut progress = Progress::new(Overlap::Ms(10_000), Some(at(50_000)), Ends::from([(0, 7)]));
        progress.wrote(0, 0, Some(20));
        progress.go_on_at(at(52_000));
        assert_eq!(progress.saved_ends()[&0], 7);
    }

    #[test]
    fn records_that_somebody_else_wrote_after_the_look_are_counted_once() {
        let mut progress =
            Progress::new(Overlap::None, None, Ends::new()).found(Ends::from([(0, 5), (1, 5), (2, 5)]), 0);
        assert_eq!(progress.answered(0, 0, Some(7)), 2);
        assert_eq!(progress.answered(1, 0, Some(9)), 0);
        assert_eq!(progress.answered(2, 1, Some(5)), 0);
        assert_eq!(progress.answered(3, 2, None), 0);
        assert_eq!(progress.answered(4, 2, Some(7)), 1, "5 or 6 is the record of post 3");
    }

    /// Post 0 was refused because of another one in its batch, and was sent again behind post 1.
    #[test]
    fn an_end_stands_still_while_records_are_out_of_order() {
        let mut progress = Progress::new(Overlap::None, None, Ends::from([(0, 10)]));
        progress.answered(1, 0, Some(11));
        progress.answered(0, 0, Some(12));
        progress.wrote(0, 0, Some(12));
        assert_eq!(progress.saved_ends()[&0], 10, "the record of post 1 is at 11");
        progress.wrote(1, 0, Some(11));
        progress.answered(2, 0, Some(13));
        progress.wrote(2, 0, Some(13));
        assert_eq!(progress.saved_ends()[&0], 14);
    }

    #[test]
    fn the_cursor_of_a_source_that_begins_before_it_does_not_go_back() {
        let mut progress = Progress::new(Overlap::Ms(10_000), Some(at(50_000)), Ends::new());
        progress.go_on_at(at(41_000));
        assert_eq!(progress.resume(), Some(&at(50_000)));
        progress.go_on_at(at(50_500));
        assert_eq!(progress.resume(), Some(&at(50_500)));
    }
}
