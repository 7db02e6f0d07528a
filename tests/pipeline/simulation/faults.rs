//! What goes wrong, and how a run ends: faults, calm, recovery, silence, stop.

use spindle::driver::state::{Input, Outcome, Stop};
use spindle::executor::state::Input as ExecutorInput;
use spindle::ids::{Millis, Partition};

use super::happening::Happening;
use super::network::FALSIFICATIONS;
use super::process::{Mail, Process};
use super::world::{Phase, World, ghost};

/// How long after the last fault windows may still be late or incomplete: a start that never connects, the longest
/// back-off, a start, a window.
const RECOVERY_MS: Millis = 90_000;

/// How much earlier a driver may see a deadline: its clock runs a hundredth faster while it follows its wall clock.
const PACE_MS: Millis = 200;

impl World {
    /// One more thing goes wrong.
    pub(crate) fn fault(&mut self) {
        if self.phase != Phase::Faults {
            return;
        }
        let keeps = self.life.settings.checkpoint.is_some();
        let kind = match self.random.below(3) {
            0 if keeps => self.random.between(21, 26) as usize,
            1 if self.random.one_in(4) => 27 + self.random.below(3),
            _ => self.random.below(21),
        };
        self.record(&("fault", kind));
        match kind {
            0 | 1 => self.with_process(|world, number| world.die(number, "killed".into())),
            2 => self.with_process(Self::stop_process),
            3 => self.with_process(Self::stick),
            4 => self.with_process(Self::break_link),
            5 => self.with_process(|world, number| {
                world.processes[number].deaf = true;
                world.processes[number].lost_from = Some(0);
            }),
            6 => self.with_process(|world, number| world.processes[number].duplicate = true),
            7 | 8 => {
                let how = self.random.below(FALSIFICATIONS);
                self.with_process(|world, number| world.processes[number].falsify = Some(how));
            }
            9 | 10 => self.stall_driver(),
            11 => self.lose_leader(),
            12 | 13 => {
                let executors = self.random.between(1, 4) as u32;
                self.after(0, Happening::Driver(Input::Scale(executors)));
            }
            14 => {
                if self.logs.logs.len() < 6 {
                    self.logs.add(0, self.now_ms);
                }
            }
            15 => self.lose_offsets(),
            16 => self.commits_fail = !self.commits_fail,
            17 => self.starts_fail = !self.starts_fail,
            18 => self.starts_hang = !self.starts_hang,
            19 => self.haunt(),
            20 => self.stop_early(),
            21 | 22 => self.lose_store(),
            27 => self.hold_back(),
            29 => self.hide(),
            28 => self.life.wall_ahead_ms += self.some_ms(-9_000, 9_000),
            how => self.harm_driver(how - 23),
        }
        let delay_ms = self.some_ms(300, 5_000);
        self.after(delay_ms, Happening::Fault);
    }

    fn with_process(&mut self, harm: impl FnOnce(&mut Self, usize)) {
        let ours = |process: &Process| process.alive && process.life == self.life.number;
        let alive = self.processes.iter().enumerate().filter(|(_, process)| ours(process));
        let alive: Vec<_> = alive.map(|(number, _)| number).collect();
        if alive.is_empty() {
            return;
        }
        let number = alive[self.random.below(alive.len())];
        self.processes[number].faulty = true;
        harm(self, number);
    }

    fn stop_process(&mut self, number: usize) {
        if !std::mem::replace(&mut self.processes[number].stopped, true) {
            let stopped_ms = self.some_ms(100, 8_000);
            self.after(stopped_ms, Happening::Resume(number));
        }
    }

    fn stick(&mut self, number: usize) {
        let until_ms = self.now_ms + self.some_ms(500, 9_000);
        let thread = self.random.below(self.cores as usize);
        if let Some(reader) = self.processes[number].readers.get_mut(thread) {
            reader.stuck_until_ms = until_ms;
        }
    }

    /// The link breaks between any two messages that are on their way.
    fn break_link(&mut self, number: usize) {
        let back = self.some_ms(0, 3).unsigned_abs();
        let process = &mut self.processes[number];
        if !process.connected {
            return;
        }
        process.lost_from = Some(process.sent.saturating_sub(back).max(2));
        process.deaf = true;
        let session = process.session();
        let at_ms = process.to_driver_ms;
        self.at(at_ms, Happening::Driver(Input::Closed { session, reason: "broken".into() }));
        let delay_ms = self.some_ms(0, 500);
        let closed = ExecutorInput::Closed { reason: "broken".into() };
        self.after(delay_ms, Happening::Mail(number, Mail::Input(closed)));
    }

