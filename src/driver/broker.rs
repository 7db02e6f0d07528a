//! The driver's dealings with Kafka: where reading starts, then commits and looks at the topics, each on a thread of
//! its own. Calls block there, never in the driver's loop, and a slow look never holds up a commit.

mod look;
mod start;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc as requests;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::mpsc;

use super::client_settings;
use super::keeper::Stream;
use super::state::{Facts, Start};
use crate::config::Job;
use crate::ids::{Partition, Position};
use crate::source::admin::{Admin, LogRange, TopicInfo, TopicsRule};
use crate::source::start::{Loss, StartRule};
use start::Patience;

/// New partitions, leaders and recreated topics are found within this time.
const LOOK_EVERY: Duration = Duration::from_secs(10);
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
    Started(Vec<Start>, Vec<Loss>),
    /// The job cannot start.
    Failed(String),
    /// What the job's topics look like now.
    Looked {
        topics: Vec<TopicInfo>,
        facts: Vec<Facts>,
        /// Number of the last look that was asked for before it.
        look: u64,
    },
    /// Positions were committed, or why not.
    Committed { positions: Vec<(Partition, Position)>, refused: Option<String> },
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
    ) -> anyhow::Result<(Self, mpsc::UnboundedReceiver<Answer>)> {
        let (requests, queue) = requests::channel();
        let (looks, looked_for) = requests::channel();
        let (answers, incoming) = mpsc::unbounded_channel();
        let job = job.clone();
        let run = move || {
            if let Err(error) = work(&job, start, patient, &queue, looked_for, &answers) {
                let _ = answers.send(Answer::Failed(format!("{error:#}")));
            }
        };
        spawn("kafka-commits", run)?;
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

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> anyhow::Result<()> {
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(run);
    spawned.map(drop).with_context(|| format!("start the thread {name}"))
}

/// Resolves the start, then commits, while another thread looks at the topics.
fn work(
    job: &Job,
    start: StartRules,
    patient: bool,
    requests: &requests::Receiver<Request>,
    looks: requests::Receiver<u64>,
    answers: &mpsc::UnboundedSender<Answer>,
) -> anyhow::Result<()> {
    let admin = Arc::new(Admin::connect(&client_settings(job, PREFETCH_BYTES))?);
    let rule = start::topics_rule(job)?;
    let patience = Patience { patient, requests };
    let Some(stream) = patience.until(|| start::found(&admin, &rule, job))? else { return Ok(()) };
    if answers.send(Answer::Found(stream)).is_err() {
        return Ok(());
    }
    // Nothing else is asked for before the start is known.
    let Ok(Request::Resolve(held)) = requests.recv() else { return Ok(()) };
    let resolved = patience.until(|| start::resolve(&admin, &rule, job, start, held.as_deref()))?;
    let Some((starts, losses)) = resolved else { return Ok(()) };
    if answers.send(Answer::Started(starts, losses)).is_err() {
        return Ok(());
    }
    let mut looker = Looker { admin: Arc::clone(&admin), rule, answers: answers.clone(), failing: false };
    spawn("kafka-looks", move || looker.run(&looks))?;
    while let Ok(request) = requests.recv() {
        let Request::Commit(positions) = request else { continue };
        let refused = admin.commit(&positions).err().map(|error| error.to_string());
        // Nobody listens only when the driver is over.
        let _ = answers.send(Answer::Committed { positions, refused });
    }
    Ok(())
}

/// Looks at the topics, on a thread of its own.
struct Looker {
    admin: Arc<Admin>,
    rule: TopicsRule,
    answers: mpsc::UnboundedSender<Answer>,
    /// Whether the last look failed; said once, not every ten seconds.
    failing: bool,
}

impl Looker {
    fn run(&mut self, looks: &requests::Receiver<u64>) {
        let mut look = 0;
        self.look(look);
        loop {
            match looks.recv_timeout(LOOK_EVERY) {
                Ok(asked) => look = asked,
                Err(requests::RecvTimeoutError::Timeout) => {}
                Err(requests::RecvTimeoutError::Disconnected) => return,
            }
            self.look(look);
        }
    }

    fn look(&mut self, look: u64) {
        match look::look(&self.admin, &self.rule) {
            Ok(look::Looked { topics, facts, unclear }) => {
                self.failing = false;
                if !unclear.is_empty() {
                    tracing::debug!(?unclear, "the cluster does not say whether these topics are there");
                }
                let _ = self.answers.send(Answer::Looked { topics, facts, look });
            }
            Err(error) if !self.failing => {
                self.failing = true;
                tracing::warn!("look at the topics: {error:#}");
            }
            Err(_) => {}
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
