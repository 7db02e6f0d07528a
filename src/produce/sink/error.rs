//! Why nothing can be sent to Kafka, told so that someone can repair it.

use crate::source::admin::AdminError;

/// Why a sink could not be opened, or asked.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The client refused its settings.
    #[error("create the Kafka producer: {0}; check kafka.properties")]
    Settings(String),
    /// No broker answered in time.
    #[error("no broker of {brokers} could be reached: {reason}; check kafka.brokers and the network")]
    Unreachable {
        /// As configured.
        brokers: String,
        /// The last thing a connection failed with.
        reason: String,
    },
    /// A broker answered, and refused.
    #[error(
        "Kafka at {brokers} refuses: {reason}; check security.protocol, sasl.* and ssl.* in kafka.properties and the \
         user's access rules (Describe and Write for the topic, and Write for the transactional id if there is one)"
    )]
    Denied {
        /// As configured.
        brokers: String,
        /// The broker's or the TLS library's words.
        reason: String,
        /// Whether it may pass by itself.
        passing: bool,
    },
    /// There is no such topic.
    #[error(
        "topic {topic} does not exist; create it, or let the producer do it by kafka.create: {{partitions: 6, replication: 2}}"
    )]
    NoTopic {
        /// Its name.
        topic: String,
    },
    /// The topic could not be made.
    #[error("create topic {topic}: {reason}; check kafka.create, or create it by other means")]
    Create {
        /// Its name.
        topic: String,
        /// The broker's words.
        reason: String,
    },
    /// A keyword names a partition that is not there.
    #[error(
        "keyword {key:?} goes to partition {partition}, and topic {topic} has only 0 to {last}; add partitions, or leave \
         the keyword's partition out"
    )]
    NoPartition {
        /// The topic.
        topic: String,
        /// The keyword's key.
        key: String,
        /// The partition that it names.
        partition: i32,
        /// The topic's last partition.
        last: i32,
    },
    /// With so few copies Kafka takes nothing, ever.
    #[error(
        "partition {partition} of topic {topic} has {replicas} replicas and min.insync.replicas is {min}, so Kafka would \
         never take a record; add replicas, or lower the topic's min.insync.replicas"
    )]
    TooFewReplicas {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// Its copies.
        replicas: usize,
        /// How many must be in sync.
        min: usize,
    },
    /// A compacted topic takes no record without a key.
    #[error(
        "topic {topic} is compacted (cleanup.policy), so Kafka refuses posts without a keyword; set keywords.unmatched to \
         drop, or the topic's cleanup.policy to delete"
    )]
    Compacted {
        /// The topic.
        topic: String,
    },
    /// Transactions could not be begun.
    #[error("begin transactions as {id:?}: {reason}")]
    Transactions {
        /// The transactional id.
        id: String,
        /// Kafka's words, and what to do.
        reason: String,
        /// Whether it may pass by itself.
        passing: bool,
    },
    /// Anything else.
    #[error("{action}: {reason}")]
    Failed {
        /// What was tried.
        action: String,
        /// The broker's or the client's words.
        reason: String,
        /// Whether it may pass by itself.
        passing: bool,
    },
}

impl SinkError {
    /// Whether trying again later may help without anybody doing anything about it.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Denied { passing, .. }
            | Self::Transactions { passing, .. }
            | Self::Failed { passing, .. } => *passing,
            Self::Settings(_)
            | Self::NoTopic { .. }
            | Self::Create { .. }
            | Self::NoPartition { .. }
            | Self::TooFewReplicas { .. }
            | Self::Compacted { .. } => false,
        }
    }

    /// The same with the keys of the producer file.
    pub(in crate::produce) fn of_admin(error: AdminError, brokers: &str) -> Self {
        match error {
            AdminError::Settings(reason) => Self::Settings(reason),
            AdminError::Unreachable { reason, .. } => {
                Self::Unreachable { brokers: brokers.to_owned(), reason }
            }
            AdminError::Denied { reason, passing, .. } => {
                Self::Denied { brokers: brokers.to_owned(), reason, passing }
            }
            AdminError::Failed { action, brokers, reason } => {
                Self::Failed { action: format!("{action} on {brokers}"), reason, passing: true }
            }
        }
    }
}

/// Why a record was not handed over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// No room, or no transaction is open: the post is still the caller's, who tries again later.
    #[error("the queue to Kafka is full")]
    Full,
    /// This very record will never be taken: too large, most of all. Others will.
    #[error("{0}")]
    Refused(String),
    /// The sink is at its end; see [`Sink::broken`](super::Sink::broken).
    #[error("{0}")]
    Broken(String),
}

/// Why a transaction did not go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransactionError {
    /// It is still under way: make the same call again.
    #[error("not done yet: {0}")]
    Unfinished(String),
    /// It cannot be committed: abort it, then begin the next one and send its records again.
    #[error("it must be aborted: {0}")]
    MustAbort(String),
    /// The sink is at its end.
    #[error("{0}")]
    Fatal(String),
}
