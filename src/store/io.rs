//! The threads that a store works on: apart from the driver's one thread, which may never wait.

use tokio::runtime::{Builder, Handle, Runtime};

use super::error::Failure;

/// Enough for one large file and one log; files are few.
const THREADS: usize = 2;

/// A runtime of its own, or one that somebody else keeps.
#[derive(Debug)]
pub(super) enum Io {
    Own(Option<Runtime>),
    #[cfg(test)]
    Of(Handle),
}

impl Io {
    pub(super) fn start() -> Result<Self, Failure> {
        let runtime =
            Builder::new_multi_thread().worker_threads(THREADS).thread_name("store").enable_all().build();
        Ok(Self::Own(Some(runtime.map_err(|error| Failure::unavailable(error.to_string()))?)))
    }

    pub(super) fn handle(&self) -> Handle {
        match self {
            Self::Own(runtime) => runtime.as_ref().expect("it is there until it is dropped").handle().clone(),
            #[cfg(test)]
            Self::Of(handle) => handle.clone(),
        }
    }
}

impl Drop for Io {
    /// In the background: a hung NameNode must not hold up the end of the process, and asynchronous code may not
    /// wait for threads.
    fn drop(&mut self) {
        if let Self::Own(runtime) = self
            && let Some(runtime) = runtime.take()
        {
            runtime.shutdown_background();
        }
    }
}
