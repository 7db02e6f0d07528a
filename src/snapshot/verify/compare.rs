//! One window against its recount. Part of `verify`.

use std::sync::Arc;

use super::{Counts, Read, Recounted};
use crate::snapshot::rows::Written;

/// What became of a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Its rows are what its records give.
    Equal,
    /// They are not.
    Differs {
        /// Records in it by the recount.
        recounted: u64,
        /// Every key whose count differs; none if only the order of the rows does, or the total.
        keys: Vec<Difference>,
    },
    /// Nobody can tell any more, because.
    Unverifiable(String),
    /// It should be there and is not.
    Missing,
    /// It is there again.
    Twice,
}

/// A key with two counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// The key; `None` is the null key.
    pub key: Option<Arc<[u8]>>,
    /// As it is written; `None` if it has no row.
    pub written: Option<u64>,
    /// By the recount.
    pub recounted: u64,
}

/// Compares a window with the slides up to it, the last of which is its own.
pub(super) fn compare(window: &Written, slides: &[Read]) -> Verdict {
    let Some(facts) = slides.last().and_then(|last| last.facts.window) else {
        return Verdict::Unverifiable("its slides are not in the file of ranges beside it".to_owned());
    };
    let many = usize::try_from(facts.slides).unwrap_or(usize::MAX);
    let within = slides.len().checked_sub(many).map(|from| &slides[from..]);
    let follow =
        |slides: &&[Read]| slides.windows(2).all(|pair| pair[1].facts.slide == pair[0].facts.slide + 1);
    let Some(within) = within.filter(follow) else {
        return Verdict::Unverifiable("the ranges of its first slides are not there".to_owned());
    };
    let mut sum = Counts::new();
    for slide in within {
        let (counts, holes) = match &slide.recounted {
            Recounted::Counts { counts, holes } => (counts, *holes),
            Recounted::Unreadable(why) => return Verdict::Unverifiable(why.clone()),
        };
        let gone = slide.facts.total.saturating_sub(counts.values().sum());
        if gone > 0 && gone <= holes {
            return Verdict::Unverifiable(format!(
                "{gone} of its records are not in the log any more (compaction, or transactions)"
            ));
        }
        counts.iter().for_each(|(key, count)| *sum.entry(key.clone()).or_default() += count);
    }
    let keys = usize::try_from(facts.keys).unwrap_or(usize::MAX);
    judge(window, &sum, keys)
}

/// By count descending, then the null key, then key bytes ascending.
fn judge(window: &Written, sum: &Counts, keys: usize) -> Verdict {
    let mut ranking: Vec<_> = sum.iter().collect();
    ranking.sort_by(|(one, a), (other, b)| b.cmp(a).then_with(|| one.cmp(other)));
    ranking.truncate(keys);
    let recounted: u64 = sum.values().sum();
    let written = window.top.iter().map(|ranked| (ranked.key.as_deref(), ranked.count));
    let same = ranking.iter().map(|(key, count)| (key.as_deref(), **count)).eq(written.clone());
    if same && recounted == window.total {
        return Verdict::Equal;
    }
    let rows: Counts = written.clone().map(|(key, count)| (key.map(Into::into), count)).collect();
    let all = rows.keys().chain(ranking.iter().map(|(key, _)| *key));
    let difference = |key: &Option<Box<[u8]>>| Difference {
        key: key.as_deref().map(Into::into),
        written: rows.get(key).copied(),
        recounted: sum.get(key).copied().unwrap_or(0),
    };
    let mut keys: Vec<Difference> =
        all.map(difference).filter(|found| found.written != Some(found.recounted)).collect();
    keys.sort();
    keys.dedup();
    Verdict::Differs { recounted, keys }
}
