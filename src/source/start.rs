//! Where each partition is to be read from, and what is lost by it. Pure; the driver asks [`Admin`](super::Admin)
//! for the facts, once per start.
//!
//! Rules: `spec.md` 3 (checkpoint, else committed offsets, else `start`; new partitions from their beginning) and
//! `exactness.md` 1 (expired, truncated, recreated: by policy, never in silence).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use regex::Regex;

use super::admin::{LogRange, TopicInfo};
use crate::ids::{Millis, Offset, Partition, Position, TopicId};

/// Where to begin a topic that has no positions (`source.start`), or by force (`--from`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartRule {
    /// With records that come from now on.
    Latest,
    /// With the oldest record.
    Earliest,
    /// With the first record that is not older than this.
    Timestamp(Millis),
}

/// What to do about a position that its log no longer has (`source.on_data_loss`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossPolicy {
    /// Do not start.
    Fail,
    /// Go on with the oldest record that was not read, and say what is lost.
    Earliest,
}

/// What the driver knows.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The job's topics.
    pub topics: &'a [TopicInfo],
    /// How far each partition's log reaches.
    pub ranges: &'a BTreeMap<Partition, LogRange>,
    /// Positions from the checkpoint, else the group's committed offsets.
    pub held: &'a BTreeMap<Partition, Position>,
    /// For a rule with a time: the offset at that time.
    pub at_time: &'a BTreeMap<Partition, Offset>,
    /// What the topics' names match, for a job that reads every such topic.
    pub pattern: Option<&'a Regex>,
    /// Partitions that have looked lost for long enough, where a broker may only know less than there is for a moment.
    pub believed: &'a BTreeSet<Partition>,
}

impl Facts<'_> {
    /// Whether the job reads topics of this name, there or not.
    fn reads(&self, topic: &str) -> bool {
        match self.pattern {
            Some(pattern) => pattern.is_match(topic),
            None => self.topics.iter().any(|info| info.name == topic),
        }
    }
}

/// Where to start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Start {
    /// Every partition of the topics, ascending.
    pub positions: Vec<(Partition, Position)>,
    /// What is lost.
    pub losses: Vec<Loss>,
    /// Partitions that begin with the oldest record there is, and of which nothing was ever read: where that record has
    /// expired before it is read, the next one is the oldest, and nothing that was promised is lost.
    pub oldest: BTreeSet<Partition>,
    /// Partitions that are new: their topic has positions and they have none; for a pattern, any of its topics has.
    pub new: Vec<Partition>,
}

/// A position that its log no longer has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// The partition.
    pub partition: Partition,
    /// Where it was to be read on.
    pub expected: Offset,
    /// Where it is read on instead.
    pub resumed: Offset,
    /// Why.
    pub reason: LossReason,
}

/// Why a position is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LossReason {
    /// Retention, or someone, has deleted records before they were read.
    Expired,
    /// The log ends before the position: records that were counted are gone. It is read on at its end.
    Truncated,
    /// Another topic has the name now, or (where brokers know no ids) the log ends before the position.
    Recreated,
    /// The topic has fewer partitions than it had.
    Deleted,
}

impl LossReason {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::Expired, Self::Truncated, Self::Recreated, Self::Deleted];

    /// The value of the metric's label `reason`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Truncated => "truncated",
            Self::Recreated => "recreated",
            Self::Deleted => "deleted",
        }
    }
}

impl Loss {
    /// Offsets that were never read (expired) or were read and are gone (truncated); 0 where nobody can know.
    pub fn offsets(&self) -> u64 {
        match self.reason {
            LossReason::Expired | LossReason::Truncated => self.expected.abs_diff(self.resumed),
            LossReason::Recreated | LossReason::Deleted => 0,
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, expected, resumed, reason } = self;
        match reason {
            LossReason::Expired => write!(
                f,
                "{partition}: offset {expected} has expired, the log begins at {resumed} ({} lost)",
                self.offsets()
            ),
            LossReason::Truncated if expected == resumed => write!(
                f,
                "{partition}: the log was cut off below offset {expected} and has grown beyond it: records below are lost"
            ),
            LossReason::Truncated => write!(
                f,
                "{partition}: offset {expected} is beyond the log's end {resumed}: it was truncated ({} lost)",
                self.offsets()
            ),
            LossReason::Recreated => {
                write!(
                    f,
                    "{partition}: the topic was recreated since offset {expected}, its log begins at {resumed}"
                )
            }
            LossReason::Deleted => write!(f, "{partition}: no longer exists, was read to offset {expected}"),
        }
    }
}

/// Why no start can be given.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum StartError {
    /// Records are lost, and the job wants none lost in silence.
    #[error(
        "records are lost: {}; to go on without them, set source.on_data_loss: earliest (they are counted as lost), \
         or begin anew with --from earliest or --from latest",
        some(.0)
    )]
    Lost(Vec<Loss>),
    /// What looks lost, but may look so only for a moment: a broker that has just started does not know every
    /// partition, and a leader that has just been elected may tell an old end of its log.
    #[error("records may be lost: {}", some(.0))]
    Doubtful(Vec<Loss>),
    /// A partition's leader has not told how far its log reaches.
    #[error("the log of {} is unknown: it has no leader, or the leader does not answer; repeat when it has", some(.0))]
    Unknown(Vec<Partition>),
}

/// The first few, and how many more.
fn some<T: fmt::Display>(all: &[T]) -> String {
    const SHOWN: usize = 5;
    let mut text = all.iter().take(SHOWN).map(ToString::to_string).collect::<Vec<_>>().join("; ");
    if all.len() > SHOWN {
        text += &format!("; and {} more", all.len() - SHOWN);
    }
    text
}

