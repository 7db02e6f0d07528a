//! Everything in one go with nothing installed: an in-process mock Kafka, synthetic posts through a real
//! producer, executors as processes, the driver here; and at the end the books are balanced.

mod books;
mod posts;
mod stream;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use rdkafka::mocking::MockCluster;
use tokio::sync::mpsc;
use tokio::time::{self, Instant};

use crate::clock::Clock;
use crate::config::{Job, Timespan};
use crate::driver::{Command, Note};
use crate::ids::Session;
use books::Books;
use stream::Stream;

/// The demo's topic.
const TOPIC: &str = "tweets_poc";
/// Its partitions, as many as the replaced system had.
const PARTITIONS: i32 = 6;
/// After so many windows an executor is killed.
const KILL_AFTER: u64 = 10;
/// How long the last records may take to be counted once the stream has ended.
const CATCH_UP: Duration = Duration::from_secs(10);
/// How long the last cut may take.
const STOP: Duration = Duration::from_secs(5);

/// What the demo is asked for.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Windows after which it ends, at least 2; `None` goes on until it is stopped.
    pub windows: Option<u64>,
    /// Posts per second.
    pub rate: u64,
    /// Executors.
    pub executors: u32,
}

/// A mock Kafka with a stream of posts in it.
pub struct Demo {
    // Declared in the order in which they end: the stream before the cluster it writes to.
    stream: Option<Stream>,
    cluster: MockCluster<'static, rdkafka::producer::DefaultProducerContext>,
    books: Arc<Mutex<Books>>,
    setup: Setup,
    killed: u64,
    windows: u64,
    /// Windows still to be printed; the last one is printed by the job's last cut. `None`: until it is stopped.
    windows_left: Option<u64>,
    slowest: Duration,
    executors: Vec<(Session, u32)>,
}

impl Demo {
    /// Starts the mock cluster; nothing is produced yet.
    pub fn start(setup: Setup) -> anyhow::Result<Self> {
        let cluster = MockCluster::new(1).context("start the mock Kafka")?;
        cluster.create_topic(TOPIC, PARTITIONS, 1).context("create the demo's topic")?;
        Ok(Self {
            stream: None,
            cluster,
            books: Arc::default(),
            windows_left: setup.windows,
            setup,
            killed: 0,
            windows: 0,
            slowest: Duration::ZERO,
            executors: Vec::new(),
        })
    }

    /// The replaced job against the mock cluster, with a window short enough to watch it fill.
    pub fn job(&self) -> Job {
        let mut job = Job { name: "demo".to_owned(), ..Job::default() };
        job.source.brokers = self.cluster.bootstrap_servers().split(',').map(ToOwned::to_owned).collect();
        job.source.topics = vec![TOPIC.to_owned()];
        job.source.group = "tweets_group".to_owned();
        // The mock answers a waiting fetch only when its time is up, not when a record comes.
        job.source.properties.set("fetch.wait.max.ms", "10");
        job.window.length = Timespan::from_secs(60);
        job.executors.instances = self.setup.executors;
        job
    }

    /// Follows the driver's notes: begins the stream with the first executor, kills one, and ends after as many
    /// windows as asked for, or when `people` say so. Ending is orderly: first the stream, then, when everything
    /// is counted, the job. Returns when the driver is over and has dropped the other end of `notes`.
    pub async fn follow(
        &mut self,
        clock: Clock,
        mut notes: mpsc::UnboundedReceiver<Note>,
        mut people: mpsc::UnboundedReceiver<Command>,
        driver: mpsc::UnboundedSender<Command>,
    ) -> anyhow::Result<()> {
        let mut ending: Option<Instant> = None;
        let mut stopped = false;
        loop {
            let patience = ending.filter(|_| !stopped);
            let due = patience.unwrap_or_else(|| Instant::now() + CATCH_UP);
            tokio::select! {
                note = notes.recv() => match note {
                    Some(note) => self.take(clock, note)?,
                    None => return self.stream.take().map_or(Ok(()), Stream::join),
                },
                Some(order) = people.recv() => match order {
                    Command::Stop { .. } => self.windows_left = Some(0),
                    other => drop(driver.send(other)),
                },
                () = time::sleep_until(due) => {}
            }
            if self.windows_left.is_some_and(|left| left <= 2) && ending.is_none() {
                self.stream.iter().for_each(Stream::end);
                ending = Some(Instant::now() + CATCH_UP);
            }
            let last = self.windows_left.is_some_and(|left| left <= 1) && self.balanced();
            if !stopped && (last || patience.is_some_and(|due| due <= Instant::now())) {
                stopped = true;
                drop(driver.send(Command::Stop { within: STOP }));
            }
        }
    }

    fn take(&mut self, clock: Clock, note: Note) -> anyhow::Result<()> {
        match note {
            Note::Executor { session, pid } => {
                self.executors.retain(|(known, _)| known.slot != session.slot);
                self.executors.push((session, pid));
                if self.stream.is_none() && self.windows == 0 {
                    let brokers = self.cluster.bootstrap_servers();
                    let books = Arc::clone(&self.books);
                    self.stream = Some(Stream::start(&brokers, TOPIC, self.setup.rate, clock, books)?);
                }
            }
            Note::Slide(report) => {
                let mut books = lock(&self.books);
                report.counts.into_iter().for_each(|(key, records)| books.counted(key, records));
            }
            Note::Printed { delay, .. } => {
                self.windows += 1;
                self.windows_left = self.windows_left.map(|left| left.saturating_sub(1));
                self.slowest = self.slowest.max(delay);
                if self.windows == KILL_AFTER {
                    self.kill_one();
                }
            }
        }
        Ok(())
    }

    fn kill_one(&mut self) {
        let Some((session, pid)) = self.executors.first().copied() else { return };
        let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) else { return };
        match rustix::process::kill_process(pid, rustix::process::Signal::KILL) {
            Ok(()) => {
                self.killed += 1;
                tracing::warn!(
                    executor = session.slot.0,
                    pid = pid.as_raw_nonzero().get(),
                    "demo: killed an executor; watch the counts"
                );
            }
            Err(error) => tracing::warn!(%error, "demo: kill an executor"),
        }
    }

    /// Whether everything that was produced is acknowledged and counted.
    fn balanced(&self) -> bool {
        let books = lock(&self.books);
        self.stream.as_ref().is_none_or(Stream::finished) && books.counted_total() >= books.produced_total()
    }

    /// The line that convinces, and whether it does.
    pub fn verdict(&self) -> (String, bool) {
        let books = lock(&self.books);
        let (produced, counted) = (books.produced_total(), books.counted_total());
        let (missed, doubled) = (books.missed(), books.doubled());
        let good = missed == 0 && doubled == 0 && produced > 0;
        let relation = if produced == counted { "=" } else { "!=" };
        let killed = match self.killed {
            1 => "1 executor killed".to_owned(),
            n => format!("{n} executors killed"),
        };
        let slowest = self.slowest.as_millis();
        let line = format!(
            "produced {produced} {relation} counted {counted}, missed {missed}, doubled {doubled}, {killed}, slowest window {slowest} ms"
        );
        (line, good)
    }
}

fn lock(books: &Mutex<Books>) -> MutexGuard<'_, Books> {
    books.lock().unwrap_or_else(PoisonError::into_inner)
}
