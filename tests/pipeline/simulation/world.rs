//! The discrete-event world: one driver, its launcher and brokers, executors, links. Time is a number.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hasher};
use std::io::Write as _;

use spindle::driver::state::{CommitAnswer, Effect, Input, Outcome, Settings, Start};
use spindle::ids::{Generation, Millis, Partition, Position, Session, Slot};
use spindle::random::Random;
use spindle::wire::message::ToExecutor;

use super::disk::Disk;
use super::happening::Happening;
use super::life::{Life, SentCut, at};
use super::logs::Logs;
use super::process::Process;

/// When every world begins: no multiple of any slide.
pub(crate) const BEGIN_MS: Millis = 1_795_365_040_123;
/// What healthy links, threads and late ticks may add to a window's delay, milliseconds.
pub(super) const SLACK_MS: Millis = 1_000;

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
    pub(crate) phase: Phase,
    pub(crate) losses: u64,
    /// A partition that brokers do not know, and until when.
    pub(crate) hidden: Option<(Partition, Millis)>,
    pub(crate) commits_fail: bool,
    pub(crate) starts_fail: bool,
    pub(crate) starts_hang: bool,
    pub(crate) cores: u32,
    pub(crate) slow: bool,
    /// Whether everything is written to stderr too.
    pub(crate) loud: bool,
    pub(crate) outcome: Option<Outcome>,
    /// The attempt that something happens to, and the others.
    pub(crate) life: Life,
    pub(crate) others: BTreeMap<usize, Life>,
    pub(crate) disk: Disk,
    /// Attempts that may still begin because one has died.
    pub(crate) deaths_left: u32,
    /// How many attempts went on with a window, and how many learnt that another had taken over.
    pub(crate) resumed: usize,
    pub(crate) fenced: usize,
    /// How often the rarer things happened.
    pub(crate) happened_to_it: BTreeMap<&'static str, usize>,
    /// Which attempts have shown an end, and as which they did.
    pub(crate) shown: BTreeMap<Millis, Vec<usize>>,
    pub(super) attempts: BTreeMap<usize, u32>,
    pub(super) events: BTreeMap<(Millis, u64), (usize, Happening)>,
    happened: u64,
    trace: Trace,
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
        let cores = random.between(1, 2) as u32;
        let slow = random.one_in(4);
        let deaths_left = if settings.checkpoint.is_some() { random.between(0, 5) as u32 } else { 0 };
        Self {
            random,
            now_ms: BEGIN_MS,
            logs,
            processes: Vec::new(),
            phase: Phase::Faults,
            losses: 0,
            hidden: None,
            commits_fail: false,
            starts_fail: false,
            starts_hang: false,
            cores,
            slow,
            loud: false,
            outcome: None,
            life: Life::new(0, settings, BEGIN_MS, 0),
            others: BTreeMap::new(),
            disk: Disk::default(),
            deaths_left,
            resumed: 0,
            fenced: 0,
            happened_to_it: BTreeMap::new(),
            shown: BTreeMap::new(),
            attempts: BTreeMap::new(),
            events: BTreeMap::new(),
            happened: 0,
            trace: Trace::default(),
        }
    }

    /// Lets the world run until the job is over. Returns a hash of everything the driver did.
    pub(crate) fn run(&mut self, starts: Vec<Start>) -> u64 {
        let resolved = self.random.between(0, 900);
        if self.life.settings.checkpoint.is_some() {
            self.after(resolved, Happening::Open);
        } else {
            let asked_ms = self.drivers_ms();
            self.after(resolved, Happening::Driver(Input::Started { starts, asked_ms, resumed: None }));
        }
        self.after(1, Happening::Grow);
        self.live();
        while self.outcome.is_none() {
            let ((at_ms, _), (life, happening)) =
                self.events.pop_first().expect("the driver always wants to be woken");
            self.now_ms = at_ms;
            let newest = self.others.last_key_value().map_or(0, |(number, _)| *number).max(self.life.number);
            self.turn_to(if happening.is_everyones() { newest } else { life });
            self.happen(happening);
        }
        self.trace.0.finish()
    }

    /// What every driver does by itself.
    pub(super) fn live(&mut self) {
        self.after(0, Happening::Wake(0));
        self.after(self.life.settings.timeout_ms, Happening::Alive);
    }

    /// From now on it happens to this attempt.
    pub(super) fn turn_to(&mut self, number: usize) {
        if let Some(life) = self.others.remove(&number) {
            let before = std::mem::replace(&mut self.life, life);
            self.others.insert(before.number, before);
        }
    }

    pub(crate) fn after(&mut self, delay_ms: Millis, happening: Happening) {
        self.happened += 1;
        let life = match &happening {
            Happening::Frame(process, ..)
            | Happening::Mail(process, _)
            | Happening::Resume(process)
            | Happening::Connect(process) => self.processes[*process].life,
            _ => self.life.number,
        };
        self.events.insert((self.now_ms + delay_ms, self.happened), (life, happening));
    }

    pub(crate) fn at(&mut self, at_ms: Millis, happening: Happening) {
        self.after((at_ms - self.now_ms).max(0), happening);
    }

    pub(crate) fn some_ms(&mut self, low: Millis, high: Millis) -> Millis {
        self.random.between(low, high)
    }

    fn happen(&mut self, happening: Happening) {
        let (is_over, is_drivers) = (self.life.is_over(), happening.is_drivers());
        match happening {
            _ if is_over && is_drivers => {}
            Happening::DriverResumes => self.driver_resumes(),
            Happening::Wake(_) | Happening::Driver(_) | Happening::Frame(..) if self.life.stalled => {
                self.life.inbox.push_back(happening);
            }
            _ if self.life.paused && is_drivers => self.life.inbox.push_back(happening),
            Happening::Wake(number) => self.wake(number),
            Happening::Driver(input) => self.drive(input),
            Happening::Frame(process, number, arrival) => self.arrive(process, number, arrival),
            Happening::Mail(process, mail) => self.mail(process, mail),
            Happening::Resume(process) => self.resume(process),
            Happening::Connect(process) => self.connect(process),
            Happening::Open => self.open(),
            Happening::Written => self.written(),
            Happening::Based => self.based(),
            Happening::WriteAgain => self.write(),
            Happening::Fenced => self.fenced(),
            Happening::Launch(target) => self.launch(&target),
            Happening::Facts(look) => self.facts(look),
            Happening::Alive => self.alive(),
            Happening::Grow => self.grow(),
            Happening::Fault => self.fault(),
            Happening::LeaderBack(partition) => self.leader_back(&partition),
            Happening::TopicBack(partition) => self.topic_back(&partition),
            Happening::TransactionEnds(partition) => self.end_transaction(&partition),
            Happening::StoreBack => self.disk.away = false,
            Happening::Attempt => self.attempt(),
            Happening::Calm => self.calm(),
            Happening::Check => self.check(),
        }
    }

    /// Ticks as the run loop does. At one instant the driver soon has nothing more to do.
    fn wake(&mut self, number: u64) {
        if number != self.life.wakes {
            return;
        }
        for _ in 0..3 {
            self.drive(Input::Tick);
            if self.life.is_over() || self.life.driver.wake_ms() > self.drivers_ms() {
                return;
            }
        }
        panic!("the driver wants to be woken at {} and it is {}", self.life.driver.wake_ms(), self.now_ms);
    }

    /// After a stall the driver takes a part of what has piled up, judges, and takes the rest.
    fn driver_resumes(&mut self) {
        (self.life.stalled, self.life.paused) = (false, false);
        let mut inbox = std::mem::take(&mut self.life.inbox);
        inbox.retain(|happening| !matches!(happening, Happening::Wake(_)));
        let at_once = self.random.below(inbox.len() + 1);
        for happening in inbox.drain(..at_once) {
            self.happen(happening);
        }
        self.life.wakes += 1;
        self.wake(self.life.wakes);
        for happening in inbox {
            self.happen(happening);
        }
    }

    pub(crate) fn drive(&mut self, input: Input) {
        if self.life.is_over() || self.outcome.is_some() {
            return;
        }
        match &input {
            Input::Committed(answer) => self.life.oracle.committed(*answer),
            Input::Started { starts, .. } if self.life.settings.checkpoint.is_none() => {
                self.life.oracle.started(starts, &[], 0, &self.logs);
            }
            Input::StartKept => self.life.oracle.ledger.start_kept = true,
            Input::Kept { until_ms } => self.life.oracle.kept(*until_ms),
            _ => {}
        }
        if !self.life.oracle.ledger.has_room() {
            self.life.full_ms = self.now_ms;
        }
        self.look_at_the_clock();
        self.give(input);
        // Production does so after every step; without a checkpoint it must make no difference.
        if !self.life.is_over() && (self.life.settings.checkpoint.is_some() || self.random.one_in(3)) {
            let effects = self.life.driver.settle();
            self.perform_all(effects);
        }
        if self.life.is_over() || self.outcome.is_some() {
            return;
        }
        self.life.wakes += 1;
        let late_ms = if self.random.one_in(8) { self.some_ms(0, 5) } else { 0 };
        let wait = self.life.pace.until(self.life.driver.wake_ms(), at(self.now_ms));
        let wait_ms = wait.as_nanos().div_ceil(1_000_000) as Millis + late_ms;
        self.after(wait_ms, Happening::Wake(self.life.wakes));
    }

    pub(super) fn give(&mut self, input: Input) {
        let effects = self.life.driver.step(self.drivers_ms(), input);
        self.perform_all(effects);
    }

    /// Does what the driver wants done, up to the point where it dies.
    fn perform_all(&mut self, effects: Vec<Effect>) {
        let finishes = effects.iter().position(|effect| matches!(effect, Effect::Finish(_)));
        assert!(finishes.is_none_or(|at| at + 1 == effects.len()), "nothing follows the end: {effects:?}");
        for effect in effects {
            if self.life.dies_after == Some(0) {
                self.kill();
            }
            if self.life.is_over() {
                return;
            }
            self.life.dies_after = self.life.dies_after.map(|effects| effects - 1);
            self.record(&effect);
            self.life.oracle.effect(self.now_ms, &effect, &self.logs);
            self.perform(effect);
        }
    }

    /// Something rare happened, which the run is to have seen.
    pub(crate) fn count(&mut self, what: &'static str) {
        *self.happened_to_it.entry(what).or_default() += 1;
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
                    let stalls_ms = self.life.stalls_ms;
                    let sent = SentCut { sent_ms: self.now_ms, answered_ms: None, stalls_ms };
                    self.life.cuts.entry(cut.number).or_insert(sent);
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
                let answer = match self.random.below(3) {
                    0 if failing => CommitAnswer::Refused,
                    1 if failing => CommitAnswer::Failed,
                    _ => CommitAnswer::Taken,
                };
                self.after(delay_ms, Happening::Driver(Input::Committed(answer)));
            }
            Effect::Keep(slide, _) => self.keep(slide),
            Effect::Base(state) => self.keep_base(state),
            Effect::Look(look) => self.look(look),
            Effect::Print(window) => {
                self.shows(window.end_ms, window.attempt);
                self.says_what_is_held(&window);
                let late_ms = self.label_ms() - window.end_ms;
                let on_time = late_ms <= self.life.settings.slide_ms.min(SLACK_MS);
                self.life.good = if on_time && window.complete { self.life.good + 1 } else { 0 };
            }
            Effect::Slide(report) => self.delayed(report.cut),
            Effect::Event(event) => self.noticed(event),
            Effect::Finish(outcome) => self.finish(outcome),
        }
    }

    /// Whether a session of this generation of the slot, or of a later one, is live.
    pub(crate) fn has_session(&self, slot: Slot, generation: Generation) -> bool {
        self.life.live.iter().any(|session| session.slot == slot && session.generation >= generation)
    }

    /// How many executors are wanted and how many have a session.
    pub(crate) fn executors(&self) -> (u32, u32) {
        self.life.driver.executors()
    }

    pub(crate) fn owners(&self) -> Vec<(Partition, Option<Session>)> {
        self.life.driver.owners().map(|(partition, owner)| (partition.clone(), owner)).collect()
    }
}

/// Where the job begins to read a partition.
pub(crate) fn start(logs: &Logs, partition: &Partition, random: &mut Random) -> Start {
    let log = &logs.logs[partition];
    let earliest = random.one_in(4);
    let offset = if random.one_in(2) { log.end } else { random.between(log.first, log.end) };
    let offset = if earliest { log.first } else { offset };
    let topic_id = logs.topic_id(log);
    Start {
        partition: partition.clone(),
        position: Position { topic_id, ..Position::at(offset) },
        log_end: Some(log.stable()),
        earliest,
    }
}

/// A process that nobody wants, or wants no more.
pub(crate) fn ghost(slot: u32, generation: u32, connection: u64) -> Session {
    Session { slot: Slot(slot), generation: Generation(generation), connection }
}
