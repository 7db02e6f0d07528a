//! What brokers say of topics, sorted into found, absent and unclear. Used by [`Admin::describe`](super::Admin).

use rdkafka::metadata::Metadata;
use rdkafka_sys::rd_kafka_resp_err_t as Code;

use super::{PartitionInfo, TopicInfo, Topics, TopicsRule, error};
use crate::source::native::requests::{Described, Failure};

/// Puts each answer where it belongs: one that is missing says nothing about the others.
pub(super) fn sort(rule: &TopicsRule, names: &[&str], described: Vec<Result<Described, Failure>>) -> Topics {
    let is_pattern = matches!(rule, TopicsRule::Pattern(_));
    let mut topics = Topics::default();
    let mut described = described.into_iter();
    for name in names {
        let answer = described.next().unwrap_or_else(|| Err(Failure::new(Code::RD_KAFKA_RESP_ERR__PARTIAL)));
        match answer {
            // `__consumer_offsets` and the like: a pattern that matches them does not mean them.
            Ok(topic) if topic.internal && is_pattern => {}
            Ok(topic) => topics.found.push(info(topic)),
            // Deleted between the two questions: the pattern does not match it any more.
            Err(failure) if failure.is(error::UNKNOWN_TOPIC) && is_pattern => {}
            Err(failure) if failure.is(error::UNKNOWN_TOPIC) => topics.absent.push((*name).to_owned()),
            Err(failure) => {
                if failure.is(error::DENIED) {
                    topics.denied.push((*name).to_owned());
                }
                topics.unclear.push(((*name).to_owned(), failure.reason));
            }
        }
    }
    topics
}

/// A topic without its id, which plain metadata does not tell.
pub(super) fn plain(name: &str, metadata: &Metadata) -> Result<Described, Failure> {
    let unknown = || Failure::new(Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    let topic = metadata.topics().iter().find(|topic| topic.name() == name).ok_or_else(unknown)?;
    if let Some(error) = topic.error() {
        return Err(Failure::new(error));
    }
    let partitions = topic.partitions().iter();
    let partitions = partitions.map(|p| (p.id(), p.leader(), p.replicas().to_vec(), p.isr().to_vec()));
    Ok(Described { name: name.to_owned(), id: None, internal: false, partitions: partitions.collect() })
}

fn info(topic: Described) -> TopicInfo {
    let mut partitions: Vec<PartitionInfo> = topic
        .partitions
        .into_iter()
        .map(|(number, leader, replicas, isr)| PartitionInfo { number, leader, replicas, isr })
        .collect();
    partitions.sort_by_key(|partition| partition.number);
    TopicInfo { name: topic.name, id: topic.id, partitions }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_topic_is_judged_by_itself() {
        let described = |name: &str| {
            let partitions = vec![(1, 7, vec![7], vec![7]), (0, -1, vec![7], vec![])];
            Ok(Described { name: name.to_owned(), id: None, internal: false, partitions })
        };
        let failed = |code| Err(Failure::new(code));
        let answers = vec![
            described("a"),
            failed(Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART),
            failed(Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED),
            failed(Code::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE),
            described("e"),
        ];
        let names = ["a", "b", "c", "d", "e", "f"];
        let rule = TopicsRule::Names(names.iter().map(ToString::to_string).collect());
        let topics = sort(&rule, &names, answers);
        let found: Vec<_> = topics.found.iter().map(|topic| topic.name.as_str()).collect();
        assert_eq!(found, ["a", "e"]);
        assert_eq!(topics.found[0].partitions.iter().map(|p| p.number).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(topics.absent, ["b"]);
        let unclear: Vec<_> = topics.unclear.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(unclear, ["c", "d", "f"], "an answer that is missing is unclear, too");
        assert!(topics.unclear[0].1.contains("authorization"), "{:?}", topics.unclear);
        assert_eq!(topics.denied, ["c"]);
    }

    #[test]
    fn a_pattern_means_neither_internal_topics_nor_those_deleted_meanwhile() {
        let internal = Described { name: "__a".to_owned(), id: None, internal: true, partitions: Vec::new() };
        let rule = TopicsRule::Pattern(regex::Regex::new("a").unwrap());
        let deleted = Err(Failure::new(Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART));
        let topics = sort(&rule, &["__a", "aa"], vec![Ok(internal.clone()), deleted]);
        assert_eq!(topics, Topics::default());
        let named = TopicsRule::Names(vec!["__a".to_owned()]);
        assert_eq!(sort(&named, &["__a"], vec![Ok(internal)]).found.len(), 1);
    }
}
