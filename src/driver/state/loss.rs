//! Offsets that are gone: expired, truncated, deleted, recreated. Never silence: the policy decides, and only
//! the driver resets an expected offset.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::level::HeardEnds;
use super::partitions::{Anew, Held, Leaving, Suspect};
use super::{Effect, Event, Facts, State};
use crate::ids::{Millis, Offset, Partition, Position};
use crate::source::start::{self, Loss, LossReason};
use crate::wire::message::Reading;

/// A partition that was not found for this long is gone: brokers that have just started may know less. Milliseconds.
const GONE_MS: Millis = 10_000;
/// Where brokers know no topic ids, a log that ends below the position for this long is another topic's. Brokers
/// before 2.2 may answer with an old high watermark for a moment after a leader change (KIP-207). Milliseconds.
const BELOW_MS: Millis = 10_000;

/// A look that was answered.
#[derive(Debug, Clone, Copy)]
struct Look {
    number: u64,
    /// What it tells was seen between these times.
    asked_ms: Millis,
    answered_ms: Millis,
}

/// What the broker's facts say about a position at which reading stopped, and whether the log was cut off below it:
/// why it is lost and where reading goes on. `None`: it can be read after all.
///
/// A log that was cut off and has grown beyond the position looks whole. It holds records below the position that
/// were never counted, nobody can say how many; reading goes on at the position, because further below others were
/// counted at the same offsets. For the same reason a log without topic ids that is known to be cut off is not
/// taken for a new topic's.
fn judge(position: Position, truncated: bool, facts: &Facts) -> Option<(LossReason, Offset)> {
    let log = facts.log?;
    let checked = start::check(position, facts.topic_id, &log);
    match checked {
        Some((LossReason::Recreated, _)) if truncated && !renamed(position, facts) => {
            Some((LossReason::Truncated, log.high))
        }
        None if truncated => Some((LossReason::Truncated, position.offset)),
        _ => checked,
    }
}

/// Whether the log ends below a position that no topic id vouches for.
fn ends_below(position: Position, facts: &Facts) -> bool {
    !is_named(position, facts) && facts.log.is_some_and(|log| position.offset > log.high)
}

/// Whether topic ids tell if it is the same topic.
fn is_named(position: Position, facts: &Facts) -> bool {
    position.topic_id.is_some() && facts.topic_id.is_some()
}

/// Whether the broker says that the name belongs to another topic now.
fn renamed(position: Position, facts: &Facts) -> bool {
    position.topic_id.is_some() && facts.topic_id.is_some() && position.topic_id != facts.topic_id
}

impl State {
    /// Books how reading goes; where it stopped for good, asks the broker why.
    pub(super) fn suspect(&mut self, partition: &Partition, reading: &Reading) {
        let Some(held) = self.partitions.get_mut(partition) else { return };
        if let Reading::Broken(reason) = reading {
            let offset = held.position.offset;
            self.fail(format!(
                "{partition}: the log cannot be read at offset {offset}: {reason}; repair or delete those records, or submit again with --from latest"
            ));
            return;
        }
        let stopped = matches!(reading, Reading::OutOfRange(_) | Reading::Truncated(_) | Reading::Gone(_));
        if !stopped {
            (held.suspect, held.below_ms) = (None, None);
        } else if held.suspect.is_none() && held.anew.is_none() {
            let look = self.looks.want();
            let truncated = matches!(reading, Reading::Truncated(_));
            held.suspect = Some(Suspect { look, truncated });
        }
    }

    /// Takes what the brokers say of every partition: new ones, recreated topics, leaders, suspects. What they say is
    /// not older than the question.
    pub(super) fn looked(&mut self, now_ms: Millis, look: u64, facts: Vec<Facts>, unclear: &[Arc<str>]) {
        let Some(asked_ms) = self.looks.answered(look) else { return };
        let look = Look { number: look, asked_ms, answered_ms: now_ms };
        let topics: BTreeSet<_> = facts.iter().map(|facts| Arc::clone(&facts.partition.topic)).collect();
        let facts: BTreeMap<_, _> = facts.into_iter().map(|facts| (facts.partition.clone(), facts)).collect();
        for (partition, facts) in &facts {
            self.look_at(partition, facts, look);
        }
        let held = self.partitions.iter().map(|(partition, _)| partition);
        let absent =
            held.filter(|partition| !facts.contains_key(*partition) && !unclear.contains(&partition.topic));
        let absent: Vec<_> = absent.cloned().collect();
        for partition in absent {
            let shrunk = topics.contains(&partition.topic);
            self.absent(&partition, shrunk, look);
        }
        self.nothing_known(|partition| unclear.contains(&partition.topic));
        if self.partitions.iter().any(|(_, held)| held.is_in_question()) {
            self.looks.hurry();
        }
    }