    fn stall_driver(&mut self) {
        if !std::mem::replace(&mut self.life.stalled, true) {
            let stalled_ms = self.some_ms(200, 9_000);
            self.life.stalls_ms += stalled_ms;
            self.after(stalled_ms, Happening::DriverResumes);
        }
    }

    fn lose_store(&mut self) {
        if !std::mem::replace(&mut self.disk.away, true) {
            let away_ms = self.some_ms(200, 12_000);
            self.after(away_ms, Happening::StoreBack);
        }
    }

    fn lose_leader(&mut self) {
        let (partition, log) = self.logs.any(&mut self.random);
        let partition = partition.clone();
        let hangs = log.exists && self.random.one_in(2);
        if hangs && !std::mem::replace(&mut log.hung, true) {
            let away_ms = self.some_ms(200, 9_000);
            self.after(away_ms, Happening::LeaderBack(partition));
        } else if log.exists && std::mem::replace(&mut log.led, false) {
            let away_ms = self.some_ms(200, 6_000);
            self.after(away_ms, Happening::LeaderBack(partition));
        }
    }

    pub(crate) fn leader_back(&mut self, partition: &Partition) {
        if let Some(log) = self.logs.logs.get_mut(partition) {
            (log.led, log.hung) = (true, false);
        }
    }

    /// Retention, an unclean election, or a topic that is deleted and made anew. Without topic ids a log that
    /// was cut off cannot be told from a new one, so that no topic is made anew there.
    fn lose_offsets(&mut self) {
        let (how, ids, now_ms) = (self.random.below(4), self.logs.ids, self.now_ms);
        let mut random = self.random.clone();
        let (partition, log) = self.logs.any(&mut random);
        let partition = partition.clone();
        match how {
            0 if log.led => log.truncate(now_ms, &mut random),
            1 if log.led && ids => log.recreate(now_ms),
            2 if log.exists && ids => {
                (log.exists, log.led) = (false, false);
                let away_ms = if random.one_in(4) { 25_000 } else { random.between(100, 5_000) };
                self.after(away_ms, Happening::TopicBack(partition));
            }
            _ => log.expire(&mut random),
        }
        self.losses += 1;
        self.random = random;
    }

    pub(crate) fn topic_back(&mut self, partition: &Partition) {
        if let Some(log) = self.logs.logs.get_mut(partition).filter(|log| !log.exists) {
            log.recreate(self.now_ms);
        }
    }

    /// A transaction is begun on a partition, and ended after a while.
    fn hold_back(&mut self) {
        let (partition, log) = self.logs.any(&mut self.random);
        let partition = partition.clone();
        if log.exists && log.led {
            log.open_transaction();
            let open_ms =
                if self.random.one_in(3) { self.some_ms(5_000, 25_000) } else { self.some_ms(50, 3_000) };
            self.after(open_ms, Happening::TransactionEnds(partition));
        }
    }

    /// Brokers that have just started do not know a partition for a while.
    fn hide(&mut self) {
        if self.hidden.as_ref().is_some_and(|(_, until_ms)| self.now_ms < until_ms + 12_000) {
            // What lasts for ten seconds is believed.
            return;
        }
        let (partition, _) = self.logs.any(&mut self.random);
        let partition = partition.clone();
        let until_ms = self.now_ms + self.some_ms(500, 9_000);
        self.hidden = Some((partition, until_ms));
    }

    pub(crate) fn end_transaction(&mut self, partition: &Partition) {
        if let Some(log) = self.logs.logs.get_mut(partition) {
            log.end_transaction(self.now_ms);
        }
    }

    /// Executors of other times and other drivers.
    fn haunt(&mut self) {
        let session = ghost(self.random.below(4) as u32, self.random.below(3) as u32, 1_000_000);
        let attempt = self.life.settings.attempt;
        self.after(0, Happening::Driver(Input::Opened { session, attempt: attempt - 1 }));
        if self.has_session(session.slot, session.generation) {
            self.after(0, Happening::Driver(Input::Opened { session, attempt }));
        }
        self.after(0, Happening::Driver(Input::Closed { session, reason: "gone".into() }));
    }

