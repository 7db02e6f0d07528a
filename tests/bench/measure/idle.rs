//! What a job costs that has nothing to count.

use crate::arguments::Idle;
use crate::run::{Run, Shape};
use crate::statistics::{Sample, millis, row, say};
use crate::topic::Live;

/// Slides until everything is set up and quiet.
const SETTLED: usize = 3;

pub(crate) fn run(arguments: &Idle) -> anyhow::Result<()> {
    let Idle { place, slides, .. } = arguments;
    let topic = Live::create(&place.brokers, "idle")?;
    let shape = Shape {
        brokers: &place.brokers,
        topic: topic.name(),
        from_earliest: false,
        slide_ms: 1_000,
        slides: 300,
        checkpoint: None,
    };
    let run = Run::start(&place.spindle, &shape)?;
    run.skip(SETTLED)?;
    let mut per_slide = Sample::default();
    for round in 1..=place.rounds {
        let before = run.usage()?;
        run.skip(*slides)?;
        let used = run.usage()?.since(before);
        let [driver, executors] = [used.driver, used.executors].map(|cpu| millis(cpu) / *slides as f64);
        say(&format!("round {round}: driver {driver:.2}, executors {executors:.2} ms per slide"));
        per_slide.add(driver + executors);
    }
    let memory = run.memory()?;
    let cpu = row(
        "Idle job, slide of 1 s: CPU per slide, driver + 2 executors",
        &format!("at most {:.0} ms", arguments.cpu_max_ms),
        &format!("{} ms", per_slide.show(2)),
        per_slide.median() <= arguments.cpu_max_ms,
    );
    let held = row(
        "Idle job: memory of driver + 2 executors",
        &format!("at most {:.0} MB", arguments.memory_max_mb),
        &format!(
            "{:.0} MB at the end, pages that processes share counted once; peaks of resident sizes added up: {:.0} MB",
            memory.shared_once_mb, memory.peak_mb
        ),
        memory.shared_once_mb <= arguments.memory_max_mb,
    );
    cpu.and(held)
}
