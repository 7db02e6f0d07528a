//! The newest printed windows, for those who follow a job from elsewhere. The driver adds, `api` hands out.
//!
//! Bounded: a follower that was away for too long is told that it missed some, never shown an old one as new.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time;

use crate::ids::Millis;

/// Windows that are kept, if one window length is not more: ten minutes of seconds.
const WINDOWS_MAX: usize = 600;
/// Bytes of text that are kept.
const BYTES_MAX: usize = 4 << 20;
/// Bytes of text in one answer, or one window if that is longer. Below what `client` reads, however JSON escapes it.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// What a window takes beside its text, bytes.
const WINDOW_BYTES: usize = 64;

/// One window as it was printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrintedText {
    /// The slide boundary it is for.
    pub end_ms: Millis,
    /// All its lines, in the job's `console` format.
    pub text: Arc<str>,
}

/// What a follower is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Printed {
    /// YARN's application id, or `local`: an address may come to belong to another job.
    pub app: String,
    /// The driver's attempt.
    pub attempt: u32,
    /// Windows after the one that the follower has, oldest first; empty when none came while it waited. There may be
    /// more, for the next question.
    pub windows: Vec<PrintedText>,
    /// Whether windows between were printed and are kept no more.
    pub missed: bool,
}

/// The windows, and when somebody last asked for them.
#[derive(Debug)]
pub(super) struct Feed {
    kept: Mutex<Kept>,
    newest: watch::Sender<Millis>,
    /// The newest window that somebody who follows the job was given.
    followed_to: watch::Sender<Millis>,
}

#[derive(Debug)]
struct Kept {
    windows_max: usize,
    windows: VecDeque<PrintedText>,
    bytes: usize,
    dropped_ms: Millis,
    followed: Option<time::Instant>,
}

