//! What the writer is told of a slide: the facts that its frame in the checkpoint's log holds as well, and the window
//! where one is written. Live or read back from the checkpoint, it is the same.

use crate::checkpoint::{self, Marks, Past};
use crate::count::{RankedKey, Window};
use crate::ids::{Millis, Offset, Partition, Position};

use super::plan::Plan;

/// One closed slide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slide {
    /// Its number in the checkpoint.
    pub number: u64,
    /// Its end.
    pub end_ms: Millis,
    /// Driver attempt that closed it.
    pub attempt: u32,
    /// What its window was worth.
    pub marks: Marks,
    /// What was read: from, and where reading goes on.
    pub ranges: Vec<(Partition, Offset, Position)>,
    /// Records that were read.
    pub total: u64,
    /// The window that ends with it, where [`Plan::is_written`] says that it is written.
    pub window: Option<Ranked>,
}

/// A window as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranked {
    /// Its length, milliseconds.
    pub length_ms: Millis,
    /// How many slides are in it.
    pub slides: u64,
    /// Records in it.
    pub total: u64,
    /// Different keys in it.
    pub distinct: u64,
    /// The first [`Plan::keys`] of its ranking.
    pub top: Vec<RankedKey>,
}

impl Slide {
    /// Of the slide that the checkpoint gave this number. `window` is for ends that are written.
    pub fn of(number: u64, slide: &checkpoint::Slide, window: Option<Ranked>) -> Self {
        let checkpoint::Slide { end_ms, attempt, .. } = *slide;
        let total = slide.counts.iter().map(|(_, bucket)| bucket.total()).sum();
        let (marks, ranges) = (slide.marks.clone(), slide.ranges.clone());
        Self { number, end_ms, attempt, marks, ranges, total, window }
    }

    /// Of a slide that is read back.
    pub(super) fn past(past: &Past<'_>, plan: &Plan) -> Self {
        let window = plan.is_written(past.slide.end_ms).then(|| Ranked {
            length_ms: past.length_ms,
            slides: past.window.slides() as u64,
            total: past.window.total(),
            distinct: past.window.distinct(),
            top: past.window.rank(plan.keys),
        });
        Self::of(past.number, past.slide, window)
    }

    /// Memory it takes while it waits, bytes.
    pub(super) fn bytes(&self) -> usize {
        let row =
            |ranked: &RankedKey| size_of::<RankedKey>() + 16 + ranked.key.as_ref().map_or(0, |k| k.len());
        let rows: usize = self.window.iter().flat_map(|window| &window.top).map(row).sum();
        size_of::<Self>()
            + rows
            + self.ranges.len() * size_of::<(Partition, Offset, Position)>()
            + self.marks.unread.len() * size_of::<Partition>()
    }

    /// The window as every other way out has it.
    pub(super) fn shown(&self, ranked: &Ranked) -> Window {
        Window {
            start_ms: self.end_ms - ranked.length_ms,
            end_ms: self.end_ms,
            attempt: self.attempt,
            total: ranked.total,
            distinct: ranked.distinct,
            complete: self.marks.complete,
            behind_ms: self.marks.behind_ms,
            unread: self.marks.unread.clone(),
            top: ranked.top.clone(),
            ranges: self.ranges.iter().map(|(p, from, until)| (p.clone(), *from, until.offset)).collect(),
        }
    }
}
