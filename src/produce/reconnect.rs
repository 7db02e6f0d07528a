//! When to connect again: one rule for all sources, without clock or thread. `feed` reports what happens to its
//! connection, then waits as the answer says, and connects.
//!
//! A ladder of waits goes back to its first step only after a connection that settled. In such a connection something
//! still came [`SETTLED_AFTER`] after the connect, or as long after it as the wait before it, if that was longer. So a
//! server that accepts, sends a little and cuts sees longer and longer waits, as if it had refused. Silence at the end
//! does not count, because a connection that hangs does not work.
//!
//! Times are monotonic. A step of the wall clock has no effect.

use std::fmt;
use std::time::Duration;

use crate::random::Random;

mod ladders;

pub use ladders::{Growth, Ladder, Ladders, Meaning, WAIT_MAX};

/// For how long something must come before a connection has settled. A server that cuts each connection just then sees
/// 46 connects in 15 minutes; X allows 50.
pub const SETTLED_AFTER: Duration = Duration::from_secs(20);

/// The shortest wait after a server has said when to come back. It may say "now".
const RESET_MIN: Duration = Duration::from_secs(1);

/// Why there is no connection, or no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// No connection, or no answer on it: DNS, TCP, TLS, a time-out.
    Io,
    /// Broken off while it was read.
    Lost,
    /// Nothing came for too long, not even keep-alives.
    Silent,
    /// Ended by the server as it ends all connections, such as every 15 minutes.
    Normal,
    /// Closed here, as there was no room for posts. Nothing failed.
    Paused,
    /// Answered by a status that is no success.
    Http {
        /// The status.
        status: u16,
        /// When to come back by `Retry-After`, from now; of a 420 or 429 also by `x-rate-limit-reset`.
        reset: Option<Duration>,
    },
    /// Refused for asking too often.
    RateLimited {
        /// When to come back, from now, if the server says so.
        reset: Option<Duration>,
    },
    /// Refused for good, with the reason and the remedy: credentials, an unknown address, a bad request.
    Refused(String),
    /// Ended by a message in the stream, which had this code.
    Notice(u16),
}

impl fmt::Display for Failure {
    /// For logs, with what the server said, however late that is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let until = |f: &mut fmt::Formatter<'_>, reset: &Option<Duration>| match reset {
            Some(reset) => write!(f, ", to come back in {} s", reset.as_secs()),
            None => Ok(()),
        };
        match self {
            Self::Io => f.write_str("no connection"),
            Self::Lost => f.write_str("the connection was lost"),
            Self::Silent => f.write_str("nothing came for too long"),
            Self::Normal => f.write_str("the server ended the connection as usual"),
            Self::Paused => f.write_str("there was no room for posts"),
            Self::Http { status, reset } => {
                write!(f, "the server answered {status}").and_then(|()| until(f, reset))
            }
            Self::RateLimited { reset } => {
                f.write_str("the server limits the rate").and_then(|()| until(f, reset))
            }
            Self::Refused(reason) => f.write_str(reason),
            Self::Notice(code) => write!(f, "the server ended the connection with code {code}"),
        }
    }
}

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Connect after this time, to [`Reconnect::host`].
    Wait(Duration),
    /// Do not connect again. The text says why, and the remedy.
    GiveUp(String),
}

/// Decides when to connect again. Each source has one for each connection that it keeps up.
#[derive(Debug, Clone)]
pub struct Reconnect {
    ladders: Ladders,
    random: Random,
    connection: Option<Connection>,
    /// The next step of each ladder, by [`Kind`].
    steps: [u32; 4],
    /// How often in a row the answer was a client error.
    client_errors: u32,
    last_wait: Duration,
    host: usize,
}

/// The connection that there is.
#[derive(Debug, Clone, Copy)]
struct Connection {
    since: Duration,
    /// When something came last.
    heard: Option<Duration>,
}

/// Which ladder.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Connect,
    Cut,
    Answer,
    Limit,
}

impl Reconnect {
    /// By these ladders; `random` spreads the waits.
    pub fn new(ladders: Ladders, random: Random) -> Self {
        let (connection, last_wait) = (None, Duration::ZERO);
        Self { ladders, random, connection, steps: [0; 4], client_errors: 0, last_wait, host: 0 }
    }

    /// The server has accepted: headers with a success, or an upgrade to WebSocket.
    pub fn connected(&mut self, now: Duration) {
        self.connection = Some(Connection { since: now, heard: None });
        self.client_errors = 0;
    }

    /// Something came: a post, or a sign of life.
    pub fn received(&mut self, now: Duration) {
        if let Some(connection) = &mut self.connection {
            connection.heard = Some(now);
        }
    }

    /// The host to connect to: this number modulo the number of hosts. It moves on with each failed connect, not when a
    /// connection ends that had settled. That host works, and it may be the only one that can go on where it ended.
    pub fn host(&self) -> usize {
        self.host
    }

