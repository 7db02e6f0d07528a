//! What people see of the driver: logs and metrics, kept up to date from what the loop does. Decides nothing.

mod backlog;
mod checkpoint;
mod clock;
mod events;
mod snapshots;
mod status;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::state::{EndReason, State};
use crate::config::Job;
use crate::count::Window;
use crate::ids::{CutNumber, Generation, Millis, Partition, Position, Session, Slot};
use crate::launch::Place;
use crate::metrics::{DriverMetrics, ExitClass, PartitionMetrics, Phase, PrintedWindow, SlotMetrics};
use crate::sink::json;
use crate::source::admin::{CommitError, TopicInfo};
use crate::source::usable_timestamp;
use crate::web::{Action, DriverView, Executors, JobState, Lag, PrintedText, Snapshot, Status, WindowStatus};
use crate::wire::message::{Delta, Hello, Range, Reading};

/// Cuts whose sending is remembered.
const CUTS_MAX: usize = 128;

/// Which run of a job this is, and where.
#[derive(Debug, Clone)]
pub struct RunningAs {
    /// YARN's application id, or `local`.
    pub app: String,
    /// The application's directory in staging.
    pub app_dir: Option<String>,
    /// Driver attempt, from 1.
    pub attempt: u32,
    /// `host:port` of the driver's HTTP.
    pub http: String,
}

/// Follows a driver.
pub struct Observer {
    metrics: Arc<DriverMetrics>,
    view: Arc<DriverView>,
    actions: Option<mpsc::Receiver<Action>>,
    status: Status,
    window_json: Option<Arc<str>>,
    /// Where containers are, by slot: the newest generation's.
    places: BTreeMap<Slot, (Generation, Place)>,
    /// Why executors have no container yet.
    waiting: Option<String>,
    /// The newest window when an executor was last killed for its memory, and how that was said.
    over_memory: Option<(Millis, String)>,
    /// Whether a container was preempted since all executors last ran.
    preempted: bool,
    partitions: BTreeMap<Partition, PartitionMetrics>,
    /// Records not counted yet and the age of the oldest, by partition.
    lags: BTreeMap<Partition, (u64, Duration)>,
    /// For how many slides a partition has not been read.
    unread_slides: BTreeMap<Partition, u64>,
    /// Who has said hello and is not let in yet, or never.
    greeted: BTreeMap<Session, Hello>,
    executors: BTreeMap<Session, (Hello, SlotMetrics)>,
    /// When each cut was sent that somebody may still answer, on the monotonic clock.
    cuts: BTreeMap<CutNumber, Duration>,
    /// When the newest window was made, on the monotonic clock.
    made_at: Option<(Millis, Duration)>,
    /// What waits in the console, whose bound is theirs.
    unprinted: BTreeMap<Millis, PrintedWindow>,
    skipped: u64,
    commits_fail: bool,
    /// How far windows are named ahead of a wall clock that was set back.
    ahead_ms: Option<Millis>,
    memory_bytes: u64,
    checkpoint: Option<checkpoint::Seen>,
    snapshots: Option<snapshots::Seen>,
    backlog: backlog::Backlog,
}

impl Observer {
    /// Will follow the driver of `job`.
    pub fn new(job: &Job, run: RunningAs, now_ms: Millis) -> Self {
        let metrics = Arc::new(DriverMetrics::new());
        metrics.attempt(run.attempt);
        let status = Status {
            name: job.name.clone(),
            app: run.app,
            app_dir: run.app_dir,
            http: run.http,
            state: JobState::Starting,
            since_ms: now_ms,
            attempt: run.attempt,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            window: None,
            lag: Lag::default(),
            unread: Vec::new(),
            checkpoint: None,
            snapshot: None,
            executors: Executors::default(),
            attention: Vec::new(),
        };
        let first = Snapshot { status: status.clone(), window_json: None, processes: Vec::new() };
        let burst = usize::try_from(job.window.slides()).unwrap_or(usize::MAX);
        let (view, actions) = DriverView::new(first, burst);
        Self {
            metrics,
            view,
            actions: Some(actions),
            status,
            window_json: None,
            places: BTreeMap::new(),
            waiting: None,
            over_memory: None,
            preempted: false,
            partitions: BTreeMap::new(),
            lags: BTreeMap::new(),
            unread_slides: BTreeMap::new(),
            greeted: BTreeMap::new(),
            executors: BTreeMap::new(),
            cuts: BTreeMap::new(),
            made_at: None,
            unprinted: BTreeMap::new(),
            skipped: 0,
            commits_fail: false,
            ahead_ms: None,
            memory_bytes: job.driver.memory.bytes(),
            checkpoint: None,
            snapshots: None,
            backlog: backlog::Backlog::default(),
        }
    }

