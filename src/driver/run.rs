//! The driver's loop: tells the state what happened, performs what it decides. One thread, one order of things.

use std::io::Write;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::mpsc;
use tokio::time::{self, Instant};

use super::alarm::Alarm;
use super::broker::{Answer, Broker};
use super::links::{LinkEvent, Links};
use super::observe::Observer;
use super::pace::Pace;
use super::setup::{Command, Ended, Note, Setup};
use super::state::{Effect, Input, Outcome, State};
use super::{settings, welcome};
use crate::clock::Clock;
use crate::config::Job;
use crate::ids::Millis;
use crate::launch::{LaunchEvent, Launcher};
use crate::sink::{Console, ConsoleEvent};
use crate::wire::message::{ToDriver, ToExecutor, Welcome};

/// How long queued windows may take to be printed at the end.
const LAST_WINDOWS: Duration = Duration::from_secs(1);
/// How long the thread that asks Kafka may take to end.
const LAST_ANSWER: Duration = Duration::from_millis(300);
/// How long the last cut, print and commit may take when a closed console ends the job.
const CLOSED_DEADLINE: Duration = Duration::from_secs(5);

/// Runs the job until it is stopped or cannot go on.
pub async fn run(setup: Setup) -> anyhow::Result<Ended> {
    let Setup {
        job, attempt, start, clock, secret, executors, launcher, launched, commands, console, ..
    } = setup;
    let pace = Pace::start(slide_ms(&job), clock.wall(), clock.monotonic());
    let seed = getrandom::u64().context("get random numbers from the system")?;
    let settings = settings(&job, attempt, seed, setup.notes.is_some());
    let (links, linked) = Links::listen(executors, &secret).context("set up links to executors")?;
    let (broker, answers) = Broker::start(&job, start)?;
    let (printed, prints) = mpsc::unbounded_channel();
    let console = console.map(|out| start_console(&job, out, clock, printed)).transpose()?.flatten();
    let state = State::new(settings, pace.now_ms(clock.monotonic()), None);
    let driver = Driver {
        clock,
        alarm: Alarm::new().context("make a timer")?,
        pace,
        state,
        links,
        launcher,
        broker,
        console,
        welcome: welcome(&job),
        observer: setup.observer,
        notes: setup.notes,
        slide_ms: slide_ms(&job),
        length_ms: Millis::try_from(job.window.length.ms()).unwrap_or(Millis::MAX),
        began_ms: None,
        corrected_ms: Millis::MIN,
        alive_every: job.executors.timeout.get(),
    };
    driver.run(Incoming { linked, answers, launched, commands, prints }).await
}

fn slide_ms(job: &Job) -> Millis {
    Millis::try_from(job.window.slide.ms()).unwrap_or(Millis::MAX)
}