    fn look_at(&mut self, partition: &Partition, facts: &Facts, look: Look) {
        let Some(held) = self.partitions.get_mut(partition) else {
            self.add_partition(partition, facts, look.asked_ms);
            return;
        };
        held.absent_ms = None;
        held.position.topic_id = held.position.topic_id.or(facts.topic_id);
        let suspect = held.suspect.filter(|suspect| look.number >= suspect.look);
        let recreated = renamed(held.position, facts);
        let Some(log) = facts.log else {
            // What its log looked like was not seen without a break.
            held.below_ms = None;
            return;
        };
        // What was gone and is back is another topic, unless its id says otherwise.
        let back = std::mem::take(&mut held.gone) && !is_named(held.position, facts);
        if held.anew.is_some() || !(suspect.is_some() || recreated || back) {
            return;
        }
        if back {
            let (position, reason) = (held.position, LossReason::Recreated);
            let (expected, resumed) = (position.offset, log.first);
            let loss = Loss { partition: partition.clone(), expected, resumed, reason };
            self.lose(loss, position, facts, look.asked_ms);
            return;
        }
        let below = ends_below(held.position, facts);
        let below_ms = below.then(|| held.below_ms.unwrap_or(look.answered_ms));
        held.below_ms = below_ms;
        if below_ms.is_some_and(|below_ms| look.asked_ms < below_ms + BELOW_MS) {
            return;
        }
        let (position, unasked) = (held.position, held.unasked);
        match judge(position, suspect.is_some_and(|suspect| suspect.truncated), facts) {
            Some((LossReason::Expired, first)) if unasked => {
                let begin = Position { leader_epoch: -1, offset: first, ..position };
                self.reread(partition, Anew::At(begin), facts, look.asked_ms);
                self.out.push(Effect::Event(Event::BeginsLater(partition.clone(), first)));
            }
            Some((reason, resumed)) => {
                let expected = position.offset;
                let loss = Loss { partition: partition.clone(), expected, resumed, reason };
                self.lose(loss, position, facts, look.asked_ms);
            }
            None => self.reread(partition, Anew::Here, facts, look.asked_ms),
        }
    }

    fn add_partition(&mut self, partition: &Partition, facts: &Facts, asked_ms: Millis) {
        let Some(log) = facts.log else { return };
        let first = Position { topic_id: facts.topic_id, ..Position::at(log.first) };
        let position = self.partitions.position_of_found(partition, first);
        if position != first {
            // The last base names it no more: a restart would read it from its beginning.
            self.durable.want_base();
        }
        let offset = position.offset;
        let mut held = Held::new(position, HeardEnds::begin(asked_ms, Some(log.end)));
        if let Some(begin_ms) = self.slides.begun_ms() {
            held.was_level = held.ends.level(offset, begin_ms - self.settings.slide_ms);
        }
        held.unasked = offset == log.first;
        self.partitions.add(partition.clone(), held);
        self.commits.settled();
        self.out.push(Effect::Event(Event::PartitionAdded(partition.clone(), offset)));
    }

    fn lose(&mut self, loss: Loss, held: Position, facts: &Facts, asked_ms: Millis) {
        if !self.settings.skip_lost {
            self.fail(format!(
                "{loss}; submit again with --from earliest or --from latest, or set source.on_data_loss: earliest to go on and count what is lost"
            ));
            return;
        }
        let known = held.topic_id.filter(|_| loss.reason != LossReason::Recreated);
        let topic_id = facts.topic_id.or(known);
        let position = Position { topic_id, offset: loss.resumed, leader_epoch: -1, mark_ms: held.mark_ms };
        self.reread(&loss.partition, Anew::At(position), facts, asked_ms);
        self.out.push(Effect::Event(Event::Lost(loss)));
    }

    /// Has the partition read anew by whoever owns it after the next cut.
    fn reread(&mut self, partition: &Partition, anew: Anew, facts: &Facts, asked_ms: Millis) {
        let Some(held) = self.partitions.get_mut(partition) else { return };
        held.ends = HeardEnds::begin(asked_ms, facts.log.map(|log| log.end));
        (held.transaction, held.below_ms) = (None, None);
        self.take_away(partition, anew);
    }

    /// Has nobody read the partition after the next cut, so that it can begin anew.
    fn take_away(&mut self, partition: &Partition, anew: Anew) {
        let Some(held) = self.partitions.get_mut(partition) else { return };
        held.anew = Some(anew);
        match held.owner {
            None => held.orphan(),
            Some(_) if held.leaving == Leaving::No => held.leaving = Leaving::AtNextCut,
            Some(_) => {}
        }
        self.partitions.any_ends |= anew == Anew::Nowhere;
        self.partitions.unsettle();
    }

    /// A look did not find the partition; `shrunk`: its topic is there with fewer. What stays away for long is gone. A
    /// topic that is named may come back and is waited for, if anything may be lost at all.
    fn absent(&mut self, partition: &Partition, shrunk: bool, look: Look) {
        let Some(held) = self.partitions.get_mut(partition) else { return };
        let since_ms = *held.absent_ms.get_or_insert(look.answered_ms);
        let offset = held.position.offset;
        let was_gone = held.gone;
        held.gone |= look.asked_ms >= since_ms + GONE_MS;
        if !held.gone || held.anew == Some(Anew::Nowhere) {
            return;
        }
        if !self.settings.skip_lost {
            self.fail(format!(
                "{partition} is gone at offset {offset}: the topic was deleted; create it again, or set source.on_data_loss: earliest to wait for it"
            ));
        } else if self.settings.by_pattern || shrunk {
            let (expected, resumed) = (offset, offset);
            let loss = Loss { partition: partition.clone(), expected, resumed, reason: LossReason::Deleted };
            self.take_away(partition, Anew::Nowhere);
            self.out.push(Effect::Event(Event::Lost(loss)));
        } else if !was_gone {
            self.out.push(Effect::Event(Event::Gone(partition.clone())));
        }
    }

    /// The brokers could not say anything of these partitions: what lasts must be seen without a break.
    pub(super) fn nothing_known(&mut self, of: impl Fn(&Partition) -> bool) {
        for (_, held) in self.partitions.iter_mut().filter(|(partition, _)| of(partition)) {
            (held.absent_ms, held.below_ms) = (None, None);
        }
    }
}
