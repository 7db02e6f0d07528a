//! The only place that reads a clock; everything else takes the time as an argument.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::ids::Millis;

/// Both clocks of the machine, read together.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock whose monotonic time starts now.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// Time since `start`, unaffected by changes of the wall clock.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
    pub fn monotonic(&self) -> Duration {
        Instant::now().duration_since(self.origin)
    }

    /// The system's monotonic clock itself (`CLOCK_MONOTONIC`), with which libraries in this process stamp events.
    pub fn uptime(&self) -> Duration {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        Duration::try_from(now).unwrap_or_default()
    }

    /// Wall-clock time since the epoch (UTC); zero for a clock set before it.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
    pub fn wall(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    /// The same in whole milliseconds.
    pub fn wall_ms(&self) -> Millis {
        Millis::try_from(self.wall().as_millis()).unwrap_or(Millis::MAX)
    }
}
