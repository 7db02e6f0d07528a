//! The driver's dealings with Kafka, on a thread of their own: where reading starts, commits, and a look at every
//! partition now and then. Calls block here, never in the driver's loop.

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
use crate::config::{Job, OnDataLoss, Topics};
use crate::ids::{Partition, Position};
use crate::source::admin::{Admin, AdminError, LogRange, TopicInfo, TopicsRule};
use crate::source::start::{self, Loss, LossPolicy, StartError, StartRule};

/// New partitions, leaders and recreated topics are found within this time.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How long a start waits for partitions without a leader.
const LEADERLESS: Duration = Duration::from_secs(10);
/// How often it asks again.
const LEADERLESS_EVERY: Duration = Duration::from_millis(250);
/// How often an attempt that waits for Kafka asks it again.
const KAFKA_EVERY: Duration = Duration::from_secs(2);
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
    Look(u64),
}

/// The handle of the thread. Dropping it ends the thread after the call under way.
pub(super) struct Broker {
    requests: requests::Sender<Request>,
}

impl Broker {
    /// Starts the thread; its first answer says what is to be counted.
    pub(super) fn start(
        job: &Job,
        start: StartRules,
        patient: bool,
    ) -> anyhow::Result<(Self, mpsc::UnboundedReceiver<Answer>)> {
        let (requests, queue) = requests::channel();
        let (answers, incoming) = mpsc::unbounded_channel();
        let job = job.clone();
        let run = move || {
            if let Err(error) = work(&job, start, patient, &queue, &answers) {
                let _ = answers.send(Answer::Failed(format!("{error:#}")));
            }
        };
        thread::Builder::new()
            .name("kafka-admin".to_owned())
            .spawn(run)
            .context("start the thread that asks Kafka")?;
        Ok((Self { requests }, incoming))
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
        let _ = self.requests.send(Request::Look(look));
    }
}

fn work(
    job: &Job,
    start: StartRules,
    patient: bool,
    requests: &requests::Receiver<Request>,
    answers: &mpsc::UnboundedSender<Answer>,
) -> anyhow::Result<()> {
    let admin = Admin::connect(&client_settings(job, PREFETCH_BYTES))?;
    let rule = topics_rule(job)?;
    let patience = Patience { patient, requests };
    let Some(stream) = patience.until(|| found(&admin, &rule))? else { return Ok(()) };
    if answers.send(Answer::Found(stream)).is_err() {
        return Ok(());
    }
    // Nothing else is asked for before the start is known.
    let Ok(Request::Resolve(held)) = requests.recv() else { return Ok(()) };
    let resolved = patience.until(|| resolve(&admin, &rule, job, start, held.as_deref()))?;
    let Some((starts, losses)) = resolved else { return Ok(()) };
    let mut look = 0;
    if answers.send(Answer::Started(starts, losses)).is_err() {
        return Ok(());
    }
    let mut worker = Worker { admin, rule, answers, failing: false };
    worker.look(look);
    loop {
        match requests.recv_timeout(LOOK_EVERY) {
            Ok(Request::Resolve(_)) => {}
            Ok(Request::Commit(positions)) => worker.commit(positions),
            Ok(Request::Look(asked)) => {
                look = asked;
                worker.look(look);
            }
            Err(requests::RecvTimeoutError::Timeout) => worker.look(look),
            Err(requests::RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}

/// A pattern is for whole names, as the job file says.
fn topics_rule(job: &Job) -> anyhow::Result<TopicsRule> {
    Ok(match job.source.topics().map_err(anyhow::Error::msg)? {
        Topics::Named(names) => TopicsRule::Names(names.to_vec()),
        Topics::Matching(pattern) => TopicsRule::Pattern(pattern),
    })
}

/// How long a start waits for Kafka.
struct Patience<'a> {
    /// Whether an earlier attempt has found everything: then what is not there now comes back, as it does for a job
    /// that runs.
    patient: bool,
    requests: &'a requests::Receiver<Request>,
}

impl Patience<'_> {
    /// Asks until there is an answer, or it is clear that there will be none. A topic that was just made, or whose
    /// broker just came up, has its leaders a moment later. `None`: the driver is over before that.
    fn until<T>(&self, mut ask: impl FnMut() -> anyhow::Result<T>) -> anyhow::Result<Option<T>> {
        let mut tries_left = LEADERLESS.as_millis() / LEADERLESS_EVERY.as_millis();
        let mut told = false;
        loop {
            let error = match ask() {
                Ok(answer) => return Ok(Some(answer)),
                Err(error) => error,
            };
            let every = match error.downcast_ref() {
                Some(StartError::Lost(_)) => return Err(error),
                Some(StartError::Unknown(_)) if tries_left > 0 => {
                    tries_left -= 1;
                    LEADERLESS_EVERY
                }
                _ if self.patient => {
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!("wait for Kafka: {error:#}");
                    }
                    KAFKA_EVERY
                }
                _ => return Err(error),
            };
            // Nothing is asked for before the start is known, so this only waits.
            if let Err(requests::RecvTimeoutError::Disconnected) = self.requests.recv_timeout(every) {
                return Ok(None);
            }
        }
    }
}

