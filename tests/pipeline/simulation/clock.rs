//! The driver's clock over a wall clock that somebody sets: production's pace, looked at as the driver's loop does.

use spindle::driver::pace::ClockChange;
use spindle::driver::state::Input;
use spindle::ids::Millis;

use super::life::at;
use super::world::World;

impl World {
    /// What the driver's clock shows.
    pub(crate) fn drivers_ms(&self) -> Millis {
        self.life.pace.now_ms(at(self.now_ms))
    }

    /// The time that the driver names windows by.
    pub(crate) fn label_ms(&self) -> Millis {
        self.life.pace.label_ms(at(self.now_ms))
    }

    /// As the driver's loop does, once per slide.
    pub(super) fn look_at_the_clock(&mut self) {
        let now = at(self.now_ms);
        if self.now_ms >= self.life.corrected_ms + self.life.pace.look_every_ms() {
            let correction = self.life.pace.correct(at(self.now_ms + self.life.wall_ahead_ms), now);
            self.life.corrected_ms = self.now_ms;
            if let Some(change) = correction.change {
                self.count(match change {
                    ClockChange::Forward { .. } => "clock set forward",
                    ClockChange::Ahead { .. } => "clock set back",
                    ClockChange::InStep => "clock in step again",
                });
            }
            if let Some(ClockChange::Forward { by_ms }) = correction.change {
                self.give(Input::ClockStepped { by_ms });
            }
        }
        self.life.oracle.ahead_ms = self.label_ms() - self.now_ms;
    }

    /// As the driver's loop does when the last durable end is ahead of its clock.
    pub(super) fn go_on_from(&mut self, end_ms: Millis) {
        if let Some(by_ms) = self.life.pace.go_on_from(end_ms, at(self.now_ms)) {
            self.record(&("labels go on ahead", by_ms));
            self.count("went on ahead of its clock");
            self.drive(Input::ClockStepped { by_ms });
        }
    }
}
