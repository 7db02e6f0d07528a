//! Who is alive, what each reads, and which cuts it owes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::slides::Slides;
use super::{Effect, EndReason, Event, Settings, State};
use crate::count::Pairs;
use crate::ids::{CutNumber, Generation, Millis, Partition, Session, Slot};

/// A session that alone owes a cut, so that nobody else shows it could be answered, gets so many times the
/// straggler's time.
const ALONE_FACTOR: Millis = 6;
/// A session that is overdue after a stall of the driver is judged so much later, once: what it has said may still
/// wait in the driver's sockets. Milliseconds.
const GRACE_MS: Millis = 200;

/// One live session.
#[derive(Debug)]
pub(super) struct Live {
    /// What the next cut's delta must hold, exactly.
    pub partitions: BTreeSet<Partition>,
    /// Unanswered cuts, oldest first.
    pub owed: VecDeque<Owed>,
    /// Counts that stand before a delta still to come.
    pub staged: BTreeMap<CutNumber, Pairs>,
    /// Gets no partitions any more and ends when it has none.
    pub draining: bool,
    heard_ms: Millis,
    opened_ms: Millis,
    /// Whether the driver was stalled since it heard the session last.
    stalled: bool,
    /// Not to be judged before, because of [`GRACE_MS`]; until it is heard again.
    grace_ms: Option<Millis>,
}

/// One unanswered cut.
#[derive(Debug)]
pub(super) struct Owed {
    pub cut: CutNumber,
    /// What its delta must hold, exactly.
    pub partitions: BTreeSet<Partition>,
    /// What leaves the session with it.
    pub release: Vec<Partition>,
    sent_ms: Millis,
}

/// Every live session.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    live: BTreeMap<Session, Live>,
}

impl Sessions {
    pub(super) fn len(&self) -> usize {
        self.live.len()
    }

    pub(super) fn get_mut(&mut self, session: Session) -> Option<&mut Live> {
        self.live.get_mut(&session)
    }

    pub(super) fn all(&self) -> Vec<Session> {
        self.live.keys().copied().collect()
    }

    /// The sessions that may be given partitions.
    pub(super) fn readers(&self) -> Vec<Session> {
        self.live.iter().filter(|(_, live)| !live.draining).map(|(session, _)| *session).collect()
    }

    pub(super) fn first_opened_ms(&self) -> Option<Millis> {
        self.live.values().map(|live| live.opened_ms).min()
    }

    pub(super) fn of_slot(&self, slot: Slot, generation: Generation) -> Option<Session> {
        self.live.keys().find(|s| s.slot == slot && s.generation == generation).copied()
    }

    pub(super) fn heard(&mut self, session: Session, now_ms: Millis) {
        if let Some(live) = self.live.get_mut(&session) {
            live.heard_ms = live.heard_ms.max(now_ms);
            (live.stalled, live.grace_ms) = (false, None);
        }
    }

    pub(super) fn add_partitions<'a>(
        &mut self,
        session: Session,
        partitions: impl Iterator<Item = &'a Partition>,
    ) {
        if let Some(live) = self.live.get_mut(&session) {
            live.partitions.extend(partitions.cloned());
        }
    }

    /// Books a cut against a session: from here on it owes a delta of exactly its present partitions.
    pub(super) fn owe(&mut self, session: Session, cut: CutNumber, release: Vec<Partition>, now_ms: Millis) {
        if let Some(live) = self.live.get_mut(&session) {
            let partitions = live.partitions.clone();
            release.iter().for_each(|partition| {
                live.partitions.remove(partition);
            });
            live.owed.push_back(Owed { cut, partitions, release, sent_ms: now_ms });
        }
    }

    /// Moves every clock on by a stall that was the driver's own.
    pub(super) fn forgive(&mut self, stalled_ms: Millis) {
        for live in self.live.values_mut() {
            live.heard_ms += stalled_ms;
            live.owed.iter_mut().for_each(|owed| owed.sent_ms += stalled_ms);
            live.stalled |= stalled_ms > 0;
            live.grace_ms = live.grace_ms.map(|grace_ms| grace_ms + stalled_ms);
        }
    }

    /// Has the session judged a little later if a stall may be to blame, once; returns whether it is. A stall may have
    /// begun right after the driver's last step, so that the part that is forgiven ends just when time is up.
    pub(super) fn grant_grace(&mut self, session: Session, now_ms: Millis) -> bool {
        let Some(live) = self.live.get_mut(&session).filter(|live| live.stalled && live.grace_ms.is_none())
        else {
            return false;
        };
        live.grace_ms = Some(now_ms + GRACE_MS);
        true
    }

    /// Sessions whose time is up, with the reason.
    pub(super) fn overdue(
        &self,
        now_ms: Millis,
        settings: &Settings,
        slides: &Slides,
    ) -> Vec<(Session, EndReason)> {
        let judged = self.live.iter().filter_map(|(session, live)| {
            if live.grace_ms.is_some_and(|grace_ms| now_ms < grace_ms) {
                return None;
            }
            if now_ms >= live.heard_ms + settings.timeout_ms {
                return Some((*session, EndReason::Silent));
            }
            let owed = live.owed.front().filter(|owed| now_ms >= owed.due_ms(settings, slides))?;
            Some((*session, EndReason::Straggler(owed.cut)))
        });
        judged.collect()
    }

    /// When the next session's time is up, if nothing more is heard.
    pub(super) fn next_judgement(&self, settings: &Settings, slides: &Slides) -> Option<Millis> {
        let due = self.live.values().map(|live| {
            let silent_ms = live.heard_ms + settings.timeout_ms;
            let owed_ms = live.owed.front().map(|owed| owed.due_ms(settings, slides));
            let due_ms = owed_ms.map_or(silent_ms, |owed_ms| owed_ms.min(silent_ms));
            live.grace_ms.map_or(due_ms, |grace_ms| grace_ms.max(due_ms))
        });
        due.min()
    }

    /// Memory held in staged counts, bytes.
    pub(super) fn bytes(&self) -> usize {
        let staged = self.live.values().flat_map(|live| live.staged.values());
        staged.map(Pairs::bytes).sum()
    }
}

