//! A reading thread: drains its source into a table, and answers cuts with what it read. Feeds the executor's
//! state.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::mpsc as inputs;

use super::state::{Block, Input, Part, ReaderOrder};
use crate::clock::Clock;
use crate::config::KeyRule;
use crate::count::KeyTable;
use crate::ids::{CutNumber, Offset, Partition};
use crate::metrics::ExecutorMetrics;
use crate::source::{
    self, BATCH_MESSAGES, ClientSettings, HeardEnd, Key, KeyReader, Progress, Record, Source, SourceError,
    Unkeyed, Visit, Waker,
};
use crate::wire::message::{Heard, Range, Reading};

/// How long an idle drain waits; orders wake it.
const IDLE: Duration = Duration::from_secs(1);
/// What a fetched message takes in librdkafka's queue, for messages of about 100 bytes (measured).
const QUEUED_BYTES: u64 = 438;
/// How long records gather once what was there is read: waking for each fetch costs more than counting it.
const GATHER: Duration = Duration::from_millis(10);
/// Key bytes at which a table is sent ahead of its cut: bounds the thread's memory and a frame's size.
const SPILL_BYTES: usize = 4 << 20;
/// Keys at which a table is sent ahead of its cut.
const SPILL_KEYS: usize = 1 << 18;
/// Keys at which a table is sent ahead of its cut when sending it later would not make it smaller, because hardly
/// a key has come twice: the driver then has less to do between a cut and its window.
const EARLY_KEYS: usize = 1 << 12;

/// The handle of a reading thread. Dropping it ends the thread.
pub(super) struct Reader {
    orders: Option<mpsc::Sender<ReaderOrder>>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    /// Starts thread number `thread`; what it reads arrives as [`Input`]s, in order.
    pub(super) fn start(
        thread: usize,
        settings: &ClientSettings,
        key: &KeyRule,
        clock: Clock,
        inputs: inputs::Sender<Input>,
        metrics: Arc<ExecutorMetrics>,
    ) -> anyhow::Result<Self> {
        let (source, waker) = Source::open(settings)?;
        let (orders, queue) = mpsc::channel();
        let keys = KeyReader::new(key).map_err(anyhow::Error::msg)?;
        let seed = super::random_seed()?;
        let counter = Counter::new(thread, keys, seed, inputs);
        let work = Work { source, counter, froms: BTreeMap::new(), clock, metrics };
        let spawned =
            thread::Builder::new().name(format!("reader-{thread}")).spawn(move || work.run(&queue))?;
        Ok(Self { orders: Some(orders), waker, thread: Some(spawned) })
    }

    /// Gives an order; the thread takes orders in sequence.
    pub(super) fn order(&self, order: ReaderOrder) {
        if let Some(orders) = &self.orders {
            // A thread that has failed has said so; nothing more is expected of it.
            let _ = orders.send(order);
            self.waker.wake();
        }
    }

