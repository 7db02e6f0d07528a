//! Standard input that can be closed from here, though a read of it cannot be interrupted. Feeds `reading`; `archive` closes
//! it and finds out when everything that was read has been handed over.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

/// Shared between who reads and who closes.
#[derive(Debug, Clone, Default)]
pub(super) struct Gate(Arc<Mutex<State>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// The reader works on what it has.
    #[default]
    Busy,
    /// The reader waits for input. Everything that came before has been handed over.
    Waiting,
    /// Nothing more is let in.
    Closed,
}

impl Gate {
    /// Input that breaks off when the gate is closed.
    pub(super) fn input<R: Read>(self, raw: R) -> GatedInput<R> {
        GatedInput { raw, gate: self }
    }

    /// Lets nothing more in. True if the reader waits for input: then it has nothing left to hand over, and what comes on
    /// that read is left.
    pub(super) fn close(&self) -> bool {
        self.enter(State::Closed) == State::Waiting
    }

    /// Changes the state unless the gate is closed, and returns the one before.
    fn enter(&self, state: State) -> State {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *now;
        if before != State::Closed {
            *now = state;
        }
        before
    }
}

/// Input through a gate.
#[derive(Debug)]
pub(super) struct GatedInput<R> {
    raw: R,
    gate: Gate,
}

impl<R: Read> Read for GatedInput<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.gate.enter(State::Waiting) == State::Closed {
            return Err(closed());
        }
        let read = self.raw.read(to);
        // One that was under way when the gate was closed has been given up.
        if self.gate.enter(State::Busy) == State::Closed { Err(closed()) } else { read }
    }
}

/// No end of the input, at which a line that has begun would be taken for a whole one.
fn closed() -> io::Error {
    io::Error::other("closed for a stop")
}
