//! What can go wrong between the driver and Kafka, told so that someone can repair it.

use rdkafka_sys::rd_kafka_resp_err_t as Code;

use crate::source::events::Trouble;
use crate::source::native::requests::Failure;

/// Why a question could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The client refused its settings.
    #[error("create Kafka client: {0}; check source.properties")]
    Settings(String),
    /// No broker answered in time.
    #[error(
        "{action} on {brokers}: no broker could be reached: {reason}; check source.brokers and the network"
    )]
    Unreachable {
        /// What was tried.
        action: String,
        /// As configured.
        brokers: String,
        /// The last thing a connection failed with.
        reason: String,
    },
    /// A broker answered, and refused.
    #[error(
        "{action} on {brokers}: refused: {reason}; check security.protocol, sasl.* and ssl.* in \
         source.properties and the user's access rules"
    )]
    Denied {
        /// What was tried.
        action: String,
        /// As configured.
        brokers: String,
        /// The broker's or the TLS library's words.
        reason: String,
        /// Whether it may pass by itself: a TLS handshake that was cut off is what a proxy does whose brokers are away,
        /// and a ticket or token is refused by someone who is not a broker.
        passing: bool,
    },
    /// Anything else.
    #[error("{action} on {brokers}: {reason}")]
    Failed {
        /// What was tried.
        action: String,
        /// As configured.
        brokers: String,
        /// The broker's words.
        reason: String,
    },
}

/// Why a commit was not made.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The group will not have it: it has live members, or access is denied. Repeating it does not help.
    #[error("commit offsets of group {group}: refused: {reason}")]
    Refused {
        /// The consumer group.
        group: String,
        /// The broker's words.
        reason: String,
    },
    /// It may work later.
    #[error("commit offsets of group {group}: {reason}")]
    Failed {
        /// The consumer group.
        group: String,
        /// The broker's or the client's words.
        reason: String,
    },
}

/// Codes for a topic that is not there.
pub(super) const UNKNOWN_TOPIC: &[Code] = &[
    Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
    Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID,
    Code::RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
    Code::RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION,
];

/// Codes for a wait that led to nothing.
pub(super) const WAITED: &[Code] = &[
    Code::RD_KAFKA_RESP_ERR__TRANSPORT,
    Code::RD_KAFKA_RESP_ERR__TIMED_OUT,
    Code::RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE,
    Code::RD_KAFKA_RESP_ERR__WAIT_COORD,
    Code::RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN,
    Code::RD_KAFKA_RESP_ERR__RESOLVE,
];

/// Codes for a group whose coordinator is not there yet, or not there any more.
pub(super) const NO_COORDINATOR: &[Code] = &[
    Code::RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
    Code::RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
    Code::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
];

/// Codes for an answer that is a refusal.
pub(super) const DENIED: &[Code] = &[
    Code::RD_KAFKA_RESP_ERR__AUTHENTICATION,
    Code::RD_KAFKA_RESP_ERR__SSL,
    Code::RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED,
    Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
    Code::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
    Code::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
];

/// Codes for an access rule's refusal, which a broker has looked up.
const ACCESS: &[Code] = &[
    Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
    Code::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
    Code::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
];

/// A commit with these is not worth repeating. Which code an assign-only commit gets for a group with live members
/// differs by version: all that speak of membership are here.
const REFUSED: &[Code] = &[
    Code::RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
    Code::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,
    Code::RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS,
    Code::RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID,
    Code::RD_KAFKA_RESP_ERR_FENCED_MEMBER_EPOCH,
    Code::RD_KAFKA_RESP_ERR_STALE_MEMBER_EPOCH,
    Code::RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL,
    Code::RD_KAFKA_RESP_ERR_INVALID_GROUP_ID,
    Code::RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND,
    Code::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
    Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
    Code::RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE,
];

/// `by_password`: the brokers themselves decide who logs in.
pub(super) fn admin(
    action: String,
    brokers: &str,
    failure: Failure,
    trouble: Option<Trouble>,
    by_password: bool,
) -> AdminError {
    let brokers = brokers.to_owned();
    let waited = failure.is(WAITED);
    // While nothing answers, what connections failed with says more than that time has passed.
    let reason = match &trouble {
        Some(trouble) if waited => trouble.reason.clone(),
        _ => failure.reason.clone(),
    };
    // A broker that hangs up on the wrong protocol does not say so; librdkafka's text guesses it, or names the state in
    // which the connection was when the broker was the first to go.
    let signs = ["SSL handshake", "state SSL_HANDSHAKE", "security.protocol", "SASL"];
    let guessed = signs.iter().any(|word| reason.contains(word));
    let denied = trouble.as_ref().is_some_and(|trouble| trouble.denied);
    if failure.is(DENIED) || waited && (guessed || denied) {
        let login_refused = by_password && denied && trouble.is_some_and(|trouble| !trouble.tls);
        AdminError::Denied { action, brokers, reason, passing: !failure.is(ACCESS) && !login_refused }
    } else if waited {
        AdminError::Unreachable { action, brokers, reason }
    } else {
        AdminError::Failed { action, brokers, reason }
    }
}

pub(super) fn commit(group: &str, failure: Failure, trouble: Option<Trouble>) -> CommitError {
    let group = group.to_owned();
    if failure.is(REFUSED) {
        return CommitError::Refused { group, reason: failure.reason };
    }
    let reason = match trouble {
        Some(trouble) if failure.is(WAITED) => format!("{}: {}", failure.reason, trouble.reason),
        _ => failure.reason,
    };
    CommitError::Failed { group, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_hangs_up_in_a_handshake_refuses_and_is_not_away() {
        let of = |reason: &str| {
            let failure =
                Failure { code: Code::RD_KAFKA_RESP_ERR__TRANSPORT as i32, reason: reason.to_owned() };
            admin("describe topic t".to_owned(), "b:1", failure, None, true)
        };
        let hung_up = "ssl://b:1/bootstrap: Disconnected: SSL connection closed by peer (after 0ms in state SSL_HANDSHAKE)";
        assert!(matches!(of(hung_up), AdminError::Denied { .. }));
        assert!(matches!(
            of("b:1/bootstrap: Connect failed: Connection refused"),
            AdminError::Unreachable { .. }
        ));
    }

    #[test]
    fn a_refusal_passes_unless_a_broker_has_decided_it() {
        let passes = |code: Code, tls, by_password| {
            let failure = Failure::new(code);
            let trouble = Trouble { denied: true, tls, reason: "refused".to_owned() };
            match admin("ask".to_owned(), "b:1", failure, Some(trouble), by_password) {
                AdminError::Denied { passing, .. } => passing,
                other => panic!("{other}"),
            }
        };
        let login = Code::RD_KAFKA_RESP_ERR__AUTHENTICATION;
        assert!(!passes(login, false, true), "a wrong password");
        assert!(passes(login, false, false), "a ticket: perhaps the KDC is away");
        assert!(passes(login, true, true), "a handshake that was cut off");
        assert!(!passes(Code::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, true, false), "an access rule");
    }
}
