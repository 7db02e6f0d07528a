//! A driver that stalls, as a machine that sleeps or swaps makes it: every window is printed, late, and none is lost
//! between state and console.

use std::io::{BufRead, BufReader};
use std::time::Duration;

use rustix::process::Signal;

use crate::ends::committed;
use crate::job::PATIENCE;
use crate::mock::Mock;
use crate::process;

const SLIDE_MS: i64 = 50;
/// Many more slides than the console's queue usually takes; less than what executors give a silent driver.
const STALL: Duration = Duration::from_secs(4);

/// Its reader stalled with it: the pipe holds a tenth of the windows that come at once.
#[test]
fn a_driver_that_stalled_prints_every_window() {
    let mut mock = Mock::new(1, 2);
    let (reader, writer) = std::io::pipe().unwrap();
    let mut job = mock.job().set("window.length", "30s").set("window.slide", "50ms").stdout(writer).start();
    let before = mock.write(100);
    let mut lines = BufReader::new(reader).lines().map(Result::unwrap);
    while job.seen.total() < before {
        job.seen.printed(lines.next().unwrap(), 0);
    }
    job.signal(Signal::STOP);
    let total = mock.write(100);
    job.during(STALL);
    job.signal(Signal::CONT);
    process::until("the late cut's records are committed", PATIENCE, || {
        job.during(Duration::from_millis(20));
        committed(&mock, 2) == [200, 200]
    });
    while job.seen.total() < total {
        job.seen.printed(lines.next().unwrap(), 0);
    }
    let ends: Vec<_> = job.seen.windows.iter().map(|window| window.window_end_ms).collect();
    let left_out: Vec<_> = ends.windows(2).filter(|pair| pair[1] != pair[0] + SLIDE_MS).collect();
    assert!(left_out.is_empty(), "{left_out:?}\n{}", job.seen);
    drop(lines);
    assert_eq!(job.exit_code(), 0, "{}", job.seen);
    assert_eq!(job.seen.logs("executor lost"), 0, "{}", job.seen);
    job.seen.assert_whole();
}
