//! Everything in one go with nothing installed: an in-process mock Kafka, posts through the producer, executors as
//! processes, the driver here; and at the end the books are balanced.

mod books;
mod sources;
mod stream;

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
/// How long live posts may take to begin when nothing has gone wrong; a second after a failure is enough.
const LIVE: Duration = Duration::from_secs(5);
const LIVE_FAILED: Duration = Duration::from_secs(1);
/// How often the stream is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How long the last cut may take.
const STOP: Duration = Duration::from_secs(5);

/// What the demo is asked for.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Windows after which it ends, at least 2; `None` goes on until it is stopped.
    pub windows: Option<u64>,
    /// Synthetic posts per second.
    pub rate: u32,
    /// Count posts of Bluesky that hold one of these words; empty: synthetic posts.
    pub live: Vec<String>,
    /// Executors.
    pub executors: u32,
}

/// A mock Kafka with a stream of posts in it.
pub struct Demo {
    // Declared in the order in which they end: the stream before the cluster it writes to.
    stream: Option<Stream>,
    /// Until live posts have come: when the stream began.
    live_since: Option<Instant>,
    /// Keys of the stream's keywords, in their order.
    keys: Vec<String>,
    cluster: MockCluster<'static, rdkafka::producer::DefaultProducerContext>,
    books: Books,
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
            books: Books::default(),
            live_since: None,
            keys: Vec::new(),
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
            let due = patience.unwrap_or_else(|| Instant::now() + LOOK).min(Instant::now() + LOOK);
            tokio::select! {
                note = notes.recv() => match note {
                    Some(note) => self.take(clock, note)?,
                    None => return self.close(),
                },
                Some(order) = people.recv() => match order {
                    Command::Stop { .. } => self.windows_left = Some(0),
                    other => drop(driver.send(other)),
                },
                () = time::sleep_until(due) => {}
            }
            self.look_at_stream(clock)?;
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
                    self.begin_stream(clock)?;
                }
            }
            Note::Slide(report) => {
                report.counts.into_iter().for_each(|(key, records)| self.books.counted(key, records));
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

    fn begin_stream(&mut self, clock: Clock) -> anyhow::Result<()> {
        let brokers = self.cluster.bootstrap_servers();
        let producer = if self.setup.live.is_empty() {
            sources::synthetic(&brokers, TOPIC, self.setup.rate)
        } else {
            self.live_since = Some(Instant::now());
            sources::live(&brokers, TOPIC, &self.setup.live)
        };
        self.keys = producer.keywords.list.iter().map(|keyword| keyword.key.clone()).collect();
        self.stream = Some(Stream::start(producer, clock)?);
        Ok(())
    }

    /// Enters what Kafka has acknowledged; without live posts, goes on with synthetic ones.
    fn look_at_stream(&mut self, clock: Clock) -> anyhow::Result<()> {
        let Some(stream) = &self.stream else { return Ok(()) };
        let view = stream.view();
        let keys = self.keys.iter().map(|key| Some(key.as_bytes())).chain([None]);
        for (key, records) in keys.zip(&view.accounts.by_keyword) {
            self.books.produced(key, *records);
        }
        let Some(since) = self.live_since else { return Ok(()) };
        if view.accounts.received > 0 {
            self.live_since = None;
            return Ok(());
        }
        let patience = if view.trouble.is_some() { LIVE_FAILED } else { LIVE };
        if since.elapsed() < patience {
            return Ok(());
        }
        let why = view.trouble.unwrap_or_else(|| "no post has come".to_owned());
        tracing::warn!(why, "demo: Bluesky cannot be reached; going on with synthetic posts");
        self.live_since = None;
        self.setup.live.clear();
        self.close()?;
        self.begin_stream(clock)
    }

    fn close(&mut self) -> anyhow::Result<()> {
        self.stream.take().map_or(Ok(()), Stream::join)
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
        let books = &self.books;
        self.stream.as_ref().is_none_or(Stream::finished) && books.counted_total() >= books.produced_total()
    }

    /// The line that convinces, and whether it does.
    pub fn verdict(&self) -> (String, bool) {
        let books = &self.books;
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
