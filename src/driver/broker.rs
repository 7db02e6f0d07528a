//! The driver's dealings with Kafka: where reading starts, then commits and looks at the topics, each on a thread of
//! its own. Calls block there, never in the driver's loop, and a slow look never holds up a commit.

mod look;
mod start;

use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::mpsc as requests;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::mpsc;

use super::client_settings;
use super::keeper::Stream;
use super::state::Start;
use crate::clock::Clock;
use crate::config::Job;
use crate::ids::{Partition, Position};
use crate::source::admin::{Admin, CommitError, LogRange, TopicInfo, TopicsRule};
use crate::source::start::{Loss, StartRule};
pub(super) use look::Looked;
use start::Questions;

/// Memory for records this client would fetch: it fetches none.
const PREFETCH_BYTES: u64 = 0;

/// Where reading begins when no checkpoint says otherwise.
#[derive(Debug, Clone, Copy)]
pub struct StartRules {
    /// Where topics begin that have no positions (`source.start`).
    pub fallback: StartRule,
    /// Where everything begins, whatever is committed (`--from`).
    pub forced: Option<StartRule>,
}

/// What comes back from Kafka.
#[derive(Debug)]
pub(super) enum Answer {
    /// What is to be counted; where to begin is asked for next.
    Found(Stream),
    /// The start is resolved.
    Started {
        starts: Vec<Start>,
        losses: Vec<Loss>,
        /// Since when the brokers were asked that, on the driver's monotonic clock.
        asked: Duration,
    },
    /// The job cannot start, or go on.
    Failed(String),
    /// What the job's topics look like now.
    Looked { look: u64, looked: Looked },
    /// Nobody could say.
    LookFailed { look: u64 },
    /// What became of a commit.
    Committed { positions: Vec<(Partition, Position)>, outcome: Result<(), CommitError> },
}

enum Request {
    /// Resolve the start, from these positions if there are any.
    Resolve(Option<Vec<(Partition, Position)>>),
    Commit(Vec<(Partition, Position)>),
}

/// The handle of the threads. Dropping it ends each after the call under way.
pub(super) struct Broker {
    requests: requests::Sender<Request>,
    looks: requests::Sender<u64>,
}

impl Broker {
    /// Starts the thread; its first answer says what is to be counted.
    pub(super) fn start(
        job: &Job,
        start: StartRules,
        patient: bool,
        clock: Clock,
    ) -> anyhow::Result<(Self, mpsc::UnboundedReceiver<Answer>)> {
        let (requests, queue) = requests::channel();
        let (looks, looked_for) = requests::channel();
        let (answers, incoming) = mpsc::unbounded_channel();
        let work = Work { job: job.clone(), start, patient, clock, answers: answers.clone() };
        spawn("kafka-commits", answers, move || work.run(&queue, looked_for))?;
        Ok((Self { requests, looks }, incoming))
    }

    /// Asks where reading begins: at `held` if a checkpoint has positions, else as the rules say.
    pub(super) fn resolve(&self, held: Option<Vec<(Partition, Position)>>) {
        let _ = self.requests.send(Request::Resolve(held));
    }

    pub(super) fn commit(&self, positions: Vec<(Partition, Position)>) {
        // A thread that has failed has told so, and the job is over.
        let _ = self.requests.send(Request::Commit(positions));
    }

    pub(super) fn look(&self, look: u64) {
        let _ = self.looks.send(look);
    }
}

/// Starts a thread. That it failed, or panicked, is an answer too: the job cannot go on without it.
fn spawn(
    name: &'static str,
    answers: mpsc::UnboundedSender<Answer>,
    run: impl FnOnce() -> anyhow::Result<()> + Send + 'static,
) -> anyhow::Result<()> {
    let run = move || {
        let reason = match panic::catch_unwind(AssertUnwindSafe(run)) {
            Ok(Ok(())) => return,
            Ok(Err(error)) => format!("{error:#}"),
            // The panic itself is in the log.
            Err(_) => format!("the thread {name} has panicked: this is a defect of Spindle; see the log"),
        };
        let _ = answers.send(Answer::Failed(reason));
    };
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(run);
    spawned.map(drop).with_context(|| format!("start the thread {name}"))
}

