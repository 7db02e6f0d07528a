//! A source on connections that come and go: connects, reads, waits, connects again. Runs in a task of its own, which
//! hands events to `feed`.
//!
//! The protocols (`jetstream`, `statuses`, `sse`, `websocket`, `http_lines`) say how to connect and read; when to
//! connect again is decided by `reconnect`.

use std::future::{Future, pending};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};

use super::health::Health;
use super::{BATCHES, Batch, FeedError, Progress};
use crate::clock::Clock;
use crate::ids::Millis;
use crate::produce::event::{Event, Gap, Kind};
use crate::produce::reconnect::{Failure, Next, Reconnect};

mod counts;
mod ended;

pub(super) use counts::Counts;
pub use counts::{Reason, Reconnects};
pub(super) use ended::Ended;

/// A stream is read at most this often while little comes at once: each read wakes threads up, here and in Kafka's client,
/// which gathers records for 20 ms anyway.
const BREATH: Duration = Duration::from_millis(20);
/// So many events at once are not little.
const MUCH: usize = 256;
/// At a stop: how long what the server has sent by then may take to get here. A busy stream is left after that.
const LAST: Duration = Duration::from_millis(500);
/// At a stop: when nothing comes for so long, nothing is on its way.
const LAST_QUIET: Duration = Duration::from_millis(50);
/// At a stop: about as many events are taken at most.
const LAST_EVENTS_MAX: usize = 1 << 17;
/// How long a stop may take in all.
const CLOSE: Duration = Duration::from_secs(1);

/// How a source is spoken to.
pub(super) trait Protocol: Send + 'static {
    /// One connection.
    type Connection: Send;

    /// Where it connects to next, for people.
    fn place(&self) -> String;

    /// Connects, and waits until the server agrees. `host` grows by one whenever it is another host's turn.
    fn connect(&mut self, host: usize) -> impl Future<Output = Result<Self::Connection, Ended>> + Send;

    /// Waits until something came, and appends what that is: nothing, if it was a sign of life only.
    ///
    /// When the connection ends, what came before that has been appended. The future may be dropped: what it took from the
    /// connection is either appended or still to come.
    fn read(
        &mut self,
        connection: &mut Self::Connection,
        events: &mut Vec<Event>,
    ) -> impl Future<Output = Result<(), Ended>> + Send;

    /// Whether the next connection goes on where this one ends.
    fn is_resumable(&self) -> bool;

    /// The shortest wait that the server wishes for before it is connected to again.
    fn wait_min(&self) -> Duration {
        Duration::ZERO
    }
}

/// What a source is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It connects.
    Connecting,
    /// It is connected, and reads.
    Connected,
    /// It waits for so long, and connects then.
    Waiting(Duration),
    /// It has left its connection, as there is no room for posts.
    Paused,
    /// It has given up.
    Over,
}

/// A source that runs.
#[derive(Debug)]
pub(super) struct Live {
    batches: mpsc::Receiver<Batch>,
    paused: watch::Sender<bool>,
    closing: watch::Sender<bool>,
    state: watch::Receiver<State>,
    counts: Counts,
    health: Health,
    task: JoinHandle<()>,
}

impl Drop for Live {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Live {
    /// Begins. Must be called within a tokio runtime.
    pub(super) fn start(protocol: impl Protocol, reconnect: Reconnect, counts: Counts, clock: Clock) -> Self {
        let (outlet, batches) = mpsc::channel(BATCHES);
        let (paused, is_paused) = watch::channel(false);
        let (closing, is_closing) = watch::channel(false);
        let (states, state) = watch::channel(State::Connecting);
        let health = Health::default();
        let task = Task {
            reconnect,
            begin: Instant::now(),
            begin_ms: clock.wall_ms(),
            heard_ms: None,
            outlet,
            paused: is_paused,
            closing: is_closing,
            states,
            counts: counts.clone(),
            health: health.clone(),
        };
        Self { batches, paused, closing, state, counts, health, task: tokio::spawn(task.run(protocol)) }
    }

