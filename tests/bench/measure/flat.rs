//! CPU per slide of a long window against a short one: two jobs on one stream at the same time, so that both see
//! the same machine.

use super::{Producer, fill};
use crate::arguments::Flat;
use crate::process::Usage;
use crate::run::{Run, Shape};
use crate::statistics::{Sample, millis, row, say};
use crate::topic::Live;

pub(crate) fn run(arguments: &Flat) -> anyhow::Result<()> {
    let Flat { place, stream, rate, slide_ms, short, long, ticks, .. } = arguments;
    let topic = Live::create(&place.brokers, "flat")?;
    let start = |slides| {
        let (brokers, topic) = (place.brokers.as_str(), topic.name());
        let shape =
            Shape { brokers, topic, from_earliest: false, slide_ms: *slide_ms, slides, checkpoint: None };
        Run::start(&place.spindle, &shape)
    };
    let (brief, extended) = (start(*short)?, start(*long)?);
    brief.window()?;
    extended.window()?;
    let _producer = Producer::start(&place.brokers, topic.name(), *rate, stream)?;
    fill(&extended)?;
    let per_tick = |used: Usage| (millis(used.driver) / *ticks as f64, millis(used.all()) / *ticks as f64);
    let (mut all, mut drivers) =
        ((Sample::default(), Sample::default()), (Sample::default(), Sample::default()));
    for round in 1..=place.rounds {
        let before = (brief.usage()?, extended.usage()?);
        extended.skip(*ticks)?;
        let used = (brief.usage()?.since(before.0), extended.usage()?.since(before.1));
        let ((brief_driver, brief_all), (long_driver, long_all)) = (per_tick(used.0), per_tick(used.1));
        say(&format!(
            "round {round}: {short} slides {brief_all:.2} ms, {long} slides {long_all:.2} ms per tick; drivers {brief_driver:.2}, {long_driver:.2}"
        ));
        all.0.add(brief_all);
        all.1.add(long_all);
        drivers.0.add(brief_driver);
        drivers.1.add(long_driver);
    }
    let ratio = all.1.median() / all.0.median();
    row(
        &format!(
            "CPU per slide of {slide_ms} ms, window of {long} slides against {short} ({rate} records/s, {} keys)",
            stream.keys
        ),
        &format!("at most {:.2} x", arguments.ratio_max),
        &format!(
            "{ratio:.2} x: {} against {} ms; driver alone {} against {} ms",
            all.1.show(2),
            all.0.show(2),
            drivers.1.show(2),
            drivers.0.show(2)
        ),
        ratio <= arguments.ratio_max,
    )
}
