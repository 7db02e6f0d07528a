//! What it costs to bring an archive into Kafka, against a program that only sends its lines.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::archive;
use crate::arguments::Replay;
use crate::process;
use crate::statistics::{Sample, row, say};
use crate::topic::{self, Live};

pub(crate) fn run(arguments: &Replay) -> anyhow::Result<()> {
    let Replay { place, posts, ratio_max } = arguments;
    let dir = tempfile::tempdir().context("make a directory for the archive")?;
    let file = dir.path().join("posts.ndjson");
    archive::write(&file, *posts)?;
    let (mut spindle, mut bare) = (Sample::default(), Sample::default());
    for round in 1..=place.rounds {
        let this = std::env::current_exe().context("find this program")?;
        let mut lines = Command::new(this);
        lines.arg("send-lines").arg("--file").arg(&file);
        let alone = sent(lines, "--topic", "--brokers", &place.brokers, *posts)?;
        let mut produce = Command::new(&place.spindle);
        produce.arg("produce").arg(producer_file(dir.path(), &file)?);
        let whole = sent(produce, "--conf=kafka.topic", "--conf=kafka.brokers", &place.brokers, *posts)?;
        say(&format!("round {round}: spindle {whole:.3}, bare {alone:.3} CPU s per M"));
        spindle.add(whole);
        bare.add(alone);
    }
    let ratio = spindle.median() / bare.median();
    row(
        &format!("Archive to Kafka, {posts} posts of 1 kB: CPU s per million posts"),
        &format!("at most {ratio_max:.1} x a program that only sends the same bytes"),
        &format!("{ratio:.2} x: {} against {}", spindle.show(3), bare.show(3)),
        ratio <= *ratio_max,
    )
}

fn producer_file(dir: &Path, archive: &Path) -> anyhow::Result<std::path::PathBuf> {
    let path = dir.join("producer.yaml");
    let text = format!(
        "source: {{file: {{path: {}}}}}\n\
         keywords: {{match: raw-substring, list: [Bitcoin, Blockchain, IoT, 5G]}}\n\
         kafka: {{brokers: [localhost], topic: t}}\n",
        archive.display()
    );
    std::fs::write(&path, text).context("write the producer file")?;
    Ok(path)
}

/// Runs a program that fills a new topic; returns its CPU seconds per million posts.
fn sent(mut program: Command, topic: &str, at: &str, brokers: &str, posts: u64) -> anyhow::Result<f64> {
    let live = Live::create(brokers, "replay")?;
    let joined = |flag: &str, value: &str| format!("{flag}={value}");
    program.args([joined(topic, live.name()), joined(at, brokers)]);
    let child = program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let used: Duration = process::finish(child.context("start a program")?)?;
    match topic::records(brokers, live.name())? {
        Some(held) if held == posts => Ok(used.as_secs_f64() / posts as f64 * 1e6),
        held => bail!("the topic holds {held:?} records after {posts} were sent"),
    }
}
