//! What the driver knows and decides: `step(now, input) -> effects`, without clock, I/O or threads.
//!
//! The rooms: `partitions` (who reads what, from where), `sessions` (who is alive and owes which cut),
//! `slots` (which executors are to run), `slides` (cuts, open slides, the window), `durable` (slides on their way into
//! the checkpoint), `level` (what a window may claim), `commits`, `looks` (when the brokers are asked how the topics
//! look), `loss`.
//! Each step ends in `State::advance`, which does whatever has become possible.

pub mod input;
mod commits;
mod deltas;
mod durable;
mod level;
mod looks;
mod loss;
mod partitions;
mod sessions;
mod slides;
mod slots;

pub use commits::CommitAnswer;
pub use durable::Durability;
pub use input::{
    Effect, EndReason, Event, Facts, Input, Outcome, Resumed, Settings, SlideReport, Start, Stop,
};

use crate::count::Ring;
use crate::ids::{Millis, Partition, Session};
use commits::Commits;
use durable::Durable;
use looks::Looks;
use partitions::Partitions;
use sessions::Sessions;
use slides::Slides;
use slots::Slots;

/// Without any session to read with: how long to wait for the other wanted executors before the first of them
/// gets every partition, milliseconds.
const GATHER_MS: Millis = 2_000;

/// How a stop ends that leaves a restart nothing to go on from.
const UNCOMMITTED: &str = "stopped, but the last offsets could not be committed in time, and there is no checkpoint: \
                           the next start reads again what was printed last";

/// The driver's state. See the module's documentation.
#[derive(Debug)]
pub struct State {
    settings: Settings,
    partitions: Partitions,
    sessions: Sessions,
    slots: Slots,
    slides: Slides,
    durable: Durable,
    commits: Commits,
    looks: Looks,
    stopping: Option<Stopping>,
    finished: bool,
    memory_high: bool,
    /// When [`Input::Tick`] is wanted; what passes beyond it is the driver's own stall.
    wake_ms: Millis,
    out: Vec<Effect>,
}

#[derive(Debug, Clone, Copy)]
struct Stopping {
    deadline_ms: Millis,
    last_cut_sent: bool,
}

impl State {
    /// The state before anything happened.
    pub fn new(settings: Settings, now_ms: Millis) -> Self {
        Self {
            partitions: Partitions::default(),
            sessions: Sessions::default(),
            slots: Slots::new(settings.executors),
            slides: Slides::new(Ring::with_seed(settings.seed), settings.attempt),
            durable: Durable::new(settings.checkpoint),
            commits: Commits::default(),
            looks: Looks::default(),
            stopping: None,
            finished: false,
            memory_high: false,
            wake_ms: now_ms,
            out: Vec::new(),
            settings,
        }
    }

    /// Takes one input and returns what is to be done about it, in order. After [`Effect::Finish`] nothing is.
    pub fn step(&mut self, now_ms: Millis, input: Input) -> Vec<Effect> {
        if self.finished {
            return Vec::new();
        }
        self.forgive(now_ms);
        match input {
            Input::Tick => self.tick(now_ms),
            Input::Started { starts, asked_ms, resumed } => self.started(now_ms, starts, asked_ms, resumed),
            Input::Looked { look, facts, unclear } => self.looked(now_ms, look, facts, &unclear),
            Input::LookFailed { look } => self.look_failed(look),
            Input::Opened { session, attempt } => self.opened(now_ms, session, attempt),
            Input::Closed { session, reason } => self.end(now_ms, session, EndReason::Closed(reason)),
            Input::Alive(session) => self.sessions.heard(session, now_ms),
            Input::Counts(session, counts) => self.counts(now_ms, session, counts),
            Input::Delta(session, delta) => self.delta(now_ms, session, delta),
            Input::Launched(slot, generation) => self.slots.launched(slot, generation, now_ms),
            Input::Exited { slot, generation, how, to_blame } => {
                self.exited(now_ms, slot, generation, how);
                if !to_blame {
                    self.slots.excuse(slot, generation);
                }
            }
            Input::ClockStepped { by_ms } => self.clock_stepped(now_ms, by_ms),
            Input::Scale(executors) => self.slots.scale(executors, now_ms),
            Input::Committed(answer) => self.committed(answer),
            Input::StartKept => self.start_is_kept(),
            Input::Kept { until_ms } => self.kept(until_ms),
            Input::BaseWanted => self.durable.want_base(),
            Input::Stop { deadline_ms } => self.stop(deadline_ms),
        }
        self.advance(now_ms);
        self.wake_ms = self.next_wake(now_ms);
        if let Some(end) = self.out.iter().position(|effect| matches!(effect, Effect::Finish(_))) {
            self.out.truncate(end + 1);
            self.wake_ms = Millis::MAX;
        }
        std::mem::take(&mut self.out)
    }

