//! What Kafka's error codes mean for a record and for the sink: one table. Used by `deliveries` and by `Sink::send`.

use rdkafka::error::RDKafkaErrorCode as Code;

/// What a failed record means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Kafka refuses this very record, or another of its batch without saying which: see `suspects`. librdkafka then bumps its epoch, numbers what follows anew and goes on
    /// (`rd_kafka_idemp_drain_epoch_bump`); with transactions it has the transaction aborted.
    Refused,
    /// Kafka refused another record of its batch (KIP-467). Sent again it is taken.
    Innocent,
    /// Its transaction is to be aborted, or was: all of its records are the caller's again.
    Void,
    /// The sink is at its end. What is not known is taken for this: nothing is lost by it, as the next sink sends the
    /// record again.
    Fatal,
}

/// What it means that a record failed with this code.
pub(super) fn of(code: Code, transactional: bool) -> Meaning {
    match code {
        Code::MessageSizeTooLarge
        | Code::MessageBatchTooLarge
        | Code::InvalidMessageSize
        // Before 2.4 also a null key in a compacted topic.
        | Code::InvalidMessage
        | Code::InvalidRecord => Meaning::Refused,
        Code::InvalidDifferentRecord if !transactional => Meaning::Innocent,
        Code::InvalidDifferentRecord
        // Thrown out of the queue by an abort.
        | Code::PurgeQueue
        | Code::PurgeInflight
        // The coordinator gives a new epoch after the abort (KIP-360).
        | Code::OutOfOrderSequenceNumber
        | Code::UnknownProducerId
        | Code::InvalidProducerIdMapping
            if transactional =>
        {
            Meaning::Void
        }
        _ => Meaning::Fatal,
    }
}

/// What to do about a sink that ended with this code; with a separator in front.
pub(super) fn remedy(code: Code) -> &'static str {
    match code {
        Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch => {
            "; another producer with this transactional id has begun, or a transaction was open for longer than \
             transaction.timeout.ms"
        }
        Code::TopicAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed => {
            "; allow the user Write for the topic (before Kafka 2.8 also IdempotentWrite for the cluster), and for the \
             transactional id if there is one"
        }
        Code::UnknownTopic | Code::UnknownTopicOrPartition => "; was the topic deleted?",
        Code::UnknownPartition => "; was the topic made anew, with fewer partitions?",
        Code::InvalidTimestamp => "; is this machine's clock right?",
        Code::UnsupportedCompressionType => "; set another compression.type in kafka.properties",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_given_up_only_when_kafka_refuses_that_very_record() {
        let (plain, both) = (false, [false, true]);
        let table: &[(Code, &[bool], Meaning)] = &[
            (Code::MessageSizeTooLarge, &both, Meaning::Refused),
            (Code::MessageBatchTooLarge, &both, Meaning::Refused),
            (Code::InvalidMessageSize, &both, Meaning::Refused),
            (Code::InvalidMessage, &both, Meaning::Refused),
            (Code::InvalidRecord, &both, Meaning::Refused),
            (Code::InvalidDifferentRecord, &[plain], Meaning::Innocent),
            (Code::InvalidDifferentRecord, &[true], Meaning::Void),
            (Code::PurgeQueue, &[plain], Meaning::Fatal),
            (Code::PurgeQueue, &[true], Meaning::Void),
            (Code::PurgeInflight, &[true], Meaning::Void),
            (Code::OutOfOrderSequenceNumber, &[plain], Meaning::Fatal),
            (Code::OutOfOrderSequenceNumber, &[true], Meaning::Void),
            (Code::UnknownProducerId, &[plain], Meaning::Fatal),
            (Code::UnknownProducerId, &[true], Meaning::Void),
            (Code::InvalidProducerIdMapping, &[true], Meaning::Void),
            // Of the sink, not of the record: its cursor stays before the record.
            (Code::Fatal, &both, Meaning::Fatal),
            (Code::Fenced, &both, Meaning::Fatal),
            (Code::ProducerFenced, &both, Meaning::Fatal),
            (Code::InvalidProducerEpoch, &both, Meaning::Fatal),
            (Code::TopicAuthorizationFailed, &both, Meaning::Fatal),
            (Code::ClusterAuthorizationFailed, &both, Meaning::Fatal),
            (Code::TransactionalIdAuthorizationFailed, &both, Meaning::Fatal),
            (Code::UnknownTopic, &both, Meaning::Fatal),
            (Code::UnknownPartition, &both, Meaning::Fatal),
            (Code::InvalidTimestamp, &both, Meaning::Fatal),
            (Code::UnsupportedCompressionType, &both, Meaning::Fatal),
            (Code::PolicyViolation, &both, Meaning::Fatal),
            (Code::MessageTimedOut, &both, Meaning::Fatal),
            (Code::Unknown, &both, Meaning::Fatal),
        ];
        for (code, kinds, meaning) in table {
            for transactional in *kinds {
                assert_eq!(of(*code, *transactional), *meaning, "{code:?}, transactional: {transactional}");
            }
        }
    }
}