    /// What is measured.
    pub fn metrics(&self) -> Arc<DriverMetrics> {
        Arc::clone(&self.metrics)
    }

    /// What HTTP shows.
    pub fn view(&self) -> Arc<DriverView> {
        Arc::clone(&self.view)
    }

    /// What HTTP asks for; given out once.
    pub fn actions(&mut self) -> Option<mpsc::Receiver<Action>> {
        self.actions.take()
    }

    pub(super) fn hello(&mut self, session: Session, hello: Hello) {
        self.greeted.insert(session, hello);
    }

    fn opened(&mut self, session: Session) {
        let Some(hello) = self.greeted.remove(&session) else { return };
        let (slot, generation) = (session.slot.0, session.generation.0);
        tracing::info!(slot, generation, host = hello.host, pid = hello.pid, "executor connected");
        let series = self.metrics.slot(session.slot, &hello.host);
        self.executors.insert(session, (hello, series));
    }

    pub(super) fn ended(&mut self, session: Session, reason: &EndReason) {
        if let Some((_, series)) = self.executors.remove(&session) {
            series.forget();
        }
        if let Some(hello) = self.greeted.remove(&session) {
            let (slot, generation) = (session.slot.0, session.generation.0);
            tracing::warn!(slot, generation, host = hello.host, pid = hello.pid, %reason, "executor not let in");
        }
    }

    pub(super) fn exited(&mut self, class: ExitClass, how: &str) {
        self.metrics.executor_exited(class);
        self.preempted |= class == ExitClass::Preempted;
        if class == ExitClass::Memory {
            let seen_ms = self.status.window.map_or(self.status.since_ms, |window| window.end_ms);
            self.over_memory = Some((seen_ms, how.to_owned()));
        }
    }

    /// A cut goes out.
    pub(super) fn cut(&mut self, cut: CutNumber, at: Duration) {
        self.cuts.entry(cut).or_insert(at);
        while self.cuts.len() > CUTS_MAX {
            self.cuts.pop_first();
        }
    }

    /// A step that closed a slide began and ended.
    pub(super) fn closed(&mut self, began: Duration, ended: Duration) {
        if let Some((_, sent)) = self.cuts.last_key_value() {
            self.metrics.phase(Phase::Gather, began.saturating_sub(*sent));
        }
        self.metrics.phase(Phase::Close, ended.saturating_sub(began));
        self.made_at = Some((Millis::MIN, ended));
    }

    pub(super) fn stopping(&mut self) {
        self.status.state = JobState::Stopping;
    }

    /// Positions and lag, as the executor reports them.
    pub(super) fn delta(&mut self, session: Session, delta: &Delta, now_ms: Millis, at: Duration) {
        if let (Some((_, series)), Some(sent)) = (self.executors.get(&session), self.cuts.get(&delta.cut)) {
            series.delta_delay(at.saturating_sub(*sent));
        }
        for range in &delta.ranges {
            self.reading(range);
            let series = partition(&self.metrics, &mut self.partitions, &range.partition);
            let read = (range.until.offset - range.from).max(0).unsigned_abs();
            series.accepted(read, range.until.offset);
            if let Some(heard) = range.heard {
                series.set_held((heard.high - heard.end).max(0).unsigned_abs());
            }
            if let Some(end) = range.log_end {
                let lag = (end - range.until.offset).max(0).unsigned_abs();
                let age = if lag > 0 { age(range.reached_ms, now_ms) } else { Duration::ZERO };
                series.set_end(end);
                series.set_lag(lag, age);
                self.lags.insert(range.partition.clone(), (lag, age));
            }
        }
    }

    /// Tells, once, why a partition cannot be read and that it can be again. One that has just been assigned is
    /// given a slide to begin.
    fn reading(&mut self, range: &Range) {
        let partition = &range.partition;
        let reason = match &range.reading {
            Reading::Starting => return,
            Reading::Following => {
                if self.unread_slides.remove(partition).is_some_and(|slides| slides > 1) {
                    tracing::info!(%partition, "partition is read again");
                }
                return;
            }
            Reading::Unreachable(reason)
            | Reading::Denied(reason)
            | Reading::OutOfRange(reason)
            | Reading::Truncated(reason)
            | Reading::Gone(reason)
            | Reading::Broken(reason) => reason,
        };
        let slides = self.unread_slides.entry(partition.clone()).or_default();
        *slides = slides.saturating_add(1);
        if *slides == 2 {
            tracing::warn!(%partition, reason, "partition cannot be read; windows go on without it");
        }
    }

    /// Leaders and replicas, as the brokers report them.
    pub(super) fn topics(&mut self, topics: &[TopicInfo]) {
        for topic in topics {
            for info in &topic.partitions {
                let name = Partition::new(topic.name.as_str(), info.number);
                let leader = (info.leader >= 0).then_some(info.leader);
                let series = partition(&self.metrics, &mut self.partitions, &name);
                series.set_replication(leader, info.replicas.len(), info.isr.len());
            }
        }
    }

