//! Performs scenario commands on the production driver state and clock.

use std::collections::BTreeMap;
use std::time::Duration;

use spindle::count::{Pairs, Ring};
use spindle::driver::pace::{ClockChange, Correction, Pace};
use spindle::driver::state::{CommitAnswer, Durability, Effect, Input, Resumed, Settings, State};
use spindle::ids::{CutNumber, Generation, Millis, Session, Slot};
use spindle::wire::message::{Counts, Delta};

use super::format;
use super::parse::{self, Words};

/// One scenario under way.
#[derive(Debug, Default)]
pub(super) struct Player {
    state: Option<State>,
    attempt: u32,
    /// The last end that earlier attempts made durable.
    after_ms: Option<Millis>,
    /// What was counted in its last slide.
    after: Vec<u8>,
    now_ms: Millis,
    pace: Option<Pace>,
    connections: BTreeMap<(Slot, Generation), u64>,
    opened: u64,
    /// The last look that was asked for.
    look: u64,
}

impl Player {
    /// Performs one command; returns the lines that come out.
    pub(super) fn perform(&mut self, command: &str) -> Vec<String> {
        let (verb, mut words) = Words::of(command);
        match verb {
            "new" => self.begin(words),
            "at" => {
                self.now_ms = parse::number(words.first());
                Vec::new()
            }
            "wait" => self.wait(parse::number(words.first())),
            "tick" => self.step(Input::Tick),
            "counts" | "delta" | "answer" => self.answer(verb, words),
            "owners" => self.owners(),
            "pace" => self.pace(words),
            _ => {
                let input = self.input(verb, words);
                self.step(input)
            }
        }
    }

    fn begin(&mut self, mut words: Words<'_>) -> Vec<String> {
        let mut or = |name: &str, default: i64| words.take(name).unwrap_or(default);
        self.now_ms = or("now", 10_200);
        self.attempt = or("attempt", 1) as u32;
        let settings = Settings {
            attempt: self.attempt,
            slide_ms: or("slide", 1_000),
            length_ms: or("length", 3_000),
            top: or("top", 10) as usize,
            executors: or("executors", 1) as u32,
            timeout_ms: or("timeout", 5_000),
            straggler_ms: or("straggler", 10_000),
            memory_bytes: or("memory", 64 << 20) as usize,
            skip_lost: words.flag("skip_lost"),
            by_pattern: words.flag("by_pattern"),
            checkpoint: words.take("queue").map(|slides| Durability {
                wait: words.flag("keep_first"),
                queue_slides: slides as usize,
                queue_bytes: 64 << 20,
            }),
            snapshots: None,
            report_slides: false,
            seed: 1,
        };
        self.after_ms = words.take("after");
        if words.flag("keys") {
            (self.after, _) = parse::block(&words.rest());
        } else {
            assert!(words.rest().is_empty(), "every setting is known");
        }
        self.state = Some(State::new(settings, self.now_ms));
        self.step(Input::Tick)
    }

    fn state(&mut self) -> &mut State {
        self.state.as_mut().expect("a scenario begins with new")
    }

    fn step(&mut self, input: Input) -> Vec<String> {
        let now_ms = self.now_ms;
        let mut effects = self.state().step(now_ms, input);
        effects.extend(self.state().settle());
        let looks = effects.iter().filter_map(|effect| match effect {
            Effect::Look(look) => Some(*look),
            _ => None,
        });
        self.look = looks.max().unwrap_or(self.look);
        effects.iter().flat_map(format::effect).collect()
    }

    /// Lets time pass, with a tick whenever one is wanted.
    fn wait(&mut self, until_ms: Millis) -> Vec<String> {
        let mut lines = Vec::new();
        for ticks in 0.. {
            let wake_ms = self.state().wake_ms();
            if wake_ms > until_ms {
                break;
            }
            assert!(ticks < 1_000, "it wants to be woken at {wake_ms} for ever");
            self.now_ms = self.now_ms.max(wake_ms);
            lines.extend(self.step(Input::Tick).into_iter().map(|line| format!("{wake_ms} {line}")));
        }
        self.now_ms = until_ms;
        lines
    }

    fn session(&self, word: &str) -> Session {
        let (slot, generation, connection) = parse::executor(word);
        let last = self.connections.get(&(slot, generation)).copied();
        Session { slot, generation, connection: connection.or(last).unwrap_or_default() }
    }

