//! Executors in YARN containers, by way of the shim: the Java application master whose child the driver is.
//!
//! Two tasks hold the conversation, so that neither direction ever waits for the other: one reads lines and tells the
//! driver, one writes what is due. The newest target replaces one that has not been written yet. The end of the
//! stream, a broken line or a minute of silence is the end of the shim, and so of this attempt of the driver.

mod protocol;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time;
use tokio_util::codec::{FramedRead, FramedWrite, LinesCodec, LinesCodecError};

use super::{LaunchEvent, Place, Target};
use crate::ids::{Generation, Slot};
use crate::metrics::ExitClass;
use protocol::{FromShim, LINE_BYTES_MAX, ShimSlot, ShimTarget, ToShim, VERSION};
pub use protocol::{Hello, Registered};

/// How long the shim may take to say hello.
const HELLO: Duration = Duration::from_secs(30);
/// A shim that has said nothing for so long, or taken nothing, is dead; it pings every ten seconds.
const SILENCE: Duration = Duration::from_secs(60);
/// How long the shim may take to leave the ResourceManager and close the stream.
const FINISH: Duration = Duration::from_secs(30);
/// Lines that wait to be written, targets apart.
const OUTGOING_MAX: usize = 64;

/// Why there is no shim, or no more.
#[derive(Debug, thiserror::Error)]
pub enum ShimError {
    /// It closed the stream.
    #[error("the application master is gone: it closed the stream")]
    Gone,
    /// It says nothing, or takes nothing.
    #[error("the application master is gone: {what} for {} s", SILENCE.as_secs())]
    Silent {
        /// What it has not done.
        what: &'static str,
    },
    /// The stream broke.
    #[error("talk to the application master: {0}")]
    Io(#[from] io::Error),
    /// It says what this driver does not understand.
    #[error("talk to the application master: {0}; are its jar and this program of one version?")]
    Protocol(String),
}

/// What every executor is started with; slot and generation are added.
#[derive(Debug, Clone)]
pub struct ContainerCommand {
    /// Program and arguments before `--slot` and `--generation`.
    pub argv: Vec<String>,
    /// Memory of each container, MiB.
    pub memory_mb: u64,
    /// Cores of each container.
    pub cores: u32,
    /// Hosts on which nothing is to run.
    pub exclude: Vec<String>,
    /// Label of the nodes on which all is to run; empty for the queue's own.
    pub label: String,
}

/// A shim that has said hello.
pub struct Shim<R, W> {
    lines: FramedRead<R, LinesCodec>,
    out: FramedWrite<W, LinesCodec>,
}

impl<R, W> Shim<R, W>
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    /// Waits for the shim's first line.
    pub async fn meet(input: R, output: W) -> Result<(Hello, Self), ShimError> {
        let mut lines = FramedRead::new(input, LinesCodec::new_with_max_length(LINE_BYTES_MAX));
        let out = FramedWrite::new(output, LinesCodec::new_with_max_length(LINE_BYTES_MAX));
        let first = time::timeout(HELLO, next(&mut lines)).await;
        match first.map_err(|_| silent("it has not said hello"))?? {
            FromShim::Hello(hello) if hello.v == VERSION => Ok((hello, Self { lines, out })),
            FromShim::Hello(hello) => {
                Err(ShimError::Protocol(format!("it speaks version {}, this driver {VERSION}", hello.v)))
            }
            other => Err(ShimError::Protocol(format!("its first line is {other:?}, expected hello"))),
        }
    }

    /// Tells the shim that the driver's page is at `http` and goes on talking in the background.
    ///
    /// The receiver gets why the conversation ended, once; `events` what became of executors.
    pub fn start(
        self,
        http: String,
        command: ContainerCommand,
        events: mpsc::UnboundedSender<LaunchEvent>,
    ) -> (ShimLauncher, oneshot::Receiver<ShimError>) {
        let (outgoing, queue) = mpsc::channel(OUTGOING_MAX);
        let (target, targets) = watch::channel(None);
        let (registered, is_registered) = watch::channel(false);
        let (ended, end) = oneshot::channel();
        let launcher = ShimLauncher {
            command,
            target,
            outgoing: outgoing.clone(),
            failed_on: BTreeMap::new(),
            progress: 0,
        };
        let talk = async move {
            let why = tokio::select! {
                Err(why) = write(self.out, http, queue, targets, is_registered) => why,
                Err(why) = read(self.lines, outgoing, registered, events) => why,
            };
            // Nobody waits for it only when the driver is over.
            let _ = ended.send(why);
        };
        tokio::spawn(talk);
        (launcher, end)
    }
}

