//! Processes as `/proc` shows them.

use std::fs;
use std::time::Duration;

use rustix::process::Pid;
use spindle::clock::Clock;

/// The letter of a process's state and its process group; `None` when it is gone.
fn stat(pid: Pid) -> Option<(char, i32)> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.nth(1)?.parse().ok()?))
}

/// Whether a process is there and neither stopped nor dead.
pub(crate) fn runs(pid: Pid) -> bool {
    stat(pid).is_some_and(|(state, _)| !"TtZX".contains(state))
}

/// Whether a process is there, stopped or not.
pub(crate) fn lives(pid: Pid) -> bool {
    stat(pid).is_some_and(|(state, _)| !"ZX".contains(state))
}

/// The process group.
pub(crate) fn group(pid: Pid) -> Option<i32> {
    stat(pid).map(|(_, group)| group)
}

/// The value of an argument of a process's command line.
pub(crate) fn argument(pid: Pid, name: &str) -> Option<String> {
    let line = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).ok()?;
    let mut words = line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
    words.find(|word| word == name)?;
    words.next()
}

/// Waits until a condition about processes holds, which nothing announces; fails after `within`.
pub(crate) fn until(what: &str, within: Duration, mut done: impl FnMut() -> bool) {
    let clock = Clock::start();
    while !done() {
        assert!(clock.monotonic() < within, "waited in vain for: {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
