//! Who reads which partition, and from where: the expected offsets that make a double count impossible.

use std::collections::BTreeMap;

use super::level::{HeardEnds, OpenTransaction};
use super::{Effect, Event, GATHER_MS, Resumed, Start, State};
use crate::driver::assign;
use crate::ids::{Millis, Partition, Position, Session};
use crate::wire::message::ToExecutor;

/// Partitions that have left the job are remembered up to this many.
const LEFT_MAX: usize = 10_000;

/// One partition of the job.
#[derive(Debug, Clone)]
pub(super) struct Held {
    /// Where the next accepted range must begin.
    pub position: Position,
    /// Where reading went on after the newest closed slide; never ahead of `position`.
    pub closed: Position,
    /// The same of the newest slide that is printed, and durable where there is a checkpoint; never ahead of `closed`.
    pub settled: Position,
    /// Whose ranges are accepted.
    pub owner: Option<Session>,
    /// Whether the owner is to give it up.
    pub leaving: Leaving,
    /// Reading stopped and begins anew as soon as the owner has given it up.
    pub anew: Option<Anew>,
    /// Reading stopped; a look is to tell why.
    pub suspect: Option<Suspect>,
    /// When the first look was answered that did not find it any more; `None` while it is there.
    pub absent_ms: Option<Millis>,
    /// Whether that has lasted for so long that it is gone. It may come back, as another one.
    pub gone: bool,
    /// When the first look was answered that found a log that ends below `position`, where brokers know no topic ids.
    pub below_ms: Option<Millis>,
    /// Whether it begins at the oldest record there was, and its leader has not been asked for it yet.
    pub unasked: bool,
    /// How far its log was heard to reach lately.
    pub ends: HeardEnds,
    /// Whether reading was level with the log at the end of the newest closed slide, or where it began.
    pub was_level: bool,
    /// An open transaction that keeps records back.
    pub transaction: Option<OpenTransaction>,
    /// Whether people were told that it does.
    pub held_back: bool,
    /// When it was given to its owner.
    pub assigned_ms: Millis,
    /// Timestamp of the last record that was read.
    pub reached_ms: Option<Millis>,
}

/// What is known of a partition whose reading stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Suspect {
    /// Number of the look that is to tell why.
    pub look: u64,
    /// Whether its log was cut off below the position, which facts do not show once it has grown again.
    pub truncated: bool,
}

/// Where reading begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anew {
    /// Where the last accepted range ends, wherever that is by then: an offset noted down earlier could lie
    /// before it, and what is between would count twice.
    Here,
    /// Behind lost offsets.
    At(Position),
    /// Nowhere: the partition does not exist any more and leaves the job.
    Nowhere,
}

/// How far a partition is on its way from one session to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaving {
    /// It stays.
    No,
    /// It goes with the next cut.
    AtNextCut,
    /// The cut that releases it is under way; its delta ends the ownership.
    UnderWay,
}

impl Held {
    pub(super) fn new(position: Position, ends: HeardEnds) -> Self {
        Self {
            position,
            closed: position,
            settled: position,
            owner: None,
            leaving: Leaving::No,
            anew: None,
            suspect: None,
            absent_ms: None,
            gone: false,
            below_ms: None,
            unasked: false,
            ends,
            was_level: false,
            transaction: None,
            held_back: false,
            assigned_ms: Millis::MIN,
            reached_ms: None,
        }
    }

    /// Nobody reads it any more: what waited for that happens.
    pub(super) fn orphan(&mut self) {
        self.owner = None;
        self.leaving = Leaving::No;
        match self.anew.take() {
            Some(Anew::At(position)) => self.position = position,
            Some(Anew::Here) => {}
            Some(Anew::Nowhere) => self.anew = Some(Anew::Nowhere),
            None => return,
        }
        self.suspect = None;
    }

    /// Whether a look must tell more about it soon.
    pub(super) fn is_in_question(&self) -> bool {
        self.anew.is_none() && !self.gone && (self.suspect.is_some() || self.absent_ms.is_some())
    }

    /// Whether it does not exist any more and nobody reads it.
    pub(super) fn is_over(&self) -> bool {
        self.owner.is_none() && self.anew == Some(Anew::Nowhere)
    }
}

/// Every partition of the job.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    held: BTreeMap<Partition, Held>,
    /// Where partitions were that have left the job.
    left: BTreeMap<Partition, Position>,
    /// Whether any does not exist any more and has not left yet.
    pub(super) any_ends: bool,
    /// Something changed that may call for other owners.
    unsettled: bool,
    placed: bool,
}

impl Partitions {
    pub(super) fn add(&mut self, partition: Partition, held: Held) {
        self.held.insert(partition, held);
        self.unsettled = true;
    }

    pub(super) fn get(&self, partition: &Partition) -> Option<&Held> {
        self.held.get(partition)
    }

