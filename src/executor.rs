//! The executor process: reads its partitions, counts, and answers the driver's cuts.
//!
//! Reading threads (`reader`) count; the pure [`state`] turns cuts into deltas; this file is the loop between
//! them and the link.

pub mod state;
mod reader;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::sync::mpsc;
use tokio::time::{self, Instant};

use crate::clock::Clock;
use crate::config::Ports;
use crate::exit;
use crate::ids::{Generation, Millis, Slot};
use crate::metrics::ExecutorMetrics;
use crate::web;
use crate::wire::message::{Hello, ToDriver, ToExecutor, Welcome};
use crate::wire::{self, Receiver, Secret, Sender};
use reader::Reader;
use state::{Effect, Input, State};

/// How long to try to reach the driver.
const CONNECT: Duration = Duration::from_secs(10);
/// Blocks and answers of reading threads that wait for the link; then the threads wait, and so does reading.
const INPUTS_MAX: usize = 16;

/// What an executor process is told when it starts; everything else comes with the driver's welcome.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The driver's address, `host:port`.
    pub driver: String,
    /// Its slot.
    pub slot: Slot,
    /// Its generation.
    pub generation: Generation,
    /// The driver attempt it belongs to.
    pub attempt: u32,
    /// File with the shared secret.
    pub secret_file: PathBuf,
    /// Address on which its metrics are served, at a port that the system chooses.
    pub http: IpAddr,
    /// The host's name; `None`: as the host knows itself.
    pub host: Option<String>,
    /// Whether the kernel is to end this process with the one that started it.
    pub die_with_parent: bool,
}

/// Runs until the driver ends the session or is gone; returns the exit code.
pub async fn run(setup: Setup) -> anyhow::Result<u8> {
    if setup.die_with_parent {
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
            .context("ask the kernel to end this process with the driver")?;
    }
    let secret = Secret::read(&setup.secret_file)?;
    let link = match wire::connect(&setup.driver, &secret, CONNECT).await {
        Ok(link) => link,
        Err(error) => {
            tracing::error!(%error, "reach the driver");
            return Ok(exit::EXECUTOR_DRIVER_GONE);
        }
    };
    let (mut sender, mut receiver) = link.split();
    let metrics = Arc::new(ExecutorMetrics::new());
    let hello = ToDriver::Hello(hello(&setup, serve_metrics(setup.http, Arc::clone(&metrics)).await?));
    let (kind, payload) = hello.encode();
    sender.send(kind, &payload).await.context("say hello to the driver")?;
    let welcome = match next_message(&mut receiver).await? {
        Some(ToExecutor::Welcome(welcome)) => welcome,
        Some(ToExecutor::End { reason }) => {
            tracing::error!(reason, "the driver refuses this executor");
            return Ok(exit::EXECUTOR_REFUSED);
        }
        other => bail!("the driver's first message is {other:?}, expected its welcome"),
    };
    let (inputs, incoming) = mpsc::channel(INPUTS_MAX);
    let clock = Clock::start();
    let readers = start_readers(&welcome, clock, &inputs, &metrics)?;
    let state = State::new(&welcome, millis(clock));
    let work = Loop { state, clock, sender, readers, orphan: Duration::from_millis(welcome.orphan_ms) };
    work.run(receiver, incoming).await
}

/// The name that this host has for itself.
pub fn own_host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn hello(setup: &Setup, http: SocketAddr) -> Hello {
    let host = setup.host.clone().unwrap_or_else(own_host);
    let http = if http.ip().is_unspecified() { format!("{host}:{}", http.port()) } else { http.to_string() };
    Hello {
        attempt: setup.attempt,
        slot: setup.slot,
        generation: setup.generation,
        host,
        pid: std::process::id(),
        http,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// Serves metrics and health for as long as the process lives; returns where.
async fn serve_metrics(address: IpAddr, metrics: Arc<ExecutorMetrics>) -> anyhow::Result<SocketAddr> {
    let listener = web::bind(address, Ports::Any).await?;
    let at = listener.local_addr().context("read the metrics port")?;
    let routes = web::process_routes(move || metrics.encode(), || Ok(()));
    tokio::spawn(web::serve(listener, routes, std::future::pending()));
    Ok(at)
}

fn start_readers(
    welcome: &Welcome,
    clock: Clock,
    inputs: &mpsc::Sender<Input>,
    metrics: &Arc<ExecutorMetrics>,
) -> anyhow::Result<Vec<Reader>> {
    let start = |thread| {
        Reader::start(thread, &welcome.client, &welcome.key, clock, inputs.clone(), Arc::clone(metrics))
            .with_context(|| format!("start reading thread {thread}"))
    };
    (0..welcome.cores.max(1) as usize).map(start).collect()
}

/// A seed that whoever chooses the keys cannot know.
fn random_seed() -> anyhow::Result<u64> {
    getrandom::u64().context("get random numbers from the system")
}

async fn next_message(receiver: &mut Receiver) -> anyhow::Result<Option<ToExecutor>> {
    match receiver.recv().await? {
        Some(frame) => Ok(Some(ToExecutor::decode(frame.kind, &frame.payload)?)),
        None => Ok(None),
    }
}

fn millis(clock: Clock) -> Millis {
    Millis::try_from(clock.monotonic().as_millis()).unwrap_or(Millis::MAX)
}

struct Loop {
    state: State,
    clock: Clock,
    sender: Sender,
    readers: Vec<Reader>,
    orphan: Duration,
}

impl Loop {
    async fn run(
        mut self,
        mut receiver: Receiver,
        mut incoming: mpsc::Receiver<Input>,
    ) -> anyhow::Result<u8> {
        let code = loop {
            let left_ms = (self.state.wake_ms() - millis(self.clock)).max(0);
            let wake = Instant::now() + Duration::from_millis(left_ms.unsigned_abs());
            let input = tokio::select! {
                biased;
                message = next_message(&mut receiver) => match message {
                    Ok(Some(message)) => Input::Message(message),
                    Ok(None) => Input::Closed { reason: "the driver closed it".to_owned() },
                    Err(error) => Input::Closed { reason: format!("{error:#}") },
                },
                Some(input) = incoming.recv() => input,
                () = time::sleep_until(wake) => Input::Tick,
            };
            let effects = self.state.step(millis(self.clock), input);
            if let Some(code) = self.perform(effects).await {
                break code;
            }
        };
        // Nobody takes from the channel any more; closing it frees a thread that waits to put something in.
        drop(incoming);
        self.readers.into_iter().for_each(Reader::join);
        Ok(code)
    }

    /// Returns the exit code once the state decides to end.
    async fn perform(&mut self, effects: Vec<Effect>) -> Option<u8> {
        for effect in effects {
            match effect {
                Effect::Order(thread, order) => {
                    if let Some(reader) = self.readers.get(thread) {
                        reader.order(order);
                    }
                }
                Effect::Send(message) => {
                    if let Err(reason) = self.send(&message).await {
                        tracing::warn!(reason, "send to the driver");
                        return Some(exit::EXECUTOR_DRIVER_GONE);
                    }
                }
                Effect::Exit { code, reason } => {
                    tracing::info!(reason, "executor ends");
                    return Some(code);
                }
            }
        }
        None
    }

    async fn send(&mut self, message: &ToDriver) -> Result<(), String> {
        let (kind, payload) = message.encode();
        match time::timeout(self.orphan, self.sender.send(kind, &payload)).await {
            Ok(sent) => sent.map_err(|error| error.to_string()),
            Err(_) => Err("the driver takes nothing".to_owned()),
        }
    }
}
