//! What the demo's producer is told: synthetic posts, or real ones of Bluesky by keyword.

use crate::config;
use crate::config::producer::source::{Jetstream, Synthetic};
use crate::config::producer::{Kafka, Keyword, Keywords, Match, Source};

/// The replaced producer's keywords, in its order.
const KEYWORDS: [&str; 4] = ["Bitcoin", "Blockchain", "IoT", "5G"];

/// A producer of made-up posts, keyed as the replaced one keyed.
pub(super) fn synthetic(brokers: &str, topic: &str, rate: u32) -> config::Producer {
    let keywords = Keywords { matching: Match::RawSubstring, ..keyed_by(KEYWORDS) };
    let source = Source::Synthetic(Synthetic { rate, ..Synthetic::default() });
    config::Producer { source, keywords, kafka: kafka(brokers, topic), ..config::Producer::default() }
}

/// A producer of Bluesky's posts, as they are written.
pub(super) fn live(brokers: &str, topic: &str, words: &[String]) -> config::Producer {
    let keywords = keyed_by(words.iter().map(String::as_str));
    let source = Source::Jetstream(Jetstream::default());
    config::Producer { source, keywords, kafka: kafka(brokers, topic), ..config::Producer::default() }
}

fn keyed_by<'a>(words: impl IntoIterator<Item = &'a str>) -> Keywords {
    let list = words.into_iter().map(Keyword::named).collect();
    Keywords { list, ..Keywords::default() }
}

fn kafka(brokers: &str, topic: &str) -> Kafka {
    let brokers = brokers.split(',').map(ToOwned::to_owned).collect();
    Kafka { brokers, topic: topic.to_owned(), ..Kafka::default() }
}
