//! What happens to a driver, told to its state: links, launcher, brokers, checkpoint, console, people.

use std::time::Duration;

use super::{Driver, Happening};
use crate::checkpoint::{self, OpenError, Opened, Recovered};
use crate::driver::broker::{Answer, Looked};
use crate::driver::keeper::{self, KeeperEvent};
use crate::driver::links::LinkEvent;
use crate::driver::setup::{Command, Ended, Note};
use crate::driver::state::{CommitAnswer, Event, Input, Outcome, Resumed};
use crate::ids::Millis;
use crate::launch::LaunchEvent;
use crate::metrics::ExitClass;
use crate::sink::ConsoleEvent;
use crate::snapshot;
use crate::source::admin::CommitError;
use crate::wire::message::{ToDriver, ToExecutor};

/// How long the last cut, print and commit may take when a closed console ends the job.
const CLOSED_DEADLINE: Duration = Duration::from_secs(5);

impl Driver {
    pub(super) fn take(&mut self, happening: Happening) -> anyhow::Result<Option<Ended>> {
        Ok(match happening {
            Happening::Due => self.step(Input::Tick),
            Happening::Link(event) => self.link(event),
            Happening::Answer(answer) => self.answer(answer)?,
            Happening::Kept(event) => self.kept(event),
            Happening::Snapshot(event) => self.snapshot(event),
            Happening::Launch(event) => self.launch(event),
            Happening::Command(Command::Abort) => Some(Ended::Aborted),
            Happening::Command(Command::Stop { within }) => self.stop(within),
            Happening::Command(Command::Scale(executors)) => self.step(Input::Scale(executors)),
            Happening::Console(event) => self.console_event(event),
            Happening::AliveDue => {
                self.links.send_all(&ToExecutor::Alive);
                None
            }
        })
    }

    fn launch(&mut self, event: LaunchEvent) -> Option<Ended> {
        match event {
            LaunchEvent::Started(slot, generation, place) => {
                self.observer.placed(slot, generation, place);
                self.step(Input::Launched(slot, generation))
            }
            LaunchEvent::Exited { slot, generation, class, how, host } => {
                self.observer.exited(class, &how);
                if let Some(host) = host.filter(|_| class != ExitClass::Preempted) {
                    self.launcher.failed_on(slot, host);
                }
                self.step(Input::Exited { slot, generation, how, to_blame: class.is_to_blame() })
            }
            LaunchEvent::Waiting(why) => {
                self.observer.waiting(why);
                None
            }
        }
    }

    fn stop(&mut self, within: Duration) -> Option<Ended> {
        tracing::info!("stopping: last cut, print, commit");
        self.observer.stopping();
        let within_ms = Millis::try_from(within.as_millis()).unwrap_or(Millis::MAX / 2);
        let deadline_ms = self.now_ms() + within_ms;
        self.step(Input::Stop { deadline_ms })
    }

    fn link(&mut self, event: LinkEvent) -> Option<Ended> {
        match event {
            LinkEvent::Opened(session, hello, outgoing) => {
                self.links.opened(session, outgoing);
                self.note(Note::Executor { session, pid: hello.pid });
                let attempt = hello.attempt;
                self.observer.hello(session, *hello);
                self.step(Input::Opened { session, attempt })
            }
            LinkEvent::Message(session, ToDriver::Alive) => self.step(Input::Alive(session)),
            LinkEvent::Message(session, ToDriver::Counts(counts)) => {
                self.step(Input::Counts(session, counts))
            }
            LinkEvent::Message(session, ToDriver::Delta(delta)) => {
                self.observer.delta(session, &delta, self.label_ms(), self.clock.monotonic());
                self.step(Input::Delta(session, delta))
            }
            LinkEvent::Message(session, ToDriver::Hello(_)) => {
                self.step(Input::Closed { session, reason: "it said hello twice".to_owned() })
            }
            LinkEvent::Closed(session, reason) => self.step(Input::Closed { session, reason }),
        }
    }

    fn answer(&mut self, answer: Answer) -> anyhow::Result<Option<Ended>> {
        Ok(match answer {
            Answer::Found(stream) => {
                if !self.keeper.open(&self.job, stream)? {
                    self.broker.resolve(None);
                }
                None
            }
            Answer::Started { starts, losses, asked } => {
                losses.into_iter().for_each(|loss| self.observer.event(&Event::Lost(loss)));
                let (asked_ms, resumed) = (self.pace.now_ms(asked), self.resumed.take());
                self.step(Input::Started { starts, asked_ms, resumed })
            }
            Answer::Failed(reason) => Some(Ended::Finished(Outcome::Failed(reason))),
            Answer::Looked { look, looked: Looked { topics, facts, unclear } } => {
                self.observer.topics(&topics);
                self.step(Input::Looked { look, facts, unclear })
            }
            Answer::LookFailed { look } => self.step(Input::LookFailed { look }),
            Answer::Committed { positions, outcome } => {
                self.observer.committed(&positions, outcome.as_ref().err());
                self.step(Input::Committed(match outcome {
                    Ok(()) => CommitAnswer::Taken,
                    Err(CommitError::Refused { .. }) => CommitAnswer::Refused,
                    Err(CommitError::Failed { .. }) => CommitAnswer::Failed,
                }))
            }
        })
    }

