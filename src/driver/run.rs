//! The driver's loop: tells the state what happened, performs what it decides. One thread, one order of things.

mod incoming;

use std::io::Write;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::mpsc;
use tokio::time::{self, Instant};

use super::alarm::Alarm;
use super::broker::{Answer, Broker};
use super::keeper::{Keeper, KeeperEvent};
use super::links::{LinkEvent, Links};
use super::observe::Observer;
use super::pace::{ClockChange, Pace};
use super::setup::{Command, Ended, Note, Setup};
use super::snapshots::Snapshots;
use super::state::{Effect, Input, Outcome, Resumed, State};
use super::{settings, welcome};
use crate::clock::Clock;
use crate::config::Job;
use crate::ids::Millis;
use crate::launch::{LaunchEvent, Launcher};
use crate::sink::{Console, ConsoleEvent, Offered, QUEUE_WINDOWS_MAX, QueueLimits};
use crate::snapshot;
use crate::wire::message::{ToExecutor, Welcome};

/// How long closing the checkpoint's log may take at the end.
const LAST_SLIDE: Duration = Duration::from_millis(500);
/// How long the last snapshot may take at a graceful end: a driver that has just begun reads the checkpoint's past
/// first. With the other times here it is less than the 5 s that an end may take.
const LAST_SNAPSHOT: Duration = Duration::from_secs(3);
/// How long queued windows may take to be printed at the end.
const LAST_WINDOWS: Duration = Duration::from_secs(1);
/// How long the thread that asks Kafka may take to end.
const LAST_ANSWER: Duration = Duration::from_millis(300);

/// Runs the job until it is stopped or cannot go on.
pub async fn run(setup: Setup) -> anyhow::Result<Ended> {
    let Setup {
        job,
        attempt,
        start,
        checkpoint,
        clock,
        secret,
        executors,
        launcher,
        launched,
        commands,
        console,
        ..
    } = setup;
    let seed = getrandom::u64().context("get random numbers from the system")?;
    let settings = settings(&job, attempt, seed, checkpoint.as_ref(), setup.notes.is_some());
    let (slide_ms, length_ms) = (settings.slide_ms, settings.length_ms);
    let pace = Pace::start(slide_ms, clock.wall(), clock.monotonic());
    let mut observer = setup.observer;
    if checkpoint.is_some() {
        observer.has_checkpoint();
    }
    let snapshots = checkpoint.as_ref().and_then(|setup| setup.snapshots.clone());
    if snapshots.is_some() {
        observer.has_snapshots();
    }
    let queue_bytes = settings.checkpoint.map_or(0, |durability| durability.queue_bytes);
    let (links, linked) = Links::listen(executors, &secret).context("set up links to executors")?;
    let (broker, answers) = Broker::start(&job, start, attempt > 1, clock)?;
    let (printed, prints) = mpsc::unbounded_channel();
    // Windows that waited for the checkpoint come fast once it is written again.
    let waited = settings.checkpoint.filter(|rules| rules.wait).map_or(0, |rules| rules.queue_slides);
    let limits = QueueLimits { windows: QUEUE_WINDOWS_MAX + waited, burst_bytes: settings.memory_bytes / 8 };
    let console = console.map(|out| start_console(&job, limits, out, clock, printed)).transpose()?.flatten();
    let state = State::new(settings, pace.now_ms(clock.monotonic()));
    let driver = Driver {
        clock,
        alarm: Alarm::new().context("make a timer")?,
        pace,
        state,
        links,
        launcher,
        broker,
        keeper: Keeper::new(checkpoint),
        snapshots: Snapshots::new(snapshots, queue_bytes),
        resumed: None,
        console,
        welcome: welcome(&job),
        observer,
        notes: setup.notes,
        slide_ms,
        length_ms,
        began_ms: None,
        corrected_ms: Millis::MIN,
        alive_every: job.executors.timeout.get(),
        job,
    };
    driver.run(Incoming { linked, answers, launched, commands, prints }).await
}

