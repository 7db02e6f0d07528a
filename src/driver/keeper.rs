//! The driver's dealings with its checkpoint: opened once the stream is known, written slide by slide, closed.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time;

use super::snapshots::SnapshotSetup;
use crate::checkpoint::{
    self, Events, Fingerprint, Force, HasEnded, Limits, OpenError, Opened, Opening, Owner, Slide, Tries,
    Writer,
};
use crate::clock::Clock;
use crate::config::Job;
use crate::config::key::KeyRule;
use crate::config::window::TimeMode;
use crate::ids::Millis;
use crate::store::{Store, panicked};

/// First wait before a checkpoint that could not be opened is tried again; it doubles.
const BACK_OFF: Duration = Duration::from_millis(500);
/// The longest.
const BACK_OFF_MAX: Duration = Duration::from_secs(5);
/// Memory that one key's number takes at least while a checkpoint is read: it bounds what a damaged one can ask for.
const BYTES_PER_KEY: u64 = 32;

/// Where a driver's checkpoint is, and as whom it takes it.
#[derive(Clone)]
pub struct CheckpointSetup {
    /// Its directory.
    pub store: Store,
    /// Who the driver is.
    pub owner: Owner,
    /// What the person who submitted allows.
    pub force: Force,
    /// Whether what is there is set aside (`--from`), unless it is this application's own.
    pub fresh: bool,
    /// Whether a checkpoint must be there (`--from checkpoint`).
    pub required: bool,
    /// Whether window ends in it that are ahead of now are put back (`--relabel`), unless this application has done so.
    pub relabel: bool,
    /// Whether nothing is shown before it is durable.
    pub wait: bool,
    /// How long it may be away before the job fails.
    pub give_up: Duration,
    /// Whether an owner's application has ended.
    pub has_ended: HasEnded,
    /// What is made of durable slides.
    pub snapshots: Option<SnapshotSetup>,
}

/// What became of a checkpoint.
#[derive(Debug)]
pub(super) enum KeeperEvent {
    /// It cannot be opened yet; it is tried again.
    Waiting(OpenError),
    /// It is this driver's.
    Opened(Box<Opened>),
    /// It is not.
    Refused(OpenError),
    /// It stayed away for too long, or what keeps it has ended by a fault: why the job fails.
    Failed(String),
    /// Something became durable, or did not.
    Written(checkpoint::Event),
}

/// The checkpoint on its way through a driver's life; of a driver without one, nothing ever happens to it.
pub(super) struct Keeper {
    setup: Option<CheckpointSetup>,
    stage: Stage,
}

enum Stage {
    Idle,
    Opening(JoinHandle<()>, mpsc::UnboundedReceiver<KeeperEvent>),
    Opened(Box<Opened>),
    Writing(Writer, Events),
}

impl Keeper {
    pub(super) fn new(setup: Option<CheckpointSetup>) -> Self {
        Self { setup, stage: Stage::Idle }
    }

    pub(super) fn setup(&self) -> Option<&CheckpointSetup> {
        self.setup.as_ref()
    }

    /// Begins to open it as the checkpoint of this stream. False if there is none to open.
    pub(super) fn open(&mut self, job: &Job, stream: Stream) -> anyhow::Result<bool> {
        let Some(setup) = self.setup.clone() else { return Ok(false) };
        let opening = Opening {
            owner: setup.owner.clone(),
            fingerprint: fingerprint(job, stream),
            length_ms: super::millis(job.window.length.ms()),
            force: setup.force,
            fresh: setup.fresh,
            relabel: setup.relabel,
            limits: Limits { give_up: setup.give_up, ..Limits::default() },
            ids_max: usize::try_from(job.driver.memory.bytes() / BYTES_PER_KEY).unwrap_or(usize::MAX),
            seed: getrandom::u64().context("get random numbers from the system")?,
        };
        let (told, events) = mpsc::unbounded_channel();
        self.stage = Stage::Opening(tokio::spawn(open(setup, opening, told)), events);
        Ok(true)
    }

    /// Keeps what was opened until the first base is there to begin with.
    pub(super) fn opened(&mut self, opened: Box<Opened>) {
        self.stage = Stage::Opened(opened);
    }

    /// Waits for what happens next, for ever if nothing can. A worker that is over without its last word has failed.
    pub(super) async fn next(&mut self) -> KeeperEvent {
        match &mut self.stage {
            Stage::Idle | Stage::Opened(_) => std::future::pending().await,
            Stage::Opening(task, events) => match events.recv().await {
                Some(event) => event,
                None => {
                    let reason = task.await.err().and_then(panicked);
                    KeeperEvent::Failed(ended("the task that opens the checkpoint", reason))
                }
            },
            Stage::Writing(_, events) => match events.recv().await {
                Some(checkpoint::Event::Died(reason)) => {
                    KeeperEvent::Failed(ended("the checkpoint's writer", Some(reason)))
                }
                Some(event) => KeeperEvent::Written(event),
                None => KeeperEvent::Failed(ended("the checkpoint's writer", None)),
            },
        }
    }

