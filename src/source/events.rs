//! What the client tells about itself: errors, statistics, log lines. Read by `kafka` (reachability of
//! partitions) and `admin` (why a request failed).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use serde::Deserialize;

use super::native;
use crate::ids::{Offset, Partition};

/// Partition errors kept until they are looked at; more are dropped, as statistics tell the state of partitions too.
const PARTITION_ERRORS_MAX: usize = 1024;
/// A topic id that is none: from a broker that knows no ids.
const NO_ID: &str = "AAAAAAAAAAAAAAAAAAAAAA";

/// The client's context: collects what happens between two looks at it.
#[derive(Debug, Default)]
pub(super) struct Events {
    inbox: Mutex<Inbox>,
}

/// What has happened.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// The last reason why brokers could not be reached, and of which kind it was.
    pub(super) trouble: Option<Trouble>,
    /// The newest statistics since the last look.
    pub(super) statistics: Option<Statistics>,
    /// Log lines about errors of single partitions, in librdkafka's words.
    pub(super) partition_errors: Vec<String>,
    /// Topics whose id the client has learned or seen change.
    pub(super) topic_ids: Vec<(String, String)>,
}

/// Why a broker could not be reached.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    /// The cluster answers, and refuses: SASL, TLS or an access rule.
    pub(super) denied: bool,
    /// It was TLS that failed.
    pub(super) tls: bool,
    /// librdkafka's words.
    pub(super) reason: String,
}

/// The part of librdkafka's statistics (STATISTICS.md) that tells which partitions can be read.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Statistics {
    /// When they were drawn up, microseconds of `CLOCK_MONOTONIC` (rd_clock, rdtime.h).
    #[serde(default)]
    pub(super) ts: u64,
    #[serde(default)]
    pub(super) brokers: HashMap<String, Broker>,
    #[serde(default)]
    pub(super) topics: HashMap<String, Topic>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Broker {
    pub(super) nodeid: i32,
    pub(super) state: String,
    /// Microseconds since something was received, -1 when nothing was.
    pub(super) rxidle: i64,
    #[serde(default)]
    pub(super) disconnects: u64,
    #[serde(default)]
    pub(super) req_timeouts: u64,
    #[serde(default)]
    pub(super) req: Requests,
}

/// Requests that were sent, by their names.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Requests {
    #[serde(rename = "Fetch", default)]
    pub(super) fetch: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Topic {
    #[serde(default)]
    pub(super) partitions: HashMap<String, PartitionStatistics>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PartitionStatistics {
    /// Id of the broker it is fetched from, -1 for none.
    pub(super) broker: i32,
    /// Id of its leader, -1 for none: with `client.rack` it may be fetched from a follower.
    pub(super) leader: i32,
    pub(super) fetch_state: String,
    /// The high watermark in the last fetch's answer, negative before the first.
    #[serde(default = "unknown")]
    pub(super) hi_offset: Offset,
    /// The last stable offset in it, whatever the isolation; the high watermark on brokers that know none.
    #[serde(default = "unknown")]
    pub(super) ls_offset: Offset,
}

fn unknown() -> Offset {
    -1
}

impl Statistics {
    /// What they say of a partition.
    pub(super) fn partition(&self, partition: &Partition) -> Option<&PartitionStatistics> {
        self.topics.get(&*partition.topic)?.partitions.get(&partition.number.to_string())
    }

    /// The broker with this id.
    pub(super) fn broker(&self, id: i32) -> Option<(&str, &Broker)> {
        self.brokers
            .iter()
            .find(|(_, broker)| broker.nodeid == id)
            .map(|(name, broker)| (name.as_str(), broker))
    }
}

impl Events {
    pub(super) fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Events {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // An error of one partition (it no longer exists, or may not be read) reaches an application that drains
        // in batches only as this log line: rd_kafka_toppar_enq_error -> RD_KAFKA_OP_ERR -> rd_kafka_poll_cb.
        if facility == "ERROR" {
            let mut inbox = self.inbox();
            if inbox.partition_errors.len() < PARTITION_ERRORS_MAX {
                inbox.partition_errors.push(message.to_owned());
            }
        }
        if facility == "METADATA"
            && let Some((topic, id)) = changed_id(message)
        {
            self.inbox().topic_ids.push((topic.to_owned(), id.to_owned()));
        }
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                tracing::error!(facility, message, "kafka client");
            }
            // What of this matters comes as a failed request or as a partition's state, with its reason, once.
            _ => tracing::debug!(facility, message, "kafka client"),
        }
    }

    fn stats_raw(&self, statistics: &[u8]) {
        match serde_json::from_slice(statistics) {
            Ok(statistics) => self.inbox().statistics = Some(statistics),
            Err(error) => tracing::warn!(%error, "kafka client statistics not understood"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        let denied = matches!(
            code,
            Some(
                RDKafkaErrorCode::Authentication
                    | RDKafkaErrorCode::SaslAuthenticationFailed
                    | RDKafkaErrorCode::ClusterAuthorizationFailed
                    | RDKafkaErrorCode::SSL
            )
        );
        let mut inbox = self.inbox();
        // "all brokers are down" says less than what was said before it.
        let summary = code == Some(RDKafkaErrorCode::AllBrokersDown);
        if !summary || inbox.trouble.is_none() {
            let tls = code == Some(RDKafkaErrorCode::SSL);
            inbox.trouble = Some(Trouble { denied, tls, reason: reason.to_owned() });
        }
        tracing::debug!(reason, "kafka client error");
    }
}

impl ConsumerContext for Events {}

/// The librdkafka whose log lines and error texts are read here and in `slots`, in the form of `RD_KAFKA_VERSION`. Before
/// another one is taken, the tests against a real broker (`scripts/test cluster`) must pass with it.
const TESTED_WITH: i32 = 0x020c_01ff;

/// Says once that the librdkafka in use is not that one: it may have been linked by someone else.
pub(super) fn warn_of_another_librdkafka() {
    static ONCE: Once = Once::new();
    let version = native::version();
    if version != TESTED_WITH {
        ONCE.call_once(|| {
            tracing::warn!("librdkafka {version:x} is not {TESTED_WITH:x}, with which this was tested");
        });
    }
}

/// Topic and id in `Topic NAME changed id from ID to ID` (rd_kafka_topic_metadata_update, rdkafka_topic.c): the only
/// sign of a topic that was deleted and created anew, which librdkafka then reads on at the old offset.
fn changed_id(message: &str) -> Option<(&str, &str)> {
    let (before, after) = message.split_once(" changed id from ")?;
    let topic = before.rsplit_once(' ')?.1;
    let id = after.split_once(" to ")?.1.trim();
    (id != NO_ID).then_some((topic, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn librdkafka_is_the_one_whose_words_are_known() {
        assert_eq!(format!("{:x}", native::version()), format!("{TESTED_WITH:x}"));
    }

    #[test]
    fn a_changed_id_is_read_from_its_line() {
        let line = |to: &str| format!("[thrd:main]: Topic a.b_c-1 changed id from {NO_ID} to {to}");
        assert_eq!(changed_id(&line("xyzzy")), Some(("a.b_c-1", "xyzzy")));
        assert_eq!(changed_id(&line(NO_ID)), None);
        assert_eq!(changed_id("[thrd:main]: Topic t [0] Leader 1 Epoch 0"), None);
    }
}
