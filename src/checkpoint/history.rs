//! What a checkpoint still knows of the past: every slide after a given end, once, with the window as it was then.
//!
//! By the rules of recovery (repeats, superseded slides, torn tails), but from an older base. Only looks, so it can
//! read the checkpoint of a driver at work. What that one has in an open log may not be readable yet: the walk ends
//! there and is to be repeated. A place that is damaged is passed over: reading goes on at the next base, and
//! [`History::lost`] says what is between.
//! Feeds `snapshot`.

use super::frame::{Frames, Identity};
use super::head::{self, BaseHead, Unreadable};
use super::layout::{AttemptDir, survey};
use super::recover::{FILE_BYTES_MAX, Limits, Replay, Report, limits};
use super::slide::Slide;
use super::{BASE_HEAD_BYTES_MAX, OpenError, base};
use crate::count::Restore;
use crate::ids::Millis;
use crate::store::{Kind, Store};

/// A slide of the past.
#[derive(Debug)]
pub struct Past<'a> {
    /// Its number.
    pub number: u64,
    /// What it added.
    pub slide: &'a Slide,
    /// Length of the window, milliseconds, as it was then.
    pub length_ms: Millis,
    /// The window that ends with it.
    pub window: &'a Restore,
    /// Whether slides between the one shown before and this one are lost.
    pub behind_loss: bool,
}

/// Slides that are not there any more: those that ended after the one and up to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// The last end before them; `None` if nobody knows of any.
    pub after_ms: Option<Millis>,
    /// The last of them.
    pub until_ms: Millis,
}

/// A walk through a checkpoint's logs, oldest first.
#[derive(Debug)]
pub struct History {
    store: Store,
    attempts: Vec<AttemptDir>,
    limits: Limits,
    /// The logs to be read, by place in `attempts` and number; the last one comes first.
    logs: Vec<(usize, u64)>,
    ids_max: usize,
    replay: Replay,
    /// A slide is missing: nothing can be added before the next base.
    broken: bool,
    /// Whether the walk ends before a log that is open with durable slides in it.
    waits: bool,
    reached_ms: Option<Millis>,
    lost: Vec<Lost>,
    /// Whether slides before the next one are lost.
    lossy: bool,
}

/// A base that a walk could begin with.
#[derive(Debug, Clone, Copy)]
struct Found {
    attempt: usize,
    number: u64,
    end_ms: Option<Millis>,
}

impl History {
    /// Begins with the newest base that is not later than `after_ms`, so that every slide after that end comes; with
    /// the oldest one if that is `None`. `None` if there is no base. Only attempts before `epoch` are read, where one is
    /// given: a later one may have given ends other names (`--relabel`). `ids_max` bounds key numbers.
    pub async fn open(
        store: &Store,
        after_ms: Option<Millis>,
        epoch: Option<u64>,
        ids_max: usize,
    ) -> Result<Option<Self>, OpenError> {
        let mut attempts = survey(store).await?;
        let limits = limits(store, &attempts).await?;
        attempts.retain(|attempt| epoch.is_none_or(|epoch| attempt.epoch < epoch));
        let found = bases(store, &attempts, &limits).await?;
        let early = |base: &&Found| base.end_ms.is_none_or(|end_ms| after_ms.is_some_and(|a| end_ms <= a));
        let mut candidates: Vec<Found> = found.iter().filter(early).copied().collect();
        if after_ms.is_some() {
            // The newest of them is the shortest way.
            candidates.reverse();
        }
        candidates.extend(found.iter().filter(|base| !early(base)));
        for base in candidates {
            let Some(replay) = read_base(store, &attempts, base, ids_max).await? else { continue };
            let identity = (attempts[base.attempt].epoch, base.number);
            let mut logs = Vec::new();
            for (at, attempt) in attempts.iter().enumerate() {
                let later = attempt.logs.iter().filter(|log| (attempt.epoch, log.number) >= identity);
                logs.extend(later.map(|log| (at, log.number)));
            }
            logs.reverse();
            let mut lost = Vec::new();
            if let (Some(_), Some(until_ms)) = (after_ms, base.end_ms.filter(|end| Some(*end) > after_ms)) {
                lost.push(Lost { after_ms, until_ms });
            }
            let reached_ms = base.end_ms.max(after_ms);
            let store = store.clone();
            let (broken, waits, lossy) = (false, true, !lost.is_empty());
            return Ok(Some(Self {
                store,
                attempts,
                limits,
                logs,
                ids_max,
                replay,
                broken,
                waits,
                reached_ms,
                lost,
                lossy,
            }));
        }
        Ok(None)
    }

    /// Has open logs passed over as well: nobody is going to close them.
    pub fn past_open_logs(mut self) -> Self {
        self.waits = false;
        self
    }

