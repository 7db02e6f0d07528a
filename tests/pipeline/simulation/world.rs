//! The discrete-event world: one driver, its launcher and brokers, executors, links. Time is a number.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hasher};
use std::io::Write as _;

use spindle::driver::state::{Effect, Input, Outcome, Settings, Start, State};
use spindle::ids::{CutNumber, Generation, Millis, Partition, Position, Session, Slot};
use spindle::launch::Target;
use spindle::random::Random;
use spindle::wire::message::{ToDriver, ToExecutor};

use super::logs::Logs;
use super::process::{Mail, Process};
use crate::oracle::Oracle;

/// When every world begins: no multiple of any slide.
pub(crate) const BEGIN_MS: Millis = 1_795_365_040_123;
/// What healthy links, threads and late ticks may add to a window's delay, milliseconds.
pub(super) const SLACK_MS: Millis = 1_000;

/// Something that will happen.
#[derive(Debug)]
pub(crate) enum Happening {
    /// The driver wanted to be woken.
    Wake(u64),
    DriverResumes,
    /// Reaches the driver, not by a link.
    Driver(Input),
    /// Reaches the driver by the link of a process, with its number on it.
    Frame(usize, u64, Arrival),
    /// Reaches a process.
    Mail(usize, Mail),
    Resume(usize),
    Connect(usize),
    Launch(Target),
    Facts(u64),
    LookAround,
    /// The driver says to everyone that it lives.
    Alive,
    Grow,
    Fault,
    /// A fault is over.
    LeaderBack(Partition),
    TopicBack(Partition),
    Calm,
    Check,
}

/// What comes out of a link at the driver.
#[derive(Debug, Clone)]
pub(crate) enum Arrival {
    Opened,
    /// A message, and whether it must be refused.
    Message(ToDriver, bool),
    Closed,
}

/// Where the run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Faults,
    /// Since when no more faults happen.
    Recovery(Millis),
    /// Since when no more records are written.
    Quiet(Millis),
    /// Until when it must have finished; whether nothing may stand in the way.
    Stopping(Millis, bool),
}

/// The world.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) random: Random,
    pub(crate) now_ms: Millis,
    pub(crate) logs: Logs,
    pub(crate) processes: Vec<Process>,
    pub(crate) settings: Settings,
    pub(crate) phase: Phase,
    pub(crate) stalled: bool,
    /// How long the driver was stalled, all in all.
    pub(crate) stalls_ms: Millis,
    pub(crate) losses: u64,
    pub(crate) commits_fail: bool,
    pub(crate) starts_fail: bool,
    pub(crate) starts_hang: bool,
    pub(crate) cores: u32,
    pub(crate) slow: bool,
    /// The highest order that the launcher has seen.
    pub(crate) revision: u64,
    /// Whether everything is written to stderr too.
    pub(crate) loud: bool,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) oracle: Oracle,
    driver: State,
    events: BTreeMap<(Millis, u64), Happening>,
    happened: u64,
    wakes: u64,
    inbox: VecDeque<Happening>,
    look: u64,
    pub(super) live: BTreeSet<Session>,
    pub(super) cuts: BTreeMap<CutNumber, SentCut>,
    pub(super) due_ms: Millis,
    /// Windows in a row that were on time and whole.
    pub(crate) good: i64,
    trace: Trace,
}

#[derive(Debug)]
pub(super) struct SentCut {
    pub(super) sent_ms: Millis,
    pub(super) answered_ms: Option<Millis>,
    pub(super) stalls_ms: Millis,
}

/// Hashes everything the driver does.
#[derive(Debug, Default)]
pub(crate) struct Trace(DefaultHasher);

