//! Becoming the owner: who owns it is found out, may be taken over, and is then kept from ever writing again.
//!
//! The order is what makes it safe. Claim the next epoch by creating its `owner` file, which one contender can.
//! Rename every lower directory, so that a paused driver cannot open a new file in it. List. Recover the lease of
//! every log, so that one that is open cannot grow. Only then read.

use std::sync::Arc;
use std::time::Duration;

use super::OpenError;
use super::layout::{self, AttemptDir, attempt_dir, fenced_dir, survey};
use super::owner::{Because, Facts, Force, HasEnded, Owner, Verdict, judge};
use crate::clock::Clock;
use crate::ids::Millis;
use crate::store::{Hold, Kind, Store, StoreError};
use tokio_util::bytes::Bytes;

/// Longest `owner` file read.
const OWNER_BYTES_MAX: u64 = 64 << 10;
/// How often an owner's files are looked at while it is watched.
const WATCH_EVERY: Duration = Duration::from_millis(500);
/// How often a claim is begun anew because another contender was faster.
const CONTESTS_MAX: u32 = 5;
/// Whoever looks whether a local file is held, holds it for that moment.
const HOLD_TRIES: u32 = 20;

/// A directory that is this attempt's own, all lower ones fenced.
#[derive(Debug)]
pub(super) struct Claim {
    pub epoch: u64,
    /// Everything below, by epoch ascending.
    pub earlier: Vec<AttemptDir>,
    pub because: Because,
}

/// What a process that opens a checkpoint keeps from a try that failed passingly to the next one.
#[derive(Debug, Default)]
pub struct Tries {
    /// Whether it became the owner once. Then an order to take over has been carried out.
    claimed: bool,
    /// The lock on its owner file, and the epoch of that. While it is held, nobody takes the process for ended.
    hold: Option<(u64, Hold)>,
}

impl Tries {
    async fn claimed(&mut self, store: &Store, epoch: u64) -> Result<(), OpenError> {
        self.claimed = true;
        if self.hold.as_ref().is_none_or(|(held, _)| *held != epoch) {
            self.hold = Some((epoch, hold(store, &owner_file(epoch)).await?));
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn has_claimed(&self) -> bool {
        self.claimed
    }

    /// The lock, for whoever goes on with the claim.
    pub(super) fn take_hold(&mut self) -> Option<Hold> {
        self.hold.take().map(|(_, hold)| hold)
    }
}

/// The attempts that are there, and who owns the checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    /// Every attempt's directory, by epoch ascending.
    pub attempts: Vec<AttemptDir>,
    /// The owner of the highest owned one.
    pub owner: Option<Owner>,
    /// Whether some process holds the owner's file; `None` where that cannot be told.
    pub held: Option<bool>,
}

impl Sight {
    /// Looks at a checkpoint without touching it.
    pub async fn look(store: &Store) -> Result<Self, StoreError> {
        let attempts = survey(store).await?;
        let (mut owner, mut held) = (None, None);
        if let Some(owned) = attempts.iter().rfind(|attempt| attempt.owned) {
            owner = read_owner(store, owned).await?;
            held = gone_is_none(store.held(&owned.owner()).await)?.flatten();
        }
        Ok(Self { attempts, owner, held })
    }

    /// The epoch that an earlier try of this process claimed, if nobody has fenced it and nothing was written in it.
    fn claimed_by(&self, ours: &Owner) -> Option<u64> {
        let owned = self.attempts.iter().rfind(|attempt| attempt.owned)?;
        let is_ours = self.owner.as_ref().is_some_and(|owner| owner.is_same_process(ours));
        let is_empty = owned.bases.is_empty() && owned.logs.is_empty();
        (is_ours && is_empty && !owned.fenced).then_some(owned.epoch)
    }

    /// Whether the owner has ended; `None` if nobody can tell, or if there is no other one.
    async fn ended(&self, ours: &Owner, has_ended: &HasEnded) -> Option<bool> {
        let owner = self.owner.as_ref().filter(|owner| !owner.is_same_process(ours))?;
        if let Some(held) = self.held {
            return Some(!held);
        }
        let (has_ended, owner) = (Arc::clone(has_ended), owner.clone());
        tokio::task::spawn_blocking(move || has_ended(&owner)).await.ok().flatten()
    }

