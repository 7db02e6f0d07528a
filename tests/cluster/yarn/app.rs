//! An application under test: the client that submitted it, and what YARN, `/proc` and the job itself say of it.

use std::process::{Command, Output};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use spindle::web::{ExecutorStatus, Status};

use crate::cluster::named;
use crate::containers;
use crate::group::committed;
use crate::job::{Job, Running};
use crate::kafka::Topic;
use crate::process;

/// How long YARN may take to notice and repair: nodes are given up after ten seconds here.
pub(crate) const REPAIR: Duration = Duration::from_secs(60);

/// A submitted application. Dropped, it is killed.
pub(crate) struct App {
    /// The client that submitted it.
    pub(crate) client: Running,
    pub(crate) id: String,
}

/// A job over `topic` for YARN, as yet to be submitted; in client mode unless told otherwise.
pub(crate) fn job(topic: &str) -> Job {
    Job::new(&named("SPINDLE_KAFKA_NODES"), topic).arg("--master").arg("yarn").set("name", topic)
}

impl App {
    pub(crate) fn submit(job: Job) -> Self {
        Self::of(job.start())
    }

    /// The application that this client submits.
    pub(crate) fn of(mut client: Running) -> Self {
        let mut id = None;
        client.until("an application id", |seen| {
            id = seen
                .log
                .iter()
                .find_map(|line| line.strip_prefix("Submitted application ").map(str::to_owned));
            id.is_some()
        });
        Self { client, id: id.unwrap() }
    }

    /// Runs a command of Spindle about it.
    pub(crate) fn spindle(&self, command: &str, more: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_spindle")).arg(command).arg(&self.id).args(more).output().unwrap()
    }

    /// How it does; `None` while it has no driver that answers.
    pub(crate) fn status(&self) -> Option<Status> {
        serde_json::from_slice(&self.spindle("status", &["--json"]).stdout).ok()
    }

    /// Waits until its status is as wanted; returns it.
    pub(crate) fn until(&self, what: &str, mut done: impl FnMut(&Status) -> bool) -> Status {
        let mut last = None;
        process::until(&format!("{}: {what}", self.id), REPAIR, || {
            last = self.status();
            last.as_ref().is_some_and(&mut done)
        });
        last.unwrap()
    }

    /// What its driver serves under a metric's name and labels now; 0 for one that it has not counted yet.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let url = format!("http://{}/metrics", self.status().unwrap().http);
        let text = ureq::get(&url).call().unwrap().body_mut().read_to_string().unwrap();
        let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
        text.lines().find_map(value).unwrap_or(0.0)
    }

    /// Waits until so many executors count.
    pub(crate) fn until_executors(&self, wanted: usize) -> Vec<ExecutorStatus> {
        let list = |status: &Status| status.executors.list.clone();
        list(&self.until(&format!("{wanted} executors"), |status| status.executors.list.len() == wanted))
    }

    /// The number of the node (1 or 2) that the application master is on.
    pub(crate) fn master_node(&self) -> u32 {
        let http = self.status().unwrap().http;
        http.strip_prefix("nm").and_then(|rest| rest.split('.').next()?.parse().ok()).unwrap()
    }

    /// Its processes: id and command line, bash of YARN's own left out.
    pub(crate) fn processes(&self) -> Vec<(Pid, String)> {
        let mut all = containers::of_application(&self.id);
        all.retain(|(_, line)| !line.is_empty() && !line.starts_with("/bin/bash"));
        all
    }

    /// The process whose command line holds `part`: `spindle driver` or `ApplicationMaster`.
    pub(crate) fn process(&self, part: &str) -> Pid {
        let all = self.processes();
        all.iter()
            .find(|(_, line)| line.contains(part))
            .unwrap_or_else(|| panic!("no {part} among {all:?}"))
            .0
    }

    /// What its group has committed for the topic is what its last window has.
    pub(crate) fn assert_committed_as_printed(&self, topic: &Topic, partitions: i32) {
        let printed: Vec<i64> = self.client.seen.next.values().copied().collect();
        let group = format!("group-of-{}", topic.name);
        assert_eq!(committed(&group, &topic.name, partitions), printed, "{}", self.client.seen);
    }

    /// Ends it gracefully from beside, and sees the client end well.
    pub(crate) fn stop(&mut self) {
        let stopped = self.spindle("stop", &[]);
        assert!(stopped.status.success(), "{stopped:?}");
        assert_eq!(self.client.exit_code(), 0, "{}", self.client.seen);
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = Command::new(env!("CARGO_BIN_EXE_spindle")).args(["kill", &self.id]).output();
    }
}

/// Sends a process a signal.
pub(crate) fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}
