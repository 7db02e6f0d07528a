//! The published ladders, step by step. What servers see of them is in `simulation`.

use super::*;

mod simulation;

const SECOND: Duration = Duration::from_secs(1);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A core with jitter, and a clock that the test moves.
#[derive(Clone)]
struct Tried {
    core: Reconnect,
    now: Duration,
}

impl Tried {
    fn new(ladders: Ladders) -> Self {
        Self { core: Reconnect::new(ladders, Random::with_seed(7)), now: Duration::ZERO }
    }

    /// Fails, and waits. The answer is the wait without its jitter, which has to be one of `waits`.
    #[track_caller]
    fn waits(&mut self, failure: &Failure, wait: Duration) {
        match self.core.failed(self.now, failure) {
            Next::Wait(got) => {
                assert!(got >= wait && got <= wait + wait / 4, "{got:?} for {wait:?}");
                self.now += got;
            }
            Next::GiveUp(reason) => panic!("{reason}"),
        }
    }

    #[track_caller]
    fn gives_up(&mut self, failure: &Failure) -> String {
        match self.core.failed(self.now, failure) {
            Next::Wait(wait) => panic!("waits {wait:?}"),
            Next::GiveUp(reason) => reason,
        }
    }

    /// A connection on which something comes now and after `lasts`.
    fn holds(&mut self, lasts: Duration) -> &mut Self {
        self.core.connected(self.now);
        self.core.received(self.now);
        self.now += lasts;
        self.core.received(self.now);
        self
    }

    /// A connection on which nothing comes.
    fn is_quiet(&mut self, lasts: Duration) -> &mut Self {
        self.core.connected(self.now);
        self.is_silent(lasts)
    }

    fn is_silent(&mut self, lasts: Duration) -> &mut Self {
        self.now += lasts;
        self
    }
}

fn http(status: u16) -> Failure {
    Failure::Http { status, reset: None }
}

fn limited(reset_s: u64) -> Failure {
    Failure::RateLimited { reset: Some(Duration::from_secs(reset_s)) }
}

#[test]
fn hosebird_climbs_as_published() {
    let mut tried = Tried::new(Ladders::HOSEBIRD);
    for wait in [250, 500, 750, 1_000, 1_250] {
        tried.waits(&Failure::Io, ms(wait));
    }
    for _ in 5..63 {
        tried.core.failed(tried.now, &Failure::Io);
    }
    for wait in [16_000, 16_000, 16_000] {
        tried.waits(&Failure::Io, ms(wait));
    }
    for wait in [5, 10, 20, 40, 80, 160, 320, 320] {
        tried.waits(&http(503), wait * SECOND);
    }
    for wait in [60, 120, 240, 480, 900, 900] {
        tried.waits(&http(420), wait * SECOND);
    }
    // One ladder does not move another.
    tried.waits(&Failure::Io, ms(16_000));
}

#[test]
fn jetstream_climbs_and_goes_from_host_to_host() {
    let mut tried = Tried::new(Ladders::JETSTREAM);
    for (index, wait) in [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 16_000].into_iter().enumerate() {
        assert_eq!(tried.core.host(), index);
        tried.waits(&Failure::Io, ms(wait));
    }
    for wait in [30, 60, 120, 240, 320, 320] {
        tried.waits(&Failure::RateLimited { reset: None }, wait * SECOND);
    }
    let host = tried.core.host();
    assert_eq!(host, 14);
    tried.waits(&http(502), 5 * SECOND);
    tried.is_quiet(SECOND).waits(&Failure::Lost, ms(250));
    assert_eq!(tried.core.host(), host + 2);
    tried.holds(20 * SECOND).waits(&Failure::Lost, Duration::ZERO);
    assert_eq!(tried.core.host(), host + 2, "the host that worked");
}

#[test]
fn a_connection_that_settled_is_replaced_at_once_and_resets_all_ladders() {
    for failure in [Failure::Lost, Failure::Silent, Failure::Normal, Failure::Notice(12)] {
        let mut tried = Tried::new(Ladders::HOSEBIRD);
        for _ in 0..3 {
            tried.waits(&Failure::Io, tried.core.ladders.connect.at(tried.core.steps[0]));
        }
        tried.waits(&http(500), 5 * SECOND);
        tried.holds(20 * SECOND).waits(&failure, Duration::ZERO);
        tried.waits(&Failure::Io, ms(250));
        tried.waits(&http(500), 5 * SECOND);
    }
}

#[test]
fn a_connection_settles_after_20_s_or_the_last_wait() {
    let mut tried = Tried::new(Ladders::HOSEBIRD);
    tried.holds(ms(19_999)).waits(&Failure::Lost, ms(250));
    tried.holds(ms(19_999)).waits(&Failure::Lost, ms(500));
    tried.holds(ms(20_000)).waits(&Failure::Lost, Duration::ZERO);
    tried.waits(&http(429), 60 * SECOND);
    tried.holds(ms(59_999)).waits(&Failure::Lost, ms(250));
    tried.holds(ms(20_000)).waits(&Failure::Lost, Duration::ZERO);
    // After a connect without a wait, 20 s are enough again.
    tried.waits(&http(429), 60 * SECOND);
    tried.holds(75 * SECOND).waits(&Failure::Lost, Duration::ZERO);
    tried.holds(ms(20_000)).waits(&Failure::Lost, Duration::ZERO);
    // Silence at the end adds nothing.
    tried.holds(ms(19_999)).is_silent(60 * SECOND).waits(&Failure::Silent, ms(250));
}