/// Orders executors from the shim.
#[derive(Debug)]
pub struct ShimLauncher {
    command: ContainerCommand,
    target: watch::Sender<Option<ShimTarget>>,
    outgoing: mpsc::Sender<ToShim>,
    /// Where the generation before failed.
    failed_on: BTreeMap<Slot, String>,
    /// As it was told last, percent.
    progress: u8,
}

impl ShimLauncher {
    pub(super) fn converge(&mut self, target: &Target) {
        let slots = target.slots.iter().map(|&(slot, generation)| self.slot(slot, generation)).collect();
        let (exclude, label) = (self.command.exclude.clone(), self.command.label.clone());
        self.target.send_replace(Some(ShimTarget { rev: target.revision, slots, exclude, label }));
    }

    /// The next generation of `slot` had better run elsewhere.
    pub(super) fn failed_on(&mut self, slot: Slot, host: String) {
        self.failed_on.insert(slot, host);
    }

    /// So much of the window is filled, percent; YARN shows it.
    pub(super) fn progress(&mut self, percent: u8) {
        let told = percent != self.progress
            && self.outgoing.try_send(ToShim::Progress { value: f32::from(percent) / 100.0 }).is_ok();
        if told {
            self.progress = percent;
        }
    }

    fn slot(&self, slot: Slot, generation: Generation) -> ShimSlot {
        let mut argv = self.command.argv.clone();
        argv.extend(
            ["--slot", "--generation"]
                .into_iter()
                .zip([slot.0, generation.0])
                .flat_map(|(flag, number)| [flag.to_owned(), number.to_string()]),
        );
        ShimSlot {
            slot: slot.0,
            generation: generation.0,
            memory_mb: self.command.memory_mb,
            cores: self.command.cores,
            argv,
            avoid: self.failed_on.get(&slot).cloned().into_iter().collect(),
        }
    }

    /// The way to say that the application is over.
    pub fn ending(&self) -> Ending {
        Ending(self.outgoing.clone())
    }
}

/// Ends the application, not just this attempt of it.
#[derive(Debug)]
pub struct Ending(mpsc::Sender<ToShim>);

impl Ending {
    /// Says how the application ended, and waits until the shim has passed it on and closed the stream. Without this
    /// the ResourceManager starts another attempt.
    pub async fn finish(
        self,
        failed: Option<String>,
        end: oneshot::Receiver<ShimError>,
    ) -> Result<(), ShimError> {
        let status = if failed.is_some() { "FAILED" } else { "SUCCEEDED" };
        let diagnostics = failed.unwrap_or_default();
        self.0.send(ToShim::Finish { status, diagnostics }).await.map_err(|_| ShimError::Gone)?;
        match time::timeout(FINISH, end).await {
            Ok(Ok(ShimError::Gone)) => Ok(()),
            Ok(Ok(why)) => Err(why),
            Ok(Err(_)) => Err(ShimError::Gone),
            Err(_) => Err(silent("it has not left the ResourceManager")),
        }
    }
}

fn silent(what: &'static str) -> ShimError {
    ShimError::Silent { what }
}

async fn next<R: AsyncRead + Unpin>(lines: &mut FramedRead<R, LinesCodec>) -> Result<FromShim, ShimError> {
    let line = match lines.next().await {
        None => return Err(ShimError::Gone),
        Some(Ok(line)) => line,
        Some(Err(LinesCodecError::Io(error))) => return Err(error.into()),
        Some(Err(LinesCodecError::MaxLineLengthExceeded)) => {
            return Err(ShimError::Protocol(format!("a line is longer than {LINE_BYTES_MAX} bytes")));
        }
    };
    serde_json::from_str(&line)
        .map_err(|error| ShimError::Protocol(format!("a line is not one of its messages: {error}")))
}