    /// A partition has left the job.
    fn forget(&mut self, partition: &Partition) {
        self.lags.remove(partition);
        self.unread_slides.remove(partition);
        if let Some(series) = self.partitions.remove(partition) {
            series.forget();
        }
    }

    pub(super) fn committed(&mut self, positions: &[(Partition, Position)], failed: Option<&CommitError>) {
        let failed_before = std::mem::replace(&mut self.commits_fail, failed.is_some());
        if let Some(reason) = failed {
            self.metrics.commit_failed();
            if !failed_before {
                tracing::warn!(
                    %reason,
                    "offsets were not committed; counting is not affected, lag tools show old offsets"
                );
            }
            return;
        }
        if failed_before {
            tracing::info!("offsets are committed again");
        }
        for (name, position) in positions {
            partition(&self.metrics, &mut self.partitions, name).set_committed(position.offset);
        }
    }

    /// A window was made; it may be printed later, or never. Time-outs are at `now_ms`, names of windows at `label_ms`.
    pub(super) fn window(&mut self, window: &Window, state: &State, now_ms: Millis, label_ms: Millis) {
        let made = made(window);
        self.metrics.window_made(made);
        if let Some((made_ms, _)) = &mut self.made_at {
            *made_ms = window.end_ms;
        }
        let (wanted, running) = state.executors();
        let hosts = self.executors.values().map(|(hello, _)| &hello.host).collect::<BTreeSet<_>>().len();
        self.metrics.executors(wanted as usize, running as usize, hosts);
        self.metrics.restart_budget(u64::from(state.restarts_left(now_ms)));
        self.metrics.state_bytes(state.bytes() as u64, self.memory_bytes);
        self.window_json = Some(json::line(&self.status.name, window).into());
        if self.status.state == JobState::Starting {
            self.status.state = JobState::Running;
        }
        let delay_ms = (label_ms - window.end_ms).max(0).unsigned_abs();
        let PrintedWindow { end_ms, total, distinct, complete } = made;
        self.status.window = Some(WindowStatus { end_ms, delay_ms, total, distinct, complete });
        self.status.unread = window.unread.iter().map(ToString::to_string).collect();
        self.status.lag = self.lag();
        self.backlog.slide(now_ms, window.behind_ms > 0, self.status.lag.records);
        let list = self.executor_list(state);
        self.status.executors =
            Executors { running, wanted, hosts: u32::try_from(hosts).unwrap_or(u32::MAX), list };
        self.checkpoint_queue(state.queued(), label_ms);
        self.snapshot_age(label_ms);
        self.preempted &= running < wanted;
        self.status.attention = self.attention(state);
        self.publish();
    }

    pub(super) fn printed(&mut self, end_ms: Millis, delay: Duration, at: Duration, text: String) {
        self.view.printed(PrintedText { end_ms, text: text.into() });
        if let Some((_, made)) = self.made_at.take_if(|(made_ms, _)| *made_ms == end_ms) {
            self.metrics.phase(Phase::Print, at.saturating_sub(made));
        }
        if let Some(window) = self.unprinted.remove(&end_ms) {
            self.metrics.window_printed(window, delay);
        }
        if let Some(window) = self.status.window.as_mut().filter(|window| window.end_ms == end_ms) {
            window.delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
            self.publish();
        }
    }

    /// The console has queued a window, or not; so many were left out on stdout since the start.
    pub(super) fn offered(&mut self, window: &Window, queued: bool, skipped: u64) {
        if queued {
            self.unprinted.insert(window.end_ms, made(window));
        }
        (self.skipped..skipped).for_each(|_| self.metrics.window_skipped());
        self.skipped = skipped;
    }
}

fn made(window: &Window) -> PrintedWindow {
    let &Window { end_ms, total, distinct, complete, .. } = window;
    PrintedWindow { end_ms, total, distinct, complete }
}

fn partition<'a>(
    metrics: &DriverMetrics,
    known: &'a mut BTreeMap<Partition, PartitionMetrics>,
    name: &Partition,
) -> &'a PartitionMetrics {
    known.entry(name.clone()).or_insert_with(|| metrics.partition(name))
}

/// How old the last record is that was read; 0 where nobody can know.
fn age(reached_ms: Option<Millis>, now_ms: Millis) -> Duration {
    let reached_ms = reached_ms.and_then(|reached_ms| usable_timestamp(reached_ms, now_ms));
    Duration::from_millis(reached_ms.map_or(0, |reached_ms| (now_ms - reached_ms).max(0)).unsigned_abs())
}

#[cfg(test)]
mod tests;
