//! A job that runs as people run it: `spindle submit` as a process, its windows and its log as they come.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use spindle::clock::Clock;
use tempfile::TempDir;

use crate::seen::Seen;

/// How long a test waits for something that should take far less.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);
/// How long the last cut, print and commit may take, by promise.
pub(crate) const STOP: Duration = Duration::from_secs(2);

const JOB_FILE: &str = "job.yaml";

/// A job to be.
pub(crate) struct Job {
    args: Vec<String>,
    stdout: Option<Stdio>,
    own_group: bool,
    env: Vec<(&'static str, String)>,
}

/// A job under way. Dropped, it is killed, and its executors with it.
pub(crate) struct Running {
    pid: Pid,
    events: Receiver<Event>,
    /// Everything it has printed and logged until now.
    pub(crate) seen: Seen,
    exit: Option<i32>,
    took: Duration,
    ended: u8,
    clock: Clock,
    dir: TempDir,
}

enum Event {
    Window(String, i64),
    Log(String),
    /// One of the two streams has ended.
    Ended,
    Exit(i32),
}

impl Job {
    /// Reads `topic` from its beginning; windows of 600 s, each 500 ms, as JSON with every key.
    pub(crate) fn new(brokers: &str, topic: &str) -> Self {
        let job = Self { args: Vec::new(), stdout: None, own_group: false, env: Vec::new() };
        job.set("source.brokers", &format!("[\"{}\"]", brokers.replace(',', "\",\"")))
            .set("source.topics", &format!("[\"{topic}\"]"))
            .set("source.group", &format!("group-of-{}", topic.trim_start_matches('^')))
            .set("source.start", "earliest")
            .set("window.length", "600s")
            .set("window.slide", "500ms")
            .set("top", "10000")
            .set("console", "json")
            .set("http.port", "0")
            .arg("--master")
            .arg("local[2]")
    }

    /// Sets a key of the job file.
    pub(crate) fn set(self, key: &str, value: &str) -> Self {
        self.arg("--conf").arg(&format!("{key}={value}"))
    }

    /// Adds an argument of `spindle submit`; the last of a kind counts.
    pub(crate) fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    /// Gives it another stdout; windows are then not seen.
    pub(crate) fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.stdout = Some(stdout.into());
        self
    }

    /// In a process group of its own, as a shell's foreground job is.
    pub(crate) fn own_group(mut self) -> Self {
        self.own_group = true;
        self
    }

    /// Gives it an environment variable.
    pub(crate) fn env(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    /// Starts `spindle submit`.
    pub(crate) fn start(self) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spindle"));
        command.arg("submit");
        self.start_by(command)
    }

    /// Starts it by a command that takes the arguments of `spindle submit`.
    pub(crate) fn start_by(self, command: Command) -> Running {
        self.start_by_spawning(command, |command| command.spawn().unwrap())
    }

    /// The same where the process is to be started in a way of its own.
    pub(crate) fn start_by_spawning(
        self,
        mut command: Command,
        spawn: impl FnOnce(&mut Command) -> Child,
    ) -> Running {
        let dir = TempDir::new().unwrap();
        std::fs::write(dir.path().join(JOB_FILE), "name: e2e\n").unwrap();
        command
            .args(&self.args)
            .arg(JOB_FILE)
            .envs(self.env)
            .stdout(self.stdout.unwrap_or_else(Stdio::piped));
        if self.own_group {
            command.process_group(0);
        }
        run(command, dir, spawn)
    }
}

/// Starts `spindle` with these arguments.
pub(crate) fn spindle(args: &[&str]) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spindle"));
    command.args(args);
    start(command)
}

/// Starts a command.
pub(crate) fn start(command: Command) -> Running {
    start_reading(command, Stdio::null())
}

/// The same with something to read.
pub(crate) fn start_reading(mut command: Command, stdin: Stdio) -> Running {
    command.stdout(Stdio::piped());
    run(command, TempDir::new().unwrap(), |command| command.stdin(stdin).spawn().unwrap())
}

fn run(mut command: Command, dir: TempDir, spawn: impl FnOnce(&mut Command) -> Child) -> Running {
    // The secret is kept below TMPDIR: its place is a test's own, and what is left there is seen.
    command.current_dir(dir.path()).env("TMPDIR", dir.path()).env("XDG_RUNTIME_DIR", dir.path());
    command.env_remove("SPINDLE_LOG").stdin(Stdio::null()).stderr(Stdio::piped());
    let mut child = spawn(&mut command);
    let pid = Pid::from_child(&child);
    let (tell, events) = mpsc::channel();
    let clock = Clock::start();
    let out = child.stdout.take();
    let windows = tell.clone();
    thread::spawn(move || {
        lines(out, |line| windows.send(Event::Window(line, clock.wall_ms())).is_ok());
        let _ = windows.send(Event::Ended);
    });
    let (err, log) = (child.stderr.take(), tell.clone());
    thread::spawn(move || {
        lines(err, |line| log.send(Event::Log(line)).is_ok());
        let _ = log.send(Event::Ended);
    });
    thread::spawn(move || wait(child, &tell));
    Running { pid, events, seen: Seen::default(), exit: None, took: Duration::ZERO, ended: 0, clock, dir }
}

