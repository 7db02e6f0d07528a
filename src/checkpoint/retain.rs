//! What is kept, and what is deleted once a newer base is durable.

use std::collections::BTreeMap;

use super::BASE_HEAD_BYTES_MAX;
use super::claim::read_owner;
use super::frame::{Frames, Identity};
use super::head::{self, BaseHead};
use super::layout::{AttemptDir, fenced_dir, survey};
use crate::ids::Millis;
use crate::store::{Store, StoreError};

/// Bases kept: the newest may turn out to be damaged, and the one before it as well.
const BASES: usize = 3;
/// Attempts kept because after them the program or the job changed, so that going back keeps the window.
const PINNED_MAX: usize = 3;

/// Ends of bases by epoch and number, as far as they have been read: a base never changes.
pub(super) type Ends = BTreeMap<(u64, u64), Option<Millis>>;

/// Deletes what no restart needs: files older than the third newest base and than the newest base that is no later
/// than `keep_since_ms`, from which results are still to be made. Returns the bytes that are left.
pub(super) async fn retain(
    store: &Store,
    keep_since_ms: Option<Millis>,
    ends: &mut Ends,
) -> Result<u64, StoreError> {
    let attempts = survey(store).await?;
    let mut bases: Vec<(u64, u64)> = attempts
        .iter()
        .flat_map(|attempt| attempt.bases.iter().map(|base| (attempt.epoch, base.number)))
        .collect();
    bases.sort_unstable();
    let mut kept = 0;
    let mut floor = None;
    for &(epoch, number) in bases.iter().rev() {
        floor = Some((epoch, number));
        kept += 1;
        if kept < BASES {
            continue;
        }
        let Some(since_ms) = keep_since_ms else { break };
        if end_of(store, &attempts, (epoch, number), ends).await?.is_none_or(|end_ms| end_ms <= since_ms) {
            break;
        }
    }
    let Some(floor) = floor.filter(|_| kept >= BASES) else { return Ok(total(&attempts, (0, 0))) };
    ends.retain(|base, _| *base >= floor);
    let pinned = pinned(store, &attempts).await?;
    for attempt in &attempts {
        delete_below(store, attempt, floor, pinned.contains(&attempt.epoch)).await?;
    }
    Ok(total(&attempts, floor))
}

/// Moves every earlier attempt out of the way, the oldest first: until the newest is gone, nothing has changed for
/// whoever recovers.
pub(super) async fn set_aside(store: &Store, epoch: u64, earlier: &[AttemptDir]) -> Result<(), StoreError> {
    if earlier.is_empty() {
        return Ok(());
    }
    let aside = format!("aside-{epoch:06}");
    store.make_dir(&aside).await?;
    for attempt in earlier {
        let name = fenced_dir(attempt.epoch);
        store.rename(&name, &format!("{aside}/{name}")).await?;
    }
    Ok(())
}

async fn end_of(
    store: &Store,
    attempts: &[AttemptDir],
    base: (u64, u64),
    ends: &mut Ends,
) -> Result<Option<Millis>, StoreError> {
    if let Some(end_ms) = ends.get(&base) {
        return Ok(*end_ms);
    }
    let (epoch, number) = base;
    let Some(attempt) = attempts.iter().find(|attempt| attempt.epoch == epoch) else { return Ok(None) };
    let bytes = store.read_so_far(&attempt.base(number), BASE_HEAD_BYTES_MAX).await?;
    let identity = Identity { epoch, number };
    // One that cannot be read is no start for anything: older ones are kept for it.
    let end_ms = head::read::<BaseHead>(&mut Frames::new(&bytes, identity), identity)
        .map_or(Some(Millis::MAX), |head| head.end_ms);
    ends.insert(base, end_ms);
    Ok(end_ms)
}

/// Attempts whose successor was of another version, or had another job file.
async fn pinned(store: &Store, attempts: &[AttemptDir]) -> Result<Vec<u64>, StoreError> {
    let mut owners = Vec::new();
    for attempt in attempts.iter().filter(|attempt| attempt.owned) {
        if let Some(owner) = read_owner(store, attempt).await? {
            owners.push((attempt, owner));
        }
    }
    let changed = owners.windows(2).filter(|pair| {
        let ((attempt, before), (_, after)) = (&pair[0], &pair[1]);
        !attempt.bases.is_empty() && (&before.version, &before.config) != (&after.version, &after.config)
    });
    let changed: Vec<u64> = changed.map(|pair| pair[0].0.epoch).collect();
    Ok(changed[changed.len().saturating_sub(PINNED_MAX)..].to_vec())
}

async fn delete_below(
    store: &Store,
    attempt: &AttemptDir,
    floor: (u64, u64),
    pinned: bool,
) -> Result<(), StoreError> {
    if attempt.epoch > floor.0 {
        return Ok(());
    }
    if attempt.epoch < floor.0 && !pinned {
        // Only what was fenced: a directory that is not belongs to a contender who is about to find out.
        return if attempt.fenced { store.delete(&attempt.name()).await } else { Ok(()) };
    }
    let lowest = match attempt.bases.last() {
        Some(base) if attempt.epoch < floor.0 => base.number,
        _ => floor.1,
    };
    for file in attempt.bases.iter().filter(|file| file.number < lowest) {
        store.delete(&attempt.base(file.number)).await?;
    }
    for file in attempt.logs.iter().filter(|file| file.number < lowest) {
        store.delete(&attempt.log(file.number)).await?;
    }
    Ok(())
}

fn total(attempts: &[AttemptDir], floor: (u64, u64)) -> u64 {
    let of = |attempt: &AttemptDir| {
        let files = attempt.bases.iter().chain(&attempt.logs);
        files.filter(|file| (attempt.epoch, file.number) >= floor).map(|file| file.bytes).sum::<u64>()
    };
    attempts.iter().map(of).sum()
}
