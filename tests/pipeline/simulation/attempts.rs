//! Driver attempts: how they die, how the next one begins, where it goes on reading.

use std::collections::BTreeMap;

use spindle::driver::state::{Input, Outcome, Settings, Start};
use spindle::executor::state::Input as ExecutorInput;
use spindle::ids::{CutNumber, Millis, Partition, Position};
use spindle::source::admin::{PartitionInfo, TopicInfo};
use spindle::source::start::{self, Loss, LossPolicy, StartError, StartRule};
use spindle::wire::message::Delta;

use super::happening::Happening;
use super::life::{Life, Stage};
use super::process::Mail;
use super::world::{Phase, World};

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

    /// Another attempt is on its way.
    pub(super) fn succeed(&mut self) {
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
        if matches!(self.phase, Phase::Stopping(_, false)) {
            // A stop was for the one before.
            self.phase = Phase::Faults;
            self.after(1_000, Happening::Fault);
            self.after(10_000, Happening::Calm);
        }
        let number = self.life.number + 1;
        let same = !self.random.one_in(4);
        let attempt = if same { self.life.settings.attempt + 1 } else { 1 };
        let executors = self.random.between(1, 3) as u32;
        let seed = self.life.settings.seed + 1;
        let settings = Settings { attempt, executors, seed, ..self.life.settings.clone() };
        let ahead_ms = if self.random.one_in(3) { self.some_ms(-9_000, 3_000) } else { 0 };
        let mut life = Life::new(number, settings, self.now_ms, ahead_ms);
        life.application = self.life.application + u32::from(!same);
        self.record(&("attempt", number, life.application, attempt, ahead_ms));
        let before = std::mem::replace(&mut self.life, life);
        let earlier = before.settings.attempt;
        self.others.insert(before.number, before);
        self.live();
        let delay_ms = self.some_ms(0, 900);
        self.after(delay_ms, Happening::Open);
        if self.deaths_left > 0 && self.random.one_in(4) {
            self.deaths_left -= 1;
            self.life.dies_after = Some(self.random.below(40) as u64);
        }
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
        match self.resolve_all(&held, rule) {
            Ok((starts, losses)) => {
                self.record(&("resolved", &losses));
                self.life.oracle.started(&starts, &losses, self.now_ms, &self.logs);
                let resumed = self.take_resumed();
                if let Some(end_ms) = resumed.as_ref().and_then(|resumed| resumed.end_ms) {
                    self.go_on_from(end_ms);
                }
                let delay_ms = self.some_ms(0, 200);
                let asked_ms = self.drivers_ms();
                self.after(delay_ms, Happening::Driver(Input::Started { starts, asked_ms, resumed }));
            }
            Err(error) => {
                self.record(&error.to_string());
                self.finish(Outcome::Failed(error.to_string()));
            }
        }
    }

    /// Topic by topic; here partitions that were made anew are topics of their own, whose name has positions all the
    /// same.
    fn resolve_all(
        &self,
        held: &BTreeMap<Partition, Position>,
        rule: StartRule,
    ) -> Result<(Vec<Start>, Vec<Loss>), StartError> {
        let mut by_id: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (partition, log) in &self.logs.logs {
            by_id.entry(self.logs.topic_id(log).map(|id| id.0)).or_default().push(partition);
        }
        let (mut starts, mut losses) = (Vec::new(), Vec::new());
        for partitions in by_id.into_values() {
            let info =
                |p: &&Partition| PartitionInfo { number: p.number, leader: 1, replicas: vec![], isr: vec![] };
            let topic = TopicInfo {
                name: partitions[0].topic.to_string(),
                id: self.logs.topic_id(&self.logs.logs[partitions[0]]),
                partitions: partitions.iter().map(info).collect(),
            };
            let ranges: BTreeMap<_, _> =
                partitions.iter().map(|p| ((*p).clone(), self.logs.logs[*p].range())).collect();
            let own = held.iter().filter(|(partition, _)| partitions.contains(partition));
            let own: BTreeMap<_, _> =
                own.map(|(partition, position)| (partition.clone(), *position)).collect();
            let rule = if own.is_empty() && !held.is_empty() { StartRule::Earliest } else { rule };
            let facts = start::Facts {
                topics: &[topic],
                ranges: &ranges,
                held: &own,
                at_time: &BTreeMap::new(),
                pattern: None,
                believed: &own.keys().cloned().collect(),
            };
            let skip_lost = self.life.settings.skip_lost;
            let policy = if skip_lost { LossPolicy::Earliest } else { LossPolicy::Fail };
            let resolved = start::resolve_start(facts, rule, None, policy)?;
            losses.extend(resolved.losses);
            starts.extend(resolved.positions.into_iter().map(|(partition, position)| {
                let log_end = Some(ranges[&partition].end);
                let earliest = resolved.oldest.contains(&partition);
                Start { partition, position, log_end, earliest }
            }));
        }
        Ok((starts, losses))
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
