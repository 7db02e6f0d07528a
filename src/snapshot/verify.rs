//! Recounting written windows: the ranges beside each file are read from Kafka again, and what comes out is compared.
//!
//! [`verify`] walks through the files, oldest first, and keeps the counts of as many slides as a window has, and of the
//! piece that is being read (`PIECE_RECORDS_MAX`). Arithmetic of its own, plain maps and a sort: what it is to find may be
//! a mistake in `count`. Where records come from is behind [`Recount`]; `kafka` is the real one. Only for
//! `time: processing`, where a record's slide is the one in whose range it is.

mod read;
mod compare;
mod chain;
pub mod kafka;

use std::collections::{HashMap, VecDeque};

use super::facts::Facts;
use super::layout::{FileName, files};
use super::rows::Written;
use crate::ids::Millis;
use crate::store::{Store, StoreError};
use chain::Chain;
pub use compare::{Difference, Verdict};
use read::{Content, Failed};

/// Records per key; `None` is the null key.
pub type Counts = HashMap<Option<Box<[u8]>>, u64>;

/// A piece is so many records, unless a single slide has more: what is in memory beside one window.
const PIECE_RECORDS_MAX: u64 = 1_000_000;
/// And so many slides.
const PIECE_SLIDES_MAX: usize = 10_000;

/// What became of a slide's ranges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recounted {
    /// They were read.
    Counts {
        /// What they hold.
        counts: Counts,
        /// Offsets in them at which no record is: compaction, or marks of transactions.
        holes: u64,
    },
    /// They cannot be read any more, because.
    Unreadable(String),
}

/// Where records come from.
pub trait Recount {
    /// Reads the ranges of these slides; an answer for each.
    fn recount(&mut self, slides: &[Facts]) -> anyhow::Result<Vec<Recounted>>;
}

/// Which windows are verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Selection {
    /// Those that end after this.
    pub since_ms: Millis,
    /// And at this at the latest.
    pub until_ms: Millis,
    /// Of these the last ones, `None` for all.
    pub last: Option<usize>,
}

/// Something to tell, in the order of windows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A window was compared, or could not be.
    Window {
        /// Its end.
        end_ms: Millis,
        /// Records in it, as it is written; 0 if it is missing.
        total: u64,
        /// What came out.
        verdict: Verdict,
    },
    /// The chain of slides or ranges is not what it should be.
    Chain {
        /// End of the slide where it shows.
        end_ms: Millis,
        /// What is wrong.
        what: String,
    },
    /// A file cannot be read.
    File {
        /// Its path.
        path: String,
        /// Why.
        error: String,
    },
}

/// A slide with its counts.
#[derive(Debug)]
struct Read {
    facts: Facts,
    recounted: Recounted,
}

/// Verifies what `selection` says; `tell` hears of everything that is found. Fails if the store or Kafka is away.
pub async fn verify(
    store: &Store,
    recount: &mut impl Recount,
    selection: Selection,
    tell: &mut impl FnMut(Finding),
) -> anyhow::Result<()> {
    let all = files(store, Millis::MIN, selection.until_ms).await?;
    let since_ms = since(store, &all, selection).await?;
    let (names, from_ms) = needed(store, &all, since_ms).await?;
    let (ring, chain) = (VecDeque::new(), Chain::default());
    let mut walk = Walk { recount, since_ms, until_ms: selection.until_ms, from_ms, ring, chain, tell };
    for name in names {
        match Content::read(store, name).await {
            Ok(content) => walk.file(content)?,
            Err(Failed::Store(error)) => return Err(error.into()),
            Err(Failed::Damaged { path, error }) => (walk.tell)(Finding::File { path, error }),
        }
    }
    Ok(())
}

/// The end after which the windows begin that are verified.
async fn since(store: &Store, all: &[FileName], selection: Selection) -> Result<Millis, StoreError> {
    let Selection { since_ms, until_ms, last } = selection;
    let Some(last) = last else { return Ok(since_ms) };
    let mut ends = Vec::new();
    for name in all.iter().rev().filter(|name| name.last_ms > since_ms) {
        let facts = whole(store, name).await?;
        let chosen = facts.iter().rev().filter(|slide| slide.window.is_some() && slide.end_ms <= until_ms);
        ends.extend(chosen.map(|slide| slide.end_ms));
        if let Some(first) = ends.get(last - 1) {
            return Ok(since_ms.max(first - 1));
        }
    }
    Ok(since_ms)
}

