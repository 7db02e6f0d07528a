//! How long a start waits, and for what. Pure: it is told what stands in the way and what time it is. Used by
//! [`start`](super).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long something must last without a break before it is believed: brokers that have just started know less than
/// there is, and may refuse more than they should.
pub(super) const BELIEVED: Duration = Duration::from_secs(10);
/// How often a start asks again for leaders.
const SOON: Duration = Duration::from_millis(250);
/// How often it asks again for anything else.
const LATER: Duration = Duration::from_secs(2);

/// What stands in the way of a start, and of what (nothing, where it is everything).
pub(super) type Obstacle = (Kind, String);

/// The kinds of obstacles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Waiting does not help.
    Final,
    /// Partitions without a leader, or whose leader does not answer: a topic that was just made, or whose broker just
    /// came up, has its leaders a moment later.
    Leaderless,
    /// No broker answers.
    Away,
    /// The topic does not exist.
    Gone,
    /// The cluster refuses.
    Denied,
    /// The partition looks lost, perhaps only for a moment.
    Doubtful,
}

/// What to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Ask again after this time; say why, if that was not said before.
    Again { after: Duration, tell: bool },
    /// There will be no start.
    End,
}

/// What was in the way until now.
pub(in crate::driver::broker) struct Patience {
    /// Whether an earlier attempt has found everything: then what is not there now comes back, as it does for a job
    /// that runs.
    patient: bool,
    /// Whether the job goes on behind what is lost (`on_data_loss: earliest`): then it waits for a topic that is gone.
    skip_lost: bool,
    /// Since when each obstacle stands in the way without a break.
    since: BTreeMap<Obstacle, Duration>,
    told: BTreeSet<Obstacle>,
    /// What was doubtful for long enough.
    believed: BTreeSet<String>,
}

impl Patience {
    pub(super) fn new(patient: bool, skip_lost: bool) -> Self {
        Self { patient, skip_lost, since: BTreeMap::new(), told: BTreeSet::new(), believed: BTreeSet::new() }
    }

    /// Whether this has looked lost for long enough.
    pub(super) fn believes(&self, partition: &str) -> bool {
        self.believed.contains(partition)
    }

