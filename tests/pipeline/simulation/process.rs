//! One executor process: the production state between a link that may fail and modelled reading threads.

use std::collections::VecDeque;

use spindle::executor::state::{Effect, Input, State};
use spindle::ids::{Generation, Millis, Session, Slot};
use spindle::wire::message::{ToDriver, Welcome};

use super::reader::Reader;

/// What reaches a process.
#[derive(Debug, Clone)]
pub(crate) enum Mail {
    Welcome(Box<Welcome>),
    Input(Input),
    Wake(u64),
    Step(usize),
}

/// What a process does to the world.
#[derive(Debug)]
pub(crate) enum Act {
    Send(ToDriver),
    /// A thread has something to do soon.
    Step(usize),
    Wake(u64, Millis),
    Exit(String),
}

/// A process, its end of the link, and what was done to it.
#[derive(Debug)]
pub(crate) struct Process {
    /// The driver attempt it belongs to.
    pub(crate) life: usize,
    pub(crate) slot: Slot,
    pub(crate) generation: Generation,
    pub(crate) connection: u64,
    pub(crate) alive: bool,
    pub(crate) stopped: bool,
    /// Whether something was done to it for which its session may end.
    pub(crate) faulty: bool,
    pub(crate) connected: bool,
    /// Frames sent to the driver.
    pub(crate) sent: u64,
    /// Frames from this one on never arrive.
    pub(crate) lost_from: Option<u64>,
    /// Whether what the driver sends is lost.
    pub(crate) deaf: bool,
    /// When the last frame on its way arrives, in each direction.
    pub(crate) to_driver_ms: Millis,
    pub(crate) to_executor_ms: Millis,
    /// The next frame goes twice.
    pub(crate) duplicate: bool,
    /// The next delta is falsified, in one of several ways.
    pub(crate) falsify: Option<usize>,
    pub(crate) speed: i64,
    pub(crate) mailbox: VecDeque<Mail>,
    pub(crate) readers: Vec<Reader>,
    state: Option<State>,
    wakes: u64,
}

impl Process {
    pub(crate) fn new(life: usize, slot: Slot, generation: Generation, connection: u64, speed: i64) -> Self {
        Self {
            life,
            slot,
            generation,
            connection,
            alive: true,
            stopped: false,
            faulty: false,
            connected: false,
            sent: 0,
            lost_from: None,
            deaf: false,
            to_driver_ms: 0,
            to_executor_ms: 0,
            duplicate: false,
            falsify: None,
            speed,
            mailbox: VecDeque::new(),
            readers: Vec::new(),
            state: None,
            wakes: 0,
        }
    }

    pub(crate) fn session(&self) -> Session {
        Session { slot: self.slot, generation: self.generation, connection: self.connection }
    }

    /// Begins to read, as the driver's welcome says.
    pub(crate) fn welcome(&mut self, welcome: &Welcome, now_ms: Millis) -> Vec<Act> {
        let state = State::new(welcome, now_ms);
        let speed = self.speed;
        self.readers = (0..welcome.cores as usize).map(|thread| Reader::new(thread, speed, now_ms)).collect();
        self.wakes += 1;
        let wake = Act::Wake(self.wakes, state.wake_ms());
        self.state = Some(state);
        vec![wake]
    }

    pub(crate) fn step(&mut self, now_ms: Millis, input: Input) -> Vec<Act> {
        let Some(state) = &mut self.state else {
            // It has not been welcomed; without a link it never will be.
            return match input {
                Input::Closed { reason } => vec![Act::Exit(reason)],
                _ => Vec::new(),
            };
        };
        let mut acts = Vec::new();
        for effect in state.step(now_ms, input) {
            match effect {
                Effect::Order(thread, order) => {
                    self.readers[thread].orders.push_back(order);
                    acts.push(Act::Step(thread));
                }
                Effect::Send(message) => acts.push(Act::Send(message)),
                Effect::Exit { reason, .. } => acts.push(Act::Exit(reason)),
            }
        }
        self.wakes += 1;
        acts.push(Act::Wake(self.wakes, state.wake_ms()));
        acts
    }

    pub(crate) fn wake(&mut self, now_ms: Millis, wake: u64) -> Vec<Act> {
        if wake == self.wakes { self.step(now_ms, Input::Tick) } else { Vec::new() }
    }
}