#[test]
fn a_connection_on_which_nothing_came_is_a_failed_connect() {
    let mut tried = Tried::new(Ladders::HOSEBIRD);
    for wait in [250, 500, 750] {
        tried.is_quiet(600 * SECOND).waits(&Failure::Lost, ms(wait));
    }
    for wait in [1_000, 1_250] {
        tried.is_quiet(60 * SECOND).waits(&Failure::Silent, ms(wait));
    }
    // Without `connected` it is one, too.
    tried.waits(&Failure::Lost, ms(1_500));
}

#[test]
fn a_quiet_stream_may_end_as_usual_again_and_again() {
    let mut tried = Tried::new(Ladders::GENERIC);
    for _ in 0..3 {
        tried.is_quiet(900 * SECOND).waits(&Failure::Normal, SECOND);
        assert_eq!(tried.core.host(), 0);
    }
    // Not if it ends at once.
    tried.is_quiet(SECOND).waits(&Failure::Normal, SECOND);
    tried.is_quiet(SECOND).waits(&Failure::Normal, 2 * SECOND);
}

#[test]
fn a_pause_is_no_failure() {
    let mut tried = Tried::new(Ladders::JETSTREAM);
    tried.waits(&Failure::Io, ms(250));
    for _ in 0..5 {
        tried.holds(SECOND).waits(&Failure::Paused, Duration::ZERO);
        tried.is_quiet(SECOND).waits(&Failure::Paused, Duration::ZERO);
        assert_eq!(tried.core.host(), 1, "the host that worked");
    }
    tried.waits(&Failure::Io, ms(500));
}

#[test]
fn what_a_server_says_is_kept_within_bounds() {
    let mut tried = Tried::new(Ladders::HOSEBIRD);
    tried.waits(&limited(7), 7 * SECOND);
    // It was kept and did not help, so the ladder counts as well.
    tried.waits(&limited(7), 60 * SECOND);
    tried.waits(&limited(200), 200 * SECOND);
    tried.waits(&limited(0), 240 * SECOND);
    tried.waits(&limited(30 * 86_400), WAIT_MAX);
    tried.waits(&Failure::RateLimited { reset: Some(Duration::MAX) }, WAIT_MAX);
    let mut tried = Tried::new(Ladders::HOSEBIRD);
    tried.waits(&Failure::Http { status: 429, reset: Some(Duration::ZERO) }, SECOND);
    let after = |reset: Duration| Failure::Http { status: 503, reset: Some(reset) };
    tried.waits(&after(2 * SECOND), 5 * SECOND);
    tried.waits(&after(100 * SECOND), 100 * SECOND);
    tried.waits(&after(Duration::MAX), WAIT_MAX);
}

#[test]
fn logs_name_what_the_server_said() {
    let month = Failure::Http { status: 429, reset: Some(30 * 86_400 * SECOND) };
    assert_eq!(month.to_string(), "the server answered 429, to come back in 2592000 s");
    assert_eq!(Failure::RateLimited { reset: None }.to_string(), "the server limits the rate");
}

#[test]
fn what_does_not_change_is_given_up() {
    let mut tried = Tried::new(Ladders::HOSEBIRD);
    let reason = tried.gives_up(&http(404));
    assert_eq!(reason, "the server answers 404, which trying again does not change; check the address");
    for status in [406, 413, 416] {
        assert!(tried.gives_up(&http(status)).contains(&status.to_string()));
    }
    let refused = Failure::Refused("the token is not valid; get another".to_owned());
    assert_eq!(tried.gives_up(&refused), "the token is not valid; get another");
    assert!(tried.gives_up(&Failure::Notice(6)).contains("get another"));
    assert!(matches!(Tried::new(Ladders::JETSTREAM).core.failed(SECOND, &http(404)), Next::Wait(_)));
}

#[test]
fn client_errors_are_given_up_when_they_do_not_pass() {
    let mut tried = Tried::new(Ladders::HOSEBIRD);
    for wait in [5, 10, 20, 40, 80] {
        tried.waits(&http(403), wait * SECOND);
    }
    let reason = tried.clone().gives_up(&http(401));
    assert_eq!(reason, "the server refused 6 times, now by 401; check the credentials, and what they allow");
    // An accepted connection ends the row, not the ladder.
    tried.is_quiet(SECOND).waits(&Failure::Lost, ms(250));
    tried.waits(&http(403), 160 * SECOND);
    // Others are no client errors.
    let mut tried = Tried::new(Ladders::HOSEBIRD);
    for status in [500, 503, 302, 500, 599, 503, 500] {
        tried.waits(&http(status), tried.core.ladders.answer.at(tried.core.steps[2]));
    }
}

#[test]
fn another_client_with_the_same_credentials_is_not_thrown_out_at_once() {
    for code in [2, 7] {
        let mut tried = Tried::new(Ladders::HOSEBIRD);
        tried.holds(100 * SECOND).waits(&Failure::Notice(code), 60 * SECOND);
    }
}

#[test]
fn jitter_spreads_up_to_a_quarter() {
    let wait = |seed: u64| match Reconnect::new(Ladders::GENERIC, Random::with_seed(seed))
        .failed(SECOND, &Failure::Io)
    {
        Next::Wait(wait) => wait,
        Next::GiveUp(reason) => panic!("{reason}"),
    };
    let waits: Vec<Duration> = (0..1_000).map(wait).collect();
    assert!(waits.iter().all(|wait| (ms(1_000)..ms(1_250)).contains(wait)));
    assert!(waits.iter().any(|wait| *wait < ms(1_010)) && waits.iter().any(|wait| *wait > ms(1_240)));
}

#[test]
fn a_clock_that_steps_back_does_no_harm() {
    let mut tried = Tried::new(Ladders::HOSEBIRD);
    tried.core.connected(100 * SECOND);
    tried.core.received(50 * SECOND);
    tried.waits(&Failure::Lost, ms(250));
}