    fn kept(&mut self, event: KeeperEvent) -> Option<Ended> {
        match event {
            KeeperEvent::Waiting(error) => {
                self.observer.checkpoint_waits(&error);
                None
            }
            KeeperEvent::Opened(opened) => self.opened(opened),
            KeeperEvent::Refused(error @ OpenError::Superseded { .. }) => {
                Some(Ended::Fenced(error.to_string()))
            }
            KeeperEvent::Refused(error) => Some(Ended::Finished(Outcome::Failed(error.to_string()))),
            KeeperEvent::Failed(reason) => Some(Ended::Finished(Outcome::Failed(reason))),
            KeeperEvent::Written(event) => self.written(event),
        }
    }

    fn opened(&mut self, mut opened: Box<Opened>) -> Option<Ended> {
        self.observer.checkpoint_opened(&opened);
        let required = self.keeper.setup().filter(|setup| setup.required && opened.recovered.is_none());
        if let Some(setup) = required {
            let reason = format!("--from checkpoint: there is none in {}", setup.store.address());
            return Some(Ended::Finished(Outcome::Failed(reason)));
        }
        if let Some(by_ms) = opened.relabel(self.label_ms()) {
            self.observer.relabeled(by_ms);
        }
        self.snapshots.start(&mut opened);
        let recovered = opened.recovered.take();
        self.keeper.opened(opened);
        let end_ms = recovered.as_ref().and_then(|recovered| recovered.end_ms);
        let ended = end_ms.and_then(|end_ms| self.go_on_from(end_ms));
        self.broker.resolve(recovered.map(|recovered| {
            let Recovered { ring, end_ms, whole, attempt, positions, .. } = recovered;
            self.resumed = Some(Box::new(Resumed { ring, end_ms, whole, attempt }));
            positions
        }));
        ended
    }

    /// Ends are never repeated. Where the last durable one is far ahead of the wall clock, nobody waits for that.
    fn go_on_from(&mut self, end_ms: Millis) -> Option<Ended> {
        let by_ms = self.pace.go_on_from(end_ms, self.clock.monotonic())?;
        self.observer.goes_on_ahead(by_ms);
        self.step(Input::ClockStepped { by_ms })
    }

    fn snapshot(&mut self, event: snapshot::Event) -> Option<Ended> {
        self.observer.snapshot(&event);
        match event {
            snapshot::Event::Visible { through_ms } => self.keeper.keep_since(through_ms),
            snapshot::Event::Settled => self.keeper.settled(),
            snapshot::Event::Fenced | snapshot::Event::Refused { .. } => {
                self.keeper.keep_since(Millis::MAX);
                self.keeper.settled();
            }
            snapshot::Event::Died(reason) => {
                let reason = keeper::ended("the snapshots' writer", Some(reason));
                return Some(Ended::Finished(Outcome::Failed(reason)));
            }
            snapshot::Event::Behind { .. } | snapshot::Event::Lost(_) | snapshot::Event::Closed => {}
        }
        None
    }

    fn written(&mut self, event: checkpoint::Event) -> Option<Ended> {
        self.observer.checkpoint_written(&event);
        match event {
            checkpoint::Event::Durable { end_ms, .. } => {
                self.snapshots.durable(end_ms);
                self.step(Input::Kept { until_ms: end_ms })
            }
            checkpoint::Event::Based { .. } => self.step(Input::StartKept),
            checkpoint::Event::BaseWanted => self.step(Input::BaseWanted),
            checkpoint::Event::Fenced(error) => Some(Ended::Fenced(format!(
                "another driver has taken the checkpoint over, this one ends: {error}"
            ))),
            checkpoint::Event::GivenUp(error) => {
                let give_up = self.keeper.setup().map_or(Duration::ZERO, |setup| setup.give_up);
                Some(Ended::Finished(Outcome::Failed(format!(
                    "the checkpoint was not written for checkpoint.give_up ({}s): {error}",
                    give_up.as_secs()
                ))))
            }
            checkpoint::Event::Behind { .. }
            | checkpoint::Event::BaseFailed(_)
            | checkpoint::Event::Closed
            | checkpoint::Event::Died(_) => None,
        }
    }

    fn console_event(&mut self, event: ConsoleEvent) -> Option<Ended> {
        match event {
            ConsoleEvent::Printed { end_ms, monotonic, text, .. } => {
                let delay_ms = (self.pace.label_ms(monotonic) - end_ms).max(0);
                let delay = Duration::from_millis(delay_ms.unsigned_abs());
                self.observer.printed(end_ms, delay, monotonic, text);
                self.note(Note::Printed { end_ms, delay });
                None
            }
            ConsoleEvent::Closed { error } => {
                tracing::warn!(%error, "stdout is closed");
                self.stop(CLOSED_DEADLINE)
            }
        }
    }
}