    /// There is no connection, or no longer.
    pub fn failed(&mut self, now: Duration, failure: &Failure) -> Next {
        let connection = self.connection.take();
        let heard = connection.is_some_and(|connection| connection.heard.is_some());
        let settled = connection.is_some_and(|connection| self.has_settled(connection, now, failure));
        if settled {
            self.steps = [0; 4];
        }
        match failure {
            Failure::Paused => Next::Wait(Duration::ZERO),
            Failure::Io => self.climb(Kind::Connect),
            Failure::Http { status: 420 | 429, reset } | Failure::RateLimited { reset } => {
                self.limited(*reset)
            }
            Failure::Http { status, reset } => self.answered(*status, *reset),
            Failure::Refused(reason) => Next::GiveUp(reason.clone()),
            Failure::Notice(code) => match self.ladders.meaning(*code) {
                Meaning::Lost => self.ended(settled, heard),
                Meaning::RateLimited => self.limited(None),
                Meaning::Refused(reason) => Next::GiveUp(reason.to_owned()),
            },
            Failure::Lost | Failure::Silent | Failure::Normal => self.ended(settled, heard),
        }
    }

    /// Whether the connection that ends now worked. One that the server ends as usual may have had nothing to send.
    fn has_settled(&self, connection: Connection, now: Duration, failure: &Failure) -> bool {
        let until = if *failure == Failure::Normal { Some(now) } else { connection.heard };
        let worked = until.map(|until| until.saturating_sub(connection.since));
        worked.is_some_and(|worked| worked >= self.last_wait.max(SETTLED_AFTER))
    }

    /// At once after a connection that settled. Never at once if nothing came: that could become a loop without a wait.
    fn ended(&mut self, settled: bool, heard: bool) -> Next {
        match (settled, heard) {
            (true, true) => {
                self.last_wait = Duration::ZERO;
                Next::Wait(Duration::ZERO)
            }
            (true, false) => self.spread(self.ladders.cut.at(0)),
            (false, _) => self.climb(Kind::Cut),
        }
    }

    fn answered(&mut self, status: u16, reset: Option<Duration>) -> Next {
        if self.ladders.fatal.contains(&status) {
            let what = "which trying again does not change";
            return Next::GiveUp(format!("the server answers {status}, {what}; {}", remedy(status)));
        }
        if (400..500).contains(&status) {
            self.client_errors = self.client_errors.saturating_add(1);
            if self.client_errors > self.ladders.client_errors_max {
                let often = self.client_errors;
                return Next::GiveUp(format!(
                    "the server refused {often} times, now by {status}; {}",
                    remedy(status)
                ));
            }
        }
        let step = self.next_step(Kind::Answer);
        self.move_on(self.ladders.answer.at(step).max(reset.unwrap_or_default().min(WAIT_MAX)))
    }

    /// By what the server says. By the ladder if it says nothing, or if we came back as it said and it limits us again.
    fn limited(&mut self, reset: Option<Duration>) -> Next {
        let step = self.next_step(Kind::Limit);
        let limit = self.ladders.limit;
        let least = match reset {
            None => limit.at(step),
            Some(_) => step.checked_sub(1).map_or(RESET_MIN, |again| limit.at(again)),
        };
        self.move_on(least.max(reset.unwrap_or_default().min(WAIT_MAX)))
    }

    fn climb(&mut self, kind: Kind) -> Next {
        let step = self.next_step(kind);
        let ladder = if matches!(kind, Kind::Cut) { self.ladders.cut } else { self.ladders.connect };
        self.move_on(ladder.at(step))
    }

    /// To the next host, after this wait.
    fn move_on(&mut self, wait: Duration) -> Next {
        self.host = self.host.wrapping_add(1);
        self.spread(wait)
    }

    /// The step of a ladder that applies now. The next failure of the kind is one higher.
    fn next_step(&mut self, kind: Kind) -> u32 {
        let next = &mut self.steps[kind as usize];
        let step = *next;
        *next = step.saturating_add(1);
        step
    }

    /// Jitter: `wait + wait / 4 * u`, with `u` uniform in `[0, 1)`. It only adds, so no wait is shorter than the server
    /// or its operator wants. The longest is [`WAIT_MAX`] and a quarter.
    fn spread(&mut self, wait: Duration) -> Next {
        let wait = wait + wait.mul_f64(self.random.unit() / 4.0);
        self.last_wait = wait;
        Next::Wait(wait)
    }
}

fn remedy(status: u16) -> &'static str {
    match status {
        401 | 403 => "check the credentials, and what they allow",
        404 | 410 => "check the address",
        _ => "check what is asked for",
    }
}

#[cfg(test)]
mod tests;
