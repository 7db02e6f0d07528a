//! Waking a drain that waits, also while its client is being replaced. Used by threads that order cuts.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::source::native::Queue;

/// Wakes a [`Source::drain`](crate::source::Source::drain) from another thread.
#[derive(Clone)]
pub struct Waker(pub(super) Arc<Wake>);

/// What wakers and the source share.
#[derive(Default)]
pub(super) struct Wake {
    wanted: AtomicBool,
    queue: Mutex<Option<Arc<Queue>>>,
}

impl Waker {
    /// Makes the drain that runs, or else the next one, return without waiting. Never blocks for long.
    pub fn wake(&self) {
        // The flag first: a drain that begins meanwhile sees it, one that waits is woken through its queue, also
        // when the client is replaced in between.
        self.0.wanted.store(true, Ordering::SeqCst);
        if let Some(queue) = &*self.0.queue.lock().unwrap_or_else(PoisonError::into_inner) {
            queue.wake();
        }
    }
}

impl Wake {
    /// The queue that a drain waits on, `None` when there is no more drain.
    pub(super) fn point_to(&self, queue: Option<Arc<Queue>>) {
        *self.queue.lock().unwrap_or_else(PoisonError::into_inner) = queue;
    }

    /// Whether someone wanted a wake-up since the last call.
    pub(super) fn wanted(&self) -> bool {
        self.wanted.swap(false, Ordering::SeqCst)
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waker")
    }
}
