//! The driver's dealings with Kafka: what topics are, how far their logs reach, what the group has committed.
//!
//! Blocking calls with a deadline, for an OS thread of the driver. Feeds [`start`](super::start) and the
//! driver's metrics.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::metadata::Metadata;
use rdkafka_sys::rd_kafka_resp_err_t as Code;
use regex::Regex;

use super::native::requests::{self, Described, Failure, Found, Spec, Wait};
use super::native::{self, Client};
use super::settings::ClientSettings;
use crate::ids::{Millis, Offset, Partition, Position, TopicId};

mod error;
mod topics;

pub use error::{AdminError, CommitError};

/// How long a call may take; then the brokers count as unreachable.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// Which topics a job reads.
#[derive(Debug, Clone)]
pub enum TopicsRule {
    /// These.
    Names(Vec<String>),
    /// Every topic whose name this matches, internal ones aside.
    Pattern(Regex),
}

impl fmt::Display for TopicsRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Names(names) => f.write_str(&names.join(", ")),
            Self::Pattern(pattern) => f.write_str(pattern.as_str()),
        }
    }
}

/// What the cluster says of the topics of a rule, each by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Topics {
    /// Those that exist, by name.
    pub found: Vec<TopicInfo>,
    /// Names of which the cluster says that there is no such topic.
    pub absent: Vec<String>,
    /// Names of which the cluster could not or would not say anything, with the reason.
    pub unclear: Vec<(String, String)>,
    /// Those of `unclear` that an access rule keeps from this user.
    pub denied: Vec<String>,
}

/// A topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicInfo {
    /// Its name.
    pub name: String,
    /// Its identity, `None` on brokers before 2.8.
    pub id: Option<TopicId>,
    /// Its partitions, by number.
    pub partitions: Vec<PartitionInfo>,
}

/// A partition as the cluster sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionInfo {
    /// Its number.
    pub number: i32,
    /// Broker id of its leader, -1 for none.
    pub leader: i32,
    /// Broker ids of its replicas.
    pub replicas: Vec<i32>,
    /// Broker ids of the replicas in sync.
    pub isr: Vec<i32>,
}

/// How far a partition's log reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogRange {
    /// The oldest offset.
    pub first: Offset,
    /// Where reading ends under the job's isolation: before the first open transaction if committed records only.
    pub end: Offset,
    /// The high watermark, whatever the isolation. Never below `end`.
    pub high: Offset,
}

/// A client for questions and commits.
pub struct Admin {
    client: Arc<Client>,
    settings: ClientSettings,
    deadline: Duration,
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").field("settings", &self.settings).finish()
    }
}

impl Admin {
    /// A client with these settings. Does not wait for a broker: the first question does.
    pub fn connect(settings: &ClientSettings) -> Result<Self, AdminError> {
        let mut config = settings.client_config();
        config.remove("statistics.interval.ms");
        let client = Client::create(&config).map_err(|error| AdminError::Settings(error.to_string()))?;
        Ok(Self { client, settings: settings.clone(), deadline: DEADLINE })
    }

    /// The same with another deadline for each call.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// What the cluster says of the topics of the rule. Never creates one by asking.
    ///
    /// Each topic is judged by itself. An error means that nothing could be asked at all.
    pub fn describe(&self, rule: &TopicsRule) -> Result<Topics, AdminError> {
        let names = match rule {
            TopicsRule::Names(names) => names.clone(),
            TopicsRule::Pattern(pattern) => {
                let mut names = self.topic_names()?;
                names.retain(|name| pattern.is_match(name));
                names
            }
        };
        let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        if names.is_empty() {
            return Ok(Topics::default());
        }
        let action = || format!("describe topic {rule}");
        let described = if self.controller_answers(names[0])? {
            self.ask(action, |wait| requests::describe_topics(&self.client, &names, wait))?
        } else {
            self.describe_plainly(&names)?
        };
        Ok(topics::sort(rule, &names, described))
    }

