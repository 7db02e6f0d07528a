//! What the state is told and what it wants done: the whole surface between logic and world.

use std::sync::Arc;

use super::{CommitAnswer, Durability};
use crate::checkpoint::{self, Slide};
use crate::count::{Ring, Window};
use crate::ids::{CutNumber, Generation, Millis, Offset, Partition, Position, Session, Slot, TopicId};
use crate::launch::Target;
use crate::snapshot::{Plan, Ranked};
use crate::source::admin::LogRange;
use crate::source::start::Loss;
use crate::wire::message::{Counts, Delta, ToExecutor};

/// What the job file decides, as numbers.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Driver attempt, from 1.
    pub attempt: u32,
    /// Step of the window, milliseconds.
    pub slide_ms: Millis,
    /// Length of the window, a multiple of the slide, milliseconds.
    pub length_ms: Millis,
    /// Keys shown per window.
    pub top: usize,
    /// Executors wanted at the start.
    pub executors: u32,
    /// Silence that ends a session, milliseconds.
    pub timeout_ms: Millis,
    /// How long a session may owe a cut that others have answered, milliseconds.
    pub straggler_ms: Millis,
    /// Whether reading goes on behind lost offsets; otherwise losing any ends the job.
    pub skip_lost: bool,
    /// State bytes at which the job ends rather than run out of memory.
    pub memory_bytes: usize,
    /// How slides are made durable; `None`: there is no checkpoint.
    pub checkpoint: Option<Durability>,
    /// Which windows go into snapshots, with a checkpoint; `None`: there are no snapshots.
    pub snapshots: Option<Plan>,
    /// Whether the job reads whatever topics match a pattern: one that is deleted leaves the job.
    pub by_pattern: bool,
    /// Whether each slide's own counts are wanted as [`Effect::Slide`].
    pub report_slides: bool,
    /// Seed of the hash table; unknown to whoever chooses the keys.
    pub seed: u64,
}

/// Where reading of one partition begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The partition.
    pub partition: Partition,
    /// From where.
    pub position: Position,
    /// The log's end when that was decided.
    pub log_end: Option<Offset>,
    /// Whether it begins with the oldest record there is, and nothing of it was ever read: what expires before it is
    /// read is then no loss.
    pub earliest: bool,
}

/// What earlier attempts left in the checkpoint.
#[derive(Debug)]
pub struct Resumed {
    /// The window.
    pub ring: Ring,
    /// The last window end that is durable.
    pub end_ms: Option<Millis>,
    /// How many slides in a row, up to that one, were the whole truth.
    pub whole: u64,
    /// Driver attempt that closed the last slide.
    pub attempt: u32,
}

/// What the broker says of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The partition.
    pub partition: Partition,
    /// Its topic's identity, where the broker knows one.
    pub topic_id: Option<TopicId>,
    /// How far its log reaches; `None` if the broker could not say.
    pub log: Option<LogRange>,
}

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// Time passed; given whenever [`super::State::wake_ms`] is reached, after everything that has arrived.
    Tick,
    /// The start is resolved.
    Started {
        /// Where every partition is read from.
        starts: Vec<Start>,
        /// Since when the brokers were asked that: what they said is not older.
        asked_ms: Millis,
        /// The window to go on with, if there is one.
        resumed: Option<Box<Resumed>>,
    },
    /// What the job's topics look like now.
    Looked {
        /// Number of the [`Effect::Look`] that it answers.
        look: u64,
        /// Every partition of every topic of the job that is there.
        facts: Vec<Facts>,
        /// Topics of which the brokers could not say whether they are there.
        unclear: Vec<Arc<str>>,
    },
    /// The brokers could not say what the job's topics look like.
    LookFailed {
        /// Number of the [`Effect::Look`] that it answers.
        look: u64,
    },
    /// An executor has connected and said who it is.
    Opened {
        /// Its session.
        session: Session,
        /// The attempt it was started for.
        attempt: u32,
    },
    /// A connection is gone.
    Closed {
        /// Its session.
        session: Session,
        /// Why.
        reason: String,
    },
    /// The executor lives.
    Alive(Session),
    /// Part of a delta to come.
    Counts(Session, Counts),
    /// A cut's answer.
    Delta(Session, Delta),
    /// The launcher has started a process.
    Launched(Slot, Generation),
    /// A process has ended.
    Exited {
        /// Its slot.
        slot: Slot,
        /// Its generation.
        generation: Generation,
        /// How, in words.
        how: String,
        /// Whether it is to blame: a node that was lost or a container that was preempted is nobody's failure.
        to_blame: bool,
    },
    /// Windows are named by a time that is this much further ahead of the one that [`super::State::step`] is given: the
    /// wall clock was set forward, or the last durable end is ahead of it.
    ClockStepped {
        /// By how much, milliseconds.
        by_ms: Millis,
    },
    /// So many executors are wanted from now on.
    Scale(u32),
    /// What became of [`Effect::Commit`].
    Committed(CommitAnswer),
    /// The checkpoint has this attempt's first base.
    StartKept,
    /// The checkpoint has every slide up to this end.
    Kept {
        /// The end.
        until_ms: Millis,
    },
    /// The checkpoint's logs have grown long: a base is wanted.
    BaseWanted,
    /// Last cut, print, commit, finish; after the deadline, finish without.
    Stop {
        /// When to finish at the latest.
        deadline_ms: Millis,
    },
}

