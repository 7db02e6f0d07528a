//! Who owns a cursor, and whether another may take it: functions of what the owner file says. Used by `claim`, and by the
//! owner before each write.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_util::bytes::Bytes;

use crate::ids::Millis;

/// How often the owner file grows while the owner lives, at least; it is not written more often for that.
pub(super) const BEAT: Duration = Duration::from_secs(5);
/// For how long it must not have changed before the owner is taken for dead.
pub(super) const QUIET: Duration = Duration::from_secs(15);
const _: () = assert!(QUIET.as_millis() >= 3 * BEAT.as_millis());

/// The owner file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CursorOwner {
    /// Grows by one with each owner.
    pub(super) epoch: u64,
    /// A random number of the process: its host and pid may come again.
    pub(super) process: String,
    pub(super) host: String,
    pub(super) pid: u32,
    /// When the process began, by its own clock; for people.
    pub(super) since_ms: Millis,
    /// Grows while the owner lives.
    pub(super) beat: u64,
    /// Whether it has ended, and said so.
    pub(super) free: bool,
}

/// What an owner finds when it looks at the owner file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// Its own file.
    Ours,
    /// That of an earlier owner, which woke up in the middle of a write: it is written again.
    Overwritten,
    /// None.
    Missing,
    /// That of another, in words.
    Lost(String),
}

/// Whether a cursor may be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It may, because.
    Take(Because),
    /// Not known yet: watch the owner file for longer.
    Watch,
    /// It may not: the owner lives.
    Refuse,
}

/// Why a cursor may be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Because {
    /// Nobody owns it.
    Free,
    /// The owner has ended, and said so.
    Ended,
    /// The owner has not been heard of for [`QUIET`].
    Quiet,
}

/// Decides whether the cursor may be taken whose owner file was `first` and is `now`, after it was watched for so long.
/// The file's very bytes are compared: also one that cannot be read belongs to somebody.
pub(super) fn judge(first: Option<&[u8]>, now: Option<&[u8]>, watched: Duration) -> Verdict {
    let Some(text) = now else { return Verdict::Take(Because::Free) };
    if CursorOwner::decode(text).is_some_and(|owner| owner.free) {
        return Verdict::Take(Because::Ended);
    }
    if first != now {
        return Verdict::Refuse;
    }
    if watched >= QUIET { Verdict::Take(Because::Quiet) } else { Verdict::Watch }
}

impl CursorOwner {
    pub(super) fn encode(&self) -> Bytes {
        serde_json::to_vec_pretty(self).expect("an owner always encodes").into()
    }

    pub(super) fn decode(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok()
    }

    fn is_same(&self, other: &Self) -> bool {
        let of = |owner: &Self| (owner.epoch, owner.pid, owner.since_ms);
        of(self) == of(other) && self.process == other.process && self.host == other.host
    }

    /// What it means for this owner that the file says this.
    pub(super) fn standing(&self, text: Option<&[u8]>) -> Standing {
        let Some(text) = text else { return Standing::Missing };
        match Self::decode(text) {
            Some(found) if found.is_same(self) => Standing::Ours,
            Some(found) if found.epoch < self.epoch => Standing::Overwritten,
            _ => Standing::Lost(in_words(Some(text))),
        }
    }
}

/// Who an owner file names.
pub(super) fn in_words(text: Option<&[u8]>) -> String {
    let Some(owner) = text.and_then(CursorOwner::decode) else {
        return "a producer whose owner file cannot be read".to_owned();
    };
    let CursorOwner { host, pid, since_ms, .. } = owner;
    let since = jiff::Timestamp::from_millisecond(since_ms);
    let since = since.map_or_else(|_| format!("{since_ms} ms"), |time| time.to_string());
    // Written by another program: what is in it may be anything.
    let host: String = host.chars().filter(|c| !c.is_control()).take(100).collect();
    format!("the producer on {host} with pid {pid}, which began at {since}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(epoch: u64, process: &str, beat: u64) -> CursorOwner {
        let (process, host) = (process.to_owned(), "h1".to_owned());
        CursorOwner { epoch, process, host, pid: 7, since_ms: 1_795_397_398_000, beat, free: false }
    }

    fn judged(first: &CursorOwner, now: &CursorOwner, seconds: u64) -> Verdict {
        judge(Some(&first.encode()), Some(&now.encode()), Duration::from_secs(seconds))
    }

    #[test]
    fn a_cursor_without_owner_or_with_one_that_ended_is_taken_at_once() {
        assert_eq!(judge(None, None, Duration::ZERO), Verdict::Take(Because::Free));
        let ended = CursorOwner { free: true, ..owner(3, "a", 9) };
        assert_eq!(judged(&ended, &ended, 0), Verdict::Take(Because::Ended));
        assert_eq!(judged(&owner(3, "a", 8), &ended, 2), Verdict::Take(Because::Ended), "ended meanwhile");
    }

    #[test]
    fn an_owner_that_beats_is_not_disturbed_and_one_that_is_quiet_is_dead() {
        let first = owner(3, "a", 8);
        assert_eq!(judged(&first, &first, 14), Verdict::Watch);
        assert_eq!(judged(&first, &first, 15), Verdict::Take(Because::Quiet));
        assert_eq!(judged(&first, &owner(3, "a", 9), 5), Verdict::Refuse);
        assert_eq!(judged(&first, &owner(3, "a", 9), 60), Verdict::Refuse);
        assert_eq!(judged(&first, &owner(4, "b", 0), 60), Verdict::Refuse, "another was faster");
        let after = |seconds| judge(Some(b"?"), Some(b"?"), Duration::from_secs(seconds));
        assert_eq!((after(0), after(15)), (Verdict::Watch, Verdict::Take(Because::Quiet)), "not readable");
    }

    #[test]
    fn an_owner_sees_whether_it_still_is_one() {
        let ours = owner(4, "b", 3);
        let sees = |found: &CursorOwner| ours.standing(Some(&found.encode()));
        assert_eq!(sees(&owner(4, "b", 2)), Standing::Ours);
        assert_eq!(sees(&owner(3, "a", 90)), Standing::Overwritten);
        assert_eq!(ours.standing(None), Standing::Missing);
        let lost =
            Standing::Lost("the producer on h1 with pid 7, which began at 2026-11-23T01:29:58Z".to_owned());
        assert_eq!(sees(&owner(5, "c", 0)), lost);
        assert_eq!(sees(&owner(4, "c", 0)), lost, "the same epoch is no proof");
        assert!(matches!(ours.standing(Some(b"?")), Standing::Lost(_)));
    }
}