    /// When the next [`Input::Tick`] is due.
    pub fn wake_ms(&self) -> Millis {
        self.wake_ms
    }

    /// Work for when the effects of a step are done and nobody waits: the checkpoint gets what it has not, and what
    /// the next window does not need goes. It changes no answer, but has effects.
    pub fn settle(&mut self) -> Vec<Effect> {
        if !self.finished {
            self.keep_newest();
            self.keep_base_if_wanted();
        }
        self.slides.settle(self.settings.slide_ms, self.settings.length_ms);
        std::mem::take(&mut self.out)
    }

    /// State bytes.
    pub fn bytes(&self) -> usize {
        self.slides.bytes() + self.sessions.bytes() + self.durable.bytes()
    }

    /// The window's numbers; once settled, without the slide that is not in the next window.
    pub fn ring(&self) -> &Ring {
        &self.slides.ring
    }

    /// Slides that are closed and not durable yet.
    pub fn queued(&self) -> usize {
        self.durable.queued()
    }

    /// How many executors are wanted, and how many have a session.
    pub fn executors(&self) -> (u32, u32) {
        (self.slots.wanted(), u32::try_from(self.sessions.len()).unwrap_or(u32::MAX))
    }

    /// How many more executors may fail within the hour before the job gives up, should none be left.
    pub fn restarts_left(&self, now_ms: Millis) -> u32 {
        self.slots.failures_left(now_ms)
    }

    /// Every partition with its owner.
    pub fn owners(&self) -> impl Iterator<Item = (&Partition, Option<Session>)> {
        self.partitions.iter().map(|(partition, held)| (partition, held.owner))
    }

    /// Partitions of which an open transaction that does not end keeps records back, with how many.
    pub fn held_back(&self) -> impl Iterator<Item = (&Partition, u64)> {
        let held = self.partitions.iter().filter(|(_, held)| held.held_back);
        held.filter_map(|(partition, held)| Some((partition, held.transaction?.records())))
    }

    /// Everything that an input may have made possible, in the order in which one enables the next.
    fn advance(&mut self, now_ms: Millis) {
        self.place(now_ms);
        self.retire_surplus(now_ms);
        self.begin_first_slide(now_ms);
        self.cut_if_due(now_ms);
        self.close_slides(now_ms);
        self.let_go();
        self.bound_memory();
        self.commit_if_due(now_ms);
        self.look_if_due(now_ms);
        self.order_executors(now_ms);
        self.finish_if_done(now_ms);
    }

    /// The driver's own stall counts against nobody: all clocks move on by it. It shows in the first input after
    /// it, which need not be the tick.
    fn forgive(&mut self, now_ms: Millis) {
        let stalled_ms = (now_ms - self.wake_ms).max(0);
        self.sessions.forgive(stalled_ms);
        self.slots.forgive(stalled_ms);
    }

