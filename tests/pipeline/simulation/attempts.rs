//! Driver attempts: how they die, how the next one begins, where it goes on reading.

use std::collections::BTreeMap;

use spindle::driver::state::{Input, Outcome, Settings, Start};
use spindle::executor::state::Input as ExecutorInput;
use spindle::ids::{CutNumber, Millis, Partition, Position};
use spindle::source::admin::{LogRange, PartitionInfo, TopicInfo};
use spindle::source::start::{self, LossPolicy, StartError, StartRule};
use spindle::wire::message::Delta;

use super::life::{Life, Stage};
use super::process::Mail;
use super::world::{Happening, Phase, World};

impl World {
    /// The driver is killed: nothing of it happens any more, and what it was writing is there or not.
    pub(super) fn kill(&mut self) {
        self.record(&"the driver is killed");
        if let Some(writer) = &mut self.life.writer {
            writer.cut_short(&mut self.disk, &mut self.random);
        }
        let newest = self.others.keys().all(|number| *number < self.life.number);
        self.end_life();
        if newest {
            self.succeed();
        }
    }

    /// The driver ends, of whatever: its links break, and its executors are orphans.
    pub(super) fn end_life(&mut self) {
        self.life.stage = Stage::Over;
        self.life.writer = None;
        for number in 0..self.processes.len() {
            let process = &self.processes[number];
            if process.alive && process.life == self.life.number {
                let delay_ms = self.some_ms(0, 500);
                let reason = "the driver is gone".to_owned();
                self.after(delay_ms, Happening::Mail(number, Mail::Input(ExecutorInput::Closed { reason })));
            }
        }
    }

    /// Another attempt is on its way. A stop that the driver did not live to see is not repeated.
    fn succeed(&mut self) {
        if matches!(self.phase, Phase::Stopping(_, false)) {
            self.phase = Phase::Faults;
            self.after(1_000, Happening::Fault);
            self.after(10_000, Happening::Calm);
        }
        let delay_ms = self.some_ms(0, 4_000);
        self.after(delay_ms, Happening::Attempt);
    }

    /// The driver dies, at once or in the middle of what it does next; or it is paused, and another one begins.
    pub(super) fn harm_driver(&mut self, how: usize) {
        if self.deaths_left == 0 || self.life.is_over() || self.life.stalled || self.life.dies_after.is_some()
        {
            return;
        }
        self.deaths_left -= 1;
        match how {
            0 => self.kill(),
            1 => self.life.dies_after = Some(self.random.below(12) as u64),
            _ => {
                self.record(&"the driver is paused");
                (self.life.stalled, self.life.paused) = (true, true);
                let paused_ms = self.some_ms(200, 12_000);
                self.life.stalls_ms += paused_ms;
                // Its executors may give it up.
                let ours = self.processes.iter_mut().filter(|process| process.life == self.life.number);
                ours.for_each(|process| process.faulty = true);
                self.after(paused_ms, Happening::DriverResumes);
                self.succeed();
            }
        }
    }

    /// Another attempt begins: of the same application, or of one that was submitted after it.
    pub(super) fn attempt(&mut self) {
        let number = self.life.number + 1;
        let same = !self.random.one_in(4);
        let attempt = if same { self.life.settings.attempt + 1 } else { 1 };
        let executors = self.random.between(1, 3) as u32;
        let seed = self.life.settings.seed + 1;
        let settings = Settings { attempt, executors, seed, ..self.life.settings.clone() };
        let ahead_ms = if self.random.one_in(3) { self.some_ms(-9_000, 3_000) } else { 0 };
        let mut life = Life::new(number, settings, self.now_ms + ahead_ms);
        life.ahead_ms = ahead_ms;
        life.application = self.life.application + u32::from(!same);
        self.record(&("attempt", number, life.application, attempt, ahead_ms));
        let before = std::mem::replace(&mut self.life, life);
        let earlier = before.settings.attempt;
        self.others.insert(before.number, before);
        self.live();
        let delay_ms = self.some_ms(0, 900);
        self.after(delay_ms, Happening::Open);
        if same {
            self.return_of_orphans(earlier);
        }
    }

