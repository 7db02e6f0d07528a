//! What an executor does between its link and its reading threads: `step(now, input) -> effects`, without clock,
//! I/O or threads. Turns the driver's messages into orders for the threads, and their parts into deltas.

use std::collections::{BTreeMap, VecDeque};

use crate::exit;
use crate::ids::{CutNumber, Millis, Partition, Position};
use crate::wire::message::{Counts, Cut, Delta, Range, ToDriver, ToExecutor, Welcome};

/// What an executor knows.
///
/// Invariants:
/// - every partition of the session belongs to one thread, from its assignment to the cut that releases it;
/// - every cut goes to every thread, and a thread gets its orders in the order of the link, so what it answers
///   holds exactly what it owned when the driver sent the cut;
/// - a cut and what leaves with it are one order: a thread that read on between the two would have counted
///   records that are in no range of its own and that the next owner counts again;
/// - deltas leave in the order of their cuts, one per cut, after all counts of that cut;
/// - counts of a cut leave as soon as they are there, at the earliest after the answer to the cut before, so they
///   are always for a cut that the driver has sent or will send next;
/// - after [`Effect::Exit`] nothing more is done.
#[derive(Debug)]
pub struct State {
    alive_ms: Millis,
    orphan_ms: Millis,
    /// What each thread reads.
    threads: Vec<Thread>,
    owners: BTreeMap<Partition, usize>,
    /// The last cut that came; `None` before the first.
    last_cut: Option<CutNumber>,
    /// Cuts without a delta yet, oldest first.
    owed: VecDeque<Owed>,
    /// Counts that came before the first cut, whose number nobody knew.
    early: Vec<Block>,
    heard_ms: Millis,
    sent_ms: Millis,
    exited: bool,
    out: Vec<Effect>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Thread {
    partitions: usize,
    /// The last cut it answered.
    answered: Option<CutNumber>,
}

#[derive(Debug)]
struct Owed {
    delta: Delta,
    /// Threads whose part is missing.
    missing: usize,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Input {
    /// Time passed; given whenever [`State::wake_ms`] is reached, after everything that has arrived.
    Tick,
    /// The driver says something.
    Message(ToExecutor),
    /// A thread's table grew too large to wait for the next cut.
    Spilled {
        /// The thread, from 0.
        thread: usize,
        /// What it counted since its last answer.
        block: Block,
    },
    /// A thread answers a cut.
    Answered {
        /// The thread, from 0.
        thread: usize,
        /// The cut.
        cut: CutNumber,
        /// Its part of the delta.
        part: Part,
    },
    /// A thread cannot go on.
    Failed {
        /// The thread, from 0.
        thread: usize,
        /// Why.
        reason: String,
    },
    /// The link is gone.
    Closed {
        /// Why.
        reason: String,
    },
}

/// Counts of one bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Window end of the bucket under event time, 0 under processing time.
    pub bucket_ms: Millis,
    /// The counts, a [`crate::count::block`].
    pub bytes: Vec<u8>,
}

/// What one thread read between two cuts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Part {
    /// Exactly the thread's partitions, empty ranges too, in any order.
    pub ranges: Vec<Range>,
    /// What it counted and has not spilled; nothing counted is no block.
    pub blocks: Vec<Block>,
    /// Records counted since the cut before, in what it spilled too.
    pub records: u64,
    /// Records counted under null because the key rule found no key, by reason.
    pub unkeyed: Vec<(String, u64)>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Tell a thread, after everything it was told before.
    Order(usize, ReaderOrder),
    /// Send to the driver, after everything sent before.
    Send(ToDriver),
    /// End the process.
    Exit {
        /// One of [`crate::exit`].
        code: u8,
        /// Why, for the log.
        reason: String,
    },
}

