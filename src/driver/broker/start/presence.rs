//! Which of the job's topics are missing at a start, told by name. Used by [`start`](super).

use std::fmt;

use super::patience::{Kind, Obstacle};
use crate::source::admin::{TopicInfo, Topics, TopicsRule};

/// The topics, if none of the rule's is missing; a pattern must match one.
pub(super) fn complete(topics: Topics, rule: &TopicsRule, brokers: &str) -> Result<Vec<TopicInfo>, NotThere> {
    let Topics { found, mut absent, unclear, denied } = topics;
    if matches!(rule, TopicsRule::Pattern(_)) && found.is_empty() && unclear.is_empty() {
        absent.push(rule.to_string());
    }
    if absent.is_empty() && unclear.is_empty() {
        return Ok(found);
    }
    Err(NotThere { absent, unclear, denied, brokers: brokers.to_owned() })
}

/// Topics without which reading cannot begin.
#[derive(Debug, thiserror::Error)]
pub(super) struct NotThere {
    /// The cluster says that there are none of these names, or that nothing matches this pattern.
    absent: Vec<String>,
    /// The cluster could not say, and why.
    unclear: Vec<(String, String)>,
    /// Those of `unclear` that an access rule keeps from this user.
    denied: Vec<String>,
    brokers: String,
}

impl NotThere {
    /// What stands in the way, for each topic.
    pub(super) fn obstacles(&self) -> Vec<Obstacle> {
        let absent = self.absent.iter().map(|topic| (Kind::Gone, topic.clone()));
        let unclear = self.unclear.iter().map(|(topic, _)| {
            let kind = if self.denied.contains(topic) { Kind::Denied } else { Kind::Leaderless };
            (kind, topic.clone())
        });
        absent.chain(unclear).collect()
    }
}

impl fmt::Display for NotThere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { absent, unclear, brokers, denied: _ } = self;
        let mut parts = Vec::new();
        if let [only] = absent.as_slice() {
            parts.push(format!("topic {only} does not exist on {brokers}: create it, or correct source.topics or source.brokers"));
        } else if !absent.is_empty() {
            let absent = absent.join(", ");
            parts.push(format!("topics {absent} do not exist on {brokers}: create them, or correct source.topics or source.brokers"));
        }
        parts.extend(
            unclear.iter().map(|(topic, reason)| format!("describe topic {topic} on {brokers}: {reason}")),
        );
        f.write_str(&parts.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &str) -> TopicInfo {
        TopicInfo { name: name.to_owned(), id: None, partitions: Vec::new() }
    }

    fn refused(topics: Topics, rule: &TopicsRule) -> String {
        complete(topics, rule, "b:1").unwrap_err().to_string()
    }

    #[test]
    fn exactly_the_topics_that_are_missing_are_named() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let rule = TopicsRule::Names(names(&["a", "b", "c", "d"]));
        let found = vec![topic("a")];
        let there = complete(Topics { found: found.clone(), ..Topics::default() }, &rule, "b:1").unwrap();
        assert_eq!(there, found);
        let told =
            refused(Topics { found: found.clone(), absent: names(&["b"]), ..Topics::default() }, &rule);
        assert!(told.starts_with("topic b does not exist on b:1: create it"), "{told}");
        let unclear = vec![("d".to_owned(), "authorization failed".to_owned())];
        let some = Topics { found, absent: names(&["b", "c"]), unclear, denied: names(&["d"]) };
        let obstacles = complete(some.clone(), &rule, "b:1").unwrap_err().obstacles();
        let named = |kind, topic: &str| (kind, topic.to_owned());
        assert_eq!(obstacles, [named(Kind::Gone, "b"), named(Kind::Gone, "c"), named(Kind::Denied, "d")]);
        let told = refused(some, &rule);
        assert!(told.starts_with("topics b, c do not exist"), "{told}");
        assert!(told.ends_with("; describe topic d on b:1: authorization failed"), "{told}");
    }

    #[test]
    fn a_pattern_must_match_a_topic() {
        let rule = TopicsRule::Pattern(regex::Regex::new("^x-.*$").unwrap());
        let told = refused(Topics::default(), &rule);
        assert!(told.starts_with("topic ^x-.*$ does not exist"), "{told}");
    }
}
