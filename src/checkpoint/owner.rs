//! Who owns a checkpoint, and whether another may take it over: a function of facts.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::Millis;

/// The driver attempt that a directory belongs to, as its `owner` file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Application id; of a local run something that no other run has.
    pub app: String,
    /// Driver attempt of that application, from 1.
    pub attempt: u32,
    /// Name of the job.
    pub job: String,
    /// Host that the driver runs on.
    pub host: String,
    /// Its process id there.
    pub pid: u32,
    /// Version of the program.
    pub version: String,
    /// Digest of the job file as the driver understood it.
    pub config: String,
    /// When it became the owner, by its own clock; for people.
    pub since_ms: Millis,
    /// A random token that the process made for itself. Only that process knows its own claim again by it, because an
    /// attempt's number is no proof: YARN may run one attempt twice. Earlier versions wrote none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
}

impl Owner {
    /// Of a file that does not say who: not to be taken for nobody.
    pub(super) fn unknown() -> Self {
        let unknown = || "unknown".to_owned();
        Self {
            app: unknown(),
            attempt: 0,
            job: unknown(),
            host: unknown(),
            pid: 0,
            version: unknown(),
            config: unknown(),
            since_ms: 0,
            process: None,
        }
    }

    /// Whether both are the same process. Without a token nobody can tell, so they are not.
    pub(super) fn is_same_process(&self, other: &Self) -> bool {
        self.process.is_some() && self.process == other.process
    }
}

/// Says whether an owner's application has ended; `None` if it cannot tell. May block.
pub type HasEnded = Arc<dyn Fn(&Owner) -> Option<bool> + Send + Sync>;

/// What an order of the person who submits allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Force {
    /// Nothing: a live owner keeps it.
    #[default]
    No,
    /// `--take-over`: the owner is fenced.
    TakeOver,
}

/// What is known of an owner.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// Whether its application has ended: from the ResourceManager, locally from its lock. `None`: nobody knows.
    pub ended: Option<bool>,
    /// How long its files have been watched, milliseconds.
    pub watched_ms: Millis,
    /// Whether they grew meanwhile.
    pub grew: bool,
    /// Step of its window, milliseconds.
    pub slide_ms: Millis,
}

/// Whether the checkpoint may be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may, because.
    Take(Because),
    /// Not known yet: watch its files for longer.
    Watch,
    /// It may not: the owner lives.
    Refuse,
    /// It may not: a later attempt of the same application owns it.
    Superseded,
}

/// Why a checkpoint may be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// Nobody owns it.
    Free,
    /// An earlier try of this very process claimed it and then failed.
    Claimed,
    /// The owner is an earlier attempt of the same application, which has ended when the next one is started.
    EarlierAttempt,
    /// The owner's application has ended.
    Ended,
    /// Its log has not grown for [`quiet_ms`].
    Quiet,
    /// Somebody ordered it.
    Ordered,
}

impl Because {
    /// In words, after "taken over:".
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Free => "nobody owns it",
            Self::Claimed => "this driver claimed it before",
            Self::EarlierAttempt => "its owner is an earlier attempt of this application",
            Self::Ended => "its owner has ended",
            Self::Quiet => "its owner writes nothing any more",
            Self::Ordered => "--take-over was given",
        }
    }
}

/// For so long an owner's log must not grow before another application may take it, milliseconds.
pub fn quiet_ms(slide_ms: Millis) -> Millis {
    slide_ms.saturating_mul(3).saturating_add(10_000)
}

/// Decides whether `ours` may take what `owner` owns.
pub fn judge(owner: Option<&Owner>, ours: &Owner, force: Force, facts: Facts) -> Verdict {
    let Some(owner) = owner else { return Verdict::Take(Because::Free) };
    if owner.is_same_process(ours) {
        return Verdict::Take(Because::Claimed);
    }
    if owner.app == ours.app {
        return match owner.attempt.cmp(&ours.attempt) {
            std::cmp::Ordering::Less => Verdict::Take(Because::EarlierAttempt),
            std::cmp::Ordering::Equal if facts.ended == Some(true) => Verdict::Take(Because::Ended),
            std::cmp::Ordering::Equal | std::cmp::Ordering::Greater => Verdict::Superseded,
        };
    }
    match facts.ended {
        _ if force == Force::TakeOver => Verdict::Take(Because::Ordered),
        Some(true) => Verdict::Take(Because::Ended),
        _ if facts.grew => Verdict::Refuse,
        _ if facts.watched_ms >= quiet_ms(facts.slide_ms) => Verdict::Take(Because::Quiet),
        _ => Verdict::Watch,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(app: &str, attempt: u32) -> Owner {
        let text = |text: &str| text.to_owned();
        let (job, host, version, config) = (text("TweetsApp"), text("nm1"), text("0"), text("c"));
        Owner { app: text(app), attempt, job, host, pid: 1, version, config, since_ms: 0, process: None }
    }

    fn judged(other: &Owner, force: Force, ended: Option<bool>, watched_ms: Millis, grew: bool) -> Verdict {
        judge(Some(other), &owner("b", 2), force, Facts { ended, watched_ms, grew, slide_ms: 1_000 })
    }

    #[test]
    fn attempts_of_one_application_follow_each_other() {
        let unknown = |other: &Owner| judged(other, Force::No, None, 0, false);
        assert_eq!(unknown(&owner("b", 1)), Verdict::Take(Because::EarlierAttempt));
        assert_eq!(unknown(&owner("b", 2)), Verdict::Superseded);
        assert_eq!(unknown(&owner("b", 3)), Verdict::Superseded);
        let forced = judged(&owner("b", 3), Force::TakeOver, Some(true), 0, false);
        assert_eq!(
            forced,
            Verdict::Superseded,
            "an attempt that has a successor is over, whatever was ordered"
        );
        let facts = Facts { ended: None, watched_ms: 0, grew: false, slide_ms: 1_000 };
        assert_eq!(judge(None, &owner("b", 2), Force::No, facts), Verdict::Take(Because::Free));
    }

    #[test]
    fn another_application_waits_until_the_owner_is_known_to_be_gone() {
        let other = owner("a", 7);
        let ask = |ended, watched_ms, grew| judged(&other, Force::No, ended, watched_ms, grew);
        assert_eq!(ask(Some(true), 0, false), Verdict::Take(Because::Ended));
        assert_eq!(ask(None, 12_999, false), Verdict::Watch);
        assert_eq!(ask(None, 13_000, false), Verdict::Take(Because::Quiet));
        assert_eq!(ask(Some(false), 13_000, false), Verdict::Take(Because::Quiet), "a driver that hangs");
        assert_eq!(ask(None, 1_000, true), Verdict::Refuse);
        assert_eq!(judged(&other, Force::TakeOver, Some(false), 0, true), Verdict::Take(Because::Ordered));
    }
}
