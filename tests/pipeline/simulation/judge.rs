//! What must be true of the driver beside its counts: nobody delays a window for long, sessions end for a reason,
//! wrong messages end them, everything is read in the end.

use std::collections::BTreeMap;

use spindle::count::Window;
use spindle::driver::state::{EndReason, Event, Input};
use spindle::ids::{CutNumber, Millis};
use spindle::source::start::LossReason;
use spindle::wire::message::ToDriver;

use super::happening::Arrival;
use super::logs::Log;
use super::world::{SLACK_MS, World};

/// A new partition is found within this time: ten seconds between looks, and a look.
const FOUND_MS: Millis = 15_000;
/// A partition that is held back is named within this time.
const HELD_SAID_MS: Millis = 15_000;

impl World {
    /// Nobody delays a window for longer than the straggler's time after others have answered.
    pub(super) fn delayed(&mut self, cut: Option<CutNumber>) {
        let Some(sent) = cut.and_then(|cut| self.life.cuts.remove(&cut)) else { return };
        if self.life.settings.checkpoint.is_some_and(|rules| rules.wait) {
            // It is shown when the store has it.
            return;
        }
        let straggler_ms = sent.sent_ms + self.life.settings.straggler_ms;
        let alone_ms = sent.sent_ms + 6 * self.life.settings.straggler_ms;
        let stalls_ms = self.life.stalls_ms - sent.stalls_ms;
        let due_ms = sent.answered_ms.unwrap_or(alone_ms).max(straggler_ms) + stalls_ms + SLACK_MS;
        // A driver whose labels are ahead of its wall clock runs slower by a hundredth.
        let due_ms = due_ms + (due_ms - sent.sent_ms) / 100;
        self.life.due_ms = self.life.due_ms.max(due_ms).max(self.life.full_ms + SLACK_MS);
        assert!(
            self.now_ms <= self.life.due_ms,
            "{cut:?} was due at {} and closed at {}",
            self.life.due_ms,
            self.now_ms
        );
    }

    /// Everything that is there is found within a look's time.
    pub(crate) fn all_known(&self, since_ms: Millis) {
        let known_by = |log: &Log| log.made_ms.max(since_ms).max(self.life.began_ms) + FOUND_MS;
        let late = self.logs.logs.iter().filter(|(_, log)| self.now_ms > known_by(log));
        for (partition, log) in late {
            let known = self.life.oracle.next.contains_key(partition);
            assert!(known, "{partition}, made at {}, is not found", log.made_ms);
        }
    }

    /// A transaction that nobody ends does not keep records of a partition back in silence that is being read.
    pub(super) fn says_what_is_held(&mut self, window: &Window) {
        if self.life.settings.checkpoint.is_some_and(|rules| rules.wait) {
            // It was judged before it was durable.
            return;
        }
        let held = self.logs.logs.iter().filter(|(_, log)| log.end > log.stable());
        let read = held.filter(|(partition, _)| window.ranges.iter().any(|(read, ..)| read == *partition));
        let mut since = BTreeMap::new();
        for (partition, log) in read {
            let at = (partition.clone(), log.stable());
            let since_ms = self.life.held_since.get(&at).copied().unwrap_or(self.now_ms);
            let said = window.unread.contains(partition) && !window.complete;
            assert!(said || self.now_ms < since_ms + HELD_SAID_MS, "{partition} is held back: {window:?}");
            since.insert(at, since_ms);
        }
        self.life.held_since = since;
    }

    pub(super) fn noticed(&mut self, event: Event) {
        match event {
            Event::SessionOpened(session) => {
                assert!(self.life.live.insert(session), "a session opens once");
                let process = self.processes.get(session.connection as usize);
                let ours = process.is_some_and(|process| process.life == self.life.number);
                assert!(ours, "{session} is of another attempt");
            }
            Event::SessionEnded(session, reason) => {
                assert!(self.life.live.remove(&session), "a session ends once");
                let faulty = self.processes[session.connection as usize].faulty;
                assert!(faulty || reason == EndReason::Surplus, "{session} did nothing wrong: {reason}");
            }
            Event::PartitionAdded(..) => self.count("partition found"),
            Event::BeginsLater(..) => self.count("oldest records expired"),
            Event::HeldBack(_, records) if records > 0 => self.count("held back"),
            Event::Lost(loss) if loss.reason == LossReason::Deleted => {
                assert!(self.life.settings.skip_lost, "nothing may be lost: {loss}");
                self.count("partition gone");
            }
            Event::Lost { .. } => {
                assert!(self.life.settings.skip_lost && self.losses > 0, "nothing was lost: {event:?}");
            }
            _ => {}
        }
    }

    pub(super) fn arrive(&mut self, process: usize, number: u64, arrival: Arrival) {
        let sender = &self.processes[process];
        if sender.lost_from.is_some_and(|lost_from| number >= lost_from) {
            return;
        }
        let session = sender.session();
        match arrival {
            Arrival::Opened => self.drive(Input::Opened { session, attempt: self.life.settings.attempt }),
            Arrival::Closed => self.drive(Input::Closed { session, reason: "reset".into() }),
            Arrival::Message(message, wrong) => {
                let live = self.life.live.contains(&session);
                if let (ToDriver::Delta(delta), true, false) = (&message, live, wrong) {
                    let asked = self.life.cuts.range_mut(..=delta.cut);
                    asked.for_each(|(_, sent)| sent.answered_ms = sent.answered_ms.or(Some(self.now_ms)));
                }
                self.drive(match message {
                    ToDriver::Alive => Input::Alive(session),
                    ToDriver::Counts(counts) => Input::Counts(session, counts),
                    ToDriver::Delta(delta) => Input::Delta(session, delta),
                    ToDriver::Hello(_) => return,
                });
                let ended = self.life.is_over() || !self.life.live.contains(&session);
                if ended {
                    // What was refused shows nobody that the cut could be answered.
                    let now_ms = Some(self.now_ms);
                    let answered = self.life.cuts.values_mut().filter(|sent| sent.answered_ms == now_ms);
                    answered.for_each(|sent| sent.answered_ms = None);
                }
                assert!(ended || !(live && wrong), "a wrong message ends its session");
            }
        }
    }

    /// Every partition read to the end, however long it took to get there.
    pub(crate) fn all_read(&self) -> Result<(), String> {
        for (partition, log) in &self.logs.logs {
            let next = self.life.oracle.next.get(partition);
            if next != Some(&log.end) {
                return Err(format!("{partition} ends at {}, counted up to {next:?}", log.end));
            }
        }
        Ok(())
    }
}