fn start_console(
    job: &Job,
    limits: QueueLimits,
    out: Box<dyn Write + Send>,
    clock: Clock,
    printed: mpsc::UnboundedSender<ConsoleEvent>,
) -> anyhow::Result<Option<Console>> {
    let Some(format) = super::console_format(job) else { return Ok(None) };
    let tell = move |event| {
        let _ = printed.send(event);
    };
    let start = Console::start(format, &job.name, limits, out, clock, tell);
    Ok(Some(start.context("start the printing thread")?))
}

/// Everything that can happen to a driver.
struct Incoming {
    linked: mpsc::Receiver<LinkEvent>,
    answers: mpsc::UnboundedReceiver<Answer>,
    launched: mpsc::UnboundedReceiver<LaunchEvent>,
    commands: mpsc::UnboundedReceiver<Command>,
    prints: mpsc::UnboundedReceiver<ConsoleEvent>,
}

enum Happening {
    Due,
    AliveDue,
    Link(LinkEvent),
    Answer(Answer),
    Kept(KeeperEvent),
    Snapshot(snapshot::Event),
    Launch(LaunchEvent),
    Command(Command),
    Console(ConsoleEvent),
}

struct Driver {
    clock: Clock,
    alarm: Alarm,
    pace: Pace,
    state: State,
    links: Links,
    launcher: Launcher,
    broker: Broker,
    keeper: Keeper,
    snapshots: Snapshots,
    /// What the checkpoint held, until the start is resolved.
    resumed: Option<Box<Resumed>>,
    console: Option<Console>,
    welcome: Welcome,
    observer: Observer,
    notes: Option<mpsc::UnboundedSender<Note>>,
    slide_ms: Millis,
    length_ms: Millis,
    /// Where the first slide began.
    began_ms: Option<Millis>,
    corrected_ms: Millis,
    alive_every: Duration,
    job: Job,
}

impl Driver {
    async fn run(mut self, mut incoming: Incoming) -> anyhow::Result<Ended> {
        let mut alive_due = Instant::now() + self.alive_every;
        let mut ended = self.step(Input::Tick);
        while ended.is_none() {
            let due = self.pace.until(self.state.wake_ms(), self.clock.monotonic());
            self.alarm.set(due).context("set the timer")?;
            let happening = tokio::select! {
                biased;
                rung = self.alarm.ring() => {
                    rung.context("wait for the timer")?;
                    Happening::Due
                }
                Some(answer) = incoming.answers.recv() => Happening::Answer(answer),
                event = self.keeper.next() => Happening::Kept(event),
                event = self.snapshots.next() => Happening::Snapshot(event),
                Some(event) = incoming.launched.recv() => Happening::Launch(event),
                Some(command) = incoming.commands.recv() => Happening::Command(command),
                Some(event) = incoming.prints.recv() => Happening::Console(event),
                Some(event) = incoming.linked.recv() => Happening::Link(event),
                () = time::sleep_until(alive_due) => Happening::AliveDue,
            };
            if matches!(happening, Happening::AliveDue) {
                alive_due = Instant::now() + self.alive_every;
            }
            ended = self.take(happening)?;
            for effect in self.state.settle() {
                self.perform(effect);
            }
        }
        let stopped = matches!(ended, Some(Ended::Finished(Outcome::Stopped(_))));
        self.finish(incoming.answers, stopped).await;
        Ok(ended.unwrap_or(Ended::Aborted))
    }

    fn now_ms(&self) -> Millis {
        self.pace.now_ms(self.clock.monotonic())
    }

    fn label_ms(&self) -> Millis {
        self.pace.label_ms(self.clock.monotonic())
    }

    fn step(&mut self, input: Input) -> Option<Ended> {
        self.look_at_the_clock().or_else(|| self.put(input))
    }

