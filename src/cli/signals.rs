//! SIGINT and SIGTERM as what people and schedulers mean by them: an end in order, then an end at once.
//!
//! Feeds `local` and `yarn`. `nohup` and closed terminals are the job's own matter.

use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::clock::Clock;

/// Signals of one kind so close together are one: `timeout` and job schedulers signal a process and then its group.
const SAME: Duration = Duration::from_millis(250);
/// The same for SIGTERM below `yarn jar`: who signals the whole group also has the JVM pass its own on, as SIGTERM, and
/// the JVM may be paused meanwhile.
const SAME_BELOW_JVM: Duration = Duration::from_secs(3);

/// The two signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// SIGINT, Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

/// What a signal says beside those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The first one.
    First,
    /// The same wish by another way.
    Echo,
    /// Somebody does not want to wait.
    Again,
}

/// Signals to this process.
pub(super) struct Signals {
    interrupts: Signal,
    terminates: Signal,
    clock: Clock,
    heard: Heard,
}

impl Signals {
    /// Takes them from now on. Must be called inside a runtime.
    pub(super) fn listen(clock: Clock) -> anyhow::Result<Self> {
        let interrupts = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
        let terminates = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
        let heard = Heard { below_jvm: super::parent::is_named(), ..Heard::default() };
        Ok(Self { interrupts, terminates, clock, heard })
    }

    /// The next one; `None` when there can be no more.
    pub(super) async fn next(&mut self) -> Option<(Kind, Meaning)> {
        let kind = tokio::select! {
            Some(()) = self.interrupts.recv() => Kind::Interrupt,
            Some(()) = self.terminates.recv() => Kind::Terminate,
            else => return None,
        };
        Some((kind, self.heard.hear(kind, self.clock.monotonic())))
    }
}

/// When each kind came first.
#[derive(Debug, Default)]
struct Heard {
    /// Whether a JVM passes signals on to this process.
    below_jvm: bool,
    interrupt: Option<Duration>,
    terminate: Option<Duration>,
}

impl Heard {
    /// The first of one kind after one of the other is an echo: where a JVM started this process (`yarn jar`), a
    /// terminal's Ctrl-C comes as SIGINT, and from the JVM as SIGTERM.
    fn hear(&mut self, kind: Kind, now: Duration) -> Meaning {
        let (same, other) = match kind {
            Kind::Interrupt => (&mut self.interrupt, self.terminate),
            Kind::Terminate => (&mut self.terminate, self.interrupt),
        };
        let alike = if self.below_jvm && kind == Kind::Terminate { SAME_BELOW_JVM } else { SAME };
        match *same {
            Some(first) if now > first + alike => Meaning::Again,
            Some(_) => Meaning::Echo,
            None => {
                *same = Some(now);
                if other.is_some() { Meaning::Echo } else { Meaning::First }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Kind::{Interrupt, Terminate};
    use super::Meaning::{Again, Echo, First};
    use super::*;

    fn meanings(signals: &[(Kind, u64)]) -> Vec<Meaning> {
        meanings_to(Heard::default(), signals)
    }

    fn meanings_to(mut heard: Heard, signals: &[(Kind, u64)]) -> Vec<Meaning> {
        signals.iter().map(|&(kind, at_ms)| heard.hear(kind, Duration::from_millis(at_ms))).collect()
    }

    #[test]
    fn a_second_wish_is_told_from_the_echo_of_the_first() {
        assert_eq!(meanings(&[(Terminate, 0), (Terminate, 100), (Terminate, 300)]), [First, Echo, Again]);
        assert_eq!(meanings(&[(Interrupt, 5_000), (Interrupt, 9_000)]), [First, Again]);
    }

    /// However late the JVM passes it on.
    #[test]
    fn ctrl_c_that_a_jvm_passes_on_is_one_wish_each_time() {
        let twice = [(Interrupt, 0), (Terminate, 900), (Interrupt, 2_000), (Terminate, 2_001)];
        assert_eq!(meanings(&twice), [First, Echo, Again, Again]);
    }

    /// `systemctl stop` and `timeout` signal the JVM and its child.
    #[test]
    fn a_jvm_may_be_paused_before_it_passes_sigterm_on() {
        let below_jvm = |signals| meanings_to(Heard { below_jvm: true, ..Heard::default() }, signals);
        let signals = [(Terminate, 1_000), (Terminate, 4_000), (Terminate, 4_001)];
        assert_eq!(below_jvm(&signals), [First, Echo, Again]);
        assert_eq!(below_jvm(&[(Interrupt, 0), (Interrupt, 2_000)]), [First, Again]);
    }
}
