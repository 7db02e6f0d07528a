//! What the state finds worth telling, told: logs and counters.

use super::Observer;
use super::status::HELD_BACK;
use crate::driver::state::{EndReason, Event};
use crate::ids::Session;
use crate::metrics::SessionEnd;
use crate::source::key::Unkeyed;
use crate::source::start::LossReason;

impl Observer {
    pub(in crate::driver) fn event(&mut self, event: &Event) {
        match event {
            Event::SessionOpened(session) => self.opened(*session),
            Event::SessionEnded(session, reason) => self.session_ended(*session, reason),
            Event::StartFailed(slot, generation, how) => {
                tracing::warn!(slot = slot.0, generation = generation.0, how, "an executor did not start");
            }
            Event::Lost(loss) => {
                self.metrics.lost_offsets(loss.reason, loss.offsets());
                match loss.reason {
                    LossReason::Deleted => tracing::warn!("{loss}; the job goes on without it"),
                    _ => tracing::warn!("{loss}; reading goes on behind it"),
                }
            }
            Event::PartitionAdded(partition, offset) => {
                tracing::info!(%partition, offset, "a new partition is read from its beginning");
            }
            Event::Gone(partition) => {
                tracing::warn!(%partition, "the topic was deleted; the job waits until it is there again");
            }
            Event::PartitionLeft(partition) => self.forget(partition),
            Event::BeginsLater(partition, offset) => {
                tracing::info!(%partition, offset, "the oldest records expired before the first was read; it begins here");
            }
            Event::HeldBack(partition, 0) => {
                tracing::info!(%partition, "no open transaction holds the partition back any more");
            }
            Event::HeldBack(partition, records) => tracing::warn!(
                %partition,
                records,
                "an open transaction holds the partition back: its last stable offset has not moved for 10 s; {HELD_BACK}"
            ),
            Event::Unkeyed(reason, records) => {
                if let Some(reason) = unkeyed(reason) {
                    self.metrics.unkeyed(reason, *records);
                }
            }
            Event::CommitRefused => {}
            Event::MemoryHigh { bytes, limit } => tracing::warn!(
                bytes,
                limit,
                "state takes more than 70 % of driver.memory; at 95 % the job ends: raise driver.memory"
            ),
            Event::SlidesSkipped(slides) => {
                tracing::warn!(
                    slides,
                    "cuts came late; the records of these slides are in the one after, their windows hold none or are not printed"
                );
            }
        }
    }

    fn session_ended(&self, session: Session, reason: &EndReason) {
        let label = match reason {
            EndReason::Closed(_) | EndReason::Exited(_) => SessionEnd::Lost,
            EndReason::Silent => SessionEnd::Silent,
            EndReason::Straggler(_) => SessionEnd::Straggler,
            EndReason::Refused(_) => SessionEnd::Refused,
            EndReason::Surplus => SessionEnd::Closed,
        };
        self.metrics.session_ended(label);
        if *reason == EndReason::Surplus {
            tracing::info!(slot = session.slot.0, "executor let go");
        } else {
            tracing::warn!(
                slot = session.slot.0,
                generation = session.generation.0,
                reason = %reason,
                "executor lost; its partitions go to the others"
            );
        }
    }
}

fn unkeyed(reason: &str) -> Option<Unkeyed> {
    Unkeyed::ALL.into_iter().find(|known| known.label() == reason)
}