    pub(super) fn get_mut(&mut self, partition: &Partition) -> Option<&mut Held> {
        self.held.get_mut(partition)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Partition, &Held)> {
        self.held.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&Partition, &mut Held)> {
        self.held.iter_mut()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    pub(super) fn all_owned(&self) -> bool {
        self.held.values().all(|held| held.owner.is_some() || held.is_over())
    }

    /// Whether partitions were ever given to anyone.
    pub(super) fn ever_placed(&self) -> bool {
        self.placed
    }

    pub(super) fn unsettle(&mut self) {
        self.unsettled = true;
    }

    /// Takes every partition of an ended session away from it.
    pub(super) fn orphan_all(&mut self, session: Session) {
        self.held.values_mut().filter(|held| held.owner == Some(session)).for_each(Held::orphan);
        self.unsettled = true;
    }

    /// Where a partition is to be read from that was found: a topic that was only taken for gone goes on where it was.
    pub(super) fn position_of_found(&self, partition: &Partition, found: Position) -> Position {
        let left = self.left.get(partition).filter(|left| left.topic_id.is_some());
        left.filter(|left| left.topic_id == found.topic_id).copied().unwrap_or(found)
    }

    /// Takes away partitions that do not exist any more, that nobody reads, and of which nothing `is_under_way`.
    /// Remembers where they were.
    fn take_over(&mut self, is_under_way: impl Fn(&Partition) -> bool) -> Vec<Partition> {
        let is_over = |partition: &Partition, held: &mut Held| held.is_over() && !is_under_way(partition);
        let over: Vec<_> = self.held.extract_if(.., is_over).collect();
        self.any_ends = self.held.values().any(|held| held.anew == Some(Anew::Nowhere));
        let left = over.iter().map(|(partition, held)| (partition.clone(), held.position));
        self.left.extend(left);
        while self.left.len() > LEFT_MAX {
            self.left.pop_first();
        }
        over.into_iter().map(|(partition, _)| partition).collect()
    }
}

impl State {
    /// The start is resolved, by what the brokers were asked from `asked_ms` on.
    pub(super) fn started(
        &mut self,
        now_ms: Millis,
        starts: Vec<Start>,
        asked_ms: Millis,
        resumed: Option<Box<Resumed>>,
    ) {
        for Start { partition, position, log_end, earliest } in starts {
            let held = Held::new(position, HeardEnds::begin(asked_ms, log_end));
            self.partitions.add(partition, Held { unasked: earliest, ..held });
        }
        self.looks.begin(now_ms);
        if let Some(resumed) = resumed {
            self.slides.resume(*resumed);
        }
        if self.durable.is_kept() {
            self.keep_base();
        } else {
            self.commits.begin();
        }
    }

    /// Gives orphans to sessions at once, and marks what is to move with the next cut.
    pub(super) fn place(&mut self, now_ms: Millis) {
        let readers = self.sessions.readers();
        let wanted = self.slots.wanted() as usize;
        let opened_ms = self.sessions.first_opened_ms().unwrap_or(now_ms);
        let gathering = !self.partitions.placed && readers.len() < wanted && now_ms < opened_ms + GATHER_MS;
        if !self.partitions.unsettled || self.partitions.is_empty() || readers.is_empty() || gathering {
            return;
        }
        self.partitions.unsettled = false;
        self.partitions.placed = true;
        let there = self.partitions.iter().filter(|(_, held)| !held.is_over());
        let held: Vec<_> = there.map(|(p, held)| (p.clone(), held.owner)).collect();
        let mut assigned: BTreeMap<Session, Vec<(Partition, Position)>> = BTreeMap::new();
        for (partition, session) in assign::plan(&held, &readers) {
            let Some(held) = self.partitions.get_mut(&partition) else { continue };
            match (held.owner, held.leaving) {
                (None, _) => {
                    (held.owner, held.assigned_ms) = (Some(session), now_ms);
                    assigned.entry(session).or_default().push((partition, held.position));
                }
                (Some(_), Leaving::UnderWay) => {}
                (Some(owner), _) if owner == session && held.anew.is_none() => held.leaving = Leaving::No,
                (Some(_), _) => held.leaving = Leaving::AtNextCut,
            }
        }
        for (session, partitions) in assigned {
            self.sessions.add_partitions(session, partitions.iter().map(|(partition, _)| partition));
            self.out.push(Effect::Send(session, ToExecutor::Assign(partitions)));
        }
    }

    /// The partitions of `session` that go with the cut now being sent.
    pub(super) fn take_leaving(&mut self, session: Session) -> Vec<Partition> {
        let leaving = self
            .partitions
            .iter_mut()
            .filter(|(_, held)| held.owner == Some(session) && held.leaving == Leaving::AtNextCut);
        leaving
            .map(|(partition, held)| {
                held.leaving = Leaving::UnderWay;
                partition.clone()
            })
            .collect()
    }

    /// Ends ownership of partitions whose releasing cut was answered.
    pub(super) fn release(&mut self, released: &[Partition]) {
        for partition in released {
            if let Some(held) = self.partitions.get_mut(partition) {
                held.orphan();
            }
        }
        if !released.is_empty() {
            self.partitions.unsettle();
        }
    }

    /// Lets go of partitions that do not exist any more, once nobody reads them and all that was read of them is
    /// durable. Before that one that came back would begin ahead of what a restart finds.
    pub(super) fn let_go(&mut self) {
        if !self.partitions.any_ends {
            return;
        }
        let (slides, durable) = (&self.slides, &self.durable);
        let over = self.partitions.take_over(|partition| slides.holds(partition) || durable.holds(partition));
        if !over.is_empty() {
            // The next driver must not look for them.
            self.durable.want_base();
        }
        self.out.extend(over.into_iter().map(|partition| Effect::Event(Event::PartitionLeft(partition))));
    }
}