    fn stop_early(&mut self) {
        if self.random.one_in(3) && !self.life.is_over() && !self.life.paused {
            let within_ms = self.some_ms(0, 10_000);
            self.phase = Phase::Stopping(self.now_ms + within_ms, false);
            let deadline_ms = self.drivers_ms() + within_ms;
            self.after(0, Happening::Driver(Input::Stop { deadline_ms }));
            self.after(within_ms + 1_000, Happening::Check);
        }
    }

    /// From now on nothing goes wrong any more; what did is over.
    pub(crate) fn calm(&mut self) {
        if self.phase != Phase::Faults {
            return;
        }
        self.phase = Phase::Recovery(self.now_ms);
        (self.commits_fail, self.starts_fail, self.starts_hang) = (false, false, false);
        self.hidden = None;
        (self.disk.away, self.deaths_left, self.life.dies_after) = (false, 0, None);
        for log in self.logs.logs.values_mut() {
            log.hung = false;
            log.end_transaction(self.now_ms);
            if !log.exists {
                log.recreate(self.now_ms);
            }
        }
        for process in &mut self.processes {
            (process.duplicate, process.falsify) = (false, None);
            process.speed = 400;
            process.readers.iter_mut().for_each(|reader| reader.speed = 400);
        }
        self.after(1_000, Happening::Check);
    }

    /// Whether the run has come as far as it must.
    pub(crate) fn check(&mut self) {
        self.after(1_000, Happening::Check);
        match self.phase {
            Phase::Faults => {}
            Phase::Recovery(since_ms) => {
                self.all_known(since_ms);
                let wanted = self.life.settings.length_ms / self.life.settings.slide_ms + 3;
                let (executors, live) = self.executors();
                if self.life.good >= wanted && executors == live && self.now_ms >= since_ms + 12_000 {
                    self.phase = Phase::Quiet(self.now_ms);
                }
                let passed_ms = self.now_ms - since_ms;
                assert!(
                    passed_ms < RECOVERY_MS,
                    "{} good windows, {live} of {executors} live",
                    self.life.good
                );
            }
            Phase::Quiet(since_ms) if self.now_ms >= since_ms + 6_000 => {
                self.all_read().expect("what was written before the silence is counted");
                self.phase = Phase::Stopping(self.now_ms + 20_000, true);
                self.drive(Input::Stop { deadline_ms: self.drivers_ms() + 20_000 });
            }
            Phase::Quiet(_) => {}
            Phase::Stopping(deadline_ms, _) => {
                let late = self.now_ms > deadline_ms + 1_000;
                assert!(!late || self.life.stalled || self.life.is_over(), "the deadline is kept");
            }
        }
    }

    /// The job is over: was that called for?
    pub(crate) fn finish(&mut self, outcome: Outcome) {
        self.end_life();
        if self.others.keys().any(|number| *number > self.life.number) {
            // It was paused and does not know that it is not the driver any more.
            return;
        }
        let failed = matches!(outcome, Outcome::Failed(_));
        match (&outcome, self.phase) {
            (Outcome::Stopped(stop), Phase::Stopping(deadline_ms, undisturbed)) => {
                let clean = *stop == Stop::Clean;
                assert!(clean || !undisturbed, "a stop that nothing disturbs is clean");
                assert!(clean || self.now_ms >= deadline_ms - PACE_MS, "given up before the deadline");
            }
            (Outcome::Failed(reason), Phase::Stopping(deadline_ms, false))
                if reason.starts_with("stopped") =>
            {
                let kept = self.life.settings.checkpoint.is_some();
                assert!(
                    !kept && self.now_ms >= deadline_ms,
                    "a restart goes on from the checkpoint: {reason}"
                );
            }
            (Outcome::Failed(reason), _) => {
                let lost = self.losses > 0 && !self.life.settings.skip_lost;
                assert!(lost && reason.contains("on_data_loss"), "there was no reason to fail: {reason}");
            }
            (Outcome::Stopped(_), _) => panic!("nobody asked it to stop"),
        }
        if self.deaths_left > 0 && matches!(self.phase, Phase::Stopping(_, false)) && !failed {
            // It is submitted again.
            self.deaths_left -= 1;
            self.succeed();
            return;
        }
        self.outcome = Some(outcome);
    }
}
