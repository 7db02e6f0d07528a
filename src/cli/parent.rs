//! The process that started this client and speaks for it to a scheduler: `yarn jar`'s JVM. It names itself in
//! `SPINDLE_PARENT`; when it is killed, nobody else can end the client.

use std::env;

use anyhow::Context;
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal, test_kill_process};

use super::Usage;

/// The process id of the one that started this client.
const VARIABLE: &str = "SPINDLE_PARENT";

/// Whether something started this client by `yarn jar`.
pub(super) fn is_named() -> bool {
    env::var_os(VARIABLE).is_some()
}

/// Has the kernel send this process `signal` when its parent ends, if the parent has asked for that. Must be called on
/// the main thread. The kernel may send it several times at once: with each thread of a dying JVM the next one becomes
/// the parent. `signals` takes these for one. Returns a warning if the one who has asked is not the parent.
///
/// # Errors
/// The variable is no process id, or that process has ended.
pub(super) fn follow(signal: Signal) -> anyhow::Result<Option<String>> {
    let Some(text) = env::var_os(VARIABLE) else { return Ok(None) };
    let named = text.to_str().and_then(|text| Pid::from_raw(text.parse().ok()?));
    let named = named.ok_or_else(|| {
        Usage(format!("{VARIABLE} is {text:?}, which is no process id: it is for `yarn jar`; unset it"))
    })?;
    let tell = |signal| {
        set_parent_process_death_signal(signal).context("ask the kernel to tell when the parent has ended")
    };
    tell(Some(signal))?;
    if getppid() == Some(named) {
        return Ok(None);
    }
    // Either it has ended before that, or something between has passed the variable on.
    tell(None)?;
    let lives = test_kill_process(named).is_ok();
    anyhow::ensure!(
        lives,
        "process {named}, which started this client, has ended",
        named = named.as_raw_nonzero()
    );
    Ok(Some(format!(
        "process {}, which {VARIABLE} names, is not the parent of this client: if that process is killed, this client \
         goes on; a script that runs spindle for `yarn jar` must use exec",
        named.as_raw_nonzero()
    )))
}
