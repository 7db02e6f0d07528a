//! What processes cost, from /proc: CPU of the living by thread in nanoseconds, of the dead in clock ticks.

use std::fs;
use std::process::Child;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

/// USER_HZ, the unit of /proc/PID/stat: 100 on x86-64 and AArch64.
const TICKS_PER_SECOND: u64 = 100;

/// What the living processes of one job have used.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    pub(crate) driver: Duration,
    pub(crate) executors: Duration,
}

impl Usage {
    /// Of the driver with this process id and its children.
    pub(crate) fn of(driver: u32) -> anyhow::Result<Self> {
        let executors = children(driver)?.into_iter().map(cpu).sum::<anyhow::Result<_>>()?;
        Ok(Self { driver: cpu(driver)?, executors })
    }

    pub(crate) fn all(self) -> Duration {
        self.driver + self.executors
    }

    pub(crate) fn since(self, before: Self) -> Self {
        Self { driver: self.driver - before.driver, executors: self.executors - before.executors }
    }
}

/// Memory in MB (10^6 bytes).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    /// Sum of the largest resident sizes; pages that processes share are counted for each.
    pub(crate) peak_mb: f64,
    /// Sum of the proportional sizes now; shared pages are counted once.
    pub(crate) shared_once_mb: f64,
}

impl Memory {
    /// Of the driver with this process id and its children.
    pub(crate) fn of(driver: u32) -> anyhow::Result<Self> {
        let mut memory = Self::default();
        for pid in children(driver)?.into_iter().chain([driver]) {
            memory.peak_mb += kilobytes(&format!("/proc/{pid}/status"), "VmHWM:")? / 1e6 * 1024.0;
            memory.shared_once_mb += kilobytes(&format!("/proc/{pid}/smaps_rollup"), "Pss:")? / 1e6 * 1024.0;
        }
        Ok(memory)
    }
}

/// CPU of every thread that lives.
fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let mut nanos = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task")).context("read the threads of a process")? {
        // A thread may end meanwhile.
        let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        nanos += text.split(' ').next().and_then(|first| first.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(Duration::from_nanos(nanos))
}

fn children(pid: u32) -> anyhow::Result<Vec<u32>> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))
        .with_context(|| format!("read the children of process {pid}; has it ended?"))?;
    Ok(text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect())
}

fn kilobytes(path: &str, name: &str) -> anyhow::Result<f64> {
    let text = fs::read_to_string(path).with_context(|| format!("read {path}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
        .with_context(|| format!("no {name} in {path}"))
}

/// Has the process end as by Ctrl-C.
pub(crate) fn terminate(child: &Child) {
    if let Some(pid) = pid(child) {
        // One that has ended need not be told.
        let _ = rustix::process::kill_process(pid, Signal::TERM);
    }
}

/// Waits for the process; returns what it and the children it waited for have used, to a clock tick (10 ms).
pub(crate) fn finish(mut child: Child) -> anyhow::Result<Duration> {
    let ended = pid(&child).context("the process has no id")?;
    rustix::process::waitid(WaitId::Pid(ended), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
        .context("wait for the process")?;
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).context("read its stat")?;
    let status = child.wait().context("reap the process")?;
    if !status.success() {
        bail!("the process ended with {status}");
    }
    // proc(5): utime, stime, cutime and cstime are fields 14 to 17; field 3 follows the name in parentheses.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(4).filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND))
}

fn pid(child: &Child) -> Option<Pid> {
    Pid::from_raw(i32::try_from(child.id()).ok()?)
}
