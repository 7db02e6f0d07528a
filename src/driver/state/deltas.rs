//! Acceptance: a delta is taken whole or not at all, and one that is not ends its session.

use super::level::OpenTransaction;
use super::sessions::{Live, Owed};
use super::slides::{Following, ReadRange};
use super::{Effect, EndReason, Event, State};
use crate::ids::{CutNumber, Millis, Position, Session};
use crate::wire::message::{Counts, Delta, Range, Reading};

impl State {
    /// Stages part of a delta to come: nothing counts before the delta itself is accepted.
    pub(super) fn counts(&mut self, now_ms: Millis, session: Session, counts: Counts) {
        self.sessions.heard(session, now_ms);
        let next_cut = self.slides.next_cut();
        let Some(live) = self.sessions.get_mut(session) else { return };
        let staged = if counts.bucket_ms != 0 {
            Err(format!("counts for bucket {} under processing time", counts.bucket_ms))
        } else if self.partitions.is_empty() {
            Err("counts before anything is read".to_owned())
        } else if !live.expects(counts.cut, next_cut) {
            Err(format!("counts for cut {}, which it does not owe", counts.cut))
        } else {
            let staged = live.staged.entry(counts.cut).or_default();
            self.slides.ring.stage(&counts.block, staged).map_err(|error| error.to_string())
        };
        if let Err(reason) = staged {
            self.end(now_ms, session, EndReason::Refused(reason));
        }
    }

    /// Takes a delta if every rule holds: a live session, the next cut it owes, exactly its partitions, each
    /// range from the expected offset, counts as many as announced and no more than there are offsets.
    pub(super) fn delta(&mut self, now_ms: Millis, session: Session, delta: Delta) {
        self.sessions.heard(session, now_ms);
        let Some(live) = self.sessions.get_mut(session) else { return };
        let checked = check(live, &delta).and_then(|()| self.check_offsets(session, &delta));
        match checked {
            Ok(()) => self.accept(session, delta),
            Err(reason) => self.end(now_ms, session, EndReason::Refused(reason)),
        }
    }

    fn check_offsets(&self, session: Session, delta: &Delta) -> Result<(), String> {
        for range in &delta.ranges {
            let held = self.partitions.get(&range.partition).filter(|held| held.owner == Some(session));
            let Some(held) = held else {
                return Err(format!("{} is not its own", range.partition));
            };
            let expected = held.position.offset;
            if range.from != expected {
                return Err(format!("{} begins at {}, expected {expected}", range.partition, range.from));
            }
            if range.until.offset < range.from {
                return Err(format!("{} runs backwards to {}", range.partition, range.until.offset));
            }
            let (ours, theirs) = (held.position.topic_id, range.until.topic_id);
            if ours.is_some() && theirs.is_some() && ours != theirs {
                return Err(format!("{} was read from another topic of that name", range.partition));
            }
        }
        Ok(())
    }

    fn accept(&mut self, session: Session, delta: Delta) {
        let Some(live) = self.sessions.get_mut(session) else { return };
        let Some(Owed { release, .. }) = live.owed.pop_front() else { return };
        let staged = live.staged.remove(&delta.cut).unwrap_or_default();
        let sent_ms = self.slides.of_cut(delta.cut).map_or(Millis::MIN, |slide| slide.sent_ms);
        let mut ranges = Vec::with_capacity(delta.ranges.len());
        for range in delta.ranges {
            ranges.push((range.partition.clone(), self.advance_partition(range, sent_ms)));
        }
        if let Some(slide) = self.slides.of_cut(delta.cut) {
            slide.answered(session);
            slide.pairs.append(staged);
            slide.ranges.extend(ranges);
        }
        for (reason, records) in delta.unkeyed {
            self.out.push(Effect::Event(Event::Unkeyed(reason, records)));
        }
        self.release(&release);
    }

    /// Reading of a partition has got further. The cut was sent at `sent_ms`, so that what a reader had heard when it
    /// answered is not older than its age before that.
    fn advance_partition(&mut self, range: Range, sent_ms: Millis) -> ReadRange {
        let following = match range.reading {
            Reading::Following => Following::Yes,
            Reading::Starting => Following::Soon,
            _ => Following::No,
        };
        let mut read = ReadRange { from: range.from, until: range.until, following };
        let Some(held) = self.partitions.get_mut(&range.partition) else { return read };
        // An executor need not know the topic's identity, and the driver must not forget it.
        held.position = Position { topic_id: held.position.topic_id, ..range.until };
        read.until = held.position;
        held.reached_ms = range.reached_ms.or(held.reached_ms);
        held.unasked &= following != Following::Yes && range.until.offset == range.from;
        match range.heard {
            // Where reading begins anew its last reader tells of the log before.
            _ if held.anew.is_some() => {}
            _ if following == Following::No => held.transaction = None,
            Some(heard) => {
                let heard_ms = sent_ms.saturating_sub(Millis::try_from(heard.age_ms).unwrap_or(Millis::MAX));
                held.ends.hear(heard_ms, heard.end);
                held.transaction = OpenTransaction::follow(held.transaction, heard.end, heard.high, heard_ms);
            }
            None => {}
        }
        if following == Following::Yes {
            // Who delivers it knows better than a broker that does not know it.
            (held.absent_ms, held.gone) = (None, false);
        }
        self.suspect(&range.partition, &range.reading);
        read
    }
}

impl Live {
    /// Whether counts for `cut` may come now: it is owed, or it is the one after all that were sent.
    fn expects(&self, cut: CutNumber, next_cut: CutNumber) -> bool {
        cut == next_cut || self.owed.iter().any(|owed| owed.cut == cut)
    }
}

fn check(live: &Live, delta: &Delta) -> Result<(), String> {
    let Some(owed) = live.owed.front() else {
        return Err(format!("delta for cut {}, but it owes none", delta.cut));
    };
    if owed.cut != delta.cut {
        return Err(format!("delta for cut {}, but the next one it owes is {}", delta.cut, owed.cut));
    }
    if !delta.ranges.iter().map(|range| &range.partition).eq(&owed.partitions) {
        let (held, owned) = (delta.ranges.len(), owed.partitions.len());
        return Err(format!(
            "delta for cut {} holds {held} partitions that are not exactly its {owned}",
            delta.cut
        ));
    }
    let counted = live.staged.get(&delta.cut).map_or(0, |staged| staged.total);
    if counted != delta.records {
        return Err(format!(
            "delta for cut {} announces {} records, {counted} came",
            delta.cut, delta.records
        ));
    }
    // Fewer are normal: control records and compaction leave gaps.
    let lengths = delta.ranges.iter().map(|range| range.until.offset.saturating_sub(range.from).max(0));
    let offsets = lengths.fold(0, i64::saturating_add);
    if counted > offsets.unsigned_abs() {
        return Err(format!("delta for cut {} counts {counted} records at {offsets} offsets", delta.cut));
    }
    Ok(())
}