    /// Executors of the attempt before come to this one with what they have read.
    fn return_of_orphans(&mut self, attempt: u32) {
        let before = self.life.number - 1;
        let orphans: Vec<_> = self
            .processes
            .iter()
            .filter(|process| process.life == before)
            .map(|process| process.session())
            .collect();
        for session in orphans {
            let at_ms = self.some_ms(0, 6_000);
            self.after(at_ms, Happening::Driver(Input::Opened { session, attempt }));
            let delta = Delta { cut: CutNumber(1), ranges: Vec::new(), records: 0, unkeyed: Vec::new() };
            self.after(at_ms + 1, Happening::Driver(Input::Delta(session, delta)));
            let reason = "gone".to_owned();
            self.after(at_ms + 2, Happening::Driver(Input::Closed { session, reason }));
        }
    }

    /// Where reading goes on, by production's rules. Waits for leaders, as production does for a while.
    pub(super) fn resolve(&mut self) {
        if self.logs.logs.values().any(|log| !log.exists || !log.led) {
            self.after(250, Happening::Open);
            return;
        }
        let recovered = self.life.recovered.as_deref();
        let held = recovered.map(|found| found.positions.iter().cloned().collect()).unwrap_or_default();
        let rule = if self.random.one_in(2) { StartRule::Latest } else { StartRule::Earliest };
        let mut starts = Vec::new();
        let mut losses = Vec::new();
        for partition in self.logs.logs.keys() {
            match self.resolve_one(partition, &held, rule) {
                Ok((start, lost)) => {
                    starts.push(start);
                    losses.extend(lost);
                }
                Err(error) => {
                    self.record(&error.to_string());
                    self.finish(Outcome::Failed(error.to_string()));
                    return;
                }
            }
        }
        self.record(&("resolved", &losses));
        self.life.start_losses = (losses, self.now_ms);
        let resumed = self.take_resumed();
        let delay_ms = self.some_ms(0, 200);
        self.after(delay_ms, Happening::Driver(Input::Started { starts, resumed }));
    }

    /// One at a time, because here each partition has an identity of its own; one without a position is new if any
    /// other has one.
    fn resolve_one(
        &self,
        partition: &Partition,
        held: &BTreeMap<Partition, Position>,
        rule: StartRule,
    ) -> Result<(Start, Vec<start::Loss>), StartError> {
        let log = &self.logs.logs[partition];
        let info =
            PartitionInfo { number: partition.number, leader: 1, replicas: Vec::new(), isr: Vec::new() };
        let topic = TopicInfo {
            name: partition.topic.to_string(),
            id: self.logs.topic_id(log),
            partitions: vec![info],
        };
        let range = LogRange { first: log.first, end: log.end, high: log.end };
        let rule = if held.is_empty() { rule } else { StartRule::Earliest };
        let held = held.get(partition).map(|position| (partition.clone(), *position));
        let facts = start::Facts {
            topics: &[topic],
            ranges: &BTreeMap::from([(partition.clone(), range)]),
            held: &held.into_iter().collect(),
            at_time: &BTreeMap::new(),
        };
        let policy = if self.life.settings.skip_lost { LossPolicy::Earliest } else { LossPolicy::Fail };
        let resolved = start::resolve_start(facts, rule, None, policy)?;
        let (partition, position) = resolved.positions.into_iter().next().expect("it was asked for");
        Ok((Start { partition, position, log_end: Some(log.end) }, resolved.losses))
    }

    /// An end is shown once per attempt, later ones by later attempts; with `wait` by one attempt only.
    pub(super) fn shows(&mut self, end_ms: Millis, attempt: u32) {
        let number = self.life.number;
        let wait = self.life.settings.checkpoint.is_some_and(|rules| rules.wait);
        let before = self.shown.entry(end_ms).or_default();
        assert!(!wait || before.is_empty(), "{end_ms} is shown twice");
        assert!(!before.contains(&number), "{end_ms} is shown twice by attempt {attempt}");
        before.push(number);
        assert_eq!(*self.attempts.entry(number).or_insert(attempt), attempt, "an attempt has one number");
        let lower = self.attempts.range(..number).all(|(_, earlier)| *earlier < attempt);
        let higher = self.attempts.range(number + 1..).all(|(_, later)| *later > attempt);
        assert!(lower && higher, "attempt {number} shows windows as {attempt}: {:?}", self.attempts);
    }
}
