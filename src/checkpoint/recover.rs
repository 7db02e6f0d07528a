//! Reading a checkpoint: the newest base that is whole, and every slide of every log after it.
//!
//! Slides are numbered across logs and attempts, so one that was repeated in a new log after an error counts once,
//! and one that is missing is noticed. A later attempt went on after some slide of the earlier one: what an earlier
//! log holds beyond that was never part of its history.

use std::collections::BTreeMap;

use tokio_util::bytes::Bytes;

use super::frame::{Frames, Identity, Kind, Tail};
use super::head::{self, BaseHead, LogHead, Relabeled, Unreadable};
use super::layout::AttemptDir;
use super::slide::{Slide, Table};
use super::{OpenError, base};
use crate::count::{Malformed, Restore, Ring};
use crate::ids::{Millis, Partition, Position};
use crate::store::{Kind as StoreKind, Store, StoreError};

/// Longest base or log read, bytes.
pub(super) const FILE_BYTES_MAX: u64 = 8 << 30;
/// Enough for the head of a log.
const HEAD_BYTES_MAX: u64 = 16 << 10;

/// What a driver goes on from.
#[derive(Debug)]
pub struct Recovered {
    /// The window.
    pub ring: Ring,
    /// The last durable window end; `None` if no slide ever closed.
    pub end_ms: Option<Millis>,
    /// How many slides in a row, up to that one, were the whole truth; never more than the window then held.
    pub whole: u64,
    /// Driver attempt that closed the last slide.
    pub attempt: u32,
    /// Where every partition is to be read on.
    pub positions: Vec<(Partition, Position)>,
    /// Number of the last slide.
    pub slide: u64,
    /// The base it was taken from.
    pub base: BaseHead,
    /// Attempts that put ends back, which no log behind the base says.
    pub(super) relabeled: Vec<Relabeled>,
}

/// What reading a checkpoint came across.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Path of the base it began with; `None` if there was no checkpoint.
    pub base: Option<String>,
    /// Bases that were passed over, with the reason.
    pub bad_bases: Vec<(String, Unreadable)>,
    /// Logs read.
    pub logs: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Slides taken from logs.
    pub slides: u64,
    /// Slides that stood in a log a second time.
    pub repeated: u64,
    /// Slides of an earlier attempt that a later one did not go on from.
    pub superseded: u64,
    /// Logs that end within a frame, with the bytes that were cut off. Nothing was promised for those.
    pub torn: Vec<(String, u64)>,
    /// Where durable slides were lost; reading stopped at the first of them that no later log repeats.
    pub corrupt: Vec<Corrupt>,
}

/// A place where a checkpoint is damaged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path} at byte {at}: {reason}; slides up to {last} are kept")]
pub struct Corrupt {
    /// The log.
    pub path: String,
    /// Byte in it.
    pub at: u64,
    /// What is wrong.
    pub reason: String,
    /// The last slide before it.
    pub last: u64,
}

/// Files that can be read: those of a store, or of a simulation.
pub trait Files: Sync {
    /// A whole closed file, of at most `bytes_max`.
    fn read(&self, path: &str, bytes_max: u64) -> impl Future<Output = Result<Bytes, StoreError>> + Send;

    /// The first bytes of a file that may still be written, at most `bytes_max`.
    fn read_so_far(
        &self,
        path: &str,
        bytes_max: u64,
    ) -> impl Future<Output = Result<Bytes, StoreError>> + Send;
}

impl Files for Store {
    async fn read(&self, path: &str, bytes_max: u64) -> Result<Bytes, StoreError> {
        self.read(path, bytes_max).await
    }

    async fn read_so_far(&self, path: &str, bytes_max: u64) -> Result<Bytes, StoreError> {
        self.read_so_far(path, bytes_max).await
    }
}