    /// The number that the next slide gets, once slides are written.
    pub(super) fn next_number(&self) -> Option<u64> {
        match &self.stage {
            Stage::Writing(writer, _) => Some(writer.next_number()),
            Stage::Idle | Stage::Opening(..) | Stage::Opened(_) => None,
        }
    }

    /// Makes a slide durable, behind those before it.
    pub(super) fn slide(&mut self, slide: Box<Slide>) {
        if let Stage::Writing(writer, _) = &mut self.stage {
            writer.offer(slide);
        }
    }

    /// Keeps everything from which the slides after this end can be read again.
    pub(super) fn keep_since(&mut self, end_ms: Millis) {
        match &mut self.stage {
            Stage::Opened(opened) => opened.keep_since(end_ms),
            Stage::Writing(writer, _) => writer.keep_since(end_ms),
            Stage::Idle | Stage::Opening(..) => {}
        }
    }

    /// Snapshots show everything from before this attempt, or never will: ends that were put back may become durable.
    pub(super) fn settled(&mut self) {
        match &mut self.stage {
            Stage::Opened(opened) => opened.settled(),
            Stage::Writing(writer, _) => writer.settled(),
            Stage::Idle | Stage::Opening(..) => {}
        }
    }

    /// Makes the state durable as it is after the last slide; the first one begins the writing.
    pub(super) fn base(&mut self, state: Box<checkpoint::State>) {
        self.stage = match std::mem::replace(&mut self.stage, Stage::Idle) {
            Stage::Opened(opened) => {
                let (writer, events) = opened.start(state);
                Stage::Writing(writer, events)
            }
            Stage::Writing(mut writer, events) => {
                writer.base(state);
                Stage::Writing(writer, events)
            }
            other => other,
        };
    }

    /// Closes the log, within a time: everything in it is durable already.
    pub(super) async fn close(self, within: Duration) {
        match self.stage {
            Stage::Writing(writer, mut events) => {
                writer.close();
                let closed = async { while events.recv().await.is_some() {} };
                let _ = time::timeout(within, closed).await;
            }
            Stage::Opening(task, _) => task.abort(),
            Stage::Idle | Stage::Opened(_) => {}
        }
    }
}

/// Opens the checkpoint, trying again for as long as that may help.
async fn open(setup: CheckpointSetup, opening: Opening, told: mpsc::UnboundedSender<KeeperEvent>) {
    let clock = Clock::start();
    let mut wait = BACK_OFF;
    let mut tries = Tries::default();
    loop {
        let (store, has_ended) = (setup.store.clone(), Arc::clone(&setup.has_ended));
        let event = match checkpoint::open_again(store, opening.clone(), has_ended, &mut tries).await {
            Ok(opened) => KeeperEvent::Opened(Box::new(opened)),
            Err(error) if error.is_passing() && clock.monotonic() < setup.give_up => {
                KeeperEvent::Waiting(error)
            }
            Err(error) if error.is_passing() => KeeperEvent::Failed(format!(
                "the checkpoint could not be opened for checkpoint.give_up ({}s): {error}",
                setup.give_up.as_secs()
            )),
            Err(error) => KeeperEvent::Refused(error),
        };
        let again = matches!(event, KeeperEvent::Waiting(_));
        if told.send(event).is_err() || !again {
            return;
        }
        time::sleep(wait).await;
        wait = (wait * 2).min(BACK_OFF_MAX);
    }
}

/// In words, how a worker of the driver ended that should not have.
pub(super) fn ended(who: &str, reason: Option<String>) -> String {
    let reason = reason.unwrap_or_else(|| "without a word".to_owned());
    format!("{who} has ended by a fault of its own: {reason}")
}

/// What is counted, as the brokers name it.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) cluster: Option<String>,
    pub(super) topics: Vec<(String, Option<crate::ids::TopicId>)>,
}

fn fingerprint(job: &Job, stream: Stream) -> Fingerprint {
    let key = match &job.key {
        KeyRule::Record => "record".to_owned(),
        KeyRule::Header(name) => format!("header {name}"),
        KeyRule::Json(pointer) => format!("json {pointer}"),
    };
    let time = match job.window.time {
        TimeMode::Processing => "processing",
        TimeMode::Event => "event",
    };
    Fingerprint {
        cluster: stream.cluster,
        topics: stream.topics,
        key,
        slide_ms: super::millis(job.window.slide.ms()),
        time: time.to_owned(),
    }
}

#[cfg(test)]
mod tests;