    /// What to do about these; what is not among them stands in the way no longer.
    pub(super) fn judge(&mut self, obstacles: Vec<Obstacle>, now: Duration) -> Verdict {
        if obstacles.iter().any(|(kind, _)| *kind != Kind::Doubtful) {
            // What was believed was not seen without a break.
            self.believed.clear();
        }
        let before = std::mem::take(&mut self.since);
        // Whoever it is that has no leader: it is one trouble.
        let leaderless = before.iter().filter(|((kind, _), _)| *kind == Kind::Leaderless);
        let leaderless = leaderless.map(|(_, since)| *since).min();
        let known = |obstacle: Obstacle| {
            let same = before.get(&obstacle).copied();
            let since = same.or(leaderless.filter(|_| obstacle.0 == Kind::Leaderless)).unwrap_or(now);
            (obstacle, since)
        };
        self.since = obstacles.into_iter().map(known).collect();
        let mut after = LATER;
        let mut tell = false;
        for (obstacle, since) in &self.since {
            let lasted = now.saturating_sub(*since) >= BELIEVED;
            let ends = match obstacle.0 {
                Kind::Final => true,
                Kind::Leaderless => !self.patient && lasted,
                Kind::Away => !self.patient,
                Kind::Gone => !self.patient || lasted && !self.skip_lost,
                Kind::Denied => !self.patient || lasted,
                Kind::Doubtful => false,
            };
            if ends {
                return Verdict::End;
            }
            match obstacle.0 {
                Kind::Leaderless if !lasted => after = after.min(SOON),
                Kind::Doubtful if lasted => {
                    self.believed.insert(obstacle.1.clone());
                    after = Duration::ZERO;
                }
                _ => {}
            }
            // A first attempt that ends for lack of leaders says so at its end.
            let worth_telling = self.patient || obstacle.0 == Kind::Doubtful;
            tell |= worth_telling && self.told.insert(obstacle.clone());
        }
        Verdict::Again { after, tell }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Whether a start goes on asking at each of these times, in seconds.
    fn asks(patience: &mut Patience, obstacles: &[(Kind, &str)], times: &[u64]) -> Vec<bool> {
        let obstacles: Vec<_> = obstacles.iter().map(|(kind, of)| (*kind, (*of).to_owned())).collect();
        let ask = |time: &u64| patience.judge(obstacles.clone(), seconds(*time)) != Verdict::End;
        times.iter().map(ask).collect()
    }

    #[test]
    fn a_first_attempt_waits_for_leaders_only() {
        for kind in [Kind::Final, Kind::Away, Kind::Gone, Kind::Denied] {
            assert_eq!(asks(&mut Patience::new(false, true), &[(kind, "t")], &[0]), [false], "{kind:?}");
        }
        let mut first = Patience::new(false, false);
        assert_eq!(asks(&mut first, &[(Kind::Leaderless, "")], &[0, 9, 10]), [true, true, false]);
    }

    #[test]
    fn a_later_attempt_waits_for_kafka_without_an_end() {
        for kind in [Kind::Away, Kind::Leaderless] {
            let mut later = Patience::new(true, false);
            assert_eq!(asks(&mut later, &[(kind, "")], &[0, 10, 100_000]), [true; 3], "{kind:?}");
        }
        assert_eq!(asks(&mut Patience::new(true, true), &[(Kind::Final, "")], &[0]), [false]);
    }

    #[test]
    fn a_topic_that_is_gone_ends_a_later_attempt_once_that_is_believed() {
        let mut later = Patience::new(true, false);
        assert_eq!(asks(&mut later, &[(Kind::Gone, "t")], &[0, 9, 10]), [true, true, false]);
        let mut skipping = Patience::new(true, true);
        assert_eq!(asks(&mut skipping, &[(Kind::Gone, "t")], &[0, 9, 10, 1_000]), [true; 4]);
    }

    #[test]
    fn a_refusal_ends_a_later_attempt_once_that_is_believed() {
        for skip_lost in [false, true] {
            let mut later = Patience::new(true, skip_lost);
            assert_eq!(asks(&mut later, &[(Kind::Denied, "t")], &[0, 9, 10]), [true, true, false]);
        }
    }

    #[test]
    fn only_what_lasts_without_a_break_is_believed() {
        let mut later = Patience::new(true, false);
        assert_eq!(asks(&mut later, &[(Kind::Gone, "t")], &[0, 9]), [true; 2]);
        assert_eq!(asks(&mut later, &[(Kind::Away, "")], &[10]), [true], "no answer says nothing");
        assert_eq!(asks(&mut later, &[(Kind::Gone, "t")], &[11, 20]), [true; 2]);
        assert_eq!(asks(&mut later, &[(Kind::Gone, "u")], &[21, 30]), [true; 2], "another topic");
        assert_eq!(asks(&mut later, &[(Kind::Gone, "t"), (Kind::Gone, "u")], &[31]), [false]);
    }

    #[test]
    fn what_is_doubtful_is_believed_when_it_lasts() {
        for patient in [false, true] {
            let mut start = Patience::new(patient, false);
            let doubts = [(Kind::Doubtful, "t/0"), (Kind::Doubtful, "t/1")];
            assert_eq!(asks(&mut start, &doubts[..1], &[0, 5]), [true; 2]);
            assert_eq!(asks(&mut start, &doubts, &[9]), [true]);
            assert!(!start.believes("t/0"));
            let now = start.judge(vec![(Kind::Doubtful, "t/0".to_owned())], seconds(10));
            assert!(matches!(now, Verdict::Again { after: Duration::ZERO, .. }), "{now:?}");
            assert!(start.believes("t/0") && !start.believes("t/1"));
        }
    }

    #[test]
    fn a_first_attempt_without_leaders_ends_whatever_the_answer_calls_it() {
        let mut first = Patience::new(false, false);
        let ended = (0..20).find(|time| {
            let of = if time % 2 == 0 { "" } else { "t" };
            asks(&mut first, &[(Kind::Leaderless, of)], &[*time]) == [false]
        });
        assert_eq!(ended, Some(10));
    }

    #[test]
    fn a_belief_ends_with_the_doubt() {
        let mut start = Patience::new(true, false);
        assert_eq!(asks(&mut start, &[(Kind::Doubtful, "t/0")], &[0, 10]), [true; 2]);
        assert!(start.believes("t/0"));
        assert_eq!(asks(&mut start, &[(Kind::Away, "")], &[12, 3_600]), [true; 2]);
        assert!(!start.believes("t/0"), "only what lasts without a break is believed");
    }

    #[test]
    fn each_reason_is_told_once() {
        let mut later = Patience::new(true, true);
        let mut tells = |kind, of: &str, time| {
            matches!(
                later.judge(vec![(kind, of.to_owned())], seconds(time)),
                Verdict::Again { tell: true, .. }
            )
        };
        assert!(tells(Kind::Away, "", 0) && !tells(Kind::Away, "", 2));
        assert!(tells(Kind::Gone, "t", 4) && !tells(Kind::Gone, "t", 6) && !tells(Kind::Away, "", 8));
        let mut first = Patience::new(false, false);
        let mut tells = |kind| {
            let verdict = first.judge(vec![(kind, "t/0".to_owned())], seconds(0));
            matches!(verdict, Verdict::Again { tell: true, .. })
        };
        assert!(!tells(Kind::Leaderless) && tells(Kind::Doubtful), "ten silent seconds look like a hang");
    }
}