/// The files to be walked through, and the end of the first slide to be counted: the first window that is verified has
/// slides in files before its own.
async fn needed<'f>(
    store: &Store,
    all: &'f [FileName],
    since_ms: Millis,
) -> Result<(&'f [FileName], Millis), StoreError> {
    let mut begin = all.partition_point(|name| name.last_ms <= since_ms);
    let Some(name) = all.get(begin) else { return Ok((&[], since_ms)) };
    let mut facts = whole(store, name).await?;
    let window = |slide: &&Facts| slide.end_ms > since_ms && slide.window.is_some();
    let Some(first) = facts.iter().find(window).cloned() else { return Ok((&all[begin..], Millis::MIN)) };
    let slides = first.window.map_or(1, |window| window.slides);
    let needed = (first.slide + 1).saturating_sub(slides);
    while begin > 0 && facts.first().is_some_and(|oldest| oldest.slide > needed) {
        begin -= 1;
        facts = whole(store, &all[begin]).await?;
    }
    let from_ms = facts.iter().find(|slide| slide.slide >= needed).map_or(Millis::MIN, |slide| slide.end_ms);
    Ok((&all[begin..], from_ms))
}

/// A file's slides; none if it is damaged, which is told when its turn comes.
async fn whole(store: &Store, name: &FileName) -> Result<Vec<Facts>, StoreError> {
    match Content::read(store, name).await {
        Ok(content) => Ok(content.facts),
        Err(Failed::Store(error)) => Err(error),
        Err(Failed::Damaged { .. }) => Ok(Vec::new()),
    }
}

struct Walk<'a, R, T> {
    recount: &'a mut R,
    since_ms: Millis,
    until_ms: Millis,
    /// Slides that end before this are in no window that is verified.
    from_ms: Millis,
    /// The newest slides, as many as the last window had and what may be in the next.
    ring: VecDeque<Read>,
    chain: Chain,
    tell: &'a mut T,
}

impl<R: Recount, T: FnMut(Finding)> Walk<'_, R, T> {
    fn file(&mut self, content: Content) -> anyhow::Result<()> {
        let Content { path, facts, rows } = content;
        let mut windows = rows.windows().peekable();
        facts.iter().filter(|slide| slide.end_ms < self.from_ms).for_each(|slide| self.chain.pass(slide));
        let wanted = |slide: &Facts| slide.end_ms >= self.from_ms && slide.end_ms <= self.until_ms;
        let mut facts: VecDeque<Facts> = facts.into_iter().filter(wanted).collect();
        while !facts.is_empty() {
            let piece = piece(&mut facts);
            let recounted = self.recount.recount(&piece)?;
            for (facts, recounted) in piece.into_iter().zip(recounted) {
                let end_ms = facts.end_ms;
                if self.is_selected(end_ms) {
                    for what in self.chain.next(&facts) {
                        (self.tell)(Finding::Chain { end_ms, what });
                    }
                } else {
                    self.chain.pass(&facts);
                }
                let wanted = facts.window;
                self.ring.push_back(Read { facts, recounted });
                // Rows of windows that no slide announces, and of this one.
                while let Some(window) = windows.next_if(|window| reaches(window, end_ms)) {
                    match window {
                        Ok(window) => self.window(&window, wanted.is_some() && window.end_ms == end_ms),
                        Err(error) => (self.tell)(Finding::File { path: path.clone(), error }),
                    }
                }
                if let Some(window) = wanted {
                    self.missing(end_ms);
                    let keep = usize::try_from(window.slides).unwrap_or(usize::MAX);
                    self.ring.drain(..self.ring.len().saturating_sub(keep));
                }
            }
        }
        for window in windows {
            match window {
                Ok(window) => self.window(&window, false),
                Err(error) => (self.tell)(Finding::File { path: path.clone(), error }),
            }
        }
        Ok(())
    }

    fn is_selected(&self, end_ms: Millis) -> bool {
        end_ms > self.since_ms && end_ms <= self.until_ms
    }

    /// `announced`: the newest slide is the window's last one.
    fn window(&mut self, window: &Written, announced: bool) {
        let end_ms = window.end_ms;
        if !self.is_selected(end_ms) {
            return;
        }
        let verdict = if !self.chain.first_time(end_ms) {
            Verdict::Twice
        } else if !announced {
            Verdict::Unverifiable("its slides are not in the file of ranges beside it".to_owned())
        } else {
            compare::compare(window, self.ring.make_contiguous())
        };
        (self.tell)(Finding::Window { end_ms, total: window.total, verdict });
    }

    /// To be called when a window's turn is over: its rows were to stand here.
    fn missing(&mut self, end_ms: Millis) {
        if self.is_selected(end_ms) && self.chain.first_time(end_ms) {
            (self.tell)(Finding::Window { end_ms, total: 0, verdict: Verdict::Missing });
        }
    }
}

fn reaches(window: &Result<Written, String>, end_ms: Millis) -> bool {
    window.as_ref().map_or(true, |window| window.end_ms <= end_ms)
}

/// The next slides to be read together.
fn piece(facts: &mut VecDeque<Facts>) -> Vec<Facts> {
    let mut records = 0_u64;
    let many = facts.iter().take(PIECE_SLIDES_MAX).take_while(|slide| {
        let first = records == 0;
        records = records.saturating_add(slide.total.max(1));
        first || records <= PIECE_RECORDS_MAX
    });
    let many = many.count();
    facts.drain(..many).collect()
}

#[cfg(test)]
mod tests;
