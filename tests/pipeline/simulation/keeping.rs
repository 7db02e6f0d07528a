//! The checkpoint around the driver: writes that take their time, a store that is away, what an earlier attempt left.

use spindle::checkpoint::{Because, Facts, Force, Owner, Slide, State, Verdict, judge};
use spindle::driver::state::{Input, Resumed};
use spindle::ids::Millis;

use super::happening::Happening;
use super::life::{Life, Stage};
use super::world::{Phase, World};
use super::writer::{Writer, Written};

impl World {
    pub(super) fn keep(&mut self, slide: Box<Slide>) {
        self.life.writer.as_mut().expect("a base comes before the first slide").slide(slide);
        self.write();
    }

    /// The first base begins the writing.
    pub(super) fn keep_base(&mut self, state: Box<State>) {
        let roll_slides = self.random.between(1, 12) as usize;
        let Life { stage, settings, writer, oracle, .. } = &mut self.life;
        if let Stage::Recovered(epoch) = *stage {
            let last = oracle.ledger.entries.len() as u64;
            let lengths = (settings.slide_ms, settings.length_ms);
            *writer = Some(Writer::new(epoch, &self.disk, last, lengths, roll_slides));
            *stage = Stage::Running;
        }
        self.life.writer.as_mut().expect("it has claimed the checkpoint").base(state);
        self.write();
    }

    /// Begins the next write, if there is anything to be written.
    pub(super) fn write(&mut self) {
        let Some(writer) = &mut self.life.writer else { return };
        let (writes, beside) = writer.begin();
        if writes {
            let delay_ms = self.write_ms();
            self.after(delay_ms, Happening::Written);
        }
        if beside {
            let delay_ms = 3 * self.write_ms();
            self.after(delay_ms, Happening::Based);
        }
    }

    fn write_ms(&mut self) -> Millis {
        let long = self.phase == Phase::Faults && self.random.one_in(10);
        if long { self.some_ms(100, 3_000) } else { self.some_ms(1, 60) }
    }

    pub(super) fn written(&mut self) {
        let Some(writer) = &mut self.life.writer else { return };
        let written = writer.written(&mut self.disk, &mut self.random);
        let again = writer.is_writing();
        self.record(&written);
        match written {
            Written::Durable { until_ms, base_wanted } => {
                self.tell(Input::Kept { until_ms });
                if base_wanted {
                    self.tell(Input::BaseWanted);
                }
                self.write();
            }
            Written::Based => {
                self.tell(Input::StartKept);
                self.write();
            }
            Written::Failed => {
                let delay_ms = self.some_ms(100, 1_500);
                self.after(delay_ms, if again { Happening::Written } else { Happening::WriteAgain });
            }
            Written::Fenced => {
                // What is already on its way to the driver comes first.
                self.after(2, Happening::Fenced);
            }
        }
    }

    /// This attempt is over, and knows it.
    pub(super) fn fenced(&mut self) {
        let newest = self.others.keys().all(|number| *number < self.life.number);
        assert!(!newest, "nobody has taken over");
        self.fenced += 1;
        self.end_life();
    }

    /// The driver's loop hears of it a moment later, in order.
    fn tell(&mut self, input: Input) {
        self.after(1, Happening::Driver(input));
    }

    pub(super) fn based(&mut self) {
        let Some(writer) = &mut self.life.writer else { return };
        if writer.based(&mut self.disk) {
            self.tell(Input::StartKept);
        }
    }

    /// Claims the checkpoint, reads it, resolves the start: a step at a time, and anything may happen between.
    pub(super) fn open(&mut self) {
        if self.disk.away {
            let delay_ms = self.some_ms(100, 1_000);
            self.after(delay_ms, Happening::Open);
            return;
        }
        if self.phase == Phase::Faults && self.random.one_in(8) && self.fails_to_open() {
            return;
        }
        match self.life.stage {
            Stage::Opening => self.claim(),
            Stage::Claimed(epoch) => {
                self.life.stage = Stage::Recovered(epoch);
                self.recover(epoch);
            }
            Stage::Recovered(_) => {
                self.resolve();
                return;
            }
            Stage::Running | Stage::Over => return,
        }
        let delay_ms = self.some_ms(1, 400);
        self.after(delay_ms, Happening::Open);
    }

