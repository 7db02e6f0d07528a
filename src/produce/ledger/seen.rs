//! Ids of posts that came already, for a while. Two generations: the older one is forgotten when the newer one is as old
//! as ids are remembered.

use std::collections::HashSet;
use std::mem;
use std::time::Duration;

use foldhash::fast::RandomState;

use super::super::event::PostId;

/// Most ids of one generation: at 17 to 34 bytes each, at most 70 MB. Then it is closed early.
const GENERATION_MAX: usize = 2_000_000;

/// Ids that came.
#[derive(Debug)]
pub struct Seen {
    young: HashSet<PostId, RandomState>,
    old: HashSet<PostId, RandomState>,
    /// When the young generation began.
    began: Duration,
    remember: Duration,
    generation_max: usize,
    closed_early: u64,
}

impl Seen {
    /// None yet. Each will be remembered for `remember` at least, for twice that at most.
    pub fn new(remember: Duration, now: Duration) -> Self {
        Self {
            young: HashSet::default(),
            old: HashSet::default(),
            began: now,
            remember,
            generation_max: GENERATION_MAX,
            closed_early: 0,
        }
    }

    /// Enters an id. False if it came before.
    pub fn insert(&mut self, id: PostId, now: Duration) -> bool {
        let over = now.saturating_sub(self.began) >= self.remember;
        if over || self.young.len() >= self.generation_max {
            self.closed_early += u64::from(!over);
            self.old = mem::take(&mut self.young);
            self.began = now;
        }
        !self.old.contains(&id) && self.young.insert(id)
    }

    /// How often ids were forgotten early because there were too many.
    pub fn closed_early(&self) -> u64 {
        self.closed_early
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN_MINUTES: Duration = Duration::from_secs(600);

    fn at(second: u64) -> Duration {
        Duration::from_secs(second)
    }

    #[test]
    fn an_id_is_remembered_for_its_time_at_least() {
        let mut seen = Seen::new(TEN_MINUTES, at(0));
        assert!(seen.insert(PostId(1), at(599)));
        assert!(seen.insert(PostId(2), at(600)));
        assert!(!seen.insert(PostId(1), at(1_199)), "it is as old as that exactly");
        assert!(seen.insert(PostId(3), at(1_200)));
        assert!(seen.insert(PostId(1), at(1_201)), "forgotten");
        assert!(!seen.insert(PostId(2), at(1_202)));
    }

    #[test]
    fn too_many_ids_make_it_forget_early_and_say_so() {
        let mut seen = Seen { generation_max: 3, ..Seen::new(TEN_MINUTES, at(0)) };
        for id in 0..7 {
            assert!(seen.insert(PostId(id), at(1)));
        }
        assert_eq!(seen.closed_early(), 2);
        assert!(!seen.insert(PostId(3), at(1)));
        assert!(seen.insert(PostId(0), at(1)));
    }
}
