//! Synthetic posts: what a social stream looks like to the job, from a seed. Feeds the demo's producer.

use crate::random::Random;

/// The replaced producer's keywords, in its order: the first one a post contains is its key.
pub(super) const KEYWORDS: [&str; 4] = ["Bitcoin", "Blockchain", "IoT", "5G"];

const SUBJECTS: [&str; 5] = ["Bitcoin", "blockchain", "IoT", "5G", "the weather"];
const OPENINGS: [&str; 6] = [
    "Just read a long thread about",
    "Nobody told me this about",
    "Unpopular opinion:",
    "My whole feed is",
    "Great talk today on",
    "Can someone explain",
];
const ENDINGS: [&str; 5] =
    ["again.", "and I have questions.", "in three charts.", "for beginners!", "- worth your time"];

/// One post as it would arrive.
pub(super) struct Post {
    /// Its key: the first keyword that the JSON contains, in any case; `None` if it contains none.
    pub key: Option<&'static str>,
    /// The post as JSON.
    pub json: String,
}

/// An endless stream of posts; subjects are Zipf-distributed, so the first keyword leads.
pub(super) struct Posts {
    random: Random,
    number: u64,
}

impl Posts {
    pub(super) fn with_seed(seed: u64) -> Self {
        Self { random: Random::with_seed(seed), number: 0 }
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.random.below(from.len())]
    }

    /// A subject with probability proportional to 1, 1/2, 1/3, ...
    fn subject(&mut self) -> &'static str {
        const SHARES: u64 = 60 + 30 + 20 + 15 + 12;
        let mut point = self.random.next_u64() % SHARES;
        for (rank, subject) in (1..).zip(SUBJECTS) {
            let share = 60 / rank;
            if point < share {
                return subject;
            }
            point -= share;
        }
        SUBJECTS[0]
    }

    pub(super) fn next(&mut self) -> Post {
        self.number += 1;
        let (opening, subject, ending) = (self.pick(&OPENINGS), self.subject(), self.pick(&ENDINGS));
        let (id, user) = (self.number, self.random.next_u64() % 5_000);
        let json =
            format!(r#"{{"id":{id},"user":"user{user}","lang":"en","text":"{opening} {subject} {ending}"}}"#);
        Post { key: first_keyword(&json), json }
    }
}

fn first_keyword(json: &str) -> Option<&'static str> {
    let lower = json.to_ascii_lowercase();
    KEYWORDS.into_iter().find(|keyword| lower.contains(&keyword.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_keyword_and_none_occur_and_the_first_leads() {
        let mut posts = Posts::with_seed(1);
        let keys: Vec<_> = (0..10_000).map(|_| posts.next().key).collect();
        let count = |key| keys.iter().filter(|k| **k == key).count();
        let counts = [
            count(Some("Bitcoin")),
            count(Some("Blockchain")),
            count(Some("IoT")),
            count(Some("5G")),
            count(None),
        ];
        assert!(counts.is_sorted_by(|a, b| a > b) && counts[4] > 500, "{counts:?}");
    }

    #[test]
    fn posts_are_json() {
        let post = Posts::with_seed(2).next();
        assert!(serde_json::from_str::<serde_json::Value>(&post.json).is_ok(), "{}", post.json);
    }
}