/// Everything in `attempts`. `settled` says that nobody writes there any more; otherwise what can be read so far is
/// read. `ids_max` bounds key numbers, `seed` is for the ring.
pub async fn recover(
    files: &impl Files,
    attempts: &[AttemptDir],
    settled: bool,
    ids_max: usize,
    seed: u64,
) -> Result<(Option<Recovered>, Report), OpenError> {
    let mut report = Report::default();
    let Some((identity, mut replay)) = newest_base(files, attempts, ids_max, &mut report).await? else {
        return Ok((None, report));
    };
    let limits = limits(files, attempts).await?;
    for attempt in attempts.iter().filter(|attempt| attempt.epoch >= identity.epoch) {
        let limit = limits.of(attempt.epoch);
        for log in &attempt.logs {
            if attempt.epoch == identity.epoch && log.number < identity.number {
                continue;
            }
            let path = attempt.log(log.number);
            let bytes = if settled {
                files.read(&path, FILE_BYTES_MAX).await?
            } else {
                files.read_so_far(&path, FILE_BYTES_MAX).await?
            };
            let this = Identity { epoch: attempt.epoch, number: log.number };
            report.logs += 1;
            report.bytes += bytes.len() as u64;
            if !replay.log(&bytes, this, limit, &path, &mut report, &mut |_, _| {})? {
                return Ok((Some(replay.finish(seed)), report));
            }
        }
    }
    Ok((Some(replay.finish(seed)), report))
}

/// The newest base that can be read. That all are damaged is an error: starting from nothing is for people to order.
async fn newest_base(
    files: &impl Files,
    attempts: &[AttemptDir],
    ids_max: usize,
    report: &mut Report,
) -> Result<Option<(Identity, Replay)>, OpenError> {
    for attempt in attempts.iter().rev() {
        for file in attempt.bases.iter().rev() {
            let path = attempt.base(file.number);
            let identity = Identity { epoch: attempt.epoch, number: file.number };
            let bytes = match files.read(&path, FILE_BYTES_MAX).await {
                Err(error) if error.kind == StoreKind::Gone => continue,
                bytes => bytes?,
            };
            report.bytes += bytes.len() as u64;
            match base::decode(&bytes, identity, ids_max) {
                Ok((head, restore)) => {
                    report.base = Some(path);
                    return Ok(Some((identity, Replay::new(identity.epoch, head, restore))));
                }
                Err(error @ Unreadable::Newer(_)) => return Err(OpenError::Unreadable { path, error }),
                Err(error) => report.bad_bases.push((path, error)),
            }
        }
    }
    match report.bad_bases.first().cloned() {
        Some((path, error)) => Err(OpenError::Unreadable { path, error }),
        None => Ok(None),
    }
}

/// After which slide each attempt went on: what earlier ones hold beyond that is no history.
#[derive(Debug)]
pub(super) struct Limits(BTreeMap<u64, u64>);

impl Limits {
    /// The last slide of this attempt that a later one went on from.
    pub(super) fn of(&self, epoch: u64) -> u64 {
        self.0.range(epoch + 1..).map(|(_, after)| *after).min().unwrap_or(u64::MAX)
    }
}

pub(super) async fn limits(files: &impl Files, attempts: &[AttemptDir]) -> Result<Limits, StoreError> {
    let mut limits = BTreeMap::new();
    for attempt in attempts {
        for log in &attempt.logs {
            let bytes = files.read_so_far(&attempt.log(log.number), HEAD_BYTES_MAX).await?;
            let identity = Identity { epoch: attempt.epoch, number: log.number };
            if let Ok(head) = head::read::<LogHead>(&mut Frames::new(&bytes, identity), identity) {
                limits.insert(attempt.epoch, head.after);
                break;
            }
        }
    }
    Ok(Limits(limits))
}

/// A base with the slides after it being added.
#[derive(Debug)]
pub(super) struct Replay {
    base: BaseHead,
    relabeled: Vec<Relabeled>,
    /// The attempt that wrote what was read last.
    epoch: u64,
    pub(super) restore: Restore,
    positions: BTreeMap<Partition, Position>,
    pub(super) end_ms: Option<Millis>,
    whole: u64,
    attempt: u32,
    /// Number of the last slide.
    pub(super) slide: u64,
    /// Length of the window, as of the last log's head.
    pub(super) length_ms: Millis,
}

impl Replay {
    pub(super) fn new(epoch: u64, head: BaseHead, restore: Restore) -> Self {
        Self {
            epoch,
            restore,
            positions: head.positions.iter().cloned().collect(),
            end_ms: head.end_ms,
            whole: head.whole,
            attempt: head.attempt,
            slide: head.slide,
            length_ms: head.length_ms,
            relabeled: head.relabeled.clone(),
            base: head,
        }
    }

