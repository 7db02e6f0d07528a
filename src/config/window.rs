//! `window`: how long, how often, by which time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::Problem;
use super::keypath::KeyPath;
use super::units::{Size, Timespan};

/// The section `window`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Window {
    /// How much a window holds; a multiple of `slide`.
    pub length: Timespan,
    /// How far apart windows are, and the interval between two cuts; at least 10ms.
    pub slide: Timespan,
    /// Which time puts a record into a slide. Only `processing` is built so far.
    pub time: TimeMode,
    /// Event time only, not built yet: how far behind the newest timestamp of its partition a record may be.
    pub lateness: Timespan,
    /// Event time only, not built yet: a partition that is read to its end for so long no longer holds the window back.
    pub idle: Timespan,
}

/// Which time puts a record into a slide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TimeMode {
    /// When it was read, as Spark Streaming.
    #[default]
    Processing,
    /// Its Kafka timestamp. Not built yet: a job that asks for it is refused.
    Event,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            length: Timespan::from_secs(300),
            slide: Timespan::from_secs(1),
            time: TimeMode::Processing,
            lateness: Timespan::from_secs(5),
            idle: Timespan::from_secs(30),
        }
    }
}

/// Shortest slide: below it, a cut costs more than what it counts.
const SLIDE_MS_MIN: u64 = 10;
/// Most slides in a window.
const SLIDES_MAX: u64 = 1_000_000;
/// What an empty slide costs in the driver, at least.
const SLIDE_BYTES_MIN: u64 = 64;

impl Window {
    /// Slides in a full window.
    pub fn slides(&self) -> u64 {
        self.length.ms() / self.slide.ms().max(1)
    }

    pub(super) fn check(&self, at: &KeyPath, driver_memory: Size) -> Result<(), Problem> {
        let (length, slide) = (self.length, self.slide);
        if slide.ms() < SLIDE_MS_MIN {
            return Err(Problem::value(
                at.key("slide"),
                format!("{slide} is too short; at least {SLIDE_MS_MIN}ms"),
            ));
        }
        if length.ms() == 0 || !length.ms().is_multiple_of(slide.ms()) {
            let message =
                format!("{length} is not a multiple of slide ({slide}); {}", nearest_multiple(self));
            return Err(Problem::value(at.key("length"), message));
        }
        self.check_slides(at, driver_memory)?;
        self.check_event_only(at)
    }

    /// Half of the driver's memory is left to keys and counts.
    fn check_slides(&self, at: &KeyPath, driver_memory: Size) -> Result<(), Problem> {
        let slides = self.slides();
        if slides > SLIDES_MAX {
            let message = format!(
                "{} in slides of {} makes {slides} slides, at most {SLIDES_MAX} are kept; take a longer slide",
                self.length, self.slide
            );
            return Err(Problem::value(at.key("length"), message));
        }
        let needed = slides * SLIDE_BYTES_MIN * 2;
        if needed > driver_memory.bytes() {
            let message = format!(
                "{slides} slides do not fit in driver.memory ({driver_memory}) even when empty; \
                 raise it to {}M or take a longer slide",
                needed.div_ceil(1 << 20)
            );
            return Err(Problem::value(at.key("length"), message));
        }
        Ok(())
    }

    fn check_event_only(&self, at: &KeyPath) -> Result<(), Problem> {
        let default = Self::default();
        let only = |key| {
            let message = "belongs to event time (window.time: event), which is not built yet; leave it out";
            Err(Problem::value(at.key(key), message))
        };
        match self.time {
            // Counting such a job by processing time would be a wrong answer, and a quiet one.
            TimeMode::Event => {
                let message = "event time is not built yet, records are counted when they are read; \
                               take processing, or leave it out";
                Err(Problem::value(at.key("time"), message))
            }
            TimeMode::Processing if self.lateness != default.lateness => only("lateness"),
            TimeMode::Processing if self.idle != default.idle => only("idle"),
            TimeMode::Processing => Ok(()),
        }
    }
}

fn nearest_multiple(window: &Window) -> String {
    let slide = window.slide.ms();
    let below = Timespan::from_ms(window.slides().max(1) * slide);
    let above = Timespan::from_ms((window.slides() + 1) * slide);
    if below == above || window.length.ms() < slide {
        format!("take {below}")
    } else {
        format!("take {below} or {above}")
    }
}
