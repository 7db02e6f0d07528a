//! What waits to be printed, and when to say that something does not. Pure; feeds `console`.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Windows that may wait when each is offered as it is made, the one being written among them.
pub const QUEUE_WINDOWS_MAX: usize = 16;

/// Bytes that may wait then: keys are strangers' and may be long. One window always may, whatever its size.
pub const QUEUE_BYTES_MAX: usize = 4 << 20;

/// How much may wait in the console.
#[derive(Debug, Clone, Copy)]
pub struct QueueLimits {
    /// Windows, when each is offered as it is made.
    pub windows: usize,
    /// Bytes, while windows that were made at once wait. Never less than [`QUEUE_BYTES_MAX`].
    pub burst_bytes: usize,
}

/// How much waits; shared by the driver, which adds, and the printing thread, which takes away.
#[derive(Debug)]
pub(super) struct Pending {
    limits: QueueLimits,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    windows: usize,
    bytes: usize,
    /// Places beyond the usual ones, for windows that were made at once.
    extra: usize,
}

impl Pending {
    pub(super) fn new(limits: QueueLimits) -> Self {
        Self { limits, waiting: Mutex::default() }
    }

    /// Makes room for windows that are about to be offered at once. No reader can be blamed for not having read
    /// these; one that does not read them afterwards gets no more room for the next.
    pub(super) fn expect(&self, windows: usize) {
        let mut waiting = self.lock();
        let still_used = if waiting.windows > self.limits.windows { waiting.extra } else { 0 };
        waiting.extra = still_used.max(windows.saturating_sub(1));
    }

    /// Counts one more window of `bytes`, if it fits.
    pub(super) fn admit(&self, bytes: usize) -> bool {
        let mut waiting = self.lock();
        let burst_bytes = if waiting.extra > 0 { self.limits.burst_bytes } else { 0 };
        let fits = waiting.windows < self.limits.windows + waiting.extra
            && waiting.bytes + bytes <= burst_bytes.max(QUEUE_BYTES_MAX);
        if !fits && waiting.windows > 0 {
            return false;
        }
        waiting.windows += 1;
        waiting.bytes += bytes;
        true
    }

    pub(super) fn written(&self, bytes: usize) {
        let mut waiting = self.lock();
        waiting.windows -= 1;
        waiting.bytes -= bytes;
    }

    pub(super) fn windows(&self) -> usize {
        self.lock().windows
    }

    pub(super) fn is_empty(&self) -> bool {
        self.windows() == 0
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Two numbers are whole after any panic.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something worth a line in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SkipNote {
    /// The first window of a row was left out.
    Skipping,
    /// Everything queued has been read again.
    CaughtUp {
        /// Windows left out meanwhile.
        skipped: u64,
    },
}

/// Decides when to speak: once when skipping starts, once when the queue has run empty again; a reader that is a
/// little too slow all the time does not fill the log.
#[derive(Debug, Default)]
pub(super) struct SkipNotes {
    skipped_since_note: Option<u64>,
    skipped_total: u64,
}

impl SkipNotes {
    pub(super) fn offered(&mut self, admitted: bool, caught_up: bool) -> Option<SkipNote> {
        if !admitted {
            let started = self.skipped_since_note.is_none();
            *self.skipped_since_note.get_or_insert(0) += 1;
            self.skipped_total += 1;
            return started.then_some(SkipNote::Skipping);
        }
        if !caught_up {
            return None;
        }
        self.skipped_since_note.take().map(|skipped| SkipNote::CaughtUp { skipped })
    }

    pub(super) fn skipped_total(&self) -> u64 {
        self.skipped_total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skipping_is_said_once_and_catching_up_once() {
        let mut notes = SkipNotes::default();
        assert_eq!(notes.offered(true, true), None);
        assert_eq!(notes.offered(false, false), Some(SkipNote::Skipping));
        assert_eq!(notes.offered(false, false), None);
        assert_eq!(notes.offered(true, false), None, "one fits again, but the reader still lags");
        assert_eq!(notes.offered(false, false), None);
        assert_eq!(notes.offered(true, true), Some(SkipNote::CaughtUp { skipped: 3 }));
        assert_eq!(notes.offered(true, true), None);
        assert_eq!(notes.skipped_total(), 3);
    }

    const LIMITS: QueueLimits = QueueLimits { windows: QUEUE_WINDOWS_MAX, burst_bytes: 2 * QUEUE_BYTES_MAX };

    #[test]
    fn the_queue_is_bounded_in_windows_and_in_bytes() {
        let pending = Pending::new(LIMITS);
        assert!((0..QUEUE_WINDOWS_MAX).all(|_| pending.admit(1)));
        assert!(!pending.admit(1));
        pending.written(1);
        assert!(!pending.admit(QUEUE_BYTES_MAX));
        assert!(pending.admit(1));
    }

    #[test]
    fn windows_made_at_once_have_room_until_they_are_read() {
        let pending = Pending::new(LIMITS);
        let admitted = |windows| (0..windows).filter(|_| pending.admit(1)).count();
        pending.expect(300);
        assert_eq!(admitted(300), 300);
        pending.expect(1);
        assert_eq!(admitted(100), QUEUE_WINDOWS_MAX - 1, "the usual room is there besides");
        pending.expect(200);
        assert_eq!(admitted(200), 0, "what was made before is not read");
        (0..299).for_each(|_| pending.written(1));
        pending.expect(1);
        assert_eq!(admitted(100), 0, "the reader has caught up, so the usual room is all there is");
        assert_eq!(pending.windows(), QUEUE_WINDOWS_MAX);
    }

    #[test]
    fn windows_made_at_once_are_bounded_in_bytes_too() {
        let pending = Pending::new(LIMITS);
        pending.expect(3);
        assert!(pending.admit(QUEUE_BYTES_MAX) && pending.admit(QUEUE_BYTES_MAX));
        assert!(!pending.admit(1));
    }

    #[test]
    fn one_window_always_fits() {
        let pending = Pending::new(LIMITS);
        assert!(pending.admit(QUEUE_BYTES_MAX + 1));
        assert!(!pending.admit(0));
        pending.written(QUEUE_BYTES_MAX + 1);
        assert!(pending.is_empty());
    }
}
