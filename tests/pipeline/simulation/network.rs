//! What lies around the driver: links, launcher, brokers. All of it late, some of it lost.

use spindle::config::KeyRule;
use spindle::driver::state::Input;
use spindle::ids::{CutNumber, Partition, Position, Session};
use spindle::launch::Target;
use spindle::source::ClientSettings;
use spindle::wire::message::{Delta, Range, Reading, ToDriver, ToExecutor, Welcome};

use super::happening::{Arrival, Happening};
use super::process::{Act, Mail, Process};
use super::world::{Phase, World};

/// Ways to falsify a delta so that it must be refused.
pub(crate) const FALSIFICATIONS: usize = 10;

impl World {
    /// The driver's side of a link.
    pub(crate) fn send(&mut self, session: Session, message: &ToExecutor) {
        let (kind, payload) = message.encode();
        let message = ToExecutor::decode(kind, &payload).expect("what was encoded is decoded");
        self.post(session, Mail::Input(spindle::executor::state::Input::Message(message)));
    }

    pub(crate) fn welcome(&mut self, session: Session) {
        let welcome = Welcome {
            client: ClientSettings { properties: Vec::new(), max_rate_per_partition: 0 },
            key: KeyRule::Record,
            cores: self.cores,
            alive_ms: 700,
            orphan_ms: 20_000,
        };
        self.post(session, Mail::Welcome(Box::new(welcome)));
    }

    fn post(&mut self, session: Session, mail: Mail) {
        let number = session.connection as usize;
        let delay_ms = self.some_ms(0, 40);
        let life = self.life.number;
        let hears = |process: &&mut Process| process.life == life && !process.deaf;
        let Some(process) = self.processes.get_mut(number).filter(hears) else { return };
        process.to_executor_ms = process.to_executor_ms.max(self.now_ms + delay_ms);
        let at_ms = process.to_executor_ms;
        self.at(at_ms, Happening::Mail(number, mail));
    }

    /// What the driver's loop does besides its state.
    pub(crate) fn alive(&mut self) {
        if !self.life.stalled {
            self.life.live.clone().into_iter().for_each(|session| self.send(session, &ToExecutor::Alive));
        }
        self.after(self.life.settings.timeout_ms, Happening::Alive);
    }

    /// An executor's side of a link.
    fn put(&mut self, number: usize, arrival: Arrival) {
        let delay_ms = self.some_ms(0, 40);
        let process = &mut self.processes[number];
        process.to_driver_ms = process.to_driver_ms.max(self.now_ms + delay_ms);
        process.sent += 1;
        let (at_ms, sent) = (process.to_driver_ms, process.sent);
        self.at(at_ms, Happening::Frame(number, sent, arrival));
    }

    fn transmit(&mut self, number: usize, message: ToDriver) {
        let (kind, payload) = message.encode();
        let message = ToDriver::decode(kind, &payload).expect("what was encoded is decoded");
        let other = self.foreign_partition(number);
        let process = &mut self.processes[number];
        let falsified = match (&message, process.falsify) {
            (ToDriver::Delta(delta), Some(how)) => falsify(delta, how, other),
            _ => None,
        };
        let twice = process.duplicate && !matches!(message, ToDriver::Alive);
        if let Some(delta) = falsified {
            self.processes[number].falsify = None;
            self.put(number, Arrival::Message(ToDriver::Delta(delta), true));
        } else if twice {
            // A delta is refused when it comes again, counts by the delta that announces fewer.
            self.processes[number].duplicate = false;
            self.put(number, Arrival::Message(message.clone(), false));
            self.put(number, Arrival::Message(message.clone(), matches!(message, ToDriver::Delta(_))));
        } else {
            self.put(number, Arrival::Message(message, false));
        }
    }

    fn foreign_partition(&self, number: usize) -> Option<(Partition, i64)> {
        let session = self.processes[number].session();
        let owners = self.owners();
        let foreign = owners.into_iter().find(|(_, owner)| *owner != Some(session));
        foreign.map(|(partition, _)| {
            let next = self.life.oracle.next.get(&partition).copied().unwrap_or_default();
            (partition, next)
        })
    }

    /// Something reaches a process, which may be stopped.
    pub(crate) fn mail(&mut self, number: usize, mail: Mail) {
        let process = &mut self.processes[number];
        if !process.alive {
            return;
        }
        if process.stopped {
            process.mailbox.push_back(mail);
            return;
        }
        let now_ms = self.now_ms;
        let acts = match mail {
            Mail::Welcome(welcome) => process.welcome(&welcome, now_ms),
            Mail::Input(input) => process.step(now_ms, input),
            Mail::Wake(wake) => process.wake(now_ms, wake),
            Mail::Step(thread) => {
                let Some(reader) = process.readers.get_mut(thread) else { return };
                if reader.stuck_until_ms > now_ms {
                    let at_ms = reader.stuck_until_ms;
                    self.at(at_ms, Happening::Mail(number, Mail::Step(thread)));
                    return;
                }
                match reader.step(now_ms, &self.logs, &mut self.random) {
                    Some(input) => process.step(now_ms, input),
                    None => return,
                }
            }
        };
        for act in acts {
            self.act(number, act);
        }
    }

    fn act(&mut self, number: usize, act: Act) {
        match act {
            Act::Send(message) => self.transmit(number, message),
            Act::Step(thread) => {
                let delay_ms = self.some_ms(0, 30);
                self.after(delay_ms, Happening::Mail(number, Mail::Step(thread)));
            }
            Act::Wake(wake, at_ms) => self.at(at_ms, Happening::Mail(number, Mail::Wake(wake))),
            Act::Exit(reason) => self.die(number, reason),
        }
    }

