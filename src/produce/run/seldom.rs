//! Log lines about things that may happen a thousand times a second: the first at once, then one each ten seconds.

use std::time::Duration;

/// Time between two lines.
const BETWEEN: Duration = Duration::from_secs(10);

/// How often something happened since it was last said.
#[derive(Debug, Default)]
pub(super) struct Seldom {
    said: Option<Duration>,
    times: u64,
}

impl Seldom {
    /// It happened. Returns how often since the last line if a line is due.
    pub(super) fn now(&mut self, now: Duration) -> Option<u64> {
        self.times += 1;
        if self.said.is_some_and(|said| now < said + BETWEEN) {
            return None;
        }
        self.said = Some(now);
        Some(std::mem::take(&mut self.times))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_counts_what_happened_since_the_last_one() {
        let mut seldom = Seldom::default();
        let said: Vec<_> = (0..30).filter_map(|second| seldom.now(Duration::from_secs(second))).collect();
        assert_eq!(said, [1, 10, 10]);
    }
}