    /// Has the thread end, and waits for it.
    pub(super) fn join(mut self) {
        self.orders = None;
        self.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Work {
    source: Source,
    counter: Counter,
    /// Where the range under way began, per partition.
    froms: BTreeMap<Partition, Offset>,
    clock: Clock,
    metrics: Arc<ExecutorMetrics>,
}

impl Work {
    fn run(mut self, orders: &mpsc::Receiver<ReaderOrder>) {
        if let Err(error) = self.work(orders) {
            let failed = Input::Failed { thread: self.counter.thread, reason: error.to_string() };
            let _ = self.counter.inputs.blocking_send(failed);
        }
    }

    /// Reads until the handle is dropped.
    fn work(&mut self, orders: &mpsc::Receiver<ReaderOrder>) -> Result<(), SourceError> {
        let mut wait = IDLE;
        loop {
            let records = self.drain(wait)?;
            let caught_up = (1..BATCH_MESSAGES).contains(&records);
            wait = if records > 0 { Duration::ZERO } else { IDLE };
            let mut order = match orders.recv_timeout(if caught_up { GATHER } else { Duration::ZERO }) {
                Ok(order) => Some(order),
                Err(mpsc::RecvTimeoutError::Timeout) => None,
                Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(()),
            };
            while let Some(given) = order {
                self.obey(given)?;
                order = orders.try_recv().ok();
            }
        }
    }

    fn drain(&mut self, wait: Duration) -> Result<usize, SourceError> {
        let records = self.source.drain(self.clock.monotonic(), wait, &mut self.counter)?;
        self.metrics.read(records as u64);
        self.counter.spill_if_large();
        Ok(records)
    }

    fn obey(&mut self, order: ReaderOrder) -> Result<(), SourceError> {
        match order {
            ReaderOrder::Assign(partitions) => {
                self.froms.extend(partitions.iter().map(|(p, position)| (p.clone(), position.offset)));
                self.source.assign(&partitions)
            }
            ReaderOrder::Cut { number, release } => {
                // What gathered since the last look belongs to the slide that ends.
                self.drain(Duration::ZERO)?;
                let ranges = self.ranges();
                self.metrics.queue_bytes(QUEUED_BYTES * self.source.queued() as u64);
                self.counter.answer(number, ranges);
                release.iter().for_each(|partition| {
                    self.froms.remove(partition);
                });
                if release.is_empty() { Ok(()) } else { self.source.release(&release) }
            }
        }
    }

    /// What was read since the cut before; the next ranges begin where these end.
    fn ranges(&mut self) -> Vec<Range> {
        let (froms, now) = (&mut self.froms, self.clock.uptime());
        let ranges = self.source.progress().filter_map(|progress| {
            let from = froms.get_mut(progress.partition)?;
            let until = progress.until;
            let range = Range {
                partition: progress.partition.clone(),
                from: std::mem::replace(from, until.offset),
                until,
                log_end: progress.log_end,
                heard: progress.heard.map(|heard| heard_ago(heard, now)),
                reached_ms: progress.last_timestamp_ms,
                reading: reading(&progress),
            };
            Some(range)
        });
        ranges.collect()
    }
}

fn heard_ago(heard: HeardEnd, now: Duration) -> Heard {
    let age_ms = u64::try_from(now.saturating_sub(heard.at).as_millis()).unwrap_or(u64::MAX);
    Heard { end: heard.end, high: heard.high, age_ms }
}

fn reading(progress: &Progress<'_>) -> Reading {
    match progress.state {
        source::State::Reading | source::State::AtEnd => Reading::Following,
        source::State::Starting => Reading::Starting,
        source::State::Unreachable(why) => Reading::Unreachable(why.to_owned()),
        source::State::Denied(why) => Reading::Denied(why.to_owned()),
        source::State::OutOfRange(why) => Reading::OutOfRange(why.to_owned()),
        source::State::Truncated(why) => Reading::Truncated(why.to_owned()),
        source::State::Gone(why) => Reading::Gone(why.to_owned()),
        source::State::Broken(why) => Reading::Broken(why.to_owned()),
    }
}

/// Counts what the source shows it.
struct Counter {
    thread: usize,
    keys: KeyReader,
    table: KeyTable,
    /// Since the cut before.
    records: u64,
    /// Those among them that were spilled.
    spilled: u64,
    unkeyed: BTreeMap<&'static str, u64>,
    inputs: inputs::Sender<Input>,
}

impl Counter {
    fn new(thread: usize, keys: KeyReader, seed: u64, inputs: inputs::Sender<Input>) -> Self {
        let table = KeyTable::with_seed(seed);
        Self { thread, keys, table, records: 0, spilled: 0, unkeyed: BTreeMap::new(), inputs }
    }

    fn answer(&mut self, cut: CutNumber, ranges: Vec<Range>) {
        let blocks = if self.table.is_empty() { Vec::new() } else { vec![self.block()] };
        let unkeyed = std::mem::take(&mut self.unkeyed).into_iter();
        let part = Part {
            ranges,
            blocks,
            records: std::mem::take(&mut self.records),
            unkeyed: unkeyed.map(|(reason, records)| (reason.to_owned(), records)).collect(),
        };
        self.spilled = 0;
        // The channel closes only when the process ends.
        let _ = self.inputs.blocking_send(Input::Answered { thread: self.thread, cut, part });
    }

    fn block(&mut self) -> Block {
        Block { bucket_ms: 0, bytes: self.table.take_block() }
    }

    /// Looked at once a batch; the bytes of keys are looked at for each record.
    fn spill_if_large(&mut self) {
        let keys = self.table.len();
        let few_came_twice = 8 * (self.records - self.spilled) < 9 * keys as u64;
        if keys >= SPILL_KEYS || (keys >= EARLY_KEYS && few_came_twice) {
            self.spill();
        }
    }

    #[cold]
    fn spill(&mut self) {
        let block = self.block();
        self.spilled = self.records;
        let _ = self.inputs.blocking_send(Input::Spilled { thread: self.thread, block });
    }

    #[cold]
    fn unkeyed(&mut self, why: Unkeyed) {
        self.table.add_null(1);
        *self.unkeyed.entry(why.label()).or_default() += 1;
    }
}

impl Visit for Counter {
    #[inline]
    fn record(&mut self, _index: usize, record: &Record<'_>) {
        self.records += 1;
        match self.keys.read(record) {
            Key::Bytes(key) => {
                if self.table.key_bytes() + key.len() > SPILL_BYTES {
                    let key = key.to_vec();
                    self.spill();
                    self.table.add(&key);
                } else {
                    self.table.add(key);
                }
            }
            Key::Null => self.table.add_null(1),
            Key::Unkeyed(why) => self.unkeyed(why),
        }
    }
}