    /// Adds a log's slides up to number `limit` and shows each to `seen` with the window as it is then. False if one
    /// is missing: what comes after it cannot be added.
    pub(super) fn log(
        &mut self,
        bytes: &[u8],
        identity: Identity,
        limit: u64,
        path: &str,
        report: &mut Report,
        seen: &mut impl FnMut(&mut Self, &Slide),
    ) -> Result<bool, OpenError> {
        let mut frames = Frames::new(bytes, identity);
        match head::read::<LogHead>(&mut frames, identity) {
            Ok(head) => {
                self.length_ms = head.length_ms;
                self.enter(identity.epoch, &head);
            }
            Err(error @ Unreadable::Newer(_)) => {
                return Err(OpenError::Unreadable { path: path.to_owned(), error });
            }
            // Whoever opened it died before its first sync; or the head is damaged, and then so are the rest's
            // positions and the gap shows below.
            Err(Unreadable::Damaged(_)) => frames = Frames::new(bytes, identity),
        }
        let mut table = Table::default();
        let mut at = 0;
        let corrupt = |last: u64, at: usize, reason: String| {
            let path = path.to_owned();
            Corrupt { path, at: at as u64, reason, last }
        };
        for frame in frames.by_ref().filter(|frame| frame.kind == Kind::Slide as u8) {
            let slide = match table.decode(frame.payload) {
                Ok(slide) => slide,
                Err(error) => {
                    let reason = format!("slide {}: {error}", frame.number);
                    report.corrupt.push(corrupt(self.slide, at, reason));
                    return Ok(false);
                }
            };
            if frame.number > limit {
                report.superseded += 1;
            } else if frame.number <= self.slide {
                report.repeated += 1;
            } else if frame.number > self.slide + 1 {
                let reason = format!("slide {} follows slide {}", frame.number, self.slide);
                report.corrupt.push(corrupt(self.slide, at, reason));
                return Ok(false);
            } else if let Err(error) = self.add(&slide) {
                let reason = format!("slide {}: {error}", frame.number);
                report.corrupt.push(corrupt(self.slide, at, reason));
                return Ok(false);
            } else {
                self.slide = frame.number;
                report.slides += 1;
                seen(self, &slide);
            }
            at = frame.payload.as_ptr() as usize - bytes.as_ptr() as usize + frame.payload.len();
        }
        match frames.tail() {
            Tail::Clean => {}
            Tail::Torn { bytes, .. } => report.torn.push((path.to_owned(), bytes)),
            Tail::Corrupt { at, next } => {
                let reason = format!("a damaged frame, and slide {next} whole behind it");
                let at = usize::try_from(at).unwrap_or(usize::MAX);
                report.corrupt.push(corrupt(self.slide, at, reason));
            }
        }
        Ok(true)
    }

    /// Goes on with an attempt's logs. The bases of those that relabeled have the new ends; where these cannot be read,
    /// logs say it: those of the attempt itself, or of the next one that left any.
    fn enter(&mut self, epoch: u64, head: &LogHead) {
        self.relabeled.clear();
        let own = Relabeled { epoch, by_ms: head.relabeled_ms };
        for Relabeled { epoch, by_ms } in head.relabeled_before.iter().copied().chain([own]) {
            if epoch > self.epoch {
                self.restore.shift(by_ms);
                self.end_ms = self.end_ms.map(|end_ms| end_ms + by_ms);
                self.epoch = epoch;
            }
        }
    }

    fn add(&mut self, slide: &Slide) -> Result<(), Malformed> {
        if self.end_ms.is_some_and(|last| slide.end_ms <= last) {
            return Err(Malformed("its end is not later than the one before"));
        }
        self.restore.expire(slide.expired_ms);
        self.restore.name(&slide.keys)?;
        for (end_ms, bucket) in &slide.counts {
            self.restore.bucket(*end_ms, bucket.clone())?;
        }
        let untils = slide.ranges.iter().map(|(partition, _, until)| (partition.clone(), *until));
        self.positions.extend(untils);
        self.end_ms = Some(slide.end_ms);
        self.whole = slide.marks.whole;
        self.attempt = slide.attempt;
        Ok(())
    }

    fn finish(mut self, seed: u64) -> Recovered {
        if let Some(end_ms) = self.end_ms {
            self.restore.expire(end_ms - self.length_ms);
        }
        let slides = (self.length_ms / self.base.fingerprint.slide_ms.max(1)).max(0).unsigned_abs();
        Recovered {
            ring: self.restore.finish(seed),
            end_ms: self.end_ms,
            whole: self.whole.min(slides),
            attempt: self.attempt,
            positions: self.positions.into_iter().collect(),
            slide: self.slide,
            base: self.base,
            relabeled: self.relabeled,
        }
    }
}
