//! What a driver restarts from: a base now and then, and a log with one synced frame per slide.
//!
//! Sits between `driver` and [`crate::store`]. The way of a driver through it:
//!
//! 1. [`open`] finds out who owns the checkpoint, claims it or says why not, fences every earlier driver, reads what
//!    is there ([`Recovered`], [`Report`]) and returns an [`Opened`].
//! 2. [`Opened::start`] takes the driver's first [`State`] (what was recovered, or where the start was resolved to)
//!    and returns the [`Writer`] and its [`Event`]s. [`Event::Based`] says that the start is durable.
//! 3. For every slide, in order: [`crate::count::Ring::export`], then [`Writer::offer`]. [`Event::Durable`] says up to
//!    where rows, commits and (with `wait: true`) windows may be shown; when too much is not durable, windows wait.
//! 4. On [`Event::BaseWanted`], when nobody waits: [`Writer::base`] with the state as it is after the last offered
//!    slide. It is written in the background.
//! 5. A driver that makes results of durable slides keeps what it may need again: [`Opened::keep_since`] before it
//!    starts, [`Writer::keep_since`] as results become visible. [`History`] reads it.
//!    Where ends were put back ([`Opened::relabel`]), the first base waits for [`Writer::settled`]: until results show
//!    what was counted under the old ends, a restart must still find it there.
//! 6. [`Event::Fenced`] and [`Event::GivenUp`] are the end. [`Writer::close`] ends it gracefully: `Closed`.
//!
//! A slide has a running number across logs and attempts; recovery takes each once. Files: see `layout`; frames:
//! `frame`; the order that keeps two drivers from both being right: `claim`.

mod frame;
mod fields;
mod head;
mod layout;
mod slide;
mod log;
mod base;
mod owner;
mod claim;
mod recover;
mod history;
mod retain;
mod writer;
mod show;
#[cfg(test)]
pub(crate) mod samples;

pub use claim::{Sight, Tries};
pub use frame::{Identity, Tail};
pub use head::{BaseHead, Fingerprint, LogHead, Unreadable};
pub use history::{History, Lost, Past};
pub use layout::{AttemptDir, FileInfo, survey};
pub use log::{LogEncoder, Piece};
pub use owner::{Because, Facts, Force, HasEnded, Owner, Verdict, judge, quiet_ms};
pub use recover::{Corrupt, Files, Recovered, Report, recover};
pub use show::{FileContent, Numbered, Shown, inspect};
pub use slide::{Marks, Slide};
pub use writer::{Event, Events, Limits, State, Writer};

use crate::ids::{Millis, Partition, Position};
use crate::store::{Hold, Store, StoreError};
use head::Relabeled;

/// Longest head of a base read before anything is claimed: positions of some ten thousand partitions.
const BASE_HEAD_BYTES_MAX: u64 = 4 << 20;

/// What a driver opens a checkpoint as.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Who it is.
    pub owner: Owner,
    /// What it counts.
    pub fingerprint: Fingerprint,
    /// Length of its window, milliseconds.
    pub length_ms: Millis,
    /// What the person who submitted it allows.
    pub force: Force,
    /// `--from`: what is there is set aside, not read; unless this application has a base of its own there, because
    /// then it has begun already.
    pub fresh: bool,
    /// `--relabel`: window ends that are ahead of now may be put back, unless this application has a base of its own
    /// there, because then that was done.
    pub relabel: bool,
    /// Bounds of the writer.
    pub limits: Limits,
    /// Key numbers are at most this: the memory that a damaged file can ask for.
    pub ids_max: usize,
    /// Seed of the recovered ring; unknown to whoever chooses the keys.
    pub seed: u64,
}

/// A checkpoint that is this driver's own.
#[derive(Debug)]
pub struct Opened {
    /// What to go on from; `None` if there was nothing.
    pub recovered: Option<Recovered>,
    /// What reading it came across.
    pub report: Report,
    /// Why it could be taken.
    pub because: Because,
    /// This attempt's number among all that ever owned it.
    pub epoch: u64,
    store: Store,
    opening: Opening,
    hold: Option<Hold>,
    next_file: u64,
    /// Number of the last slide that is there.
    last: u64,
    /// Where reading stood when it was opened.
    positions: Vec<(Partition, Position)>,
    may_relabel: bool,
    /// Attempts that put ends back and left no log that says so; the last may be this one.
    relabeled: Vec<Relabeled>,
    keep_since_ms: Option<Millis>,
    /// Whether results show everything that was counted before.
    settled: bool,
}