    /// Once per slide, or more often.
    fn look_at_the_clock(&mut self) -> Option<Ended> {
        if self.now_ms() < self.corrected_ms.saturating_add(self.pace.look_every_ms()) {
            return None;
        }
        let correction = self.pace.correct(self.clock.wall(), self.clock.monotonic());
        self.corrected_ms = self.now_ms();
        self.observer.clock(correction);
        match correction.change {
            Some(ClockChange::Forward { by_ms }) => self.put(Input::ClockStepped { by_ms }),
            Some(ClockChange::Ahead { .. } | ClockChange::InStep) | None => None,
        }
    }

    fn put(&mut self, input: Input) -> Option<Ended> {
        let now_ms = self.now_ms();
        let began = self.clock.monotonic();
        let effects = self.state.step(now_ms, input);
        let windows = effects.iter().filter(|effect| matches!(effect, Effect::Print(_))).count();
        if windows > 0 {
            self.observer.closed(began, self.clock.monotonic());
            self.console.iter().for_each(|console| console.expect(windows));
        }
        effects.into_iter().fold(None, |ended, effect| self.perform(effect).or(ended))
    }

    fn perform(&mut self, effect: Effect) -> Option<Ended> {
        match effect {
            Effect::Welcome(session) => {
                self.links.send(session, ToExecutor::Welcome(Box::new(self.welcome.clone())));
            }
            Effect::Send(session, message) => {
                if let ToExecutor::Cut(cut) = &message {
                    self.observer.cut(cut.number, self.clock.monotonic());
                }
                self.links.send(session, message);
            }
            Effect::End(session, reason) => {
                self.links.end(session, reason.to_string());
                self.observer.ended(session, &reason);
            }
            Effect::Target(target) => self.launcher.converge(&target),
            Effect::Print(window) => {
                let filled = self.filled(window.end_ms);
                self.launcher.progress(filled);
                if let Some(console) = &mut self.console {
                    let queued = console.offer(&window) == Offered::Queued;
                    self.observer.offered(&window, queued, console.skipped());
                }
                self.observer.window(&window, &self.state, self.now_ms(), self.label_ms());
            }
            Effect::Slide(report) => self.note(Note::Slide(report)),
            Effect::Keep(slide, ranked) => {
                if let Some(number) = self.keeper.next_number() {
                    self.snapshots.closed(number, &slide, ranked);
                }
                self.keeper.slide(slide);
            }
            Effect::Base(state) => self.keeper.base(state),
            Effect::Commit(positions) => self.broker.commit(positions),
            Effect::Look(look) => self.broker.look(look),
            Effect::Event(event) => self.observer.event(&event),
            Effect::Finish(outcome) => return Some(Ended::Finished(outcome)),
        }
        None
    }

    /// How much of the window's length has passed since the first end, percent.
    fn filled(&mut self, end_ms: Millis) -> u8 {
        let began_ms = *self.began_ms.get_or_insert(end_ms - self.slide_ms);
        u8::try_from(((end_ms - began_ms) * 100 / self.length_ms).clamp(0, 100)).unwrap_or(100)
    }

    fn note(&self, note: Note) {
        if let Some(notes) = &self.notes {
            // Whoever keeps the books may have closed them.
            let _ = notes.send(note);
        }
    }

    async fn finish(mut self, mut answers: mpsc::UnboundedReceiver<Answer>, stopped: bool) {
        self.links.end_all("the job is over");
        drop(self.broker);
        self.keeper.close(LAST_SLIDE).await;
        if stopped {
            self.snapshots.close(LAST_SNAPSHOT).await;
        }
        if let Some(console) = self.console.take()
            && let Err(unfinished) = console.finish(LAST_WINDOWS)
        {
            tracing::warn!("{unfinished}");
        }
        if let Err(error) = self.launcher.finish().await {
            tracing::warn!(%error, "end the executors");
        }
        // The thread that asks Kafka drops its client first; one that waits for a dead broker is left behind.
        let closed = async { while answers.recv().await.is_some() {} };
        let _ = time::timeout(LAST_ANSWER, closed).await;
    }
}
