//! Executors as child processes: in a process group of their own, and never longer than the driver.
//!
//! A group of their own keeps a terminal's Ctrl-C away from them: it reaches the driver alone, which then takes
//! the last cut. They end with the driver, also when it is killed: the kernel signals them (`PR_SET_PDEATHSIG`,
//! set by the child itself), and their link closes.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time;

use super::{LaunchEvent, Target};
use crate::ids::{Generation, Slot};
use crate::metrics::ExitClass;

/// How long processes may take to end by themselves.
const FINISH: Duration = Duration::from_millis(500);

/// How an executor process is started; its slot and generation are appended.
#[derive(Debug, Clone)]
pub struct LocalCommand {
    /// The binary.
    pub program: PathBuf,
    /// Arguments before `--slot` and `--generation`.
    pub args: Vec<String>,
    /// Environment beside the driver's own.
    pub env: BTreeMap<String, String>,
}

/// Starts and ends child processes.
#[derive(Debug)]
pub struct LocalLauncher {
    command: LocalCommand,
    events: mpsc::UnboundedSender<LaunchEvent>,
    /// The highest order that has come.
    revision: u64,
    running: BTreeMap<(Slot, Generation), Running>,
}

#[derive(Debug)]
struct Running {
    /// Dropped to have the process killed.
    kill: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

impl LocalLauncher {
    /// Nothing runs yet. Must be used on the thread that lives as long as the driver: when the thread that
    /// started a child ends, the kernel takes that for its parent's end.
    pub fn new(command: LocalCommand, events: mpsc::UnboundedSender<LaunchEvent>) -> Self {
        Self { command, events, revision: 0, running: BTreeMap::new() }
    }

    pub(super) fn converge(&mut self, Target { revision, slots }: &Target) {
        if *revision < self.revision {
            return;
        }
        self.revision = *revision;
        self.running.retain(|running, process| slots.contains(running) && !process.ended.is_finished());
        for &(slot, generation) in slots {
            if !self.running.contains_key(&(slot, generation)) {
                self.start(slot, generation);
            }
        }
    }

    fn start(&mut self, slot: Slot, generation: Generation) {
        let event = match self.spawn(slot, generation) {
            Ok(child) => {
                let (kill, killed) = oneshot::channel();
                let ended = tokio::spawn(watch(child, killed, slot, generation, self.events.clone()));
                self.running.insert((slot, generation), Running { kill, ended });
                LaunchEvent::Started(slot, generation, None)
            }
            Err(error) => {
                let how = format!("start {}: {error}", self.command.program.display());
                LaunchEvent::Exited { slot, generation, class: ExitClass::Launch, how, host: None }
            }
        };
        // Nobody listens only when the driver is over.
        let _ = self.events.send(event);
    }

    fn spawn(&self, slot: Slot, generation: Generation) -> io::Result<Child> {
        Command::new(&self.command.program)
            .args(&self.command.args)
            .args(["--slot", &slot.0.to_string(), "--generation", &generation.0.to_string()])
            // Executors of a local job log to its terminal, also when it runs in a container of YARN's.
            .env_remove("LOG_DIRS")
            .env_remove("NM_HOST")
            .envs(&self.command.env)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }

    pub(super) async fn finish(self) -> io::Result<()> {
        let deadline = time::Instant::now() + FINISH;
        for (_, mut process) in self.running {
            if time::timeout_at(deadline, &mut process.ended).await.is_err() {
                drop(process.kill);
                process.ended.await.map_err(io::Error::other)?;
            }
        }
        Ok(())
    }
}

async fn watch(
    mut child: Child,
    killed: oneshot::Receiver<()>,
    slot: Slot,
    generation: Generation,
    events: mpsc::UnboundedSender<LaunchEvent>,
) {
    let (status, wanted) = tokio::select! {
        status = child.wait() => (status, false),
        _ = killed => match child.start_kill() {
            Ok(()) => (child.wait().await, true),
            Err(error) => (Err(error), true),
        },
    };
    let (class, how) = match status {
        Ok(status) if wanted => (ExitClass::Stopped, in_words(status)),
        Ok(status) => (class_of(status), in_words(status)),
        Err(error) => (ExitClass::Other, format!("wait: {error}")),
    };
    let _ = events.send(LaunchEvent::Exited { slot, generation, class, how, host: None });
}

fn class_of(status: ExitStatus) -> ExitClass {
    match status.code() {
        Some(0) => ExitClass::Stopped,
        Some(_) => ExitClass::Failed,
        None => ExitClass::Killed,
    }
}

fn in_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(revision: u64, slots: &[u32]) -> Target {
        let slots = slots.iter().map(|slot| (Slot(*slot), Generation(0))).collect();
        Target { revision, slots }
    }

    #[tokio::test]
    async fn an_older_order_ends_and_starts_nothing() {
        let args = ["-c", "exec sleep 60", "sh"].map(str::to_owned).to_vec();
        let command = LocalCommand { program: "/bin/sh".into(), args, env: BTreeMap::new() };
        let (events, mut told) = mpsc::unbounded_channel();
        let mut launcher = LocalLauncher::new(command, events);
        launcher.converge(&target(2, &[0]));
        launcher.converge(&target(1, &[1]));
        launcher.converge(&target(2, &[0]));
        launcher.converge(&target(3, &[]));
        assert_eq!(told.recv().await, Some(LaunchEvent::Started(Slot(0), Generation(0), None)));
        let Some(LaunchEvent::Exited { slot, class, .. }) = told.recv().await else {
            panic!("nothing else starts")
        };
        assert_eq!((slot, class), (Slot(0), ExitClass::Stopped));
        launcher.finish().await.unwrap();
    }
}