/// What is to be done.
#[derive(Debug)]
pub enum Effect {
    /// Tell the executor what it needs to know of the job.
    Welcome(Session),
    /// Send a message.
    Send(Session, ToExecutor),
    /// Tell the executor that its session is over and close the connection; whatever still comes is dropped.
    End(Session, EndReason),
    /// These executors are to run, and no others.
    Target(Target),
    /// Show a window.
    Print(Window),
    /// The newest slide's own counts; stands before the window they are newest in.
    Slide(SlideReport),
    /// Make a slide durable, behind those before it; answer with [`Input::Kept`]. With its window where snapshots have
    /// it.
    Keep(Box<Slide>, Option<Ranked>),
    /// Make the state durable as it is after the last slide that was handed over; the first time answer with
    /// [`Input::StartKept`].
    Base(Box<checkpoint::State>),
    /// Commit these positions to the group; answer with [`Input::Committed`].
    Commit(Vec<(Partition, Position)>),
    /// Ask the brokers about every partition now; answer with [`Input::Looked`] or [`Input::LookFailed`].
    Look(u64),
    /// Something that people and metrics should know.
    Event(Event),
    /// The job is over.
    Finish(Outcome),
}

/// Everything a slide added, for those who keep books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlideReport {
    /// The slide's end.
    pub end_ms: Millis,
    /// The cut that ended it; `None` for a slide that passed without one.
    pub cut: Option<CutNumber>,
    /// What was read: from, and where reading goes on.
    pub ranges: Vec<(Partition, Offset, Position)>,
    /// Records per key; a key may stand more than once.
    pub counts: Vec<(Option<Box<[u8]>>, u64)>,
}

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndReason {
    /// The connection closed.
    Closed(String),
    /// Nothing was heard for the time-out.
    Silent,
    /// It owed a cut for too long.
    Straggler(CutNumber),
    /// It broke the protocol; nothing of the offending message was taken.
    Refused(String),
    /// The process ended.
    Exited(String),
    /// It is not wanted any more.
    Surplus,
}

impl EndReason {
    /// A word for metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Closed(_) => "closed",
            Self::Silent => "silent",
            Self::Straggler(_) => "straggler",
            Self::Refused(_) => "refused",
            Self::Exited(_) => "exited",
            Self::Surplus => "surplus",
        }
    }
}

impl std::fmt::Display for EndReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Closed(reason) => write!(f, "the connection closed: {reason}"),
            Self::Silent => f.write_str("nothing was heard for executors.timeout"),
            Self::Straggler(cut) => write!(f, "it owed cut {cut} for longer than executors.straggler"),
            Self::Refused(reason) => write!(f, "refused: {reason}"),
            Self::Exited(how) => write!(f, "the process ended: {how}"),
            Self::Surplus => f.write_str("not wanted any more"),
        }
    }
}

/// Something that people and metrics should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A session is ready for partitions.
    SessionOpened(Session),
    /// A session is over; its partitions go to the others.
    SessionEnded(Session, EndReason),
    /// An executor ended without ever having had a session.
    StartFailed(Slot, Generation, String),
    /// Offsets that were never counted and never will be; reading goes on behind them.
    Lost(Loss),
    /// A partition appeared and is read from its beginning.
    PartitionAdded(Partition, Offset),
    /// A topic that the job names does not exist any more; the job waits for it.
    Gone(Partition),
    /// A partition does not exist any more and has left the job; nothing of it is read from here on.
    PartitionLeft(Partition),
    /// The oldest records expired before the first was read: the partition begins later.
    BeginsLater(Partition, Offset),
    /// An open transaction that does not end keeps this many records of the partition back; 0: no more.
    HeldBack(Partition, u64),
    /// Records counted under null because the key rule found no key.
    Unkeyed(String, u64),
    /// The group refused positions.
    CommitRefused,
    /// State takes more than 70 % of what it may.
    MemoryHigh {
        /// State bytes.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// So many ends passed without a cut of their own: their records are in the slide after. The newest of them, at
    /// most a window length, are printed with an empty newest slide, older ones are not printed.
    SlidesSkipped(u64),
}

/// How the job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Stopped on request.
    Stopped(Stop),
    /// It cannot go on, for a reason that a restart does not cure; or it was stopped and a restart will not go on
    /// where it ended.
    Failed(String),
}

/// What a stop has left undone at its deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Nothing: everything printed is durable, and committed unless the group refuses.
    Clean,
    /// The last cut was not answered, or its slide is not durable.
    Unfinished,
    /// Positions could not be committed; the checkpoint has them.
    Uncommitted,
}

impl Stop {
    /// What people should know about it.
    pub fn caveat(self) -> Option<&'static str> {
        match self {
            Self::Clean => None,
            Self::Unfinished => Some(
                "the last cut was not answered in time; what it would have printed is read again next time",
            ),
            Self::Uncommitted => Some(
                "the last offsets could not be committed; the checkpoint has them, but lag tools show older ones",
            ),
        }
    }
}
