//! Failures on purpose: at the n-th call of a store, before or after it took effect; tests only.

mod leases;

use std::sync::{Arc, Mutex};

use tokio_util::bytes::Bytes;

use super::error::{Failure, Kind};
pub(crate) use leases::Leases;

/// What happens at one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It fails and did nothing.
    FailBefore,
    /// It did what it should, and the answer is lost.
    FailAfter,
    /// The process dies before it.
    DieBefore,
    /// The process dies after it.
    DieAfter,
    /// The process dies while it appends: half of the piece is there.
    DieWithin,
    /// It never answers.
    Hang,
}

/// Counts calls and makes some of them fail.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    state: Mutex<Now>,
    leases: Option<Arc<Leases>>,
}

#[derive(Debug, Default)]
struct Now {
    calls: u64,
    planned: Vec<(u64, Fault)>,
    dead: bool,
    seen: Vec<Fault>,
}

impl Faults {
    /// Faults at calls by their number, from 1.
    pub(crate) fn at(planned: impl IntoIterator<Item = (u64, Fault)>) -> Self {
        let planned = planned.into_iter().collect();
        Self { state: Mutex::new(Now { planned, ..Now::default() }), leases: None }
    }

    /// Makes the store behave as HDFS does, with the leases that all its processes see.
    pub(crate) fn like_hdfs(mut self, leases: &Arc<Leases>) -> Self {
        self.leases = Some(Arc::clone(leases));
        self
    }

    pub(super) fn leases(&self) -> Option<&Leases> {
        self.leases.as_deref()
    }

    /// Adds a fault at the next call but `skip`.
    pub(crate) fn soon(&self, skip: u64, fault: Fault) {
        let mut now = self.now();
        let at = now.calls + 1 + skip;
        now.planned.push((at, fault));
    }

    /// Whether the process is dead.
    pub(crate) fn dead(&self) -> bool {
        self.now().dead
    }

    /// The faults that have happened.
    pub(crate) fn seen(&self) -> Vec<Fault> {
        self.now().seen.clone()
    }

    /// Kills the process between two calls.
    pub(crate) fn die(&self) {
        self.now().dead = true;
    }

    /// What of a piece gets into the file.
    pub(super) fn torn(&self, bytes: Bytes) -> Bytes {
        let now = self.now();
        let next = now.calls + 1;
        let torn = now.planned.contains(&(next, Fault::DieWithin));
        if torn { bytes.slice(..bytes.len() / 2) } else { bytes }
    }

    pub(super) async fn around<T>(
        &self,
        call: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let fault = {
            let mut now = self.now();
            if now.dead {
                // Not passing: the dead try nothing again.
                return Err(Failure::invalid("the process is dead"));
            }
            now.calls += 1;
            let number = now.calls;
            let fault = now.planned.iter().find(|(at, _)| *at == number).map(|(_, fault)| *fault);
            now.seen.extend(fault);
            now.dead |= fault == Some(Fault::DieBefore);
            fault
        };
        let failed = || Failure::unavailable("a fault on purpose");
        let died = || Failure::invalid("the process died");
        match fault {
            None => call.await,
            Some(Fault::FailBefore) => Err(failed()),
            Some(Fault::DieBefore) => Err(died()),
            Some(Fault::FailAfter) => {
                call.await?;
                Err(failed())
            }
            Some(Fault::DieAfter | Fault::DieWithin) => {
                let _ = call.await;
                self.now().dead = true;
                Err(died())
            }
            Some(Fault::Hang) => std::future::pending().await,
        }
    }

    fn now(&self) -> std::sync::MutexGuard<'_, Now> {
        self.state.lock().unwrap()
    }
}
