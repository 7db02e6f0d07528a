//! What HTTP shows of a driver, drawn from what the observer has seen. Feeds `web`.

use std::collections::BTreeMap;

use super::Observer;
use crate::driver::state::State;
use crate::ids::{Generation, Millis, Session, Slot};
use crate::launch::Place;
use crate::web::{ExecutorStatus, Lag, Process, Role, Snapshot};

/// How long it is shown that an executor was killed for its memory, milliseconds.
const OVER_MEMORY_SHOWN_MS: Millis = 600_000;

/// What to do about an open transaction.
pub(super) const HELD_BACK: &str = "find it by kafka-transactions.sh find-hanging (or describe-producers) and abort it, or wait for its time-out";

impl Observer {
    /// An executor was started in a container.
    pub(in crate::driver) fn placed(&mut self, slot: Slot, generation: Generation, place: Option<Place>) {
        self.waiting = None;
        if let Some(place) = place {
            self.places.insert(slot, (generation, place));
        }
    }

    /// Executors have no container yet.
    pub(in crate::driver) fn waiting(&mut self, why: String) {
        if self.waiting.is_none() {
            tracing::warn!("{why}");
        }
        self.waiting = Some(why.clone());
        self.attend_before_windows(why);
    }

    /// Shows at once what a person should look at while no window shows all of it.
    pub(super) fn attend_before_windows(&mut self, what: String) {
        if self.status.window.is_none() {
            self.status.attention = vec![what];
        }
        self.publish();
    }

    pub(super) fn publish(&self) {
        let driver = Process { role: Role::Driver, address: self.status.http.clone() };
        let executors = self.executors.iter().map(|(session, (hello, _))| Process {
            role: Role::Executor { slot: session.slot.0 },
            address: hello.http.clone(),
        });
        let processes = std::iter::once(driver).chain(executors).collect();
        let window_json = self.window_json.clone();
        self.view.publish(Snapshot { status: self.status.clone(), window_json, processes });
    }

    pub(super) fn lag(&self) -> Lag {
        let worst = self.lags.iter().filter(|(_, (records, _))| *records > 0).max_by_key(|(_, lag)| **lag);
        Lag {
            records: self.lags.values().map(|(records, _)| records).sum(),
            seconds: self.lags.values().map(|(_, age)| age.as_secs_f64()).fold(0.0, f64::max),
            worst: worst.map(|(partition, _)| partition.to_string()),
        }
    }

    pub(super) fn executor_list(&self, state: &State) -> Vec<ExecutorStatus> {
        let mut partitions: BTreeMap<Session, Vec<String>> = BTreeMap::new();
        for (partition, owner) in state.owners() {
            if let Some(owner) = owner {
                partitions.entry(owner).or_default().push(partition.to_string());
            }
        }
        let place = |session: &Session| {
            let (generation, place) = self.places.get(&session.slot)?;
            (*generation == session.generation).then_some(place)
        };
        let executors = self.executors.iter().map(|(session, (hello, _))| ExecutorStatus {
            slot: session.slot.0,
            generation: session.generation.0,
            host: hello.host.clone(),
            pid: hello.pid,
            container: place(session).map(|place| place.container.clone()),
            log_url: place(session).and_then(|place| place.log_url.clone()),
            partitions: partitions.remove(session).unwrap_or_default(),
            http: Some(hello.http.clone()),
        });
        executors.collect()
    }

    /// What a person should look at.
    pub(super) fn attention(&self, state: &State) -> Vec<String> {
        let (wanted, running) = state.executors();
        let limit = self.memory_bytes / 100 * 70;
        let mut attention = Vec::new();
        if running < wanted {
            attention.push(format!("{running} of {wanted} executors run"));
        }
        let newest_ms = self.status.window.map_or(self.status.since_ms, |window| window.end_ms);
        let over = self.over_memory.iter().filter(|(seen_ms, _)| newest_ms < seen_ms + OVER_MEMORY_SHOWN_MS);
        attention.extend(over.map(|(_, how)| format!("an executor used more memory than it has: {how}")));
        if self.preempted {
            attention.push("YARN took containers away for other queues".to_owned());
        }
        attention.extend(self.waiting.clone().filter(|_| running < wanted));
        if !self.status.unread.is_empty() {
            attention.push(format!("{} partitions cannot be read", self.status.unread.len()));
        }
        attention.extend(state.held_back().map(|(partition, records)| {
            format!("an open transaction holds back {records} records of {partition}; {HELD_BACK}")
        }));
        attention.extend(self.backlog.left().map(|left| left.to_string()));
        attention.extend(self.clock_trouble());
        attention.extend(self.checkpoint_trouble());
        attention.extend(self.snapshot_trouble());
        if self.commits_fail {
            attention.push("offsets are not committed".to_owned());
        }
        if state.bytes() as u64 > limit {
            attention.push("state takes more than 70 % of driver.memory".to_owned());
        }
        attention
    }
}