    /// How far these partitions' logs reach, in the same order; a reason where the leader could not tell.
    pub fn log_range(&self, partitions: &[Partition]) -> Result<Vec<Result<LogRange, String>>, AdminError> {
        let first = self.offsets(partitions, Spec::Earliest, false)?;
        // Who has not answered is not waited for again.
        let answered: Vec<_> =
            partitions.iter().filter(|p| matches!(first.get(p), Some(Ok(_)))).cloned().collect();
        let high = self.offsets(&answered, Spec::Latest, false)?;
        let stable = if self.settings.read_committed() {
            Some(self.offsets(&answered, Spec::Latest, true)?)
        } else {
            None
        };
        let range = |partition: &Partition| {
            let get = |offsets: &Offsets| offsets.get(partition).cloned().unwrap_or_else(|| Err(no_answer()));
            let (first, high) = (get(&first)?, get(&high)?);
            let end = stable.as_ref().map_or(Ok(high), get)?;
            // Asked one after the other: the log may have grown, or been cut, in between.
            Ok(LogRange { first, end: end.max(first), high: high.max(end).max(first) })
        };
        Ok(partitions.iter().map(range).collect())
    }

    /// The newest leader epoch of these partitions, where the leader tells it.
    pub fn leader_epochs(&self, partitions: &[Partition]) -> Result<BTreeMap<Partition, i32>, AdminError> {
        let found = self.found(partitions, Spec::Latest, false)?.into_iter();
        let known = found.filter_map(|(partition, result)| Some((partition, result.ok()?.1)));
        Ok(known.filter(|(_, epoch)| *epoch >= 0).collect())
    }

    /// Where to read on for records from this time, in the same order: the first record that is not older, else
    /// the log's end.
    pub fn offsets_for_time(
        &self,
        partitions: &[Partition],
        time_ms: Millis,
    ) -> Result<Vec<Result<Offset, String>>, AdminError> {
        let committed = self.settings.read_committed();
        let at = self.offsets(partitions, Spec::Time(time_ms), committed)?;
        let young: Vec<_> =
            partitions.iter().filter(|p| matches!(at.get(p), Some(Ok(..0)))).cloned().collect();
        let end = self.offsets(&young, Spec::Latest, committed)?;
        let of = |partition: &Partition| match at.get(partition) {
            Some(Ok(offset)) if *offset >= 0 => Ok(*offset),
            Some(Err(reason)) => Err(reason.clone()),
            _ => end.get(partition).cloned().unwrap_or_else(|| Err(no_answer())),
        };
        Ok(partitions.iter().map(of).collect())
    }

    /// What the group has committed for these partitions, in the same order; `None` where nothing is.
    pub fn committed(&self, partitions: &[Partition]) -> Result<Vec<Option<Position>>, AdminError> {
        let group = self.settings.group();
        let action = || format!("read committed offsets of group {group}");
        let list = native::list(partitions.iter().map(|partition| (partition, Position::at(-1))));
        let list = self.ask(action, |wait| {
            // librdkafka sees to the deadline; a hopeless wait is cut into pieces to end it early.
            let mut left = wait.timeout;
            loop {
                let slice = left.min(Duration::from_secs(1));
                left -= slice;
                match self.client.committed_offsets(list.clone(), slice).map_err(failure) {
                    Err(failure) if failure.is(error::WAITED) && !left.is_zero() => {
                        (wait.check)().map_or(Ok(()), Err)?;
                    }
                    // Answered at once, by a broker that has just started.
                    Err(failure) if failure.is(error::NO_COORDINATOR) && !left.is_zero() => {
                        thread::park_timeout(slice / 2);
                    }
                    result => break result,
                }
            }
        })?;
        let mut found = BTreeMap::new();
        for (partition, result) in requests::found(&list) {
            let (offset, leader_epoch) = result.map_err(|failure| self.error(action(), failure))?;
            if offset >= 0 {
                found.insert(partition, Position { leader_epoch, ..Position::at(offset) });
            }
        }
        Ok(partitions.iter().map(|partition| found.get(partition).copied()).collect())
    }

    /// Commits offsets and leader epochs for the group. Refused when it has live members: they own its offsets.
    pub fn commit(&self, positions: &[(Partition, Position)]) -> Result<(), CommitError> {
        if positions.is_empty() {
            return Ok(());
        }
        let check = || self.denial();
        let wait = Wait { timeout: self.deadline, check: &check };
        requests::commit(&self.client, positions, &wait)
            .map_err(|failure| error::commit(self.settings.group(), failure, self.trouble()))
    }

    /// The cluster's id; `None` on brokers before 0.10.1.
    pub fn cluster_id(&self) -> Result<Option<String>, AdminError> {
        // It comes with metadata: without a broker there is none to wait for.
        self.topic_names()?;
        Ok(self.client.client().fetch_cluster_id(Duration::ZERO))
    }