    fn highest(&self) -> u64 {
        self.attempts.iter().map(|attempt| attempt.epoch).max().unwrap_or(0)
    }

    /// What grows while the owner lives.
    fn files(&self) -> Vec<(u64, layout::FileInfo)> {
        let of = |attempt: &AttemptDir| {
            let files = attempt.bases.iter().chain(&attempt.logs);
            files.map(|file| (attempt.epoch, *file)).collect::<Vec<_>>()
        };
        self.attempts.iter().flat_map(of).collect()
    }
}

/// Whether the owner's work is over when `ours` takes the checkpoint: it is an earlier attempt of the same application,
/// which is taken for ended (one that was only paused is fenced), or another application that is known to have ended.
pub(super) async fn is_over(store: &Store, ours: &Owner, has_ended: &HasEnded) -> Result<bool, StoreError> {
    let sight = Sight::look(store).await?;
    let Some(owner) = &sight.owner else { return Ok(true) };
    Ok(owner.app == ours.app || sight.ended(ours, has_ended).await == Some(true))
}

/// Who owns an attempt's directory; `None` if its file is not there any more.
pub(super) async fn read_owner(store: &Store, attempt: &AttemptDir) -> Result<Option<Owner>, StoreError> {
    let text = gone_is_none(store.read(&attempt.owner(), OWNER_BYTES_MAX).await)?;
    Ok(text.map(|text| serde_json::from_slice(&text).unwrap_or_else(|_| Owner::unknown())))
}

fn gone_is_none<T>(outcome: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind == Kind::Gone => Ok(None),
        Err(error) => Err(error),
    }
}

/// Becomes the owner, if that is allowed. It may be repeated after a passing failure: a process that finds its own
/// claim goes on with it, and fences and reads everything below once more.
pub(super) async fn claim(
    store: &Store,
    ours: &Owner,
    slide_ms: Millis,
    force: Force,
    has_ended: HasEnded,
    tries: &mut Tries,
) -> Result<Claim, OpenError> {
    store.make_root().await?;
    for _ in 0..CONTESTS_MAX {
        let force = if tries.claimed { Force::No } else { force };
        let (sight, because) = permitted(store, ours, slide_ms, force, &has_ended).await?;
        let epoch = match sight.claimed_by(ours) {
            Some(epoch) => epoch,
            None => {
                let epoch = sight.highest() + 1;
                if !create(store, epoch, ours).await? {
                    continue;
                }
                epoch
            }
        };
        tries.claimed(store, epoch).await?;
        let earlier = fence(store, epoch).await?;
        return Ok(Claim { epoch, earlier, because });
    }
    Err(OpenError::Contested(store.address().to_string()))
}

/// Claims an epoch. False if another contender has it, or has a higher one and renamed ours away: then it must be
/// found out again who owns the checkpoint.
async fn create(store: &Store, epoch: u64, ours: &Owner) -> Result<bool, StoreError> {
    store.make_dir(&attempt_dir(epoch)).await?;
    let text = serde_json::to_vec_pretty(ours).expect("an owner always encodes");
    match store.put_bytes(&owner_file(epoch), Bytes::from(text)).await {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind, Kind::Exists | Kind::Gone) => Ok(false),
        Err(error) => Err(error),
    }
}

fn owner_file(epoch: u64) -> String {
    format!("{}/{}", attempt_dir(epoch), layout::OWNER)
}

