//! How long to wait after which failure, by family of sources. Data for `reconnect`, with its sources.

use std::time::Duration;

/// The longest wait before its jitter. A server that names a later time is asked again after this.
pub const WAIT_MAX: Duration = Duration::from_mins(15);

/// Waits that grow with each failure of a kind in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ladder {
    /// The first wait.
    pub first: Duration,
    /// How they grow.
    pub growth: Growth,
    /// The longest wait.
    pub max: Duration,
}

/// How waits grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    /// By the first wait each time.
    Linear,
    /// Twice as long each time.
    Doubling,
}

impl Ladder {
    const fn linear(first_ms: u64, max_s: u64) -> Self {
        Self {
            first: Duration::from_millis(first_ms),
            growth: Growth::Linear,
            max: Duration::from_secs(max_s),
        }
    }

    const fn doubling(first_ms: u64, max_s: u64) -> Self {
        Self {
            first: Duration::from_millis(first_ms),
            growth: Growth::Doubling,
            max: Duration::from_secs(max_s),
        }
    }

    /// The wait at this step, from 0.
    pub fn at(&self, step: u32) -> Duration {
        let times = match self.growth {
            Growth::Linear => step.saturating_add(1),
            Growth::Doubling => 2_u32.saturating_pow(step),
        };
        self.first.saturating_mul(times).min(self.max)
    }

    const fn is_sound(&self) -> bool {
        !self.first.is_zero()
            && self.first.as_millis() <= self.max.as_millis()
            && self.max.as_millis() <= WAIT_MAX.as_millis()
    }
}

/// What the servers of a family expect from those who connect again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ladders {
    /// After [`Failure::Io`](super::Failure::Io).
    pub connect: Ladder,
    /// After a connection that was accepted, but ended before it settled.
    pub cut: Ladder,
    /// After a status that is no success.
    pub answer: Ladder,
    /// After too many requests, if the server does not say when to come back.
    pub limit: Ladder,
    /// Statuses after which trying again is of no use.
    pub fatal: &'static [u16],
    /// How many other client errors (4xx) in a row are taken for passing ones.
    pub client_errors_max: u32,
    /// What codes of messages in the stream mean; those that are not here mean that the connection is lost.
    pub notices: &'static [(u16, Meaning)],
}

/// What a message that ends a stream means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The server has reasons of its own.
    Lost,
    /// There are too many connections.
    RateLimited,
    /// It will not serve us again: why, and the remedy.
    Refused(&'static str),
}

impl Ladders {
    /// The v1.1-style statuses/filter protocol: what Twitter's Hosebird client did, by the rules in "Connecting to a
    /// streaming endpoint" (dev.twitter.com, 2012 to 2022). Hosebird reconnected at once, forever, where the host was
    /// unknown or the server accepted and cut; here both climb the ladder for failed connects. The rules do not say
    /// where waits after a 420 end; [`WAIT_MAX`] is the length of Twitter's rate limit windows.
    ///
    /// Codes: "Streaming message types" (developer.twitter.com). 2 and 7 say that another client has connected with the
    /// same credentials. If both came back at once, each would end the other's connection.
    pub const HOSEBIRD: Self = Self {
        connect: Ladder::linear(250, 16),
        cut: Ladder::linear(250, 16),
        answer: Ladder::doubling(5_000, 320),
        limit: Ladder::doubling(60_000, 900),
        fatal: &[404, 406, 413, 416],
        client_errors_max: 5,
        notices: &[
            (2, Meaning::RateLimited),
            (6, Meaning::Refused("the token was revoked (disconnect code 6); get another")),
            (7, Meaning::RateLimited),
        ],
    };

    /// X API v2: the same rules ("Handling disconnections", developer.x.com), but at most 50 connects in 15 minutes. By
    /// the ladder for connections that are cut there are 35.
    pub const X: Self = Self { cut: Ladder::doubling(250, 32), notices: &[], ..Self::HOSEBIRD };

    /// Jetstream of Bluesky, which publishes no rules. There are several hosts, so twice as many client errors are
    /// needed before all of them have refused as often, and a 404 may be that of one host.
    pub const JETSTREAM: Self = Self {
        connect: Ladder::doubling(250, 16),
        cut: Ladder::doubling(250, 16),
        answer: Ladder::doubling(5_000, 320),
        limit: Ladder::doubling(30_000, 320),
        fatal: &[],
        client_errors_max: 10,
        notices: &[],
    };

    /// Servers whose rules are not known: EventStreams, Mastodon, anything that speaks SSE, WebSocket or HTTP lines.
    pub const GENERIC: Self = Self {
        connect: Ladder::doubling(1_000, 60),
        cut: Ladder::doubling(1_000, 60),
        answer: Ladder::doubling(5_000, 320),
        limit: Ladder::doubling(60_000, 900),
        fatal: &[404, 406, 410, 413, 416],
        client_errors_max: 5,
        notices: &[],
    };

    /// What this code of a message means.
    pub(super) fn meaning(&self, code: u16) -> Meaning {
        let known = self.notices.iter().find(|(known, _)| *known == code);
        known.map_or(Meaning::Lost, |(_, meaning)| *meaning)
    }

    const fn is_sound(&self) -> bool {
        self.connect.is_sound() && self.cut.is_sound() && self.answer.is_sound() && self.limit.is_sound()
    }
}

// No wait of zero, none beyond the longest.
const _: () = assert!(Ladders::HOSEBIRD.is_sound() && Ladders::X.is_sound());
const _: () = assert!(Ladders::JETSTREAM.is_sound() && Ladders::GENERIC.is_sound());