    fn input(&mut self, verb: &str, mut words: Words<'_>) -> Input {
        let reason = |words: Words<'_>| words.rest().join(" ");
        match verb {
            "started" => Input::Started {
                starts: words.rest().into_iter().map(parse::start).collect(),
                asked_ms: self.now_ms,
                resumed: self.after_ms.map(|end_ms| resumed(end_ms, &self.after)),
            },
            "looked" => {
                let unclear = if words.flag("unclear") { vec!["t".into()] } else { Vec::new() };
                let facts = words.rest().into_iter().map(parse::facts).collect();
                Input::Looked { look: self.look, facts, unclear }
            }
            "look_failed" => Input::LookFailed { look: self.look },
            "open" => {
                let attempt = words.take("attempt").map_or(self.attempt, |attempt| attempt as u32);
                self.opened += 1;
                let (slot, generation, _) = parse::executor(words.first());
                self.connections.insert((slot, generation), self.opened);
                Input::Opened { session: Session { slot, generation, connection: self.opened }, attempt }
            }
            "closed" => Input::Closed { session: self.session(words.first()), reason: reason(words) },
            "alive" => Input::Alive(self.session(words.first())),
            "launched" => {
                let (slot, generation, _) = parse::executor(words.first());
                Input::Launched(slot, generation)
            }
            "exited" => {
                let (slot, generation, _) = parse::executor(words.first());
                Input::Exited { slot, generation, how: reason(words), to_blame: true }
            }
            "scale" => Input::Scale(parse::number(words.first()) as u32),
            "start_kept" => Input::StartKept,
            "kept" => Input::Kept { until_ms: parse::number(words.first()) },
            "base_wanted" => Input::BaseWanted,
            "committed" => Input::Committed(CommitAnswer::Taken),
            "refused" => Input::Committed(CommitAnswer::Refused),
            "commit_failed" => Input::Committed(CommitAnswer::Failed),
            "stop" => Input::Stop { deadline_ms: parse::number(words.first()) },
            _ => panic!("{verb} is no command"),
        }
    }

    /// `counts` is part of a delta, `delta` the delta alone, `answer` both.
    fn answer(&mut self, verb: &str, mut words: Words<'_>) -> Vec<String> {
        let session = self.session(words.first());
        let cut = CutNumber(words.take("cut").expect("cut=").unsigned_abs());
        let announced = words.take("records");
        let (ranges, keys) = words.divide();
        let (block, records) = parse::block(&keys);
        let mut lines = Vec::new();
        if verb == "counts" || (verb == "answer" && records > 0) {
            lines = self.step(Input::Counts(session, Counts { cut, bucket_ms: 0, block }));
        }
        if verb != "counts" {
            let ranges = ranges.into_iter().map(parse::range).collect();
            let records = announced.map_or(records, i64::unsigned_abs);
            lines.extend(
                self.step(Input::Delta(session, Delta { cut, ranges, records, unkeyed: Vec::new() })),
            );
        }
        lines
    }

    fn owners(&mut self) -> Vec<String> {
        let owner = |owner: Option<Session>| owner.map_or("nobody".to_owned(), format::name);
        self.state().owners().map(|(partition, session)| format!("{partition}: {}", owner(session))).collect()
    }

    /// `pace start`, `pace correct`, `pace go_on_from END`, each with `wall=` and `monotonic=`: the clock by itself.
    fn pace(&mut self, mut words: Words<'_>) -> Vec<String> {
        let verb = words.first();
        let mut clock = |name: &str| Duration::from_millis(words.take(name).unwrap_or(0).unsigned_abs());
        let (wall, monotonic) = (clock("wall"), clock("monotonic"));
        let slide_ms = words.take("slide").unwrap_or(1_000);
        let pace = self.pace.get_or_insert_with(|| Pace::start(slide_ms, wall, monotonic));
        match verb {
            "start" => vec![format!("pace {}", pace.now_ms(monotonic))],
            "correct" => {
                let Correction { left_ms, change } = pace.correct(wall, monotonic);
                let label_ms = pace.label_ms(monotonic);
                self.now_ms = pace.now_ms(monotonic);
                let mut lines = vec![format!("pace {label_ms}, wall clock {left_ms:+} ms")];
                match change {
                    Some(ClockChange::Forward { by_ms }) => {
                        lines.push(format!("set forward by {by_ms} ms, which time-outs do not see"));
                        lines.extend(self.step(Input::ClockStepped { by_ms }));
                    }
                    Some(ClockChange::Ahead { by_ms }) => lines.push(format!("ahead by {by_ms} ms")),
                    Some(ClockChange::InStep) => lines.push("in step".to_owned()),
                    None => {}
                }
                lines
            }
            "go_on_from" => {
                let end_ms = parse::number(words.first());
                let Some(by_ms) = pace.go_on_from(end_ms, monotonic) else {
                    return vec!["the next end is waited for".to_owned()];
                };
                let mut lines = vec![format!("ahead by {by_ms} ms")];
                lines.extend(self.step(Input::ClockStepped { by_ms }));
                lines
            }
            _ => panic!("pace {verb}"),
        }
    }
}

/// The window of an earlier attempt whose last slide ended at `end_ms` and held `block`.
fn resumed(end_ms: Millis, block: &[u8]) -> Box<Resumed> {
    let mut ring = Ring::with_seed(1);
    let mut pairs = Pairs::default();
    if !block.is_empty() {
        ring.stage(block, &mut pairs).expect("a block");
    }
    ring.push(end_ms, pairs);
    Box::new(Resumed { ring, end_ms: Some(end_ms), whole: 3, attempt: 1 })
}