/// What a reading thread is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReaderOrder {
    /// Read these too, from these positions.
    Assign(Vec<(Partition, Position)>),
    /// Answer with everything read since the cut before, and from that moment on read `release` no more: nothing
    /// of them is in any later part.
    Cut {
        /// The cut to answer.
        number: CutNumber,
        /// Partitions of this thread that leave it.
        release: Vec<Partition>,
    },
}

impl State {
    /// The state after the driver's welcome.
    pub fn new(welcome: &Welcome, now_ms: Millis) -> Self {
        let threads = usize::try_from(welcome.cores).unwrap_or(usize::MAX).max(1);
        Self {
            alive_ms: Millis::try_from(welcome.alive_ms).unwrap_or(Millis::MAX),
            orphan_ms: Millis::try_from(welcome.orphan_ms).unwrap_or(Millis::MAX),
            threads: vec![Thread::default(); threads],
            owners: BTreeMap::new(),
            last_cut: None,
            owed: VecDeque::new(),
            early: Vec::new(),
            heard_ms: now_ms,
            sent_ms: now_ms,
            exited: false,
            out: Vec::new(),
        }
    }

    /// Takes one input and returns what is to be done about it, in order. After [`Effect::Exit`] nothing is.
    pub fn step(&mut self, now_ms: Millis, input: Input) -> Vec<Effect> {
        if self.exited {
            return Vec::new();
        }
        match input {
            Input::Tick => self.tick(now_ms),
            Input::Message(message) => {
                self.heard_ms = now_ms;
                self.message(message);
            }
            Input::Spilled { thread, block } => self.spilled(thread, block),
            Input::Answered { thread, cut, part } => self.answered(thread, cut, part),
            Input::Failed { thread, reason } => {
                self.exit(exit::EXECUTOR_SOURCE, format!("reading thread {thread} failed: {reason}"));
            }
            Input::Closed { reason } => {
                self.exit(exit::EXECUTOR_DRIVER_GONE, format!("the link to the driver is gone: {reason}"));
            }
        }
        if self.out.iter().any(|effect| matches!(effect, Effect::Send(_))) {
            self.sent_ms = now_ms;
        }
        std::mem::take(&mut self.out)
    }

    /// When the next [`Input::Tick`] is due.
    pub fn wake_ms(&self) -> Millis {
        self.sent_ms.saturating_add(self.alive_ms).min(self.heard_ms.saturating_add(self.orphan_ms))
    }

    /// How many partitions the session has.
    pub fn partitions(&self) -> usize {
        self.owners.len()
    }

    fn tick(&mut self, now_ms: Millis) {
        let silent_ms = now_ms - self.heard_ms;
        if silent_ms >= self.orphan_ms {
            self.exit(
                exit::EXECUTOR_DRIVER_GONE,
                format!("nothing was heard from the driver for {silent_ms} ms"),
            );
        } else if now_ms - self.sent_ms >= self.alive_ms {
            self.out.push(Effect::Send(ToDriver::Alive));
        }
    }

    fn message(&mut self, message: ToExecutor) {
        match message {
            ToExecutor::Alive => {}
            ToExecutor::Assign(partitions) => self.assign(partitions),
            ToExecutor::Cut(cut) => self.cut(cut),
            ToExecutor::End { reason } => {
                self.exit(exit::EXECUTOR_REFUSED, format!("the driver ended the session: {reason}"));
            }
            ToExecutor::Welcome(_) => self.broken("a second welcome"),
        }
    }

    /// Each partition goes to the thread that reads the fewest.
    fn assign(&mut self, partitions: Vec<(Partition, Position)>) {
        let mut orders: BTreeMap<usize, Vec<(Partition, Position)>> = BTreeMap::new();
        for (partition, position) in partitions {
            let least = self.threads.iter().enumerate().min_by_key(|(_, thread)| thread.partitions);
            let thread = least.map_or(0, |(thread, _)| thread);
            if self.owners.insert(partition.clone(), thread).is_some() {
                return self.broken(&format!("{partition} is assigned twice"));
            }
            self.threads[thread].partitions += 1;
            orders.entry(thread).or_default().push((partition, position));
        }
        let orders = orders.into_iter().map(|(n, list)| Effect::Order(n, ReaderOrder::Assign(list)));
        self.out.extend(orders);
    }

