//! What is counted about connections. Written by a source's task, read for the metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Why a connection had to be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// There was none: name, TCP, TLS, or an answer that is none.
    Connect,
    /// It broke.
    Lost,
    /// Nothing came for too long.
    Silent,
    /// The server ended it, as it does now and then.
    Normal,
    /// The server answered with an error of HTTP.
    Http,
    /// The server wants fewer connections.
    RateLimited,
    /// The server refused.
    Refused,
    /// The server said in the stream why it ends it.
    Notice,
    /// Something was longer than is taken.
    TooLong,
    /// It was closed here, as there was no room for posts.
    Paused,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Connect,
        Self::Lost,
        Self::Silent,
        Self::Normal,
        Self::Http,
        Self::RateLimited,
        Self::Refused,
        Self::Notice,
        Self::TooLong,
        Self::Paused,
    ];

    /// As a label of a metric.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Lost => "lost",
            Self::Silent => "silent",
            Self::Normal => "normal",
            Self::Http => "http",
            Self::RateLimited => "rate_limited",
            Self::Refused => "refused",
            Self::Notice => "notice",
            Self::TooLong => "too_long",
            Self::Paused => "paused",
        }
    }

    /// Whether it is worth a warning.
    pub(super) fn is_trouble(self) -> bool {
        !matches!(self, Self::Normal | Self::Paused)
    }
}

/// How often connections were made again, for each reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reconnects([u64; Reason::ALL.len()]);

impl Reconnects {
    /// How often for this one.
    pub fn of(&self, reason: Reason) -> u64 {
        self.0.get(reason as usize).copied().unwrap_or_default()
    }

    /// Each reason with its number.
    pub fn iter(&self) -> impl Iterator<Item = (Reason, u64)> {
        Reason::ALL.into_iter().zip(self.0)
    }
}

/// Shared between a source's task and who reads the counts.
#[derive(Debug, Clone, Default)]
pub(in crate::produce::feed) struct Counts(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    reconnects: [AtomicU64; Reason::ALL.len()],
    undelivered: AtomicU64,
}

impl Counts {
    pub(super) fn reconnect(&self, reason: Reason) {
        if let Some(count) = self.0.reconnects.get(reason as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The server says that it left out so many posts.
    pub(in crate::produce::feed) fn undelivered(&self, posts: u64) {
        self.0.undelivered.fetch_add(posts, Ordering::Relaxed);
    }

    pub(in crate::produce::feed) fn reconnects(&self) -> Reconnects {
        let mut reconnects = Reconnects::default();
        for (to, from) in reconnects.0.iter_mut().zip(&self.0.reconnects) {
            *to = from.load(Ordering::Relaxed);
        }
        reconnects
    }

    pub(in crate::produce::feed) fn all_undelivered(&self) -> u64 {
        self.0.undelivered.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_a_count_and_a_name_of_its_own() {
        let counts = Counts::default();
        for (times, reason) in (1..).zip(Reason::ALL) {
            (0..times).for_each(|_| counts.reconnect(reason));
        }
        let reconnects = counts.reconnects();
        let expected: Vec<_> = Reason::ALL.into_iter().zip(1..).collect();
        assert_eq!(reconnects.iter().collect::<Vec<_>>(), expected);
        assert_eq!(reconnects.of(Reason::Paused), 10);
        let mut names = Reason::ALL.map(Reason::name).to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Reason::ALL.len());
    }
}
