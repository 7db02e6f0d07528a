//! From `spindle submit` to the first window of a job on YARN, by step; and what its containers hold when idle.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::arguments::Yarn;
use crate::containers;
use crate::statistics::{Sample, row, say};
use crate::topic::Live;

/// Log lines that end a step, in their order, with what they say of it.
const STEPS: [(&str, &str); 4] = [
    ("submitted,", "submitted"),
    ("application master is registered", "driver registered"),
    ("first window", "first window"),
    ("ended: SUCCEEDED", ""),
];

/// Heartbeats and windows come by the second, and a round begins when the one before has ended, by them: without a
/// pause all would meet them in one phase. Multiples of the golden section are spread evenly over a second.
const BETWEEN_S: f64 = 0.618_034;

pub(crate) fn run(arguments: &Yarn) -> anyhow::Result<()> {
    let topic = Live::create(&arguments.place.brokers, "yarn")?;
    let dir = tempfile::tempdir().context("make a directory")?;
    let job = dir.path().join("job.yaml");
    let brokers =
        std::env::var("SPINDLE_KAFKA_NODES").context("SPINDLE_KAFKA_NODES: the broker, for containers")?;
    let text = format!(
        "name: {}\nsource: {{brokers: ['{brokers}'], topics: [{}], group: bench}}\n",
        topic.name(),
        topic.name()
    );
    fs::write(&job, text).context("write a job file")?;
    let mut steps: BTreeMap<&str, Sample> = BTreeMap::new();
    let (mut master, mut executor) = (Sample::default(), Sample::default());
    // The first one puts program and jar into the staging directory and onto the nodes.
    for round in 0..=arguments.place.rounds {
        thread::park_timeout(Duration::from_secs_f64((round as f64 * BETWEEN_S).fract()));
        let mut command = Command::new(&arguments.place.spindle);
        command.args(["submit", "--master", "yarn"]).arg(&job).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut client = command.spawn().context("start spindle submit")?;
        let took = follow(&mut client, round > 0, &mut master, &mut executor)?;
        client.wait().context("wait for spindle submit")?;
        say(&format!("round {round}: {took:?} s"));
        if round > 0 {
            took.iter().for_each(|(step, ms)| steps.entry(step).or_default().add(*ms));
        }
    }
    let shown =
        |step: &str| steps.get(step).map_or_else(String::new, |sample| format!("{} s", sample.show(1)));
    let first = &steps["first window"];
    let started = row(
        "From spindle-submit to the first printed window, on YARN",
        &format!("at most {:.0} s", arguments.start_max_s),
        &format!(
            "{}; submitted after {}, driver registered after {}",
            shown("first window"),
            shown("submitted"),
            shown("driver registered")
        ),
        first.median() <= arguments.start_max_s,
    );
    let held = row(
        "Idle job on YARN: resident memory of the application master's container (JVM and driver), of an executor",
        &format!("at most {:.0} and {:.0} MB", arguments.master_max_mb, arguments.executor_max_mb),
        &format!("{} and {} MB", master.show(0), executor.show(0)),
        master.max() <= arguments.master_max_mb && executor.max() <= arguments.executor_max_mb,
    );
    started.and(held)
}

/// Reads the client's log to its end; once there is a window, looks at the containers and stops the job.
fn follow(
    client: &mut Child,
    measured: bool,
    master: &mut Sample,
    executor: &mut Sample,
) -> anyhow::Result<Vec<(&'static str, f64)>> {
    let log = BufReader::new(client.stderr.take().context("its log")?);
    let (mut took, mut id) = (Vec::new(), String::new());
    for line in log.lines() {
        let line = line.context("read its log")?;
        if let Some(submitted) = line.strip_prefix("Submitted application ") {
            submitted.clone_into(&mut id);
        }
        let Some((_, step)) = STEPS.iter().find(|(part, _)| line.contains(part)) else { continue };
        if step.is_empty() {
            return Ok(took);
        }
        let ms: f64 = field(&line, "took_ms=").with_context(|| format!("no took_ms in: {line}"))?;
        took.push((*step, ms / 1_000.0));
        if *step == "first window" {
            if measured {
                weigh(&id, master, executor);
            }
            kill_process(Pid::from_child(client), Signal::INT).context("stop the job")?;
        }
    }
    bail!("the job ended before it should")
}

fn field(line: &str, name: &str) -> Option<f64> {
    line.split_whitespace().find_map(|word| word.strip_prefix(name)?.parse().ok())
}

/// Resident memory of the application's processes, by what they are.
fn weigh(id: &str, master: &mut Sample, executor: &mut Sample) {
    let mut of_master = 0.0;
    for (pid, line) in containers::of_application(id) {
        let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).unwrap_or_default();
        let kb = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.trim().parse().ok());
        let mb: f64 = kb.unwrap_or(0.0) / 1_000.0;
        match line.contains(" executor ") {
            true => executor.add(mb),
            false => of_master += mb,
        }
    }
    master.add(of_master);
}