/// Resolves where to start every partition of the topics.
///
/// `from` is `--from earliest|latest|TIME`: it sets held positions aside. Held positions of topics that are not
/// the job's are ignored: it no longer reads them. A topic that the user adds to a list begins by `start`. A topic that
/// matches a pattern and has no position beside others that have was made while no driver ran: it is new.
pub fn resolve_start(
    facts: Facts<'_>,
    start: StartRule,
    from: Option<StartRule>,
    policy: LossPolicy,
) -> Result<Start, StartError> {
    let nothing = BTreeMap::new();
    let held = if from.is_some() { &nothing } else { facts.held };
    let rule = from.unwrap_or(start);
    let with_positions: BTreeSet<&str> =
        held.keys().map(|partition| &*partition.topic).filter(|topic| facts.reads(topic)).collect();
    let is_new = |topic: &str| match facts.pattern {
        Some(_) => !with_positions.is_empty(),
        None => with_positions.contains(topic),
    };
    let mut result = Start { losses: deleted(&facts, held), ..Start::default() };
    let mut unknown = Vec::new();
    let mut certain = BTreeSet::new();
    for (topic, number) in facts.topics.iter().flat_map(|t| t.partitions.iter().map(move |p| (t, p.number))) {
        let partition = Partition::new(topic.name.as_str(), number);
        let Some(range) = facts.ranges.get(&partition) else {
            unknown.push(partition);
            continue;
        };
        let fresh = |offset| Position { topic_id: topic.id, ..Position::at(offset) };
        let position = match held.get(&partition) {
            Some(held) => match check(*held, topic.id, range) {
                None => Position { topic_id: topic.id, ..*held },
                Some((reason, resumed)) => {
                    if topic.id.is_some() && held.topic_id.is_some() || reason == LossReason::Expired {
                        certain.insert(partition.clone());
                    }
                    let expected = held.offset;
                    result.losses.push(Loss { partition: partition.clone(), expected, resumed, reason });
                    fresh(resumed)
                }
            },
            None if is_new(&topic.name) => {
                result.new.push(partition.clone());
                result.oldest.insert(partition.clone());
                fresh(range.first)
            }
            None => match rule {
                StartRule::Earliest => {
                    result.oldest.insert(partition.clone());
                    fresh(range.first)
                }
                StartRule::Latest => fresh(range.end),
                StartRule::Timestamp(_) => match facts.at_time.get(&partition) {
                    Some(offset) => fresh((*offset).clamp(range.first, range.high)),
                    None => {
                        unknown.push(partition);
                        continue;
                    }
                },
            },
        };
        result.positions.push((partition, position));
    }
    if !unknown.is_empty() {
        return Err(StartError::Unknown(unknown));
    }
    let is_certain =
        |loss: &&Loss| certain.contains(&loss.partition) || facts.believed.contains(&loss.partition);
    let (losses, doubtful): (Vec<_>, Vec<_>) =
        result.losses.iter().cloned().partition(|loss| is_certain(&loss));
    if policy == LossPolicy::Fail && !losses.is_empty() {
        return Err(StartError::Lost(losses));
    }
    if !doubtful.is_empty() {
        return Err(StartError::Doubtful(doubtful));
    }
    result.positions.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(result)
}

/// Forgets leader epochs that a partition's log has not reached yet: such an offset was committed on another cluster
/// and copied here. The check against this log (KIP-320) would take it for truncated.
pub fn forget_foreign_epochs(
    committed: &mut BTreeMap<Partition, Position>,
    current: &BTreeMap<Partition, i32>,
) {
    for (partition, position) in committed {
        if current.get(partition).is_some_and(|current| position.leader_epoch > *current) {
            position.leader_epoch = -1;
        }
    }
}

/// Why a position cannot be read on in a log with this identity and range, and where reading goes on instead.
///
/// Without topic ids (brokers before 2.8) a log that ends below the position is taken for a recreated topic's: had
/// it been truncated instead, which takes an unclean election, its beginning would be counted twice.
pub fn check(held: Position, topic_id: Option<TopicId>, range: &LogRange) -> Option<(LossReason, Offset)> {
    match (held.topic_id, topic_id) {
        (Some(then), Some(now)) if then != now => Some((LossReason::Recreated, range.first)),
        // The high watermark, not the end for this isolation: a position read without isolation may lie beyond it.
        (Some(_), Some(_)) if held.offset > range.high => Some((LossReason::Truncated, range.high)),
        _ if held.offset > range.high => Some((LossReason::Recreated, range.first)),
        _ if held.offset < range.first => Some((LossReason::Expired, range.first)),
        _ => None,
    }
}

/// Held partitions that are not there: of a topic that has fewer now, or of one that a pattern matched.
fn deleted(facts: &Facts<'_>, held: &BTreeMap<Partition, Position>) -> Vec<Loss> {
    let is_there = |partition: &Partition| {
        let topic = facts.topics.iter().find(|topic| *topic.name == *partition.topic);
        topic.is_some_and(|topic| topic.partitions.iter().any(|p| p.number == partition.number))
    };
    let lost = held.iter().filter(|(partition, _)| facts.reads(&partition.topic) && !is_there(partition));
    lost.map(|(partition, position)| Loss {
        partition: partition.clone(),
        expected: position.offset,
        resumed: position.offset,
        reason: LossReason::Deleted,
    })
    .collect()
}

#[cfg(test)]
mod tests;
