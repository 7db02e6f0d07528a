//! Where a Jetstream goes on, and what is missing there. Pure.
//!
//! ```text
//! the same host, version 2     by seq: exactly, the last event comes again
//! another host, or version 1   by time, rewound: hosts see events at slightly different times, and out of order
//! ```
//!
//! What is delivered twice by that is recognized by its id. The place that travels with events never goes back within a
//! run. Events that a host sends out of order, as around the switch from replay to live, so lie before the place that
//! is saved; on version 1 the rewind covers them, version 2 sends in the order of its numbers.

use anyhow::bail;

use super::hosts::Version;
use crate::ids::Millis;
use crate::produce::event::{Gap, Resume};
use crate::produce::feed::Name;

/// How far back a place is asked for by its time.
pub const REWIND_MS: Millis = 10_000;
/// Rewound, a place lies less far back than that before the first event, if nothing is missing: a stream of everyone's
/// posts is never silent for so long.
const LATE_US: u64 = 60_000_000;
/// What hosts keep at least (docs/README.md 5.1: 36 hours), less some time for clocks and for connecting.
const KEPT_US: u64 = 35 * 3_600 * 1_000_000;
/// How far a time may lie ahead of the clock here. A place in the future would be taken for "live" by hosts.
const AHEAD_US: u64 = 60_000_000;
/// Cursors from here on are times, those below are numbers (docs/README.md 5.1).
const TIMES_FROM: u64 = 1_000_000_000_000_000;

/// How a host is asked to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// With what comes next.
    Live,
    /// With the event of this number.
    Seq(u64),
    /// With what it saw from this time on, in microseconds since the epoch.
    Time(u64),
}

/// The place, from one connection to the next.
#[derive(Debug)]
pub(super) struct Place {
    /// The last event's.
    last: Option<Last>,
    asked: Asked,
    /// Whether an event has come since it was asked.
    begun: bool,
    /// Whether the host said that it does not keep what it was asked for.
    outdated: bool,
    /// Whether numbers of the host are of no use any more.
    by_time: bool,
    /// Whether the stream is that of everyone, and so never silent.
    busy: bool,
}

#[derive(Debug, Clone)]
struct Last {
    host: Name,
    seq: Option<u64>,
    time_us: u64,
}

/// What an event does to the place.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct GoneOn {
    pub(super) resume: Resume,
    /// What is missing before it.
    pub(super) gap: Option<Gap>,
}

/// The host has numbered its events anew: its numbers are of no use.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Renumbered;

impl Place {
    pub(super) fn new(resume: Option<Resume>, busy: bool) -> anyhow::Result<Self> {
        let last = match resume {
            None => None,
            Some(Resume::Jetstream { host, seq, time_us }) => Some(Last { host, seq, time_us }),
            Some(_) => {
                bail!("the cursor is none of source.jetstream; name another cursor.path for this source")
            }
        };
        Ok(Self { last, asked: Asked::Live, begun: false, outdated: false, by_time: false, busy })
    }

    /// Whether there is a place to go on at.
    pub(super) fn is_known(&self) -> bool {
        self.last.is_some()
    }

    /// How this host is to be asked.
    pub(super) fn ask(&mut self, host: &Name, version: Version) -> Asked {
        let rewound = |time_us: u64| time_us.saturating_sub(REWIND_MS.unsigned_abs() * 1_000).max(TIMES_FROM);
        self.begun = false;
        self.asked = match &self.last {
            None => Asked::Live,
            Some(Last { host: own, seq: Some(seq), .. })
                if own == host && version == Version::V2 && !self.by_time =>
            {
                Asked::Seq(*seq)
            }
            Some(Last { time_us, .. }) => Asked::Time(rewound(*time_us)),
        };
        self.asked
    }

    /// The host does not keep the number that it was asked for.
    pub(super) fn too_old(&mut self) {
        self.by_time = true;
    }

    /// The host does not keep the time that it was asked for, and begins with the oldest event that it keeps.
    pub(super) fn outdated(&mut self) {
        self.outdated = true;
    }

    /// An event came from this host.
    pub(super) fn event(
        &mut self,
        host: &Name,
        seq: Option<u64>,
        time_us: u64,
        now_us: u64,
    ) -> Result<GoneOn, Renumbered> {
        let first = !std::mem::replace(&mut self.begun, true);
        if let (true, Asked::Seq(asked), Some(seq)) = (first, self.asked, seq)
            && seq < asked
        {
            self.by_time = true;
            return Err(Renumbered);
        }
        let time_us = time_us.min(now_us.saturating_add(AHEAD_US));
        let gap = if first { self.gap(time_us, now_us) } else { None };
        // Numbers from before the host numbered anew, or those of another host, say nothing here.
        let anew = std::mem::take(&mut self.by_time);
        self.outdated = false;
        let last = match self.last.take() {
            Some(last) => Last {
                seq: if last.host == *host && !anew { last.seq.max(seq) } else { seq },
                time_us: last.time_us.max(time_us),
                host: host.clone(),
            },
            None => Last { host: host.clone(), seq, time_us },
        };
        let Last { host, seq, time_us } = last.clone();
        self.last = Some(last);
        Ok(GoneOn { resume: Resume::Jetstream { host, seq, time_us }, gap })
    }

    /// What is missing before the first event of a connection.
    fn gap(&self, time_us: u64, now_us: u64) -> Option<Gap> {
        let last = self.last.as_ref()?;
        let is_late = time_us > last.time_us.saturating_add(LATE_US);
        // A stream of few accounts may well be silent. Then only what no host keeps is known to be missing.
        let not_kept = now_us > last.time_us.saturating_add(KEPT_US);
        if !self.outdated && !(is_late && (self.busy || not_kept)) {
            return None;
        }
        let ms = |time_us: u64| Millis::try_from(time_us / 1_000).unwrap_or(Millis::MAX);
        let gap = Gap { from_ms: ms(last.time_us), until_ms: ms(time_us) };
        (gap.until_ms > gap.from_ms).then_some(gap)
    }
}

#[cfg(test)]
mod tests;
