//! What a producer costs that reads a live stream: CPU at a steady rate, memory when nothing comes.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use spindle::clock::Clock;

use crate::arguments::Live;
use crate::process::{self, Memory, Usage};
use crate::statistics::{Sample, row, say};
use crate::stub::{Archive, Speaks, Step, Stub};
use crate::topic;

/// Posts per second, in bursts of 10 ms.
const RATE: u64 = 2_000;
/// Until everything is set up.
const SETTLED: Duration = Duration::from_secs(3);
/// One round.
const ROUND: Duration = Duration::from_secs(5);

pub(crate) fn run(arguments: &Live) -> anyhow::Result<()> {
    let Live { place, core_max, memory_max_mb } = arguments;
    let seconds = SETTLED.as_secs() + ROUND.as_secs() * place.rounds as u64 + 5;
    let mut archive = Archive::of(RATE * seconds, 1);
    let begin_us = archive.samples.first().map_or(0, |sample| sample.time_us);
    for sample in &mut archive.samples {
        sample.time_us = begin_us + sample.n * 1_000_000 / RATE;
        sample.text = format!("post {} {}", sample.n, "about the weather and nothing else ".repeat(7));
    }
    let producer = Producer::start(arguments, archive, vec![Step::Accept, Step::Rest(20), Step::Silence])?;
    wait(SETTLED);
    let mut shares = Sample::default();
    for round in 1..=place.rounds {
        let (clock, before) = (Clock::start(), Usage::of(producer.child.id())?);
        wait(ROUND);
        let used = Usage::of(producer.child.id())?.since(before);
        let share = used.all().as_secs_f64() / clock.monotonic().as_secs_f64() * 100.0;
        say(&format!("round {round}: {share:.2} % of a core"));
        shares.add(share);
    }
    drop(producer);
    let cpu = row(
        &format!("Jetstream at {RATE} posts/s to Kafka: CPU of the producer"),
        &format!("at most {core_max} % of a core"),
        &format!("{} %", shares.show(2)),
        shares.median() <= *core_max,
    );
    let producer = Producer::start(arguments, Archive::of(1, 1), vec![Step::Accept, Step::Silence])?;
    wait(SETTLED);
    let memory = Memory::of(producer.child.id())?;
    let held = row(
        "Idle producer: memory",
        &format!("at most {memory_max_mb:.0} MB"),
        &format!("{:.1} MB, peak of the resident size {:.1} MB", memory.shared_once_mb, memory.peak_mb),
        memory.shared_once_mb <= *memory_max_mb,
    );
    cpu.and(held)
}

/// A producer under way. Ends with this value.
struct Producer {
    child: Child,
    _stub: Stub,
    _topic: topic::Live,
    _dir: tempfile::TempDir,
}

impl Producer {
    fn start(arguments: &Live, archive: Archive, steps: Vec<Step>) -> anyhow::Result<Self> {
        let stub = Stub::start(Speaks::JetstreamV2(archive), vec![steps]);
        let topic = topic::Live::create(&arguments.place.brokers, "live")?;
        let dir = tempfile::tempdir().context("make a directory for the cursor")?;
        let text = format!(
            "source: {{jetstream: {{hosts: [\"ws://{}\"], fallback: []}}}}\n\
             keywords: {{list: [Bitcoin, Blockchain, IoT, 5G]}}\n\
             kafka: {{brokers: [\"{}\"], topic: {}}}\n\
             cursor: {{path: \"file://{}/cursor\"}}\n",
            stub.address(),
            arguments.place.brokers,
            topic.name(),
            dir.path().display()
        );
        let file = dir.path().join("producer.yaml");
        std::fs::write(&file, text).context("write the producer file")?;
        let mut command = Command::new(&arguments.place.spindle);
        command.arg("produce").arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self {
            child: command.spawn().context("start the producer")?,
            _stub: stub,
            _topic: topic,
            _dir: dir,
        })
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        process::terminate(&self.child);
        let _ = self.child.wait();
    }
}

fn wait(time: Duration) {
    let clock = Clock::start();
    while let Some(left) = time.checked_sub(clock.monotonic()).filter(|left| !left.is_zero()) {
        std::thread::park_timeout(left);
    }
}