impl std::fmt::Write for Trace {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

impl World {
    pub(crate) fn new(settings: Settings, logs: Logs, mut random: Random) -> Self {
        let oracle = Oracle::new(settings.slide_ms, settings.length_ms, settings.top);
        let driver = State::new(settings.clone(), BEGIN_MS);
        let cores = random.between(1, 2) as u32;
        let slow = random.one_in(4);
        Self {
            random,
            now_ms: BEGIN_MS,
            logs,
            processes: Vec::new(),
            settings,
            phase: Phase::Faults,
            stalled: false,
            stalls_ms: 0,
            losses: 0,
            commits_fail: false,
            starts_fail: false,
            starts_hang: false,
            cores,
            slow,
            revision: 0,
            loud: false,
            outcome: None,
            oracle,
            driver,
            events: BTreeMap::new(),
            happened: 0,
            wakes: 0,
            inbox: VecDeque::new(),
            look: 0,
            live: BTreeSet::new(),
            cuts: BTreeMap::new(),
            due_ms: 0,
            good: 0,
            trace: Trace::default(),
        }
    }

    /// Lets the world run until the job is over. Returns a hash of everything the driver did.
    pub(crate) fn run(&mut self, starts: Vec<Start>) -> u64 {
        let resolved = self.random.between(0, 900);
        self.after(resolved, Happening::Driver(Input::Started { starts, resumed: None }));
        self.after(0, Happening::Wake(0));
        self.after(1, Happening::Grow);
        self.after(2_500, Happening::LookAround);
        self.after(self.settings.timeout_ms, Happening::Alive);
        while self.outcome.is_none() {
            let ((at_ms, _), happening) =
                self.events.pop_first().expect("the driver always wants to be woken");
            self.now_ms = at_ms;
            self.happen(happening);
        }
        self.trace.0.finish()
    }

    pub(crate) fn after(&mut self, delay_ms: Millis, happening: Happening) {
        self.happened += 1;
        self.events.insert((self.now_ms + delay_ms, self.happened), happening);
    }

    pub(crate) fn at(&mut self, at_ms: Millis, happening: Happening) {
        self.after((at_ms - self.now_ms).max(0), happening);
    }

    pub(crate) fn some_ms(&mut self, low: Millis, high: Millis) -> Millis {
        self.random.between(low, high)
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Wake(_) | Happening::Driver(_) | Happening::Frame(..) if self.stalled => {
                self.inbox.push_back(happening);
            }
            Happening::Wake(number) => self.wake(number),
            Happening::DriverResumes => self.driver_resumes(),
            Happening::Driver(input) => self.drive(input),
            Happening::Frame(process, number, arrival) => self.arrive(process, number, arrival),
            Happening::Mail(process, mail) => self.mail(process, mail),
            Happening::Resume(process) => self.resume(process),
            Happening::Connect(process) => self.connect(process),
            Happening::Launch(target) => self.launch(&target),
            Happening::Facts(look) => self.facts(look),
            Happening::LookAround => self.look_around(),
            Happening::Alive => self.alive(),
            Happening::Grow => self.grow(),
            Happening::Fault => self.fault(),
            Happening::LeaderBack(partition) => self.leader_back(&partition),
            Happening::TopicBack(partition) => self.topic_back(&partition),
            Happening::Calm => self.calm(),
            Happening::Check => self.check(),
        }
    }

    /// Ticks as the run loop does. At one instant the driver soon has nothing more to do.
    fn wake(&mut self, number: u64) {
        if number != self.wakes {
            return;
        }
        for _ in 0..3 {
            self.drive(Input::Tick);
            if self.outcome.is_some() || self.driver.wake_ms() > self.now_ms {
                return;
            }
        }
        panic!("the driver wants to be woken at {} and it is {}", self.driver.wake_ms(), self.now_ms);
    }

    /// After a stall the driver takes a part of what has piled up, judges, and takes the rest.
    fn driver_resumes(&mut self) {
        self.stalled = false;
        let mut inbox = std::mem::take(&mut self.inbox);
        inbox.retain(|happening| !matches!(happening, Happening::Wake(_)));
        let at_once = self.random.below(inbox.len() + 1);
        for happening in inbox.drain(..at_once) {
            self.happen(happening);
        }
        self.wakes += 1;
        self.wake(self.wakes);
        for happening in inbox {
            self.happen(happening);
        }
    }

