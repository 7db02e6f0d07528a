//! CPU per record of driver and executors, against a program that only counts messages.

use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::arguments::{Cpu, Place};
use crate::process;
use crate::produce;
use crate::run::{Run, Shape};
use crate::statistics::{Sample, row, say};

/// The replaced job's slide.
const SLIDE_MS: u64 = 1_000;
const SLIDES: u64 = 300;

pub(crate) fn run(arguments: &Cpu) -> anyhow::Result<()> {
    let Cpu { place, records, stream, .. } = arguments;
    let topic = produce::preloaded(&place.brokers, *records, stream)?;
    let (mut spindle, mut baseline, mut two) = (Sample::default(), Sample::default(), Sample::default());
    for round in 1..=place.rounds {
        let one_client = count_only(place, &topic, *records, 1)?;
        let two_clients = count_only(place, &topic, *records, 2)?;
        let whole = pipeline(place, &topic, *records)?;
        say(&format!(
            "round {round}: spindle {whole:.3}, baseline {one_client:.3}, with two clients {two_clients:.3} CPU s per M"
        ));
        spindle.add(whole);
        baseline.add(one_client);
        two.add(two_clients);
    }
    // One client is slower or faster than two, depending on how the machine schedules its threads.
    let best = baseline.median().min(two.median());
    let ratio = spindle.median() / best;
    row(
        &format!(
            "CPU s per million records, driver + 2 executors ({records} records of 100 B, {} keys)",
            stream.keys
        ),
        &format!("at most {:.1} x a program that only counts messages", arguments.ratio_max),
        &format!(
            "{ratio:.2} x: {} against the better of {} with one client and {} with two",
            spindle.show(3),
            baseline.show(3),
            two.show(3)
        ),
        ratio <= arguments.ratio_max,
    )
}

fn count_only(place: &Place, topic: &str, records: u64, clients: usize) -> anyhow::Result<f64> {
    let this = std::env::current_exe().context("find this program")?;
    let child = Command::new(this)
        .args(["count-only", "--brokers", &place.brokers, "--topic", topic])
        .args(["--records", &records.to_string(), "--clients", &clients.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .context("start the baseline")?;
    per_million(process::finish(child)?, records)
}

/// The whole life of a job that reads the topic from its beginning to its end.
fn pipeline(place: &Place, topic: &str, records: u64) -> anyhow::Result<f64> {
    let shape = Shape {
        brokers: &place.brokers,
        topic,
        from_earliest: true,
        slide_ms: SLIDE_MS,
        slides: SLIDES,
        checkpoint: None,
    };
    let run = Run::start(&place.spindle, &shape)?;
    loop {
        let window = run.window()?;
        if window.read_until().unsigned_abs() >= records {
            if window.total != records {
                bail!("the window counts {} records, {records} were read", window.total);
            }
            return per_million(run.stop()?, records);
        }
    }
}

fn per_million(cpu: std::time::Duration, records: u64) -> anyhow::Result<f64> {
    Ok(cpu.as_secs_f64() / records as f64 * 1e6)
}