/// Resolves the start, then commits, while another thread looks at the topics.
struct Work {
    job: Job,
    start: StartRules,
    patient: bool,
    clock: Clock,
    answers: mpsc::UnboundedSender<Answer>,
}

impl Work {
    /// Until the handle is dropped.
    fn run(
        self,
        requests: &requests::Receiver<Request>,
        looks: requests::Receiver<u64>,
    ) -> anyhow::Result<()> {
        let Self { job, start, patient, clock, answers } = self;
        let admin = Arc::new(Admin::connect(&client_settings(&job, PREFETCH_BYTES))?);
        let rule = start::topics_rule(&job)?;
        let mut questions = Questions::new(&job, patient, requests);
        let Some(stream) = questions.until(|_| start::found(&admin, &rule, &job))? else { return Ok(()) };
        if answers.send(Answer::Found(stream)).is_err() {
            return Ok(());
        }
        // Nothing else is asked for before the start is known.
        let Ok(Request::Resolve(held)) = requests.recv() else { return Ok(()) };
        let resolved = questions.until(|patience| {
            let asked = clock.monotonic();
            let (starts, losses) = start::resolve(&admin, &rule, &job, start, held.as_deref(), patience)?;
            Ok(Answer::Started { starts, losses, asked })
        });
        let Some(started) = resolved? else { return Ok(()) };
        if answers.send(started).is_err() {
            return Ok(());
        }
        let mut looker = Looker { admin: Arc::clone(&admin), rule, answers: answers.clone(), failing: false };
        spawn("kafka-looks", answers.clone(), move || {
            looker.run(&looks);
            Ok(())
        })?;
        while let Ok(request) = requests.recv() {
            let Request::Commit(positions) = request else { continue };
            let outcome = admin.commit(&positions);
            // Nobody listens only when the driver is over.
            let _ = answers.send(Answer::Committed { positions, outcome });
        }
        Ok(())
    }
}

/// Looks at the topics, on a thread of its own, whenever it is asked to.
struct Looker {
    admin: Arc<Admin>,
    rule: TopicsRule,
    answers: mpsc::UnboundedSender<Answer>,
    /// Whether the last look failed; said once, not each time.
    failing: bool,
}

impl Looker {
    fn run(&mut self, looks: &requests::Receiver<u64>) {
        while let Ok(look) = looks.recv() {
            let answer = match look::look(&self.admin, &self.rule) {
                Ok(looked) => {
                    self.failing = false;
                    Answer::Looked { look, looked }
                }
                Err(error) => {
                    if !std::mem::replace(&mut self.failing, true) {
                        tracing::warn!("look at the topics: {error:#}");
                    }
                    Answer::LookFailed { look }
                }
            };
            let _ = self.answers.send(answer);
        }
    }
}

fn partitions_of(topic: &TopicInfo) -> impl Iterator<Item = Partition> {
    let name: Arc<str> = topic.name.as_str().into();
    topic.partitions.iter().map(move |info| Partition::new(Arc::clone(&name), info.number))
}

fn log_ranges(admin: &Admin, partitions: &[Partition]) -> anyhow::Result<BTreeMap<Partition, LogRange>> {
    let ranges = admin.log_range(partitions)?;
    Ok(partitions.iter().cloned().zip(ranges).filter_map(|(p, range)| Some((p, range.ok()?))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_panics_or_fails_ends_the_job_with_the_reason() {
        let (answers, mut incoming) = mpsc::unbounded_channel();
        spawn("kafka-looks", answers.clone(), || panic!("a defect")).unwrap();
        let reason = |answer| match answer {
            Some(Answer::Failed(reason)) => reason,
            other => panic!("{other:?}"),
        };
        assert!(reason(incoming.blocking_recv()).contains("kafka-looks has panicked"));
        spawn("kafka-commits", answers, || anyhow::bail!("no Kafka")).unwrap();
        assert_eq!(reason(incoming.blocking_recv()), "no Kafka");
        assert!(incoming.blocking_recv().is_none(), "one that ends well says nothing");
    }
}