    fn topic_names(&self) -> Result<Vec<String>, AdminError> {
        Ok(self.metadata(None)?.topics().iter().map(|topic| topic.name().to_owned()).collect())
    }

    /// Whether there is a controller to ask for topic ids and settings. A mock cluster names one that it does not have, and
    /// librdkafka would wait for it.
    pub fn controller_answers(&self, topic: &str) -> Result<bool, AdminError> {
        let metadata = self.metadata(Some(topic))?;
        let controller = requests::controller(&self.client);
        Ok(metadata.brokers().iter().any(|broker| broker.id() == controller))
    }

    /// What plain metadata says of these topics. Once a broker does not answer, the other topics are not worth the
    /// same wait.
    fn describe_plainly(&self, names: &[&str]) -> Result<Vec<Result<Described, Failure>>, AdminError> {
        let mut described = Vec::with_capacity(names.len());
        for name in names {
            match self.metadata(Some(name)) {
                Ok(metadata) => described.push(topics::plain(name, &metadata)),
                Err(error) if described.is_empty() => return Err(error),
                Err(error) => {
                    let code = Code::RD_KAFKA_RESP_ERR__TIMED_OUT as i32;
                    described.resize(names.len(), Err(Failure { code, reason: error.to_string() }));
                    break;
                }
            }
        }
        Ok(described)
    }

    /// What brokers say of one topic, or of all.
    fn metadata(&self, topic: Option<&str>) -> Result<Metadata, AdminError> {
        let action =
            || topic.map_or_else(|| "list topics".to_owned(), |topic| format!("describe topic {topic}"));
        self.ask(action, |wait| {
            let mut left = wait.timeout;
            loop {
                let slice = left.min(Duration::from_secs(1));
                left -= slice;
                match self.client.fetch_metadata(topic, slice).map_err(failure) {
                    Err(failure) if failure.is(error::WAITED) && !left.is_zero() => {
                        (wait.check)().map_or(Ok(()), Err)?;
                    }
                    result => break result,
                }
            }
        })
    }

    fn offsets(&self, partitions: &[Partition], spec: Spec, committed: bool) -> Result<Offsets, AdminError> {
        let plain = |(partition, result): Found| {
            (partition, result.map(|(offset, _)| offset).map_err(|failure| failure.reason))
        };
        Ok(self.found(partitions, spec, committed)?.into_iter().map(plain).collect())
    }

    fn found(&self, partitions: &[Partition], spec: Spec, committed: bool) -> Result<Vec<Found>, AdminError> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let action = || format!("ask for log ends of {} partitions", partitions.len());
        let client = &self.client;
        self.ask(action, |wait| requests::list_offsets(client, partitions, spec, committed, wait))
    }

    /// Runs a request; a failure is told with what brokers said of themselves.
    fn ask<T>(
        &self,
        action: impl Fn() -> String,
        request: impl FnOnce(&Wait<'_>) -> Result<T, Failure>,
    ) -> Result<T, AdminError> {
        let check = || self.denial();
        let wait = Wait { timeout: self.deadline, check: &check };
        let result = request(&wait).map_err(|failure| self.error(action(), failure));
        if result.is_ok() {
            self.client.context().inbox().trouble = None;
        }
        result
    }

    fn error(&self, action: String, failure: Failure) -> AdminError {
        let by_password = self.settings.logs_in_by_password();
        error::admin(action, self.settings.brokers(), failure, self.trouble(), by_password)
    }

    /// Serves the client's events; what they say about brokers that could not be reached.
    fn trouble(&self) -> Option<super::events::Trouble> {
        for _ in 0..100 {
            // Nothing is assigned, so no record can come.
            drop(self.client.poll(Duration::ZERO));
        }
        self.client.context().inbox().trouble.clone()
    }

    /// A refusal is not worth waiting for.
    fn denial(&self) -> Option<Failure> {
        let trouble = self.trouble().filter(|trouble| trouble.denied)?;
        Some(Failure { code: Code::RD_KAFKA_RESP_ERR__AUTHENTICATION as i32, reason: trouble.reason })
    }
}

type Offsets = BTreeMap<Partition, Result<Offset, String>>;

fn no_answer() -> String {
    "no answer for this partition".to_owned()
}

fn failure(error: KafkaError) -> Failure {
    let code = error.rdkafka_error_code().map_or(Code::RD_KAFKA_RESP_ERR__FAIL as i32, |code| code as i32);
    Failure { code, reason: error.to_string() }
}

#[cfg(test)]
mod tests;