/// Waits until taking the checkpoint is allowed, or known not to be.
async fn permitted(
    store: &Store,
    ours: &Owner,
    slide_ms: Millis,
    force: Force,
    has_ended: &HasEnded,
) -> Result<(Sight, Because), OpenError> {
    let clock = Clock::start();
    let first = Sight::look(store).await?;
    let force = match force {
        Force::TakeOver if obeyed(store, &first, ours).await? => Force::No,
        force => force,
    };
    let mut now = first.clone();
    loop {
        let ended = now.ended(ours, has_ended).await;
        let watched_ms = Millis::try_from(clock.monotonic().as_millis()).unwrap_or(Millis::MAX);
        let grew = now.files() != first.files() || now.owner != first.owner;
        match judge(now.owner.as_ref(), ours, force, Facts { ended, watched_ms, grew, slide_ms }) {
            Verdict::Take(because) => return Ok((now, because)),
            Verdict::Watch => {}
            Verdict::Refuse | Verdict::Superseded => {
                let Some(owner) = now.owner.map(Box::new) else { return Err(lost(store)) };
                let path = store.address().to_string();
                return Err(if owner.app == ours.app {
                    OpenError::Superseded { path, owner }
                } else {
                    OpenError::Owned { path, owner }
                });
            }
        }
        store.pause(WATCH_EVERY).await;
        now = Sight::look(store).await?;
    }
}

/// Whether this application had the checkpoint before, and another one has taken it since. An order to take over was
/// meant for the owner of its time, not for one that was ordered later.
async fn obeyed(store: &Store, sight: &Sight, ours: &Owner) -> Result<bool, StoreError> {
    if sight.owner.as_ref().is_none_or(|owner| owner.app == ours.app) {
        return Ok(false);
    }
    for attempt in sight.attempts.iter().filter(|attempt| attempt.owned) {
        if read_owner(store, attempt).await?.is_some_and(|owner| owner.app == ours.app) {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn hold(store: &Store, owner: &str) -> Result<Hold, OpenError> {
    for _ in 1..HOLD_TRIES {
        match store.hold(owner).await {
            Err(error) if error.kind == Kind::Exists => store.pause(Duration::from_millis(20)).await,
            Err(error) if error.kind == Kind::Gone => return Err(lost(store)),
            held => return Ok(held?),
        }
    }
    Ok(store.hold(owner).await?)
}

/// Renames every lower directory and takes over every log in them. Returns them as they are then.
///
/// A log is waited for when the store knows of bytes in it. Where it knows of none, none were acknowledged, and none will
/// be: what is closed or not is then all the same. A block that was given to a DataNode that was dead already is never
/// closed before that node comes back.
async fn fence(store: &Store, epoch: u64) -> Result<Vec<AttemptDir>, OpenError> {
    for attempt in survey(store).await?.iter().filter(|attempt| attempt.epoch < epoch && !attempt.fenced) {
        match store.rename(&attempt_dir(attempt.epoch), &fenced_dir(attempt.epoch)).await {
            // A contender has done it.
            Err(error) if error.kind == Kind::Gone => {}
            renamed => renamed?,
        }
    }
    let attempts = survey(store).await?;
    let own = attempts.iter().any(|attempt| attempt.epoch == epoch && !attempt.fenced);
    if !own || attempts.iter().any(|attempt| attempt.epoch > epoch && attempt.owned) {
        return Err(lost(store));
    }
    let earlier: Vec<_> = attempts.into_iter().filter(|attempt| attempt.epoch < epoch).collect();
    // A contender sets them aside.
    let gone_is_lost = |error: StoreError| match error.kind {
        Kind::Gone => lost(store),
        _ => error.into(),
    };
    let mut closing = Vec::new();
    for attempt in &earlier {
        for log in &attempt.logs {
            let path = attempt.log(log.number);
            if !store.begin_take_over(&path).await.map_err(gone_is_lost)? {
                closing.push(path);
            }
        }
    }
    for path in closing {
        let log = store.look(&path).await.map_err(gone_is_lost)?;
        if log.is_some_and(|log| log.bytes > 0) {
            store.take_over(&path).await.map_err(gone_is_lost)?;
        }
    }
    // Lengths as they are now that nothing grows any more.
    let settled = survey(store).await?;
    Ok(settled.into_iter().filter(|attempt| attempt.epoch < epoch).collect())
}

fn lost(store: &Store) -> OpenError {
    OpenError::Contested(store.address().to_string())
}