    /// Reads the next log and shows `seen` each of its slides that comes after everything shown before. False when
    /// there is none left that can be read: what is durable in an open log is not lost, and comes once it is closed.
    pub async fn log(&mut self, mut seen: impl FnMut(&Past<'_>)) -> Result<bool, OpenError> {
        let Some((at, number)) = self.logs.pop() else { return Ok(false) };
        let attempt = &self.attempts[at];
        let (path, limit) = (attempt.log(number), self.limits.of(attempt.epoch));
        let identity = Identity { epoch: attempt.epoch, number };
        let bytes = self.store.read_so_far(&path, FILE_BYTES_MAX).await?;
        let known = attempt.logs.iter().find(|log| log.number == number).map_or(0, |log| log.bytes);
        if self.waits && (bytes.len() as u64) < known {
            self.logs.clear();
            return Ok(false);
        }
        let mut mended = false;
        loop {
            if self.broken {
                if mended || !self.mend(at, number).await? {
                    return Ok(true);
                }
                mended = true;
            }
            let (reached_ms, lossy) = (&mut self.reached_ms, &mut self.lossy);
            let mut show = |replay: &mut Replay, slide: &Slide| {
                replay.restore.expire(slide.end_ms - replay.length_ms);
                if Some(slide.end_ms) > *reached_ms {
                    *reached_ms = Some(slide.end_ms);
                    let (number, length_ms) = (replay.slide, replay.length_ms);
                    let behind_loss = std::mem::take(lossy);
                    seen(&Past { number, slide, length_ms, window: &replay.restore, behind_loss });
                }
            };
            let mut report = Report::default();
            self.broken = !self.replay.log(&bytes, identity, limit, &path, &mut report, &mut show)?;
            for corrupt in &report.corrupt {
                tracing::warn!(%corrupt, "a checkpoint's past is damaged");
            }
            if !self.broken {
                return Ok(true);
            }
        }
    }

    /// The last end that was shown or is known to be passed.
    pub fn reached_ms(&self) -> Option<Millis> {
        self.reached_ms
    }

    /// What could not be read, as far as the walk has come; each is told once.
    pub fn lost(&mut self) -> Vec<Lost> {
        std::mem::take(&mut self.lost)
    }

    /// Goes on from the base that begins with this log, if there is one that is whole.
    async fn mend(&mut self, at: usize, number: u64) -> Result<bool, OpenError> {
        let base = Found { attempt: at, number, end_ms: None };
        if !self.attempts[at].bases.iter().any(|file| file.number == number) {
            return Ok(false);
        }
        let Some(replay) = read_base(&self.store, &self.attempts, base, self.ids_max).await? else {
            return Ok(false);
        };
        if let Some(until_ms) = replay.end_ms.filter(|end_ms| Some(*end_ms) > self.reached_ms) {
            self.lost.push(Lost { after_ms: self.reached_ms, until_ms });
            (self.reached_ms, self.lossy) = (Some(until_ms), true);
        }
        (self.replay, self.broken) = (replay, false);
        Ok(true)
    }
}

/// Every base whose head can be read and that later attempts did not pass over, oldest first.
async fn bases(store: &Store, attempts: &[AttemptDir], limits: &Limits) -> Result<Vec<Found>, OpenError> {
    let mut found = Vec::new();
    for (at, attempt) in attempts.iter().enumerate() {
        for file in &attempt.bases {
            let bytes = match store.read_so_far(&attempt.base(file.number), BASE_HEAD_BYTES_MAX).await {
                Err(error) if error.kind == Kind::Gone => continue,
                bytes => bytes?,
            };
            let identity = Identity { epoch: attempt.epoch, number: file.number };
            match head::read::<BaseHead>(&mut Frames::new(&bytes, identity), identity) {
                Ok(head) if head.slide <= limits.of(attempt.epoch) => {
                    found.push(Found { attempt: at, number: file.number, end_ms: head.end_ms });
                }
                Ok(_) | Err(_) => {}
            }
        }
    }
    Ok(found)
}

/// `None` if it is damaged.
async fn read_base(
    store: &Store,
    attempts: &[AttemptDir],
    base: Found,
    ids_max: usize,
) -> Result<Option<Replay>, OpenError> {
    let attempt = &attempts[base.attempt];
    let path = attempt.base(base.number);
    let bytes = store.read(&path, FILE_BYTES_MAX).await?;
    match base::decode(&bytes, Identity { epoch: attempt.epoch, number: base.number }, ids_max) {
        Ok((head, restore)) => Ok(Some(Replay::new(attempt.epoch, head, restore))),
        Err(error @ Unreadable::Newer(_)) => Err(OpenError::Unreadable { path, error }),
        Err(error) => {
            tracing::warn!(path, %error, "a checkpoint's past is damaged");
            Ok(None)
        }
    }
}
