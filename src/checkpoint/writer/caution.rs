//! Whether a DataNode seems to hang: logs then begin with one copy, now and then one with all is tried. Part of the
//! writer.

use crate::store::Copies;

/// Slides that go into logs with one copy, the first time; each failure of the usual way doubles it.
const FIRST: u64 = 30;
/// At most so many.
const MOST: u64 = 600;

/// How logs are opened.
#[derive(Debug)]
pub(super) struct Caution {
    /// Slides that are still to go into logs with one copy.
    left: u64,
    /// How many it will be at the next failure.
    next: u64,
    /// Slides that the usual way has taken since it last failed.
    well: u64,
}

impl Default for Caution {
    fn default() -> Self {
        Self { left: 0, next: FIRST, well: 0 }
    }
}

impl Caution {
    /// How the next log begins.
    pub(super) fn copies(&self) -> Copies {
        if self.left > 0 { Copies::One } else { Copies::Usual }
    }

    /// A log failed.
    pub(super) fn failed(&mut self, copies: Copies) {
        if copies == Copies::Usual {
            (self.left, self.next) = (self.next, (self.next * 2).min(MOST));
        }
        self.well = 0;
    }

    /// A log took slides; true if the next one is to begin another way.
    pub(super) fn took(&mut self, copies: Copies, slides: u64) -> bool {
        match copies {
            Copies::One => {
                self.left = self.left.saturating_sub(slides);
                self.left == 0
            }
            Copies::Usual => {
                self.well = self.well.saturating_add(slides);
                if self.well >= MOST {
                    self.next = FIRST;
                }
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_way_is_tried_again_later_and_later() {
        let mut caution = Caution::default();
        let mut waits = Vec::new();
        for _ in 0..7 {
            assert_eq!(caution.copies(), Copies::Usual);
            caution.failed(Copies::Usual);
            let mut slides = 1;
            while !caution.took(Copies::One, 1) {
                assert_eq!(caution.copies(), Copies::One);
                caution.failed(Copies::One);
                slides += 1;
            }
            waits.push(slides);
        }
        assert_eq!(waits, [30, 60, 120, 240, 480, 600, 600]);
        assert!(!caution.took(Copies::Usual, MOST));
        caution.failed(Copies::Usual);
        assert!(caution.took(Copies::One, FIRST), "what was well for long begins anew");
    }
}