/// Reads until the conversation ends, which is always for a reason.
async fn read<R: AsyncRead + Unpin>(
    mut lines: FramedRead<R, LinesCodec>,
    outgoing: mpsc::Sender<ToShim>,
    registered: watch::Sender<bool>,
    events: mpsc::UnboundedSender<LaunchEvent>,
) -> Result<Infallible, ShimError> {
    loop {
        let message = time::timeout(SILENCE, next(&mut lines)).await;
        let message = message.map_err(|_| silent("it has said nothing"))??;
        match message {
            FromShim::Ping { n } => {
                // A queue that is full is being written, or the writer finds out that it is not.
                let _ = outgoing.try_send(ToShim::Pong { n });
            }
            FromShim::Registered(allowed) => {
                tracing::info!(queue = allowed.queue, nodes = allowed.nodes, "registered with YARN");
                registered.send_replace(true);
            }
            message => {
                if let Some(event) = told(message) {
                    // Nobody listens only when the driver is over.
                    let _ = events.send(event);
                }
            }
        }
    }
}

/// What a line means to the driver.
fn told(message: FromShim) -> Option<LaunchEvent> {
    match message {
        FromShim::Granted { slot, generation, container, host } => {
            tracing::info!(slot, generation, container, host, "container granted");
            None
        }
        FromShim::Started { slot, generation, container, host, log_url } => Some(LaunchEvent::Started(
            Slot(slot),
            Generation(generation),
            Some(Place { container, host, log_url }),
        )),
        FromShim::Exited { slot, generation, host, class, code, diagnostics } => {
            let class = ExitClass::ALL.iter().copied().find(|known| known.as_str() == class);
            let class = class.unwrap_or(ExitClass::Other);
            Some(LaunchEvent::Exited {
                slot: Slot(slot),
                generation: Generation(generation),
                class,
                how: in_words(class, code, &diagnostics),
                host,
            })
        }
        FromShim::Waiting { slots, seconds, why } => {
            let executors = slots.len();
            Some(LaunchEvent::Waiting(format!(
                "{executors} executors wait for a container since {seconds} s: {why}"
            )))
        }
        FromShim::Nodes { usable, lost } => {
            tracing::info!(usable, ?lost, "the cluster's nodes have changed");
            None
        }
        FromShim::Rm { state, seconds } => {
            tracing::warn!(state, seconds, "ResourceManager");
            None
        }
        FromShim::Unknown => None,
        FromShim::Hello(_) | FromShim::Registered(_) | FromShim::Ping { .. } => None,
    }
}

/// One line of YARN's words, which may be a page with a stack trace.
fn in_words(class: ExitClass, code: i32, diagnostics: &str) -> String {
    let remedy = if class == ExitClass::Memory { "; raise executors.memory" } else { "" };
    match diagnostics.lines().map(str::trim).find(|line| !line.is_empty()) {
        Some(line) => format!("exit status {code}: {line}{remedy}"),
        None => format!("exit status {code}{remedy}"),
    }
}

/// Writes what is due until the stream breaks.
async fn write<W: AsyncWrite + Unpin>(
    mut out: FramedWrite<W, LinesCodec>,
    http: String,
    mut queue: mpsc::Receiver<ToShim>,
    mut targets: watch::Receiver<Option<ShimTarget>>,
    mut registered: watch::Receiver<bool>,
) -> Result<Infallible, ShimError> {
    send(&mut out, &ToShim::Ready { http }).await?;
    // Orders make sense to the shim once the ResourceManager knows it; answers do at any time.
    let mut may_order = false;
    loop {
        let message = tokio::select! {
            Some(message) = queue.recv() => message,
            Ok(_) = registered.wait_for(|&registered| registered), if !may_order => {
                may_order = true;
                targets.mark_changed();
                continue;
            }
            Ok(()) = targets.changed(), if may_order => match targets.borrow_and_update().clone() {
                Some(target) => ToShim::Target(target),
                None => continue,
            },
            else => return Err(ShimError::Gone),
        };
        send(&mut out, &message).await?;
    }
}

async fn send<W: AsyncWrite + Unpin>(
    out: &mut FramedWrite<W, LinesCodec>,
    message: &ToShim,
) -> Result<(), ShimError> {
    let line = serde_json::to_string(message).map_err(|error| ShimError::Protocol(error.to_string()))?;
    match time::timeout(SILENCE, out.send(line)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(LinesCodecError::Io(error))) => Err(error.into()),
        Ok(Err(error)) => Err(ShimError::Protocol(error.to_string())),
        Err(_) => Err(silent("it has read nothing")),
    }
}

#[cfg(test)]
mod tests;
