//! How often a client may be replaced for the sake of partitions that must be read again. Used by `kafka`.

use std::time::Duration;

/// How long a second replacement waits for after the first; each further one waits twice as long.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Without a replacement for this long the trouble is over.
const QUIET: Duration = Duration::from_secs(120);

/// Paces replacements. One throws away what was fetched ahead for every partition of the client: a single partition
/// that stops again and again must not cost the others that much each time.
#[derive(Debug)]
pub(super) struct Renewal {
    last: Option<Duration>,
    pause: Duration,
}

impl Default for Renewal {
    fn default() -> Self {
        Self { last: None, pause: PAUSE_MIN }
    }
}

impl Renewal {
    /// Whether a replacement that is wanted may be made now. If so, it counts as made.
    pub(super) fn may(&mut self, now: Duration) -> bool {
        let since = self.last.map(|last| now.saturating_sub(last));
        match since {
            Some(since) if since < self.pause => return false,
            // Partitions fail, are looked at and come back within seconds: without a long quiet time the trouble goes on.
            Some(since) if since < QUIET => self.pause = (self.pause * 2).min(PAUSE_MAX),
            Some(_) | None => self.pause = PAUSE_MIN,
        }
        self.last = Some(now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds at which a replacement is made that is wanted all the time from second `from` to second `until`.
    fn made(renewal: &mut Renewal, from: u64, until: u64) -> Vec<u64> {
        (from..until).filter(|second| renewal.may(Duration::from_secs(*second))).collect()
    }

    #[test]
    fn replacements_that_go_on_and_on_become_rare() {
        let mut renewal = Renewal::default();
        assert_eq!(made(&mut renewal, 5, 300), [5, 6, 8, 12, 20, 36, 68, 128, 188, 248]);
        // Nothing was wanted for a while: that trouble is over.
        assert_eq!(made(&mut renewal, 400, 405), [400, 401, 403]);
    }

    /// It takes a slide or more from one stop to the next wish.
    #[test]
    fn trouble_that_comes_every_few_seconds_becomes_rare_too() {
        let mut renewal = Renewal::default();
        let made = (0..300).step_by(3).filter(|second| renewal.may(Duration::from_secs(*second)));
        assert_eq!(made.collect::<Vec<_>>(), [0, 3, 6, 12, 21, 39, 72, 132, 192, 252]);
    }
}