fn start_console(
    job: &Job,
    out: Box<dyn Write + Send>,
    clock: Clock,
    printed: mpsc::UnboundedSender<ConsoleEvent>,
) -> anyhow::Result<Option<Console>> {
    let Some(format) = super::console_format(job) else { return Ok(None) };
    let tell = move |event| {
        let _ = printed.send(event);
    };
    Ok(Some(Console::start(format, &job.name, out, clock, tell).context("start the printing thread")?))
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
                Some(event) = incoming.launched.recv() => Happening::Launch(event),
                Some(command) = incoming.commands.recv() => Happening::Command(command),
                Some(event) = incoming.prints.recv() => Happening::Console(event),
                Some(event) = incoming.linked.recv() => Happening::Link(event),
                () = time::sleep_until(alive_due) => Happening::AliveDue,
            };
            if matches!(happening, Happening::AliveDue) {
                alive_due = Instant::now() + self.alive_every;
            }
            ended = self.take(happening);
            self.state.settle();
        }
        self.finish(incoming.answers).await;
        Ok(ended.unwrap_or(Ended::Aborted))
    }

    fn take(&mut self, happening: Happening) -> Option<Ended> {
        match happening {
            Happening::Due => self.step(Input::Tick),
            Happening::Link(event) => self.link(event),
            Happening::Answer(answer) => self.answer(answer),
            Happening::Launch(event) => self.launch(event),
            Happening::Command(Command::Abort) => Some(Ended::Aborted),
            Happening::Command(Command::Stop { within }) => self.stop(within),
            Happening::Command(Command::Scale(executors)) => self.step(Input::Scale(executors)),
            Happening::Console(event) => self.console_event(event),
            Happening::AliveDue => {
                self.links.send_all(&ToExecutor::Alive);
                None
            }
        }
    }

    fn launch(&mut self, event: LaunchEvent) -> Option<Ended> {
        match event {
            LaunchEvent::Started(slot, generation, place) => {
                self.observer.placed(slot, generation, place);
                self.step(Input::Launched(slot, generation))
            }
            LaunchEvent::Exited { slot, generation, class, how, host } => {
                self.observer.exited(class, &how);
                if let Some(host) = host {
                    self.launcher.failed_on(slot, host);
                }
                self.step(Input::Exited { slot, generation, how, to_blame: class.is_to_blame() })
            }
            LaunchEvent::Waiting(why) => {
                self.observer.waiting(why);
                None
            }
        }
    }

    fn stop(&mut self, within: Duration) -> Option<Ended> {
        tracing::info!("stopping: last cut, print, commit");
        self.observer.stopping();
        let within_ms = Millis::try_from(within.as_millis()).unwrap_or(Millis::MAX / 2);
        let deadline_ms = self.now_ms() + within_ms;
        self.step(Input::Stop { deadline_ms })
    }

    fn link(&mut self, event: LinkEvent) -> Option<Ended> {
        match event {
            LinkEvent::Opened(session, hello, outgoing) => {
                self.links.opened(session, outgoing);
                self.note(Note::Executor { session, pid: hello.pid });
                let attempt = hello.attempt;
                self.observer.hello(session, *hello);
                self.step(Input::Opened { session, attempt })
            }
            LinkEvent::Message(session, ToDriver::Alive) => self.step(Input::Alive(session)),
            LinkEvent::Message(session, ToDriver::Counts(counts)) => {
                self.step(Input::Counts(session, counts))
            }
            LinkEvent::Message(session, ToDriver::Delta(delta)) => {
                self.observer.delta(session, &delta, self.now_ms(), self.clock.monotonic());
                self.step(Input::Delta(session, delta))
            }
            LinkEvent::Message(session, ToDriver::Hello(_)) => {
                self.step(Input::Closed { session, reason: "it said hello twice".to_owned() })
            }
            LinkEvent::Closed(session, reason) => self.step(Input::Closed { session, reason }),
        }
    }

    fn answer(&mut self, answer: Answer) -> Option<Ended> {
        match answer {
            Answer::Started(starts) => self.step(Input::Started(starts)),
            Answer::Failed(reason) => Some(Ended::Finished(Outcome::Failed(reason))),
            Answer::Looked { topics, facts, look } => {
                self.observer.topics(&topics);
                self.step(Input::Looked { facts, look })
            }
            Answer::Committed { positions, refused } => {
                let taken = refused.is_none();
                self.observer.committed(&positions, refused);
                self.step(Input::Committed { taken })
            }
        }
    }

    fn console_event(&mut self, event: ConsoleEvent) -> Option<Ended> {
        match event {
            ConsoleEvent::Printed { end_ms, monotonic, text, .. } => {
                let delay_ms = (self.pace.now_ms(monotonic) - end_ms).max(0);
                let delay = Duration::from_millis(delay_ms.unsigned_abs());
                self.observer.printed(end_ms, delay, monotonic, text);
                self.note(Note::Printed { end_ms, delay });
                None
            }
            ConsoleEvent::Closed { error } => {
                tracing::warn!(%error, "stdout is closed");
                self.stop(CLOSED_DEADLINE)
            }
        }
    }

    fn now_ms(&self) -> Millis {
        self.pace.now_ms(self.clock.monotonic())
    }

    fn step(&mut self, input: Input) -> Option<Ended> {
        let now_ms = self.now_ms();
        if now_ms >= self.corrected_ms.saturating_add(self.slide_ms) {
            self.corrected_ms = now_ms;
            let left_ms = self.pace.correct(self.clock.wall(), self.clock.monotonic());
            self.observer.clock(left_ms);
        }
        let began = self.clock.monotonic();
        let effects = self.state.step(now_ms, input);
        if effects.iter().any(|effect| matches!(effect, Effect::Print(_))) {
            self.observer.closed(began, self.clock.monotonic());
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
                    console.offer(&window);
                    self.observer.skipped(console.skipped());
                }
                self.observer.window(&window, &self.state, self.pace.now_ms(self.clock.monotonic()));
            }
            Effect::Slide(report) => self.note(Note::Slide(report)),
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

    async fn finish(mut self, mut answers: mpsc::UnboundedReceiver<Answer>) {
        self.links.end_all("the job is over");
        drop(self.broker);
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