    /// Judges silence and lateness.
    fn tick(&mut self, now_ms: Millis) {
        for (session, reason) in self.sessions.overdue(now_ms, &self.settings, &self.slides) {
            if !self.sessions.grant_grace(session, now_ms) {
                self.end(now_ms, session, reason);
            }
        }
        for (slot, generation) in self.slots.never_opened(now_ms) {
            let how = "no session within the start time-out".to_owned();
            self.out.push(Effect::Event(Event::StartFailed(slot, generation, how.clone())));
            self.slots.failed(slot, generation, now_ms, &how);
        }
    }

    fn stop(&mut self, deadline_ms: Millis) {
        let last_cut_sent = self.stopping.is_some_and(|stopping| stopping.last_cut_sent);
        let deadline_ms = self.stopping.map_or(deadline_ms, |earlier| earlier.deadline_ms.min(deadline_ms));
        self.stopping = Some(Stopping { deadline_ms, last_cut_sent });
    }

    fn finish_if_done(&mut self, now_ms: Millis) {
        if let Some(reason) = self.slots.given_up(self.sessions.len(), now_ms) {
            self.fail(reason);
        }
        let Some(stopping) = self.stopping else { return };
        let settled = stopping.last_cut_sent && self.all_settled();
        let committed = self.commits.idle(&self.partitions);
        if !(settled && committed) && now_ms < stopping.deadline_ms {
            return;
        }
        match (settled, committed) {
            (true, true) => self.finish(Outcome::Stopped(Stop::Clean)),
            (_, false) if !self.durable.is_kept() && self.slides.closed_ms.is_some() => {
                self.fail(UNCOMMITTED.to_owned());
            }
            (true, false) if self.durable.is_kept() => self.finish(Outcome::Stopped(Stop::Uncommitted)),
            _ => self.finish(Outcome::Stopped(Stop::Unfinished)),
        }
    }

    /// Whether every slide that was cut for is closed, and durable where there is a checkpoint.
    fn all_settled(&self) -> bool {
        !self.slides.any_open() && self.durable.is_idle()
    }

    /// Whether only the last commit is left to be made.
    fn is_ending(&self) -> bool {
        self.stopping.is_some() && self.all_settled()
    }

    fn fail(&mut self, reason: String) {
        self.finish(Outcome::Failed(reason));
    }

    fn finish(&mut self, outcome: Outcome) {
        if !self.finished {
            self.finished = true;
            self.out.push(Effect::Finish(outcome));
        }
    }

    fn bound_memory(&mut self) {
        let (bytes, limit) = (self.bytes(), self.settings.memory_bytes);
        if bytes > limit / 100 * 95 {
            let mib = bytes >> 20;
            self.fail(format!(
                "state takes {mib} MiB, 95 % of driver.memory; raise driver.memory, shorten window.length or count fewer keys"
            ));
        }
        let high = bytes > limit / 100 * 70;
        if high && !self.memory_high {
            self.out.push(Effect::Event(Event::MemoryHigh { bytes, limit }));
        }
        self.memory_high = high;
    }

    fn next_wake(&mut self, now_ms: Millis) -> Millis {
        if self.slides.is_closing(self.durable.has_room()) {
            return now_ms;
        }
        let cut = self.can_cut().then(|| self.slides.next_cut_ms(now_ms, self.settings.slide_ms));
        let gathered = self.sessions.first_opened_ms().map(|opened_ms| opened_ms + GATHER_MS);
        let due = [
            cut,
            gathered.filter(|&gathered_ms| !self.partitions.ever_placed() && gathered_ms > now_ms),
            self.sessions.next_judgement(&self.settings, &self.slides),
            self.slots.next_change(),
            self.commits.next_due(self.is_ending()),
            self.looks.next_due(),
            self.stopping.map(|stopping| stopping.deadline_ms),
        ];
        due.into_iter().flatten().min().unwrap_or(now_ms + self.settings.timeout_ms).max(now_ms)
    }
}
