//! From the end of a slide to the last byte of its window on the pipe, while records arrive; and memory meanwhile.

use super::{Producer, fill};
use crate::arguments::Tick;
use crate::run::{Run, Shape};
use crate::statistics::{Sample, row, say};
use crate::topic::Live;

/// A window that takes so many times what is allowed is told by its name, to be found in logs.
const SLOW: f64 = 10.0;

pub(crate) fn run(arguments: &Tick) -> anyhow::Result<()> {
    let Tick { place, stream, rate, slide_ms, slides, ticks, .. } = arguments;
    let topic = Live::create(&place.brokers, "tick")?;
    let shape = Shape {
        brokers: &place.brokers,
        topic: topic.name(),
        from_earliest: false,
        slide_ms: *slide_ms,
        slides: *slides,
        checkpoint: None,
    };
    let run = Run::start(&place.spindle, &shape)?;
    run.window()?;
    let _producer = Producer::start(&place.brokers, topic.name(), *rate, stream)?;
    fill(&run)?;
    let before = run.usage()?;
    let mut latency = Sample::default();
    let (mut total, mut distinct) = (0, 0);
    for _ in 0..*ticks {
        let window = run.window()?;
        latency.add(window.latency_ms());
        if window.latency_ms() > SLOW * arguments.p99_max_ms {
            say(&format!("window {} came after {:.1} ms", window.end_ms(), window.latency_ms()));
        }
        (total, distinct) = (window.total, window.distinct);
    }
    let used = run.usage()?.since(before);
    let per_tick = |cpu: std::time::Duration| cpu.as_secs_f64() * 1_000.0 / *ticks as f64;
    let shape = format!("{rate} records/s, {distinct} keys in {slides} slides of {slide_ms} ms");
    say(&format!(
        "{shape}: window of {total} records; CPU per tick: driver {:.2} ms, executors {:.2} ms",
        per_tick(used.driver),
        per_tick(used.executors)
    ));
    let memory = run.memory()?;
    let p99 = latency.quantile(0.99);
    let ticked = row(
        &format!("Slide end to last byte printed ({shape})"),
        &format!("p99 at most {:.0} ms", arguments.p99_max_ms),
        &format!(
            "p50 {:.2}, p99 {p99:.2}, max {:.2} ms of {ticks} ticks",
            latency.quantile(0.5),
            latency.max()
        ),
        p99 <= arguments.p99_max_ms,
    );
    let Some(max_mb) = arguments.memory_max_mb else { return ticked };
    let held = row(
        &format!("Memory of driver + 2 executors ({shape})"),
        &format!("at most {max_mb:.0} MB"),
        &format!(
            "{:.0} MB at the end, pages that processes share counted once; peaks of resident sizes added up: {:.0} MB",
            memory.shared_once_mb, memory.peak_mb
        ),
        memory.shared_once_mb <= max_mb,
    );
    ticked.and(held)
}