    /// The process ends; link and launcher notice, in any order.
    pub(crate) fn die(&mut self, number: usize, how: String) {
        let process = &mut self.processes[number];
        if !std::mem::replace(&mut process.alive, false) {
            return;
        }
        let (slot, generation, connected) = (process.slot, process.generation, process.connected);
        if connected {
            self.put(number, Arrival::Closed);
        }
        let delay_ms = self.some_ms(0, 2_000);
        self.after(delay_ms, Happening::Driver(Input::Exited { slot, generation, how, to_blame: true }));
    }

    pub(crate) fn resume(&mut self, number: usize) {
        let process = &mut self.processes[number];
        process.stopped = false;
        for mail in std::mem::take(&mut process.mailbox) {
            self.mail(number, mail);
        }
    }

    pub(crate) fn connect(&mut self, number: usize) {
        let process = &mut self.processes[number];
        if process.alive && self.life.is_over() {
            self.die(number, "the driver is gone".into());
        } else if process.alive {
            process.connected = true;
            self.put(number, Arrival::Opened);
        }
    }

    /// The launcher converges: what is not wanted dies, what is missing starts.
    pub(crate) fn launch(&mut self, target: &Target) {
        if target.revision < self.life.revision {
            return;
        }
        self.life.revision = target.revision;
        for number in 0..self.processes.len() {
            let process = &self.processes[number];
            let wanted = target.slots.contains(&(process.slot, process.generation));
            if process.alive && process.life == self.life.number && !wanted {
                self.die(number, "killed, not wanted".into());
            }
        }
        for &(slot, generation) in &target.slots {
            let life = self.life.number;
            let same = |process: &Process| {
                (process.life, process.slot, process.generation) == (life, slot, generation)
            };
            if self.processes.iter().any(same) {
                continue;
            }
            let slow = self.slow && self.phase == Phase::Faults;
            let speed = if slow { self.some_ms(4, 20) } else { self.some_ms(100, 400) };
            let number = self.processes.len();
            self.processes.push(Process::new(life, slot, generation, number as u64, speed));
            let delay_ms = self.some_ms(1, 50);
            self.after(delay_ms, Happening::Driver(Input::Launched(slot, generation)));
            if self.starts_fail && self.random.one_in(2) {
                self.die(number, "exec failed".into());
            } else if self.starts_hang && self.random.one_in(2) {
                self.record(&("never connects", slot, generation));
            } else {
                let delay_ms = self.some_ms(20, 700);
                self.after(delay_ms, Happening::Connect(number));
            }
        }
    }

    /// Brokers may take their time, and may not answer at all.
    pub(crate) fn look(&mut self, look: u64) {
        let slow = self.phase == Phase::Faults && self.random.one_in(5);
        let delay_ms = if slow { self.some_ms(1_000, 12_000) } else { self.some_ms(1, 100) };
        self.after(delay_ms, Happening::Facts(look));
    }

    /// The broker's answer is true when it is given and may be old when it arrives.
    pub(crate) fn facts(&mut self, look: u64) {
        let delay_ms = self.some_ms(0, 300);
        let fails = self.phase == Phase::Faults && self.random.one_in(8);
        let (mut facts, mut unclear) = (self.logs.facts(), Vec::new());
        if let Some((hidden, _)) = self.hidden.as_ref().filter(|(_, until_ms)| self.now_ms < *until_ms) {
            facts.retain(|facts| facts.partition != *hidden);
            self.count("partition hidden");
        }
        if self.phase == Phase::Faults && self.random.one_in(10) {
            facts.clear();
            unclear.push("t".into());
        }
        if fails {
            self.count("look failed");
        }
        let input = if fails { Input::LookFailed { look } } else { Input::Looked { look, facts, unclear } };
        self.after(delay_ms, Happening::Driver(input));
    }

    pub(crate) fn grow(&mut self) {
        if matches!(self.phase, Phase::Quiet(_)) {
            return;
        }
        let now_ms = self.now_ms;
        self.logs.grow(now_ms, 4, &mut self.random);
        let number = self.random.below(self.processes.len());
        let thread = self.random.below(self.cores as usize);
        if number < self.processes.len() {
            self.after(0, Happening::Mail(number, Mail::Step(thread)));
        }
        let delay_ms = self.some_ms(50, 450);
        self.after(delay_ms, Happening::Grow);
    }
}

/// The delta made wrong, or `None` if it cannot be in this way.
fn falsify(delta: &Delta, how: usize, foreign: Option<(Partition, i64)>) -> Option<Delta> {
    let mut wrong = delta.clone();
    match how {
        0 => wrong.cut = delta.cut.next(),
        1 => wrong.cut = CutNumber(delta.cut.0 - 1),
        2 => drop(wrong.ranges.pop()?),
        3 => wrong.ranges.push(empty_range(foreign?)),
        4 => wrong.ranges.first_mut()?.from -= 1,
        5 => wrong.ranges.first_mut()?.from += 1,
        6 => {
            let range = wrong.ranges.first_mut()?;
            range.until.offset = range.from - 1;
        }
        7 => wrong.records += 1,
        8 => wrong.ranges.push(wrong.ranges.last()?.clone()),
        _ => wrong.ranges.last_mut()?.partition = foreign?.0,
    }
    wrong.ranges.sort_by(|a, b| a.partition.cmp(&b.partition));
    Some(wrong)
}

fn empty_range((partition, offset): (Partition, i64)) -> Range {
    let until = Position::at(offset);
    Range {
        partition,
        from: offset,
        until,
        log_end: None,
        heard: None,
        reached_ms: None,
        reading: Reading::Following,
    }
}
