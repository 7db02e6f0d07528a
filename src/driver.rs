//! The driver process: one clock, one state, everything else performs what the state decides.
//!
//! [`state`] decides; `run` is the loop around it; `links` are the ways to executors, `broker` the way to
//! Kafka, `keeper` the way to the checkpoint, `snapshots` to those, [`observe`] what people see.

pub mod assign;
pub mod pace;
mod alarm;
pub mod state;
mod links;
mod broker;
mod keeper;
mod snapshots;
pub mod observe;
mod setup;
mod run;

pub use broker::StartRules;
pub use keeper::CheckpointSetup;
pub use observe::{Observer, RunningAs};
pub use run::run;
pub use setup::{Command, Ended, Note, Setup};
pub use snapshots::SnapshotSetup;

use crate::config::{Console, Isolation, Job, OnDataLoss, Topics};
use crate::ids::Millis;
use crate::sink::Format;
use crate::source::ClientSettings;
use crate::wire::message::Welcome;

/// An executor without a word from the driver for so many `executors.timeout`s ends itself.
const ORPHAN_TIMEOUTS: u64 = 6;
/// An executor says that it lives so many times per `executors.timeout`.
const ALIVE_PER_TIMEOUT: u64 = 4;

/// Slides that may wait to be durable: a NameNode that is away for ten minutes holds up nothing.
const QUEUE_SLIDES: usize = 600;
/// What they may take of the driver's memory, as a divisor.
const QUEUE_MEMORY_PART: usize = 8;

/// The job as the state needs it.
fn settings(
    job: &Job,
    attempt: u32,
    seed: u64,
    checkpoint: Option<&CheckpointSetup>,
    report_slides: bool,
) -> state::Settings {
    let memory_bytes = usize::try_from(job.driver.memory.bytes()).unwrap_or(usize::MAX);
    state::Settings {
        attempt,
        slide_ms: millis(job.window.slide.ms()),
        length_ms: millis(job.window.length.ms()),
        top: job.top as usize,
        executors: job.executors.instances,
        timeout_ms: millis(job.executors.timeout.ms()),
        straggler_ms: millis(job.executors.straggler.ms()),
        skip_lost: job.source.on_data_loss == OnDataLoss::Earliest,
        memory_bytes,
        checkpoint: checkpoint.map(|setup| state::Durability {
            wait: setup.wait,
            queue_slides: QUEUE_SLIDES,
            queue_bytes: memory_bytes / QUEUE_MEMORY_PART,
        }),
        snapshots: checkpoint.and_then(|setup| setup.snapshots.as_ref()).map(|setup| setup.plan.clone()),
        by_pattern: matches!(job.source.topics(), Ok(Topics::Matching(_))),
        report_slides,
        seed,
    }
}

fn millis(ms: u64) -> Millis {
    Millis::try_from(ms).unwrap_or(Millis::MAX)
}

/// Kafka client settings for this job; `prefetch_bytes` is the memory that fetched records may take per client.
fn client_settings(job: &Job, prefetch_bytes: u64) -> ClientSettings {
    let source = &job.source;
    let committed = source.isolation == Isolation::ReadCommitted;
    ClientSettings::new(&source.brokers, &source.group, committed, &source.properties, prefetch_bytes)
        .with_max_rate(source.max_rate_per_partition)
}

/// What every executor is told. Half its memory is for fetched records, shared by its reading threads.
fn welcome(job: &Job) -> Welcome {
    let executors = &job.executors;
    let prefetch_bytes = executors.memory.bytes() / 2 / u64::from(executors.cores.max(1));
    Welcome {
        client: client_settings(job, prefetch_bytes),
        key: job.key.clone(),
        cores: executors.cores,
        alive_ms: (executors.timeout.ms() / ALIVE_PER_TIMEOUT).max(1),
        orphan_ms: executors.timeout.ms() * ORPHAN_TIMEOUTS,
    }
}

fn console_format(job: &Job) -> Option<Format> {
    match job.console {
        Console::Spark => Some(Format::Spark),
        Console::Table => Some(Format::Table),
        Console::Json => Some(Format::Json),
        Console::None => None,
    }
}
