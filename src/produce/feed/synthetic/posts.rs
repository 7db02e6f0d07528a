//! Synthetic posts: what a social stream looks like to the job, from a seed. Feeds `synthetic` and the demo.

use crate::random::Random;

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

/// How many random numbers a post takes, each one as many.
const DRAWS: u64 = 4;

/// An endless stream of posts; subjects are Zipf-distributed, so the first keyword leads.
#[derive(Debug)]
pub(crate) struct Posts {
    random: Random,
    number: u64,
}

impl Posts {
    /// The stream of this seed behind its first `number` posts.
    pub(crate) fn after(seed: u64, number: u64) -> Self {
        let mut random = Random::with_seed(seed);
        random.skip(number.wrapping_mul(DRAWS));
        Self { random, number }
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

    /// The next post, as JSON.
    pub(crate) fn next(&mut self) -> String {
        self.number += 1;
        let (opening, subject, ending) = (self.pick(&OPENINGS), self.subject(), self.pick(&ENDINGS));
        let (id, user) = (self.number, self.random.next_u64() % 5_000);
        format!(r#"{{"id":{id},"user":"user{user}","lang":"en","text":"{opening} {subject} {ending}"}}"#)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subject_occurs_and_the_first_leads() {
        let mut posts = Posts::after(1, 0);
        let posts: Vec<_> = (0..10_000).map(|_| posts.next()).collect();
        let counts = SUBJECTS.map(|subject| posts.iter().filter(|post| post.contains(subject)).count());
        assert!(counts.is_sorted_by(|a, b| a > b) && counts[4] > 500, "{counts:?}");
    }

    #[test]
    fn a_stream_goes_on_behind_any_post_as_if_it_had_not_been_left() {
        let all: Vec<_> = {
            let mut posts = Posts::after(7, 0);
            (0..100).map(|_| posts.next()).collect()
        };
        for left in [0, 1, 50, 99] {
            assert_eq!(Posts::after(7, left as u64).next(), all[left], "behind {left}");
        }
    }

    #[test]
    fn posts_are_json() {
        let post = Posts::after(2, 0).next();
        assert!(serde_json::from_str::<serde_json::Value>(&post).is_ok(), "{post}");
    }
}
