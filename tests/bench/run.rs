//! A job under measurement: the built program with a job file of its own, its windows read from a pipe.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use serde::Deserialize;
use tempfile::TempDir;

use crate::process::{self, Memory, Usage};

/// Executors of every job here.
pub(crate) const EXECUTORS: u32 = 2;
/// The longest pause between two windows that is not taken for the end.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a job is to be.
pub(crate) struct Shape<'a> {
    pub(crate) brokers: &'a str,
    pub(crate) topic: &'a str,
    pub(crate) from_earliest: bool,
    pub(crate) slide_ms: u64,
    pub(crate) slides: u64,
    /// Directory of its checkpoint.
    pub(crate) checkpoint: Option<&'a str>,
}

/// A running job.
pub(crate) struct Run {
    child: Option<Child>,
    lines: Receiver<(i64, String)>,
    _files: TempDir,
}

/// One printed window.
#[derive(Debug, Deserialize)]
pub(crate) struct Window {
    window_start_ms: i64,
    window_end_ms: i64,
    pub(crate) total: u64,
    pub(crate) distinct: u64,
    ranges: BTreeMap<String, (i64, i64)>,
    /// When its last byte was read, microseconds since the epoch.
    #[serde(skip)]
    arrived_us: i64,
}

impl Window {
    /// From its end to the arrival of its last byte, by the machine's wall clock.
    pub(crate) fn latency_ms(&self) -> f64 {
        (self.arrived_us - self.window_end_ms * 1_000) as f64 / 1_000.0
    }

    pub(crate) fn end_ms(&self) -> i64 {
        self.window_end_ms
    }

    /// Records of all partitions up to where reading goes on; for streams that begin at offset 0.
    pub(crate) fn read_until(&self) -> i64 {
        self.ranges.values().map(|(_, until)| until).sum()
    }

    pub(crate) fn length_ms(&self) -> i64 {
        self.window_end_ms - self.window_start_ms
    }
}

impl Run {
    /// Starts `spindle` with such a job.
    pub(crate) fn start(spindle: &Path, shape: &Shape<'_>) -> anyhow::Result<Self> {
        let files = tempfile::tempdir().context("make a directory for the job file")?;
        let job = files.path().join("job.yaml");
        std::fs::write(&job, job_file(shape)?).context("write the job file")?;
        let mut command = Command::new(spindle);
        command.args(["submit", "--master", &format!("local[{EXECUTORS}]")]);
        if shape.from_earliest {
            command.args(["--from", "earliest"]);
        }
        command.arg(&job).env("SPINDLE_LOG", "warn").stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("start {}", spindle.display()))?;
        let out = child.stdout.take().context("the job has no stdout")?;
        let (sender, lines) = mpsc::channel();
        std::thread::Builder::new().name("windows".to_owned()).spawn(move || stamp(out, &sender))?;
        Ok(Self { child: Some(child), lines, _files: files })
    }

    /// The next window.
    pub(crate) fn window(&self) -> anyhow::Result<Window> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok((arrived_us, line)) => {
                let window: Window =
                    serde_json::from_str(&line).with_context(|| format!("read the window {line:?}"))?;
                Ok(Window { arrived_us, ..window })
            }
            Err(RecvTimeoutError::Timeout) => bail!("no window for {} s", PATIENCE.as_secs()),
            Err(RecvTimeoutError::Disconnected) => bail!("the job has ended; its reason stands above"),
        }
    }

    /// The windows of `count` slides; returns the last one.
    pub(crate) fn skip(&self, count: usize) -> anyhow::Result<Window> {
        (1..count).try_for_each(|_| self.window().map(drop))?;
        self.window()
    }

    /// CPU used up to now.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        Usage::of(self.id()?)
    }

    pub(crate) fn memory(&self) -> anyhow::Result<Memory> {
        Memory::of(self.id()?)
    }

    /// Stops the job gracefully; returns what it has used in its life, to 10 ms.
    pub(crate) fn stop(mut self) -> anyhow::Result<Duration> {
        let child = self.child.take().context("the job is stopped already")?;
        process::terminate(&child);
        process::finish(child)
    }

    /// Ends it as a crash does.
    pub(crate) fn kill(mut self) -> anyhow::Result<()> {
        let mut child = self.child.take().context("the job is stopped already")?;
        child.kill().context("kill the job")?;
        child.wait().map(drop).context("wait for the job")
    }

    fn id(&self) -> anyhow::Result<u32> {
        Ok(self.child.as_ref().context("the job is stopped already")?.id())
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Some(child) = self.child.take() {
            process::terminate(&child);
            let _ = process::finish(child);
        }
    }
}

/// Reads lines and notes when each was there.
fn stamp(out: ChildStdout, lines: &Sender<(i64, String)>) {
    let mut out = BufReader::with_capacity(1 << 16, out);
    let mut line = String::new();
    while out.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
        if lines.send((wall_us(), std::mem::take(&mut line))).is_err() {
            return;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the crate's clock gives milliseconds")]
fn wall_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

fn job_file(shape: &Shape<'_>) -> anyhow::Result<String> {
    let mut text = String::new();
    let length_ms = shape.slide_ms * shape.slides;
    writeln!(text, "name: bench")?;
    writeln!(text, "source:")?;
    writeln!(text, "  brokers: [\"{}\"]", shape.brokers)?;
    writeln!(text, "  topics: [{}]", shape.topic)?;
    writeln!(text, "  group: {}-{}", shape.topic, shape.slides)?;
    writeln!(text, "window: {{length: {length_ms}ms, slide: {}ms}}", shape.slide_ms)?;
    writeln!(text, "console: json")?;
    if let Some(path) = shape.checkpoint {
        writeln!(text, "checkpoint: {{path: \"{path}\"}}")?;
    }
    writeln!(text, "executors: {{instances: {EXECUTORS}}}")?;
    Ok(text)
}
