//! `source.synthetic`: posts made from a seed, at a steady rate. For trying things out, and for the demo.

use std::time::Duration;

use anyhow::bail;
use tokio::time::{Instant, sleep_until};

use super::{BATCH_EVENTS_MAX, FeedError, Progress};
use crate::config::producer::source;
use crate::produce::event::{Event, Resume};
use crate::produce::shape::Reader;

pub(crate) mod posts;

use posts::Posts;

/// How much of what was missed while nobody took posts is made up for, at once.
const CATCH_UP: Duration = Duration::from_secs(1);

/// A stream of posts that nobody wrote.
#[derive(Debug)]
pub(super) struct Synthetic {
    posts: Posts,
    frames: Reader,
    /// How many posts were made, those before a restart included.
    made: u64,
    /// Where it ends; `None`: nowhere.
    end: Option<u64>,
    interval: Interval,
    /// When the next post is due; `None` before the first one.
    due: Option<Instant>,
}

/// The time between two posts, exactly: a second has no whole number of nanoseconds for each of 3 posts.
#[derive(Debug, Clone, Copy)]
struct Interval {
    per_second: u32,
}

impl Interval {
    /// How many posts fall into this time.
    fn posts_in(self, time: Duration) -> u64 {
        u64::try_from(time.as_nanos() * u128::from(self.per_second) / 1_000_000_000).unwrap_or(u64::MAX)
    }

    /// How long so many posts take.
    fn time_of(self, posts: u64) -> Duration {
        let nanos = u128::from(posts) * 1_000_000_000 / u128::from(self.per_second);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl Synthetic {
    /// Goes on behind the post whose number `resume` is.
    pub(super) fn new(
        config: &source::Synthetic,
        frames: Reader,
        resume: Option<Resume>,
    ) -> anyhow::Result<Self> {
        let made = match resume {
            None => 0,
            Some(Resume::Token { ref text, .. }) => match text.parse() {
                Ok(made) => made,
                Err(_) => bail!("the cursor {text:?} is none of source.synthetic, which counts posts"),
            },
            Some(_) => {
                bail!("the cursor is none of source.synthetic; name another cursor.path for this source")
            }
        };
        Ok(Self {
            posts: Posts::after(config.seed, made),
            frames,
            made,
            end: (config.posts > 0).then_some(config.posts),
            interval: Interval { per_second: config.rate.max(1) },
            due: None,
        })
    }

    pub(super) async fn next(&mut self, events: &mut Vec<Event>) -> Result<Progress, FeedError> {
        let left = self.end.map_or(u64::MAX, |end| end.saturating_sub(self.made));
        if left == 0 {
            return Ok(Progress::Finished);
        }
        let mut due = *self.due.get_or_insert_with(Instant::now);
        sleep_until(due).await;
        let now = Instant::now();
        if now.duration_since(due) > CATCH_UP {
            due = now.checked_sub(CATCH_UP).unwrap_or(now);
        }
        let posts = self.interval.posts_in(now.duration_since(due)) + 1;
        let posts = posts.min(left).min(BATCH_EVENTS_MAX as u64);
        events.extend((0..posts).map(|_| self.event()));
        self.due = Some(due + self.interval.time_of(posts));
        Ok(Progress::More)
    }

    /// Makes no more posts.
    pub(super) fn close(&mut self) {
        self.end = Some(self.made);
    }

    fn event(&mut self) -> Event {
        self.made += 1;
        let frame = self.frames.read(self.posts.next().into());
        let text = self.made.to_string().into();
        Event { kind: frame.kind, resume: Some(Resume::Token { text, time_ms: None }) }
    }
}

#[cfg(test)]
mod tests;
