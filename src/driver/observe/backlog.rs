//! A backlog being worked off: how many records are left, and how long that takes at the present rate.

use std::collections::VecDeque;
use std::fmt;

use crate::ids::Millis;

/// Slides behind in a row before it is called a backlog: one is behind after every pause.
const SLIDES_MIN: u64 = 3;
/// Over so many slides the rate is taken.
const RATE_SLIDES: usize = 10;
/// After so many slides no progress is no progress.
const SURE_SLIDES: u64 = 30;
/// It is logged again after so long, milliseconds.
const LOG_EVERY_MS: Millis = 60_000;

/// How far behind the log the job is, slide by slide.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    slides: u64,
    /// When, and records left then.
    left: VecDeque<(Millis, u64)>,
    logged_ms: Option<Millis>,
}

/// What is left of a backlog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Left {
    records: u64,
    /// At the present rate; `None` if it does not become less.
    seconds: Option<u64>,
}

impl Backlog {
    /// A slide closed: whether it was behind, and how many records are not counted yet.
    pub(super) fn slide(&mut self, now_ms: Millis, behind: bool, records: u64) {
        if !behind {
            if self.logged_ms.is_some() {
                tracing::info!("caught up");
            }
            *self = Self::default();
            return;
        }
        self.slides += 1;
        self.left.push_back((now_ms, records));
        if self.left.len() > RATE_SLIDES {
            self.left.pop_front();
        }
        let due = self.logged_ms.is_none_or(|logged_ms| now_ms >= logged_ms + LOG_EVERY_MS);
        // Reading may only have begun: that it makes no progress is said when that is sure.
        let sure = |left: &Left| left.seconds.is_some() || self.slides >= SURE_SLIDES;
        if let Some(left) = self.left().filter(|left| due && sure(left)) {
            tracing::info!("{left}");
            self.logged_ms = Some(now_ms);
        }
    }

    /// What is left, if there is a backlog.
    pub(super) fn left(&self) -> Option<Left> {
        let (&(first_ms, first), &(last_ms, last)) = (self.left.front()?, self.left.back()?);
        if self.slides < SLIDES_MIN || last == 0 {
            return None;
        }
        let (fewer, took_ms) = (first.saturating_sub(last), (last_ms - first_ms).max(1).unsigned_abs());
        let seconds = (fewer > 0).then(|| u128::from(last) * u128::from(took_ms) / u128::from(fewer) / 1_000);
        Some(Left {
            records: last,
            seconds: seconds.map(|seconds| u64::try_from(seconds).unwrap_or(u64::MAX)),
        })
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "catching up: {} records behind, ", self.records)?;
        match self.seconds {
            Some(seconds) => write!(f, "about {seconds} s left"),
            None => f.write_str("and not fewer than before"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_told_by_the_rate() {
        let mut backlog = Backlog::default();
        let slides = |backlog: &mut Backlog, lefts: &[u64]| {
            for (n, left) in (0..).zip(lefts) {
                backlog.slide(n * 1_000, *left > 0, *left);
            }
        };
        slides(&mut backlog, &[1_000, 900]);
        assert_eq!(backlog.left(), None, "two slides are no backlog");
        slides(&mut backlog, &[0, 1_000, 900, 800]);
        assert_eq!(backlog.left(), Some(Left { records: 800, seconds: Some(8) }));
        assert_eq!(backlog.left().unwrap().to_string(), "catching up: 800 records behind, about 8 s left");
        slides(&mut backlog, &[0, 800, 800, 900]);
        assert_eq!(backlog.left(), Some(Left { records: 900, seconds: None }));
        slides(&mut backlog, &[0]);
        assert_eq!(backlog.left(), None);
    }
}
