//! What a checkpoint costs: two jobs over one stream at the same time, one of them with a checkpoint on HDFS; and what
//! its next driver needs to go on.

use std::collections::BTreeMap;

use anyhow::Context;
use spindle::checkpoint::survey;
use spindle::store::{Address, Patience, Store};

use super::{Producer, fill};
use crate::arguments::Kept;
use crate::run::{Run, Shape};
use crate::statistics::{Sample, row, say};
use crate::topic::Live;

pub(crate) fn run(arguments: &Kept) -> anyhow::Result<()> {
    let Kept { place, stream, rate, slides, ticks, .. } = arguments;
    let topic = Live::create(&place.brokers, "kept")?;
    let hdfs = std::env::var("SPINDLE_HDFS").context("SPINDLE_HDFS: where checkpoints go")?;
    let path = format!("{hdfs}/{}", topic.name());
    let shape = |checkpoint| Shape {
        brokers: &place.brokers,
        topic: topic.name(),
        from_earliest: false,
        slide_ms: 1_000,
        slides: *slides,
        checkpoint,
    };
    let (plain, kept) =
        (Run::start(&place.spindle, &shape(None))?, Run::start(&place.spindle, &shape(Some(&path)))?);
    plain.window()?;
    kept.window()?;
    let producer = Producer::start(&place.brokers, topic.name(), *rate, stream)?;
    fill(&plain)?;
    fill(&kept)?;
    let mut files = Files::of(&path)?;
    let (mut plain_ms, mut kept_ms) = (Sample::default(), Sample::default());
    let (before, kept_before, bytes_before) = (plain.usage()?, kept.usage()?, files.bytes()?);
    let mut distinct = 0;
    for _ in 0..*ticks {
        plain_ms.add(plain.window()?.latency_ms());
        let window = kept.window()?;
        kept_ms.add(window.latency_ms());
        distinct = window.distinct;
        files.look()?;
    }
    let per_slide = |cpu: std::time::Duration| cpu.as_secs_f64() * 1_000.0 / *ticks as f64;
    let plain_cpu = per_slide(plain.usage()?.since(before).driver);
    let kept_cpu = per_slide(kept.usage()?.since(kept_before).driver);
    let mb_per_s = (files.bytes()? - bytes_before) as f64 / 1e6 / *ticks as f64;
    let (plain_p99, kept_p99) = (plain_ms.quantile(0.99), kept_ms.quantile(0.99));
    let shape_said = format!("{rate} records/s, {distinct} keys in {slides} slides of 1 s, on HDFS");
    say(&format!("driver's CPU per slide: {plain_cpu:.2} ms without, {kept_cpu:.2} ms with a checkpoint"));
    let cost = row(
        &format!("Checkpoint of every slide ({shape_said}): CPU, bytes"),
        &format!("at most {:.0} ms per slide, {:.0} MB/s", arguments.cpu_max_ms, arguments.mb_max),
        &format!("{:.2} ms per slide, {mb_per_s:.2} MB/s, bases included", kept_cpu - plain_cpu),
        kept_cpu - plain_cpu <= arguments.cpu_max_ms && mb_per_s <= arguments.mb_max,
    );
    let late = row(
        "The same: p99 from slide end to last byte printed",
        &format!("at most {:.0} ms more", arguments.p99_more_max_ms),
        &format!("{plain_p99:.2} ms without, {kept_p99:.2} ms with it"),
        kept_p99 - plain_p99 <= arguments.p99_more_max_ms,
    );
    drop((producer, plain));
    cost.and(late).and(recovery(arguments, &topic, kept, &shape(None), &shape(Some(&path))))
}

/// The driver is killed; the next one's CPU up to its first window, against that of a driver with nothing to recover.
fn recovery(
    arguments: &Kept,
    topic: &Live,
    kept: Run,
    plain: &Shape<'_>,
    with: &Shape<'_>,
) -> anyhow::Result<()> {
    let total = kept.window()?.total;
    kept.kill()?;
    let spindle = &arguments.place.spindle;
    let cpu = |shape| -> anyhow::Result<(f64, u64)> {
        let run = Run::start(spindle, shape)?;
        let window = run.window()?;
        let used = run.usage()?.driver.as_secs_f64();
        run.kill()?;
        Ok((used, window.total))
    };
    let (mut plain_s, mut with_s) = (Sample::default(), Sample::default());
    for round in 0..arguments.place.rounds {
        plain_s.add(cpu(plain)?.0);
        let (used, recovered) = cpu(with)?;
        with_s.add(used);
        say(&format!(
            "round {round}: {recovered} of {total} records in the first window of {}",
            topic.name()
        ));
        anyhow::ensure!(round > 0 || recovered > total / 2, "the window is not the one before");
    }
    let more_s = with_s.median() - plain_s.median();
    row(
        "Its recovery: CPU of the next driver up to its first window, less that of one without a checkpoint",
        &format!("at most {:.0} s", arguments.recovery_max_s),
        &format!("{more_s:.2} s ({} with, {} without)", with_s.show(2), plain_s.show(2)),
        more_s <= arguments.recovery_max_s,
    )
}

/// The checkpoint's files and how long each became.
struct Files {
    store: Store,
    runtime: tokio::runtime::Runtime,
    longest: BTreeMap<(u64, bool, u64), u64>,
}

impl Files {
    fn of(path: &str) -> anyhow::Result<Self> {
        let store = Store::open(&Address::parse(path)?, Patience::default())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { store, runtime, longest: BTreeMap::new() })
    }

    fn look(&mut self) -> anyhow::Result<()> {
        for attempt in self.runtime.block_on(survey(&self.store))? {
            for (files, is_base) in [(&attempt.bases, true), (&attempt.logs, false)] {
                for file in files {
                    let longest = self.longest.entry((attempt.epoch, is_base, file.number)).or_default();
                    *longest = (*longest).max(file.bytes);
                }
            }
        }
        Ok(())
    }

    /// Bytes written until now, of files that are gone as well.
    fn bytes(&mut self) -> anyhow::Result<u64> {
        self.look()?;
        Ok(self.longest.values().sum())
    }
}
