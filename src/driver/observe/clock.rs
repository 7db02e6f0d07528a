//! What people are told when the wall clock is set.

use super::Observer;
use crate::driver::pace::{ClockChange, Correction};
use crate::ids::Millis;

impl Observer {
    /// The wall clock was looked at.
    pub(in crate::driver) fn clock(&mut self, correction: Correction) {
        let ahead_ms = -correction.left_ms;
        self.metrics.clock_offset_ms(ahead_ms);
        match correction.change {
            Some(ClockChange::Forward { by_ms }) => {
                let seconds = seconds(by_ms);
                tracing::warn!(
                    "the wall clock was set forward by {seconds} s; windows are named by it from now on, and none is \
                     complete until a window length has passed"
                );
                self.ahead_ms = None;
            }
            Some(ClockChange::Ahead { by_ms }) => {
                let seconds = seconds(by_ms);
                tracing::warn!(
                    "the wall clock was set back; windows go on and are named {seconds} s ahead of it, by a hundredth \
                     of a slide less with each"
                );
                self.ahead_ms = Some(ahead_ms);
            }
            Some(ClockChange::InStep) => {
                tracing::info!("windows are named by the wall clock again");
                self.ahead_ms = None;
            }
            None => self.ahead_ms = self.ahead_ms.map(|_| ahead_ms),
        }
    }

    /// A restart goes on from a window that ends so much ahead of the wall clock.
    pub(in crate::driver) fn goes_on_ahead(&mut self, ahead_ms: Millis) {
        self.ahead_ms = Some(ahead_ms);
        if let Some(trouble) = self.clock_trouble() {
            tracing::warn!("{trouble}");
            self.attend_before_windows(trouble);
        }
    }

    /// `--relabel` has put window ends back.
    pub(in crate::driver) fn relabeled(&self, by_ms: Millis) {
        let seconds = seconds(by_ms);
        tracing::warn!(
            "--relabel: window ends of the checkpoint are put back by {seconds} s, to the wall clock; the first window \
             waits until snapshots show everything under the old ends, and they go on after the newest of these"
        );
    }

    /// What is wrong with the names of windows.
    pub(super) fn clock_trouble(&self) -> Option<String> {
        let seconds = seconds(self.ahead_ms?);
        let way_out = match self.checkpoint {
            Some(_) => "; submit it again with --from checkpoint --relabel to put them right",
            None => "",
        };
        Some(format!("windows are named {seconds} s ahead of the wall clock, which was set back{way_out}"))
    }
}

/// Rounded up.
fn seconds(ms: Millis) -> Millis {
    (ms + 999).div_euclid(1_000)
}