fn lines(from: Option<impl Read>, mut take: impl FnMut(String) -> bool) {
    let Some(from) = from else { return };
    let mut reader = BufReader::with_capacity(1 << 16, from);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        let text = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
        line.clear();
        if !take(text) {
            return;
        }
    }
}

fn wait(mut child: Child, tell: &Sender<Event>) {
    use std::os::unix::process::ExitStatusExt;
    let status = child.wait().unwrap();
    let _ = tell.send(Event::Exit(status.code().unwrap_or_else(|| -status.signal().unwrap_or(0))));
}

impl Running {
    /// The process id of what was started: the driver, unless something else was to start it.
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Files that it keeps, or has left, in its directories for temporary and for run-time files.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let mut files = Vec::new();
        let mut folders = vec![self.dir.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
                match entry.file_type().unwrap().is_dir() {
                    true => folders.push(entry.path()),
                    false => files.push(entry.file_name().into_string().unwrap()),
                }
            }
        }
        files.retain(|name| name != JOB_FILE);
        files
    }

    /// Takes what comes until the condition holds; fails when it takes too long or the job ends.
    pub(crate) fn until(&mut self, what: &str, done: impl FnMut(&Seen) -> bool) {
        self.until_within(PATIENCE, what, done);
    }

    /// The same for what may take longer.
    pub(crate) fn until_within(&mut self, time: Duration, what: &str, mut done: impl FnMut(&Seen) -> bool) {
        let deadline = self.clock.monotonic() + time;
        while !done(&self.seen) {
            let ended = self.exit.is_some() && self.ended == 2;
            assert!(!ended, "the job has ended with {:?} before: {what}\n{}", self.exit, self.seen);
            self.take_until(deadline, what);
        }
    }

    /// Takes what comes for so long.
    pub(crate) fn during(&mut self, time: Duration) {
        let until = self.clock.monotonic() + time;
        while self.clock.monotonic() < until {
            let left = until.saturating_sub(self.clock.monotonic());
            match self.events.recv_timeout(left) {
                Ok(event) => self.take(event),
                Err(_) => return,
            }
        }
    }

    /// Until the windows' total is exactly this.
    pub(crate) fn until_total(&mut self, total: u64) {
        self.until(&format!("{total} records counted"), |seen| {
            assert!(seen.total() <= total, "{} counted, {total} produced\n{seen}", seen.total());
            seen.total() == total
        });
    }

    /// Until so many executors are connected; returns slot and process id of each.
    pub(crate) fn until_connected(&mut self, executors: usize) -> Vec<(u32, Pid)> {
        self.until(&format!("{executors} executors"), |seen| seen.connected().len() == executors);
        self.seen.connected()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).unwrap();
    }

    /// Signals, and expects the end in time; returns the exit code.
    pub(crate) fn stop(&mut self, signal: Signal) -> i32 {
        let since = self.clock.monotonic();
        self.signal(signal);
        let code = self.exit_code();
        let took = self.clock.monotonic() - since;
        assert!(took < STOP, "it took {took:?} to stop\n{}", self.seen);
        code
    }

    /// Waits for the end, of everything that it started too; returns the exit code, -N for signal N.
    pub(crate) fn exit_code(&mut self) -> i32 {
        let deadline = self.clock.monotonic() + PATIENCE;
        while self.exit.is_none() || self.ended < 2 {
            self.take_until(deadline, "its end");
        }
        self.exit.unwrap()
    }

    /// How long it took from start to end.
    pub(crate) fn took(&self) -> Duration {
        self.took
    }

    /// Ends it as people do, and checks that it ended well.
    pub(crate) fn finish(mut self) -> Seen {
        assert_eq!(self.stop(Signal::INT), 0, "{}", self.seen);
        std::mem::take(&mut self.seen)
    }

    fn take_until(&mut self, deadline: Duration, what: &str) {
        let left = deadline.saturating_sub(self.clock.monotonic());
        match self.events.recv_timeout(left) {
            Ok(event) => self.take(event),
            Err(RecvTimeoutError::Timeout) => panic!("waited in vain for: {what}\n{}", self.seen),
            Err(RecvTimeoutError::Disconnected) => panic!("it has ended before: {what}\n{}", self.seen),
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Window(line, arrived_ms) => self.seen.printed(line, arrived_ms),
            Event::Log(line) => self.seen.logged(line),
            Event::Ended => self.ended += 1,
            Event::Exit(code) => {
                self.exit = Some(code);
                self.took = self.clock.monotonic();
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.exit.is_none() {
            let _ = kill_process(self.pid, Signal::KILL);
        }
    }
}