impl Owed {
    fn due_ms(&self, settings: &Settings, slides: &Slides) -> Millis {
        let factor = if slides.anyone_answered(self.cut) { 1 } else { ALONE_FACTOR };
        self.sent_ms + factor * settings.straggler_ms
    }
}

impl State {
    pub(super) fn opened(&mut self, now_ms: Millis, session: Session, attempt: u32) {
        if let Err(reason) = self.admit(session, attempt, now_ms) {
            self.out.push(Effect::End(session, EndReason::Refused(reason)));
            return;
        }
        let live = Live {
            partitions: BTreeSet::new(),
            owed: VecDeque::new(),
            staged: BTreeMap::new(),
            draining: false,
            heard_ms: now_ms,
            opened_ms: now_ms,
            stalled: false,
            grace_ms: None,
        };
        self.sessions.live.insert(session, live);
        self.partitions.unsettle();
        self.out.push(Effect::Welcome(session));
        self.out.push(Effect::Event(Event::SessionOpened(session)));
    }

    fn admit(&mut self, session: Session, attempt: u32, now_ms: Millis) -> Result<(), String> {
        if attempt != self.settings.attempt {
            return Err(format!("attempt {attempt} is not this driver's, {}", self.settings.attempt));
        }
        self.slots.opened(session.slot, session.generation, now_ms)
    }

    /// Ends a session: its partitions are free at once, from the accepted offsets; what it staged is dropped;
    /// its cuts are forgiven. Ending a session that is not live does nothing.
    pub(super) fn end(&mut self, now_ms: Millis, session: Session, reason: EndReason) {
        let Some(live) = self.sessions.live.remove(&session) else { return };
        for staged in live.staged.into_values() {
            self.slides.ring.drop_staged(staged);
        }
        self.partitions.orphan_all(session);
        self.slides.forgive(session);
        if reason == EndReason::Surplus {
            self.slots.retired(session.slot);
        } else {
            self.slots.failed(session.slot, session.generation, now_ms, &reason.to_string());
        }
        self.out.push(Effect::End(session, reason.clone()));
        self.out.push(Effect::Event(Event::SessionEnded(session, reason)));
    }

    pub(super) fn exited(&mut self, now_ms: Millis, slot: Slot, generation: Generation, how: String) {
        match self.sessions.of_slot(slot, generation) {
            Some(session) => self.end(now_ms, session, EndReason::Exited(how)),
            None if self.slots.is_starting(slot, generation) => {
                self.slots.failed(slot, generation, now_ms, &how);
                self.out.push(Effect::Event(Event::StartFailed(slot, generation, how)));
            }
            None => {}
        }
    }

    /// Lets go of sessions that are not wanted any more, once they hold nothing and owe nothing.
    pub(super) fn retire_surplus(&mut self, now_ms: Millis) {
        for session in self.sessions.all() {
            let surplus = self.slots.is_surplus(session.slot);
            let Some(live) = self.sessions.get_mut(session) else { continue };
            if surplus != live.draining {
                live.draining = surplus;
                self.partitions.unsettle();
                self.place(now_ms);
            }
            let Some(live) = self.sessions.get_mut(session) else { continue };
            if live.draining && live.partitions.is_empty() && live.owed.is_empty() {
                self.end(now_ms, session, EndReason::Surplus);
            }
        }
    }
}