    pub(super) async fn next(&mut self, events: &mut Vec<Event>) -> Result<Progress, FeedError> {
        self.paused.send_if_modified(std::mem::take);
        match self.batches.recv().await {
            Some(Batch::Events(batch)) => {
                events.extend(batch);
                Ok(Progress::More)
            }
            Some(Batch::Failed(error)) => Err(error),
            Some(Batch::Finished) => Ok(Progress::Finished),
            None if *self.closing.borrow() => Ok(Progress::Finished),
            None => Err(FeedError("the source's task ended by mistake".to_owned())),
        }
    }

    /// Leaves the connection, and hands over what came on it.
    pub(super) async fn close(&mut self, events: &mut Vec<Event>) {
        self.closing.send_replace(true);
        let until = Instant::now() + CLOSE;
        loop {
            match timeout_at(until, self.batches.recv()).await {
                Ok(Some(Batch::Events(batch))) => events.extend(batch),
                Ok(Some(Batch::Failed(error))) => tracing::warn!(%error, "the source ended during the stop"),
                Ok(Some(Batch::Finished)) => {}
                Ok(None) => return,
                Err(_) => break,
            }
        }
        tracing::warn!("the source took too long to stop; what it still holds is left");
        self.task.abort();
    }

    pub(super) fn pause(&mut self) {
        self.paused.send_replace(true);
    }

    pub(super) fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    pub(super) fn health(&self) -> Result<(), String> {
        self.health.check()
    }
}

struct Task {
    reconnect: Reconnect,
    begin: Instant,
    begin_ms: Millis,
    /// When something came last, or the last connection came about.
    heard_ms: Option<Millis>,
    outlet: mpsc::Sender<Batch>,
    paused: watch::Receiver<bool>,
    closing: watch::Receiver<bool>,
    states: watch::Sender<State>,
    counts: Counts,
    health: Health,
}

/// What became of events that were handed over.
enum Handed {
    Taken,
    /// There is no room; this is what is left.
    NoRoom(Batch),
    /// Nobody is there any more.
    Nobody,
}

impl Task {
    async fn run<P: Protocol>(mut self, mut protocol: P) {
        self.health.trouble(format!("not connected to {} yet", protocol.place()));
        loop {
            self.states.send_replace(State::Connecting);
            let connected = tokio::select! {
                biased;
                () = closing(&mut self.closing) => return,
                connected = protocol.connect(self.reconnect.host()) => connected,
            };
            let ended = match connected {
                Ok(connection) => {
                    let place = protocol.place();
                    tracing::info!(?place, "connected");
                    self.reconnect.connected(self.begin.elapsed());
                    self.health.well();
                    self.states.send_replace(State::Connected);
                    let resumable = protocol.is_resumable();
                    let gap = self.heard_ms.filter(|_| !resumable).and_then(|from_ms| self.gap(from_ms));
                    self.heard_ms = Some(self.wall_ms());
                    let Some(ended) = self.follow(&mut protocol, connection, gap).await else { return };
                    if ended.failure == Failure::Normal {
                        // The end was orderly, so there was nothing to send until then.
                        self.heard_ms = Some(self.wall_ms());
                    }
                    ended
                }
                Err(ended) => ended,
            };
            if self.wait(protocol.place(), protocol.wait_min(), ended).await.is_none() {
                return;
            }
        }
    }

    /// Reads until the connection ends. `None` if nobody is there to read for.
    async fn follow<P: Protocol>(
        &mut self,
        protocol: &mut P,
        mut connection: P::Connection,
        gap: Option<Event>,
    ) -> Option<Ended> {
        let mut events = Vec::from_iter(gap);
        loop {
            let known = events.len();
            let read = tokio::select! {
                biased;
                () = closing(&mut self.closing) => {
                    self.take_last(protocol, connection, events).await;
                    return None;
                }
                read = protocol.read(&mut connection, &mut events) => read,
            };
            let ended = read.err();
            if ended.is_none() || events.len() > known {
                self.reconnect.received(self.begin.elapsed());
                self.heard_ms = Some(self.wall_ms());
            }
            let little = events.len() < MUCH;
            if !events.is_empty() {
                let batch = Batch::Events(std::mem::take(&mut events));
                match self.hand(batch, protocol.is_resumable()).await {
                    Handed::Taken => {}
                    Handed::Nobody => return None,
                    Handed::NoRoom(batch) => {
                        drop(connection);
                        self.states.send_replace(State::Paused);
                        tracing::info!("no room for posts: the connection is closed until there is");
                        self.outlet.send(batch).await.ok()?;
                        return Some(Ended::paused());
                    }
                }
            }
            if ended.is_some() {
                return ended;
            }
            if little {
                sleep(BREATH).await;
            }
        }
    }