    fn cut(&mut self, cut: Cut) {
        let number = cut.number;
        if self.last_cut.is_some_and(|last| last.next() != number) {
            return self.broken(&format!("cut {number} does not follow the one before"));
        }
        if self.last_cut.replace(number).is_none() {
            for block in std::mem::take(&mut self.early) {
                self.send_counts(number, block);
            }
        }
        let mut released: BTreeMap<usize, Vec<Partition>> = BTreeMap::new();
        for partition in cut.release {
            let Some(thread) = self.owners.remove(&partition) else {
                return self.broken(&format!("{partition} is released and was never assigned"));
            };
            self.threads[thread].partitions -= 1;
            released.entry(thread).or_default().push(partition);
        }
        let delta = Delta { cut: number, ranges: Vec::new(), records: 0, unkeyed: Vec::new() };
        self.owed.push_back(Owed { delta, missing: self.threads.len() });
        for thread in 0..self.threads.len() {
            let release = released.remove(&thread).unwrap_or_default();
            self.out.push(Effect::Order(thread, ReaderOrder::Cut { number, release }));
        }
    }

    /// The counts belong to the cut after the thread's last answer.
    fn spilled(&mut self, thread: usize, block: Block) {
        let answered = self.threads.get(thread).and_then(|thread| thread.answered);
        let first = self.owed.front().map(|owed| owed.delta.cut);
        match answered.map(CutNumber::next).or(first) {
            Some(cut) => self.send_counts(cut, block),
            None => self.early.push(block),
        }
    }

    fn answered(&mut self, thread: usize, cut: CutNumber, part: Part) {
        let due = match self.threads.get(thread).map(|thread| thread.answered) {
            Some(Some(answered)) => answered.next() == cut,
            Some(None) => self.owed.front().is_some_and(|owed| owed.delta.cut == cut),
            None => false,
        };
        let owed = self.owed.iter_mut().find(|owed| due && owed.delta.cut == cut);
        let Some(owed) = owed else {
            let reason = format!("reading thread {thread} answered cut {cut}, which it does not owe");
            return self.exit(exit::EXECUTOR_SOURCE, reason);
        };
        owed.missing -= 1;
        owed.delta.ranges.extend(part.ranges);
        owed.delta.records += part.records;
        for (reason, records) in part.unkeyed {
            match owed.delta.unkeyed.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, total)) => *total += records,
                None => owed.delta.unkeyed.push((reason, records)),
            }
        }
        self.threads[thread].answered = Some(cut);
        for block in part.blocks {
            self.send_counts(cut, block);
        }
        self.send_deltas();
    }

    fn send_counts(&mut self, cut: CutNumber, Block { bucket_ms, bytes: block }: Block) {
        self.out.push(Effect::Send(ToDriver::Counts(Counts { cut, bucket_ms, block })));
    }

    fn send_deltas(&mut self) {
        while self.owed.front().is_some_and(|owed| owed.missing == 0) {
            let Some(Owed { mut delta, .. }) = self.owed.pop_front() else { return };
            delta.ranges.sort_unstable_by(|a, b| a.partition.cmp(&b.partition));
            delta.unkeyed.sort_unstable();
            self.out.push(Effect::Send(ToDriver::Delta(delta)));
        }
    }

    fn broken(&mut self, what: &str) {
        self.exit(exit::EXECUTOR_REFUSED, format!("the driver broke the protocol: {what}"));
    }

    fn exit(&mut self, code: u8, reason: String) {
        self.exited = true;
        self.out.push(Effect::Exit { code, reason });
    }
}

#[cfg(test)]
mod tests;
