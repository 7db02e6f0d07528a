//! Whether slides and ranges follow each other without gap or overlap, and windows stand there once. Part of `verify`.

use std::collections::{BTreeMap, HashSet};

use crate::ids::{Millis, Offset, Partition, TopicId};
use crate::snapshot::facts::Facts;

/// What came before.
#[derive(Debug, Default)]
pub(super) struct Chain {
    last: Option<u64>,
    untils: BTreeMap<Partition, (Option<TopicId>, Offset)>,
    seen: HashSet<Millis>,
}

impl Chain {
    /// Takes the next slide; returns what is wrong with it.
    pub(super) fn next(&mut self, facts: &Facts) -> Vec<String> {
        let mut wrong = Vec::new();
        let missing = self.last.and_then(|last| facts.slide.checked_sub(last + 1)).filter(|n| *n > 0);
        // Slides whose ends were put back are nowhere, and their windows neither.
        if let Some(missing) = missing.filter(|_| !facts.relabeled) {
            wrong.push(format!("{missing} slides before slide {} are missing", facts.slide));
        }
        if self.last.is_some_and(|last| facts.slide == last + 1) {
            for (partition, from, _) in facts.read() {
                let id = facts.topic_id(&partition.topic);
                let before = self.untils.get(&partition).filter(|(then, _)| *then == id);
                let Some(&(_, until)) = before else { continue };
                if from < until {
                    wrong.push(format!("{partition}: offsets {from} to {until} were read twice"));
                } else if from > until {
                    wrong.push(format!("{partition}: offsets {until} to {from} were not read"));
                }
            }
        }
        self.pass(facts);
        wrong
    }

    /// Takes the next slide without looking.
    pub(super) fn pass(&mut self, facts: &Facts) {
        // A checkpoint that was begun anew counts slides from 1, and begins where it was told to; after a gap nobody
        // knows where reading stood.
        if self.last.is_some_and(|last| facts.slide != last + 1) {
            self.untils.clear();
        }
        self.last = Some(facts.slide);
        for (partition, _, until) in facts.read() {
            let id = facts.topic_id(&partition.topic);
            self.untils.insert(partition, (id, until));
        }
    }

    /// Whether no window with this end was seen before.
    pub(super) fn first_time(&mut self, end_ms: Millis) -> bool {
        self.seen.insert(end_ms)
    }
}