    pub(crate) fn drive(&mut self, input: Input) {
        if self.outcome.is_some() {
            return;
        }
        match &input {
            Input::Committed { .. } => self.oracle.committed(),
            Input::Started { starts, .. } => {
                starts.iter().for_each(|start| self.oracle.begin(&start.partition, start.position.offset));
            }
            _ => {}
        }
        let effects = self.driver.step(self.now_ms, input);
        for effect in effects {
            assert!(self.outcome.is_none(), "nothing follows the end: {effect:?}");
            self.record(&effect);
            self.oracle.effect(self.now_ms, &effect, &self.logs);
            self.perform(effect);
        }
        if self.random.one_in(3) {
            let effects = self.driver.settle();
            assert!(effects.is_empty(), "without a checkpoint settling has no effects: {effects:?}");
        }
        if self.outcome.is_some() {
            return;
        }
        self.wakes += 1;
        let late_ms = if self.random.one_in(8) { self.some_ms(0, 5) } else { 0 };
        let wake_ms = self.driver.wake_ms().max(self.now_ms) + late_ms;
        self.at(wake_ms, Happening::Wake(self.wakes));
    }

    pub(crate) fn record(&mut self, what: &dyn std::fmt::Debug) {
        let at_ms = self.now_ms - BEGIN_MS;
        let _ = write!(self.trace, "{at_ms} {what:?}");
        if self.loud {
            let _ = writeln!(std::io::stderr(), "{at_ms:6} {what:?}");
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Welcome(session) => self.welcome(session),
            Effect::Send(session, message) => {
                if let ToExecutor::Cut(cut) = &message {
                    let sent = SentCut { sent_ms: self.now_ms, answered_ms: None, stalls_ms: self.stalls_ms };
                    self.cuts.entry(cut.number).or_insert(sent);
                }
                self.send(session, &message);
            }
            Effect::End(session, reason) => {
                self.send(session, &ToExecutor::End { reason: reason.to_string() })
            }
            Effect::Target(target) => {
                let delay_ms = self.some_ms(10, 200);
                self.after(delay_ms, Happening::Launch(target));
            }
            Effect::Commit(_) => {
                let failing = self.commits_fail;
                let delay_ms = if failing { self.some_ms(100, 4_000) } else { self.some_ms(1, 50) };
                let taken = !failing || self.random.one_in(2);
                self.after(delay_ms, Happening::Driver(Input::Committed { taken }));
            }
            Effect::Keep(..) | Effect::Base(_) => unreachable!("there is no checkpoint"),
            Effect::Look(look) => {
                self.look = self.look.max(look);
                let delay_ms = self.some_ms(1, 100);
                self.after(delay_ms, Happening::Facts(look));
            }
            Effect::Print(window) => {
                let late_ms = self.now_ms - window.end_ms;
                let on_time = late_ms <= self.settings.slide_ms.min(SLACK_MS);
                self.good = if on_time && window.complete { self.good + 1 } else { 0 };
            }
            Effect::Slide(report) => self.delayed(report.cut),
            Effect::Event(event) => self.noticed(event),
            Effect::Finish(outcome) => self.finish(outcome),
        }
    }

    /// Whether a session of this generation of the slot, or of a later one, is live.
    pub(crate) fn has_session(&self, slot: Slot, generation: Generation) -> bool {
        self.live.iter().any(|session| session.slot == slot && session.generation >= generation)
    }

    /// How many executors are wanted and how many have a session.
    pub(crate) fn executors(&self) -> (u32, u32) {
        self.driver.executors()
    }

    pub(crate) fn owners(&self) -> Vec<(Partition, Option<Session>)> {
        self.driver.owners().map(|(partition, owner)| (partition.clone(), owner)).collect()
    }

    pub(crate) fn last_look(&self) -> u64 {
        self.look
    }
}

/// Where the job begins to read a partition.
pub(crate) fn start(logs: &Logs, partition: &Partition, random: &mut Random) -> Start {
    let log = &logs.logs[partition];
    let offset = if random.one_in(2) { log.end } else { random.between(log.first, log.end) };
    let topic_id = logs.topic_id(log);
    Start {
        partition: partition.clone(),
        position: Position { topic_id, ..Position::at(offset) },
        log_end: Some(log.end),
    }
}

/// A process that nobody wants, or wants no more.
pub(crate) fn ghost(slot: u32, generation: u32, connection: u64) -> Session {
    Session { slot: Slot(slot), generation: Generation(generation), connection }
}