    /// Hands over what the server has sent until now. Where nothing can be found again, all else is lost.
    async fn take_last<P: Protocol>(
        &mut self,
        protocol: &mut P,
        mut connection: P::Connection,
        mut events: Vec<Event>,
    ) {
        let until = Instant::now() + LAST;
        let mut taken = 0;
        let mut over = protocol.is_resumable();
        loop {
            taken += events.len();
            if !events.is_empty()
                && self.outlet.send(Batch::Events(std::mem::take(&mut events))).await.is_err()
            {
                return;
            }
            if over || taken > LAST_EVENTS_MAX {
                return;
            }
            let patience = until.min(Instant::now() + LAST_QUIET);
            let read = timeout_at(patience, protocol.read(&mut connection, &mut events)).await;
            over = !matches!(read, Ok(Ok(()))) || Instant::now() >= until;
        }
    }

    /// Hands events over, and waits for room as long as nobody pauses.
    async fn hand(&mut self, batch: Batch, resumable: bool) -> Handed {
        let room = tokio::select! {
            biased;
            room = self.outlet.reserve() => room,
            Ok(_) = self.paused.wait_for(|paused| *paused), if resumable => return Handed::NoRoom(batch),
        };
        match room {
            Ok(room) => {
                room.send(batch);
                Handed::Taken
            }
            Err(_) => Handed::Nobody,
        }
    }

    /// Waits until it is time to connect again. `None` if it never is.
    async fn wait(&mut self, place: String, wait_min: Duration, ended: Ended) -> Option<()> {
        let Ended { failure, reason, words } = ended;
        self.counts.reconnect(reason);
        let wait = match self.reconnect.failed(self.begin.elapsed(), &failure) {
            Next::Wait(wait) => wait.max(wait_min),
            Next::GiveUp(why) => {
                self.health.trouble(format!("given up on {place}: {words}"));
                self.states.send_replace(State::Over);
                let error = FeedError(format!("{place}: {words}; {why}"));
                return self.outlet.send(Batch::Failed(error)).await.ok();
            }
        };
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        if reason.is_trouble() {
            tracing::warn!(?place, wait_ms, "{words}; connect again");
            self.health.trouble(format!("not connected to {place}: {words}"));
        } else {
            tracing::info!(?place, wait_ms, "{words}; connect again");
        }
        self.states.send_replace(State::Waiting(wait));
        tokio::select! {
            () = closing(&mut self.closing) => None,
            () = sleep(wait) => Some(()),
        }
    }

    /// The wall clock's time. Its steps while the source runs have no effect.
    fn wall_ms(&self) -> Millis {
        self.begin_ms + Millis::try_from(self.begin.elapsed().as_millis()).unwrap_or(Millis::MAX / 2)
    }

    /// What was not delivered since `from_ms`.
    fn gap(&self, from_ms: Millis) -> Option<Event> {
        let until_ms = self.wall_ms();
        let gap = Gap { from_ms, until_ms };
        (until_ms > from_ms).then(|| Event { kind: Kind::Gap(gap), resume: None })
    }
}

/// Waits until the source is to be closed.
async fn closing(flag: &mut watch::Receiver<bool>) {
    if flag.wait_for(|closing| *closing).await.is_err() {
        // Nobody is there any more, and the task is aborted for that.
        pending::<()>().await;
    }
}