    /// A call of the open fails, and passes: all of it is tried again. False if it is over.
    fn fails_to_open(&mut self) -> bool {
        if !matches!(self.life.stage, Stage::Opening | Stage::Claimed(_)) {
            return false;
        }
        self.record(&"the open fails");
        self.life.stage = Stage::Opening;
        let delay_ms = self.some_ms(100, 1_500);
        self.after(delay_ms, Happening::Open);
        true
    }

    /// By production's rules. Earlier attempts are fenced, and what they were writing is there or not.
    fn claim(&mut self) {
        let ours = self.owner(self.life.number);
        let earlier = |owner: &Owner| self.number_of(owner) < self.life.number;
        // An application that was submitted later has been told to take over.
        let force = if self.disk.owner().is_none_or(earlier) { Force::TakeOver } else { Force::No };
        let slide_ms = self.life.settings.slide_ms;
        let facts = Facts { ended: None, watched_ms: 0, grew: true, slide_ms };
        let verdict = judge(self.disk.owner(), &ours, force, facts);
        let Verdict::Take(because) = verdict else {
            let later = self.others.keys().any(|number| *number > self.life.number);
            assert!(later, "{verdict:?}, although it is the newest: {:?}", self.disk.owner());
            self.record(&verdict);
            self.end_life();
            return;
        };
        for writer in self.others.values_mut().filter_map(|life| life.writer.as_mut()) {
            writer.cut_short(&mut self.disk, &mut self.random);
        }
        if because == Because::Claimed {
            self.count("went on with its own claim");
        }
        let epoch = self.disk.claim(ours, because == Because::Claimed);
        self.record(&("claimed", because, epoch));
        self.life.stage = Stage::Claimed(epoch);
    }

    /// What an attempt says of itself.
    fn owner(&self, number: usize) -> Owner {
        let life = if number == self.life.number { &self.life } else { &self.others[&number] };
        let word = |word: &str| word.to_owned();
        Owner {
            app: format!("application {}", life.application),
            attempt: life.settings.attempt,
            job: word("t"),
            host: word("h"),
            pid: 1,
            version: word("0"),
            config: word("c"),
            since_ms: 0,
            process: Some(number.to_string()),
        }
    }

    fn number_of(&self, owner: &Owner) -> usize {
        owner.process.as_ref().and_then(|process| process.parse().ok()).expect("an attempt's number")
    }

    /// Reads what earlier attempts left, which must be what their books say.
    fn recover(&mut self, epoch: u64) {
        if self.disk.is_fenced(epoch) {
            // What it would read may be deleted under its hands.
            self.end_life();
            return;
        }
        let damages = self.random.one_in(4);
        let damage = damages.then_some(&mut self.random);
        let recovered = self.disk.recover(epoch, self.life.settings.seed, damage);
        let found = recovered.as_ref().map(|found| (found.slide, found.end_ms, found.attempt));
        self.record(&("recovered", found));
        let earlier = self.others.range(..self.life.number).map(|(_, life)| life);
        let before = earlier.rev().find(|life| !life.oracle.ledger.starts.is_empty());
        let Some(mut recovered) = recovered else {
            let kept = before.is_some_and(|life| life.oracle.ledger.start_kept);
            assert!(!kept, "a start that was durable is gone");
            return;
        };
        let before = before.expect("only an attempt that had begun left something");
        self.life.oracle = before.oracle.resumed(&mut recovered, &self.logs);
        self.life.oracle.ledger.rules = self.life.settings.checkpoint;
        self.resumed += usize::from(recovered.end_ms.is_some());
        self.life.recovered = Some(Box::new(recovered));
    }

    /// The window to go on with.
    pub(super) fn take_resumed(&mut self) -> Option<Box<Resumed>> {
        let found = *self.life.recovered.take()?;
        let (ring, end_ms) = (found.ring, found.end_ms);
        Some(Box::new(Resumed { ring, end_ms, whole: found.whole, attempt: found.attempt }))
    }
}