impl Opened {
    /// Where it is.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Key numbers in it are at most this.
    pub fn ids_max(&self) -> usize {
        self.opening.ids_max
    }

    /// Puts the ends of what was recovered back by whole slides, so that the last of them is not after `now_ms`. The
    /// attempt's first base makes that durable. Returns by how much; `None` where nothing is to be done: it was not asked
    /// for, it was done, or nothing is ahead.
    pub fn relabel(&mut self, now_ms: Millis) -> Option<Millis> {
        let slide_ms = self.opening.fingerprint.slide_ms.max(1);
        let recovered = self.recovered.as_mut().filter(|_| self.may_relabel)?;
        let by_ms = recovered.end_ms? - now_ms.div_euclid(slide_ms) * slide_ms;
        if by_ms <= 0 {
            return None;
        }
        // Whole slides, and none too few.
        let by_ms = (by_ms + slide_ms - 1).div_euclid(slide_ms) * slide_ms;
        recovered.ring.shift(-by_ms);
        recovered.end_ms = recovered.end_ms.map(|end_ms| end_ms - by_ms);
        self.relabeled.push(Relabeled { epoch: self.epoch, by_ms: -by_ms });
        Some(by_ms)
    }

    /// By how much [`Opened::relabel`] moved the ends of what was recovered; 0 if it did not.
    pub fn relabeled_ms(&self) -> Millis {
        let own = self.relabeled.iter().find(|relabeled| relabeled.epoch == self.epoch);
        own.map_or(0, |own| own.by_ms)
    }

    /// See [`Writer::settled`].
    pub fn settled(&mut self) {
        self.settled = true;
    }

    /// Whether the first base has to wait for [`Writer::settled`]. Once it is durable, nobody finds under its new ends
    /// what results do not show yet of the old ones.
    fn waits_for_results(&self) -> bool {
        self.relabeled_ms() != 0 && self.keep_since_ms.is_some() && !self.settled
    }

    /// Has everything kept from which the slides after `end_ms` can be read again, from the first base on;
    /// [`Millis::MIN`] keeps all that is there.
    pub fn keep_since(&mut self, end_ms: Millis) {
        self.keep_since_ms = Some(end_ms);
    }
}

/// Why a checkpoint could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store says no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A driver of another application is at work.
    #[error(
        "checkpoint {path} is owned by {} (job {}, on {}), which is running; stop it and go on with its window by --replace, fence it by --take-over, or name another path",
        owner.app, owner.job, owner.host
    )]
    Owned {
        /// The checkpoint.
        path: String,
        /// Its owner.
        owner: Box<Owner>,
    },
    /// A later attempt of the same application has it.
    #[error("checkpoint {path} is owned by attempt {} of this application; this attempt is over", owner.attempt)]
    Superseded {
        /// The checkpoint.
        path: String,
        /// Its owner.
        owner: Box<Owner>,
    },
    /// Others claim it at the same time.
    #[error(
        "checkpoint {0} was claimed by another driver at the same moment; start again if that was not intended"
    )]
    Contested(String),
    /// Its counts cannot go on as this job's.
    #[error(
        "checkpoint {path} is of another stream: {difference}; start anew by --from, or name another path"
    )]
    Mismatch {
        /// The checkpoint.
        path: String,
        /// What differs.
        difference: String,
    },
    /// A file of it cannot be read, and nothing older either.
    #[error("read {path}: {error}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        error: Unreadable,
    },
}

impl OpenError {
    /// Whether trying again, as YARN does with the next attempt, may help.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Store(error) => error.kind == crate::store::Kind::Unavailable,
            Self::Contested(_) => true,
            Self::Owned { .. }
            | Self::Superseded { .. }
            | Self::Mismatch { .. }
            | Self::Unreadable { .. } => false,
        }
    }
}

/// Takes the checkpoint in `store` and reads it. Where `has_ended` cannot tell, an owner's files are watched for
/// [`quiet_ms`].
pub async fn open(store: Store, opening: Opening, has_ended: HasEnded) -> Result<Opened, OpenError> {
    open_again(store, opening, has_ended, &mut Tries::default()).await
}

