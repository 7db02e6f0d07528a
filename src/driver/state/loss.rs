//! Offsets that are gone: expired, truncated, deleted, recreated. Never silence: the policy decides, and only
//! the driver resets an expected offset.

use std::collections::BTreeMap;

use super::partitions::{Anew, Held, Leaving, Suspect};
use super::{Effect, Event, Facts, State};
use crate::ids::{Offset, Partition, Position};
use crate::source::admin::LogRange;
use crate::source::start::{self, Loss, LossReason};
use crate::wire::message::Reading;

/// What the broker's facts say about a position at which reading stopped, and whether the log was cut off below it:
/// why it is lost and where reading goes on. `None`: it can be read after all.
///
/// A log that was cut off and has grown beyond the position looks whole. It holds records below the position that
/// were never counted, nobody can say how many; reading goes on at the position, because further below others were
/// counted at the same offsets. For the same reason a log without topic ids that is known to be cut off is not
/// taken for a new topic's.
fn judge(position: Position, truncated: bool, facts: &Facts) -> Option<(LossReason, Offset)> {
    let (first, end) = facts.log?;
    let checked = start::check(position, facts.topic_id, &LogRange { first, end, high: end });
    match checked {
        Some((LossReason::Recreated, _)) if truncated && !renamed(position, facts) => {
            Some((LossReason::Truncated, end))
        }
        None if truncated => Some((LossReason::Truncated, position.offset)),
        _ => checked,
    }
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
            held.suspect = None;
        } else if held.suspect.is_none() && held.anew.is_none() {
            let look = self.commits.next_look();
            let truncated = matches!(reading, Reading::Truncated(_));
            held.suspect = Some(Suspect { look, truncated });
            self.out.push(Effect::Look(look));
        }
    }

    /// Takes what the broker says of every partition: new ones, recreated topics, leaders, suspects.
    pub(super) fn looked(&mut self, facts: Vec<Facts>, look: u64) {
        if self.partitions.is_empty() {
            return;
        }
        let facts: BTreeMap<_, _> = facts.into_iter().map(|facts| (facts.partition.clone(), facts)).collect();
        for (partition, facts) in &facts {
            self.look_at(partition, facts, look);
        }
        let held = self.partitions.iter();
        let gone = held.filter(|(partition, _)| !facts.contains_key(partition));
        let gone: Vec<_> = gone.map(|(partition, held)| (partition.clone(), held.position.offset)).collect();
        for (partition, offset) in gone {
            self.gone(&partition, offset);
        }
    }

    fn look_at(&mut self, partition: &Partition, facts: &Facts, look: u64) {
        let Some(held) = self.partitions.get_mut(partition) else {
            self.add_partition(partition, facts);
            return;
        };
        held.led = facts.led;
        held.absent_looks = 0;
        held.position.topic_id = held.position.topic_id.or(facts.topic_id);
        let suspect = held.suspect.filter(|suspect| look >= suspect.look);
        let recreated = renamed(held.position, facts);
        if held.anew.is_some() || facts.log.is_none() || !(suspect.is_some() || recreated) {
            return;
        }
        let position = held.position;
        match judge(position, suspect.is_some_and(|suspect| suspect.truncated), facts) {
            Some((reason, resumed)) => {
                let expected = position.offset;
                let loss = Loss { partition: partition.clone(), expected, resumed, reason };
                self.lose(loss, position, facts);
            }
            None => self.reread(partition, Anew::Here, facts),
        }
    }

    fn add_partition(&mut self, partition: &Partition, facts: &Facts) {
        let Some((first, end)) = facts.log else { return };
        let position = Position { topic_id: facts.topic_id, ..Position::at(first) };
        self.partitions.add(partition.clone(), Held::new(position, Some(end)));
        self.commits.settled();
        self.out.push(Effect::Event(Event::PartitionAdded(partition.clone(), first)));
    }

    fn lose(&mut self, loss: Loss, held: Position, facts: &Facts) {
        if !self.settings.skip_lost {
            self.fail(format!(
                "{loss}; submit again with --from earliest or --from latest, or set source.on_data_loss: earliest to go on and count what is lost"
            ));
            return;
        }
        let known = held.topic_id.filter(|_| loss.reason != LossReason::Recreated);
        let topic_id = facts.topic_id.or(known);
        let position = Position { topic_id, offset: loss.resumed, leader_epoch: -1, mark_ms: held.mark_ms };
        self.reread(&loss.partition, Anew::At(position), facts);
        self.out.push(Effect::Event(Event::Lost(loss)));
    }

    /// Has the partition read anew by whoever owns it after the next cut.
    fn reread(&mut self, partition: &Partition, anew: Anew, facts: &Facts) {
        let Some(held) = self.partitions.get_mut(partition) else { return };
        held.anew = Some(anew);
        held.seen_end = facts.log.map(|(_, end)| end);
        match held.owner {
            None => held.orphan(),
            Some(_) if held.leaving == Leaving::No => held.leaving = Leaving::AtNextCut,
            Some(_) => {}
        }
        self.partitions.unsettle();
    }

    /// A topic that is really gone is absent twice in a row: brokers that have just started may know less.
    fn gone(&mut self, partition: &Partition, offset: Offset) {
        let Some(held) = self.partitions.get_mut(partition) else { return };
        held.led = false;
        held.absent_looks = held.absent_looks.saturating_add(1);
        if held.absent_looks > 1 && !self.settings.skip_lost {
            self.fail(format!(
                "{partition} is gone at offset {offset}: the topic was deleted; create it again, or set source.on_data_loss: earliest to wait for it"
            ));
        }
    }
}