fn found(admin: &Admin, rule: &TopicsRule) -> anyhow::Result<Stream> {
    let topics = admin.describe(rule)?.into_iter().map(|topic| (topic.name, topic.id)).collect();
    Ok(Stream { cluster: admin.cluster_id()?, topics })
}

/// Where every partition is read from, and what is lost by it. What comes out is numbers.
fn resolve(
    admin: &Admin,
    rule: &TopicsRule,
    job: &Job,
    rules: StartRules,
    held: Option<&[(Partition, Position)]>,
) -> anyhow::Result<(Vec<Start>, Vec<Loss>)> {
    let topics = admin.describe(rule)?;
    let partitions: Vec<_> = topics.iter().flat_map(partitions_of).collect();
    let ranges: BTreeMap<_, _> = log_ranges(admin, &partitions)?;
    let from_checkpoint = held.is_some();
    let held: BTreeMap<_, _> = match held {
        Some(held) => held.iter().cloned().collect(),
        None => {
            let committed = admin.committed(&partitions)?;
            partitions.iter().cloned().zip(committed).filter_map(|(p, at)| Some((p, at?))).collect()
        }
    };
    let forced = rules.forced.filter(|_| !from_checkpoint);
    let at_time = match forced.unwrap_or(rules.fallback) {
        StartRule::Timestamp(time_ms) => {
            let offsets = admin.offsets_for_time(&partitions, time_ms)?;
            partitions
                .iter()
                .cloned()
                .zip(offsets)
                .filter_map(|(p, offset)| Some((p, offset.ok()?)))
                .collect()
        }
        StartRule::Latest | StartRule::Earliest => BTreeMap::new(),
    };
    let facts = start::Facts { topics: &topics, ranges: &ranges, held: &held, at_time: &at_time };
    let policy = match job.source.on_data_loss {
        OnDataLoss::Fail => LossPolicy::Fail,
        OnDataLoss::Earliest => LossPolicy::Earliest,
    };
    let resolved = start::resolve_start(facts, rules.fallback, forced, policy)?;
    for partition in &resolved.new {
        tracing::info!(%partition, "a partition without a position is new, and read from its beginning");
    }
    let start = |(partition, position): (Partition, Position)| {
        let log_end = ranges.get(&partition).map(|range| range.end);
        Start { partition, position, log_end }
    };
    Ok((resolved.positions.into_iter().map(start).collect(), resolved.losses))
}

fn partitions_of(topic: &TopicInfo) -> impl Iterator<Item = Partition> {
    let name: Arc<str> = topic.name.as_str().into();
    topic.partitions.iter().map(move |info| Partition::new(Arc::clone(&name), info.number))
}

fn log_ranges(admin: &Admin, partitions: &[Partition]) -> anyhow::Result<BTreeMap<Partition, LogRange>> {
    let ranges = admin.log_range(partitions)?;
    Ok(partitions.iter().cloned().zip(ranges).filter_map(|(p, range)| Some((p, range.ok()?))).collect())
}

struct Worker<'a> {
    admin: Admin,
    rule: TopicsRule,
    answers: &'a mpsc::UnboundedSender<Answer>,
    /// Whether the last look failed; said once, not every ten seconds.
    failing: bool,
}

impl Worker<'_> {
    fn commit(&self, positions: Vec<(Partition, Position)>) {
        let refused = self.admin.commit(&positions).err().map(|error| error.to_string());
        // Nobody listens only when the driver is over.
        let _ = self.answers.send(Answer::Committed { positions, refused });
    }

    fn look(&mut self, look: u64) {
        match self.facts() {
            Ok((topics, facts)) => {
                self.failing = false;
                let _ = self.answers.send(Answer::Looked { topics, facts, look });
            }
            Err(error) if !self.failing => {
                self.failing = true;
                tracing::warn!("look at the topics: {error:#}");
            }
            Err(_) => {}
        }
    }

    fn facts(&self) -> anyhow::Result<(Vec<TopicInfo>, Vec<Facts>)> {
        let topics = match self.admin.describe(&self.rule) {
            Err(AdminError::NoTopic { .. }) => Vec::new(),
            other => other?,
        };
        let partitions: Vec<_> = topics.iter().flat_map(partitions_of).collect();
        let ranges = log_ranges(&self.admin, &partitions)?;
        let infos = topics.iter().flat_map(|topic| topic.partitions.iter().map(move |info| (topic, info)));
        let facts = partitions.iter().zip(infos).map(|(partition, (topic, info))| Facts {
            partition: partition.clone(),
            topic_id: topic.id,
            led: info.leader >= 0,
            log: ranges.get(partition).map(|range| (range.first, range.high)),
        });
        let facts = facts.collect();
        Ok((topics, facts))
    }
}