/// The same for a process that may have tried before; `tries` is what it keeps from one try to the next.
pub async fn open_again(
    store: Store,
    opening: Opening,
    has_ended: HasEnded,
    tries: &mut Tries,
) -> Result<Opened, OpenError> {
    let once = opening.fresh || opening.relabel;
    let first = once && !has_begun(&store, &opening.owner).await?;
    let (fresh, may_relabel) = (opening.fresh && first, opening.relabel && first);
    if !fresh {
        // Before a driver that may be at work is fenced for nothing.
        check_fingerprint(&store, &opening, &has_ended).await?;
    }
    let slide_ms = opening.fingerprint.slide_ms;
    let claim = claim::claim(&store, &opening.owner, slide_ms, opening.force, has_ended, tries).await?;
    let files = claim.earlier.iter().flat_map(|attempt| attempt.bases.iter().chain(&attempt.logs));
    let next_file = files.map(|file| file.number).max().unwrap_or(0) + 1;
    let (recovered, report) = if fresh {
        retain::set_aside(&store, claim.epoch, &claim.earlier).await?;
        (None, Report::default())
    } else {
        recover(&store, &claim.earlier, true, opening.ids_max, opening.seed).await?
    };
    if let Some(recovered) = &recovered {
        let base = &recovered.base;
        let theirs = base.fingerprint.following(&base.positions, &recovered.positions);
        matches(&store, &theirs, &opening.fingerprint)?;
    }
    let (epoch, because, hold) = (claim.epoch, claim.because, tries.take_hold());
    let last = recovered.as_ref().map_or(0, |recovered| recovered.slide);
    let (positions, relabeled) = match &recovered {
        Some(recovered) => (recovered.positions.clone(), recovered.relabeled.clone()),
        None => (Vec::new(), Vec::new()),
    };
    Ok(Opened {
        recovered,
        report,
        because,
        epoch,
        store,
        opening,
        hold,
        next_file,
        last,
        positions,
        may_relabel,
        relabeled,
        keep_since_ms: None,
        settled: false,
    })
}

/// Whether an attempt of this application has written a base, which says where the application began.
async fn has_begun(store: &Store, ours: &Owner) -> Result<bool, StoreError> {
    for attempt in survey(store).await?.iter().rev().filter(|attempt| attempt.owned) {
        let owner = claim::read_owner(store, attempt).await?;
        if !attempt.bases.is_empty() && owner.is_some_and(|owner| owner.app == ours.app) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Compares with the newest base. A topic may have been recreated and read on since that was written, which only the
/// logs say: unless somebody may still write those, it is left to what is recovered.
async fn check_fingerprint(store: &Store, opening: &Opening, has_ended: &HasEnded) -> Result<(), OpenError> {
    let attempts = survey(store).await?;
    let newest =
        attempts.iter().rev().find_map(|attempt| attempt.bases.last().map(|base| (attempt, base.number)));
    let Some((attempt, number)) = newest else { return Ok(()) };
    let path = attempt.base(number);
    // It may be renamed or deleted meanwhile; what counts is what is read once the checkpoint is ours.
    let Ok(bytes) = store.read_so_far(&path, BASE_HEAD_BYTES_MAX).await else { return Ok(()) };
    let identity = Identity { epoch: attempt.epoch, number };
    let theirs = match head::read::<BaseHead>(&mut frame::Frames::new(&bytes, identity), identity) {
        Ok(head) => head.fingerprint,
        Err(error @ Unreadable::Newer(_)) => return Err(OpenError::Unreadable { path, error }),
        Err(Unreadable::Damaged(_)) => return Ok(()),
    };
    let ours = &opening.fingerprint;
    matches(store, &Fingerprint { topics: Vec::new(), ..theirs.clone() }, ours)?;
    if theirs.differs(ours).is_some() && claim::is_over(store, &opening.owner, has_ended).await? {
        return Ok(());
    }
    matches(store, &theirs, ours)
}

fn matches(store: &Store, theirs: &Fingerprint, ours: &Fingerprint) -> Result<(), OpenError> {
    match theirs.differs(ours) {
        Some(difference) => Err(OpenError::Mismatch { path: store.address().to_string(), difference }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