impl Feed {
    /// A late cut prints up to a window length of windows at once, `burst`; all of them are kept until a follower
    /// had time to ask.
    pub(super) fn new(burst: usize) -> Self {
        let windows_max = WINDOWS_MAX.max(burst.saturating_mul(2));
        let windows = VecDeque::new();
        let kept = Kept { windows_max, windows, bytes: 0, dropped_ms: Millis::MIN, followed: None };
        Self {
            kept: Mutex::new(kept),
            newest: watch::Sender::new(Millis::MIN),
            followed_to: watch::Sender::new(Millis::MIN),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, window: PrintedText) {
        let end_ms = window.end_ms;
        let mut kept = self.lock();
        kept.bytes += window.bytes();
        kept.windows.push_back(window);
        while kept.windows.len() > kept.windows_max || (kept.bytes > BYTES_MAX && kept.windows.len() > 1) {
            let Some(oldest) = kept.windows.pop_front() else { break };
            kept.bytes -= oldest.bytes();
            kept.dropped_ms = oldest.end_ms;
        }
        drop(kept);
        self.newest.send_replace(end_ms);
    }

    /// The windows behind `after_ms`, waited for up to `wait`, as many as one answer takes.
    pub(super) async fn after(&self, after_ms: Millis, wait: Duration) -> (Vec<PrintedText>, bool) {
        let mut newest = self.newest.subscribe();
        // The sender lives as long as this feed.
        let _ = time::timeout(wait, newest.wait_for(|&end_ms| end_ms > after_ms)).await;
        let kept = self.lock();
        let mut bytes = 0;
        let fits = |window: &&PrintedText| {
            let first = bytes == 0;
            bytes += window.bytes();
            first || bytes <= ANSWER_BYTES_MAX
        };
        let behind = kept.windows.iter().filter(|window| window.end_ms > after_ms);
        (behind.take_while(fits).cloned().collect(), kept.dropped_ms > after_ms)
    }

    /// The same for somebody who wants to see every window.
    pub(super) async fn follow(&self, after_ms: Millis, wait: Duration) -> (Vec<PrintedText>, bool) {
        self.lock().followed = Some(time::Instant::now());
        let (windows, missed) = self.after(after_ms, wait).await;
        if let Some(newest) = windows.last() {
            self.followed_to.send_replace(newest.end_ms);
        }
        (windows, missed)
    }

    /// Until whoever follows has been given the newest window, at most for so long.
    pub(super) async fn delivered(&self, patience: Duration) {
        let newest_ms = *self.newest.borrow();
        let mut followed_to = self.followed_to.subscribe();
        // A follower that is gone gets nothing more, and the end does not wait for it.
        let _ = time::timeout(patience, followed_to.wait_for(|&end_ms| end_ms >= newest_ms)).await;
    }

    pub(super) fn followed(&self) -> Option<time::Instant> {
        self.lock().followed
    }
}

impl PrintedText {
    fn bytes(&self) -> usize {
        self.text.len() + WINDOW_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(end_ms: Millis, bytes: usize) -> PrintedText {
        PrintedText { end_ms, text: "x".repeat(bytes).into() }
    }

    async fn ends(feed: &Feed, after_ms: Millis) -> (Vec<Millis>, bool) {
        let (windows, missed) = feed.after(after_ms, Duration::ZERO).await;
        (windows.iter().map(|window| window.end_ms).collect(), missed)
    }

    #[tokio::test]
    async fn a_follower_gets_what_it_has_not_seen() {
        let feed = Feed::new(300);
        assert_eq!(ends(&feed, 0).await, (vec![], false));
        (1..=3).for_each(|end_ms| feed.add(window(end_ms, 1)));
        assert_eq!(ends(&feed, 0).await, (vec![1, 2, 3], false));
        assert_eq!(ends(&feed, 2).await, (vec![3], false));
        assert_eq!(ends(&feed, 3).await, (vec![], false));
    }

    #[tokio::test]
    async fn a_waiting_follower_is_woken_by_the_next_window() {
        let feed = Arc::new(Feed::new(300));
        feed.add(window(1, 1));
        let waiting = tokio::spawn({
            let feed = Arc::clone(&feed);
            async move { feed.after(1, Duration::from_secs(60)).await.0 }
        });
        tokio::task::yield_now().await;
        feed.add(window(2, 1));
        assert_eq!(waiting.await.unwrap(), [window(2, 1)]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_waits_for_the_follower_but_not_for_ever() {
        let feed = Feed::new(300);
        feed.add(window(1, 1));
        let began = time::Instant::now();
        let (_, (windows, _)) =
            tokio::join!(feed.delivered(Duration::from_secs(9)), feed.follow(0, Duration::ZERO));
        assert_eq!((windows.len(), began.elapsed()), (1, Duration::ZERO));
        feed.add(window(2, 1));
        feed.delivered(Duration::from_secs(9)).await;
        assert_eq!(began.elapsed(), Duration::from_secs(9));
    }

    #[tokio::test(start_paused = true)]
    async fn only_who_wants_every_window_follows_and_each_time_anew() {
        let feed = Feed::new(300);
        feed.after(0, Duration::ZERO).await;
        assert_eq!(feed.followed(), None);
        feed.follow(0, Duration::ZERO).await;
        assert_eq!(feed.followed(), Some(time::Instant::now()));
        time::advance(Duration::from_secs(5)).await;
        feed.follow(0, Duration::ZERO).await;
        assert_eq!(feed.followed(), Some(time::Instant::now()));
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_is_delivered_with_the_newest_window_only() {
        let feed = Feed::new(300);
        feed.add(window(1, 1));
        feed.follow(0, Duration::ZERO).await;
        (2..=3).for_each(|end_ms| feed.add(window(end_ms, 1)));
        let began = time::Instant::now();
        feed.delivered(Duration::from_secs(9)).await;
        assert_eq!(began.elapsed(), Duration::from_secs(9), "he has seen the first only");
        feed.follow(1, Duration::ZERO).await;
        feed.delivered(Duration::from_secs(9)).await;
        assert_eq!(began.elapsed(), Duration::from_secs(9));
    }

    /// As after a stall of ten minutes, with a window of that length and slides of 100 ms.
    #[tokio::test]
    async fn windows_that_were_printed_at_once_are_all_there() {
        let feed = Feed::new(6_000);
        feed.add(window(1, 400));
        assert_eq!(ends(&feed, 0).await, (vec![1], false));
        (2..=6_001).for_each(|end_ms| feed.add(window(end_ms, 400)));
        let (mut all, mut after_ms) = (0, 1);
        while after_ms < 6_001 {
            let (windows, missed) = feed.follow(after_ms, Duration::ZERO).await;
            let bytes: usize = windows.iter().map(|window| window.text.len()).sum();
            assert!(!missed && !windows.is_empty() && bytes <= ANSWER_BYTES_MAX);
            all += windows.len();
            after_ms = windows.last().unwrap().end_ms;
        }
        assert_eq!(all, 6_000);
    }

    #[tokio::test]
    async fn what_is_kept_is_bounded_and_a_gap_is_told() {
        let feed = Feed::new(300);
        let all = Millis::try_from(WINDOWS_MAX).unwrap() + 5;
        (1..=all).for_each(|end_ms| feed.add(window(end_ms, 1)));
        let (kept, missed) = ends(&feed, 2).await;
        assert_eq!((kept.len(), kept[0], missed), (WINDOWS_MAX, 6, true));
        assert!(!ends(&feed, 5).await.1, "nothing between 5 and 6");
        feed.add(window(all + 1, BYTES_MAX));
        feed.add(window(all + 2, BYTES_MAX));
        assert_eq!(ends(&feed, 0).await, (vec![all + 2], true), "the newest is kept whatever its size");
        (3..=4).for_each(|more| feed.add(window(all + more, 1)));
        assert_eq!(ends(&feed, 0).await.0, [all + 3, all + 4], "what went takes no room");
    }
}
