//! Prints windows from a thread of its own: a reader that is slow, stopped or gone never holds the driver up.
//!
//! Windows wait in a bounded queue; what does not fit is skipped, counted, and said so once. Fed by the driver.

mod pending;

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use self::pending::{Pending, SkipNote, SkipNotes};
use super::{Format, Formatter};
use crate::clock::Clock;
use crate::count::Window;
use crate::ids::Millis;

pub use self::pending::{QUEUE_BYTES_MAX, QUEUE_WINDOWS_MAX, QueueLimits};

/// What became of a window that was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offered {
    /// It will be printed.
    Queued,
    /// The reader is too slow; this window is left out.
    Skipped,
    /// Nobody reads any more.
    Closed,
}

/// What the printing thread has to tell. The callback that receives it must not wait.
#[derive(Debug)]
pub enum ConsoleEvent {
    /// The window's last byte was taken by the system.
    Printed {
        /// Which window.
        end_ms: Millis,
        /// Wall clock behind the last byte.
        wall_ms: Millis,
        /// Monotonic time of the same clock behind the last byte.
        monotonic: Duration,
        /// What was printed.
        text: String,
    },
    /// Writing failed, as it does when the reader is gone. Nothing more will be printed.
    Closed {
        /// What the system said.
        error: io::Error,
    },
}

/// Windows that were still queued when `finish` ran out of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("console: {windows} windows could not be printed in time; whatever reads stdout has stopped reading")]
pub struct Unfinished {
    /// How many.
    pub windows: usize,
}

/// The printing thread's handle.
pub struct Console {
    formatter: Formatter,
    blocks: Sender<Block>,
    shared: Arc<Shared>,
    notes: SkipNotes,
    ended: Receiver<()>,
}

struct Block {
    end_ms: Millis,
    text: String,
}

struct Shared {
    pending: Pending,
    closed: AtomicBool,
}

impl Console {
    /// Starts the thread. `limits` says how much may wait for it. `on_event` is called from it, `out` is used by nobody
    /// else. Fails when the system gives no thread.
    pub fn start(
        format: Format,
        app: &str,
        limits: QueueLimits,
        out: impl Write + Send + 'static,
        clock: Clock,
        on_event: impl FnMut(ConsoleEvent) + Send + 'static,
    ) -> io::Result<Self> {
        let (blocks, queue) = mpsc::channel();
        let (end, ended) = mpsc::channel();
        let shared = Arc::new(Shared { pending: Pending::new(limits), closed: AtomicBool::new(false) });
        let printer = Printer { out, clock, on_event, shared: Arc::clone(&shared), _end: end };
        thread::Builder::new().name("console".to_owned()).spawn(move || printer.run(&queue))?;
        Ok(Self {
            formatter: Formatter::new(format, app),
            blocks,
            shared,
            notes: SkipNotes::default(),
            ended,
        })
    }

    /// Says that so many windows are about to be offered at once, as after a late cut, and makes room for them.
    pub fn expect(&self, windows: usize) {
        self.shared.pending.expect(windows);
    }

    /// Has the window printed, if the reader keeps up. Never waits.
    pub fn offer(&mut self, window: &Window) -> Offered {
        if self.closed() {
            return Offered::Closed;
        }
        let text = self.formatter.format(window);
        let caught_up = self.shared.pending.is_empty();
        let admitted = self.shared.pending.admit(text.len());
        match self.notes.offered(admitted, caught_up) {
            Some(SkipNote::Skipping) => tracing::warn!(
                queued = self.shared.pending.windows(),
                "console is read too slowly, windows are left out until it catches up; counting is not affected"
            ),
            Some(SkipNote::CaughtUp { skipped }) => tracing::warn!(skipped, "console has caught up"),
            None => {}
        }
        if !admitted {
            return Offered::Skipped;
        }
        if self.blocks.send(Block { end_ms: window.end_ms, text }).is_err() {
            return Offered::Closed;
        }
        self.formatter.shown(window);
        Offered::Queued
    }

    /// True once a write has failed: nobody reads any more.
    pub fn closed(&self) -> bool {
        self.shared.closed.load(Ordering::Acquire)
    }

    /// Windows left out so far.
    pub fn skipped(&self) -> u64 {
        self.notes.skipped_total()
    }

    /// Prints what is queued, for at most `within`; blocks the calling thread meanwhile. A reader that is gone is no
    /// error here: `ConsoleEvent::Closed` has told.
    pub fn finish(self, within: Duration) -> Result<(), Unfinished> {
        let Self { blocks, shared, ended, .. } = self;
        drop(blocks);
        match ended.recv_timeout(within) {
            Err(RecvTimeoutError::Timeout) => Err(Unfinished { windows: shared.pending.windows() }),
            Ok(()) | Err(RecvTimeoutError::Disconnected) => Ok(()),
        }
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console").field("closed", &self.closed()).field("skipped", &self.skipped()).finish()
    }
}

struct Printer<W, E> {
    out: W,
    clock: Clock,
    on_event: E,
    shared: Arc<Shared>,
    /// Dropped, after everything else, when the thread ends.
    _end: Sender<()>,
}

impl<W: Write, E: FnMut(ConsoleEvent)> Printer<W, E> {
    fn run(mut self, queue: &Receiver<Block>) {
        while let Ok(block) = queue.recv() {
            let written = self.out.write_all(block.text.as_bytes()).and_then(|()| self.out.flush());
            if let Err(error) = written {
                self.shared.closed.store(true, Ordering::Release);
                (self.on_event)(ConsoleEvent::Closed { error });
                return;
            }
            self.shared.pending.written(block.text.len());
            (self.on_event)(ConsoleEvent::Printed {
                end_ms: block.end_ms,
                wall_ms: self.clock.wall_ms(),
                monotonic: self.clock.monotonic(),
                text: block.text,
            });
        }
    }
}

#[cfg(test)]
mod tests;
