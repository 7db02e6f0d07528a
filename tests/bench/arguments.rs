//! The command line of the benchmark program: one subcommand per tool and per measurement.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{archive, count_only, measure, produce};

/// Measures Spindle against a real Kafka.
#[derive(Parser)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Puts a stream into a topic, unless it is there; prints the topic's name
    Preload(Preload),
    /// Produces at a steady rate
    Load(Load),
    /// Drains records and does nothing with them: the baseline
    CountOnly(CountOnly),
    /// Sends the lines of an archive and does nothing else: the producer's baseline
    SendLines(SendLines),
    /// CPU per record of the whole pipeline, against the baseline
    Cpu(Cpu),
    /// From a slide's end to the last byte printed
    Tick(Tick),
    /// CPU per slide of a long window, against a short one
    Flat(Flat),
    /// CPU and memory of a job without records
    Idle(Idle),
    /// What a checkpoint on HDFS costs, and how fast the next driver goes on from it
    Kept(Kept),
    /// CPU per post of an archive's way to Kafka, against the baseline
    Replay(Replay),
    /// CPU and memory of a producer that reads a live stream
    Live(Live),
    /// From submit to the first window on YARN, and what its containers hold
    Yarn(Yarn),
}

/// Which stream.
#[derive(Args, Clone)]
pub(crate) struct Stream {
    /// Different keys
    #[arg(long, default_value_t = 10_000)]
    pub(crate) keys: u32,
    /// How often each occurs
    #[arg(long, value_enum, default_value_t = Distribution::Uniform)]
    pub(crate) distribution: Distribution,
    /// Compression
    #[arg(long, value_enum, default_value_t = Codec::None)]
    pub(crate) codec: Codec,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Distribution {
    /// All equally often.
    Uniform,
    /// The n-th with probability proportional to 1/n.
    Zipf,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Codec {
    /// None.
    None,
    /// lz4.
    Lz4,
}

#[derive(Args)]
pub(crate) struct Preload {
    /// The broker
    #[arg(long, env = "SPINDLE_KAFKA")]
    pub(crate) brokers: String,
    #[arg(long, default_value_t = 20_000_000)]
    pub(crate) records: u64,
    #[command(flatten)]
    pub(crate) stream: Stream,
}

#[derive(Args)]
pub(crate) struct Load {
    /// The broker
    #[arg(long, env = "SPINDLE_KAFKA")]
    pub(crate) brokers: String,
    #[arg(long)]
    pub(crate) topic: String,
    /// Records per second
    #[arg(long)]
    pub(crate) rate: u64,
    #[arg(long)]
    pub(crate) seconds: u64,
    #[command(flatten)]
    pub(crate) stream: Stream,
}

#[derive(Args)]
pub(crate) struct CountOnly {
    /// The broker
    #[arg(long, env = "SPINDLE_KAFKA")]
    pub(crate) brokers: String,
    #[arg(long)]
    pub(crate) topic: String,
    #[arg(long)]
    pub(crate) records: u64,
    /// Clients that share the partitions
    #[arg(long, default_value_t = 1)]
    pub(crate) clients: usize,
    /// Through Spindle's own source, with a visitor that only counts: what librdkafka's share is measured by
    #[arg(long)]
    pub(crate) visit: bool,
}

#[derive(Args)]
pub(crate) struct SendLines {
    /// The broker
    #[arg(long, env = "SPINDLE_KAFKA")]
    pub(crate) brokers: String,
    #[arg(long)]
    pub(crate) topic: String,
    /// The archive
    #[arg(long)]
    pub(crate) file: PathBuf,
}

#[derive(Args)]
pub(crate) struct Replay {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Posts in the archive
    #[arg(long, default_value_t = 500_000)]
    pub(crate) posts: u64,
    /// Largest ratio to the baseline's median
    #[arg(long, default_value_t = 1.5)]
    pub(crate) ratio_max: f64,
}

#[derive(Args)]
pub(crate) struct Live {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Most CPU, percent of a core
    #[arg(long, default_value_t = 3.0)]
    pub(crate) core_max: f64,
    /// Most memory when nothing comes, MB
    #[arg(long, default_value_t = 20.0)]
    pub(crate) memory_max_mb: f64,
}

/// What every measurement needs.
#[derive(Args, Clone)]
pub(crate) struct Place {
    /// The broker
    #[arg(long, env = "SPINDLE_KAFKA")]
    pub(crate) brokers: String,
    /// The program that is measured
    #[arg(long)]
    pub(crate) spindle: PathBuf,
    /// Interleaved rounds
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,
}

#[derive(Args)]
pub(crate) struct Cpu {
    #[command(flatten)]
    pub(crate) place: Place,
    #[arg(long, default_value_t = 20_000_000)]
    pub(crate) records: u64,
    #[command(flatten)]
    pub(crate) stream: Stream,
    /// Largest ratio to the baseline's median
    #[arg(long, default_value_t = 1.3)]
    pub(crate) ratio_max: f64,
}

#[derive(Args)]
pub(crate) struct Tick {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) stream: Stream,
    /// Records per second
    #[arg(long, default_value_t = 100_000)]
    pub(crate) rate: u64,
    #[arg(long, default_value_t = 100)]
    pub(crate) slide_ms: u64,
    /// Slides in the window
    #[arg(long, default_value_t = 300)]
    pub(crate) slides: u64,
    /// Ticks measured, once the window is full
    #[arg(long, default_value_t = 600)]
    pub(crate) ticks: usize,
    /// Largest 99th percentile, milliseconds
    #[arg(long)]
    pub(crate) p99_max_ms: f64,
    /// Most memory of all processes together, MB; measured only when given
    #[arg(long)]
    pub(crate) memory_max_mb: Option<f64>,
}

#[derive(Args)]
pub(crate) struct Flat {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) stream: Stream,
    /// Records per second
    #[arg(long, default_value_t = 100_000)]
    pub(crate) rate: u64,
    #[arg(long, default_value_t = 100)]
    pub(crate) slide_ms: u64,
    /// Slides in the short window
    #[arg(long, default_value_t = 300)]
    pub(crate) short: u64,
    /// Slides in the long window
    #[arg(long, default_value_t = 3_000)]
    pub(crate) long: u64,
    /// Ticks per round
    #[arg(long, default_value_t = 100)]
    pub(crate) ticks: usize,
    /// Largest ratio of the long window to the short one
    #[arg(long, default_value_t = 1.1)]
    pub(crate) ratio_max: f64,
}

#[derive(Args)]
pub(crate) struct Idle {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Slides of one second per round
    #[arg(long, default_value_t = 10)]
    pub(crate) slides: usize,
    /// Most CPU of all processes per slide, milliseconds
    #[arg(long, default_value_t = 3.0)]
    pub(crate) cpu_max_ms: f64,
    /// Most memory of all processes together, MB
    #[arg(long, default_value_t = 40.0)]
    pub(crate) memory_max_mb: f64,
}

#[derive(Args)]
pub(crate) struct Kept {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) stream: Stream,
    /// Records per second
    #[arg(long, default_value_t = 100_000)]
    pub(crate) rate: u64,
    /// Slides of one second in the window
    #[arg(long, default_value_t = 300)]
    pub(crate) slides: u64,
    /// Ticks measured, once the window is full
    #[arg(long, default_value_t = 300)]
    pub(crate) ticks: usize,
    /// Most CPU that it may cost the driver per slide, milliseconds
    #[arg(long, default_value_t = 3.0)]
    pub(crate) cpu_max_ms: f64,
    /// Most that it may write per second, MB
    #[arg(long, default_value_t = 1.0)]
    pub(crate) mb_max: f64,
    /// Most that it may add to the 99th percentile of windows' delays, milliseconds
    #[arg(long, default_value_t = 1.0)]
    pub(crate) p99_more_max_ms: f64,
    /// Most CPU that recovery may cost, seconds
    #[arg(long, default_value_t = 1.0)]
    pub(crate) recovery_max_s: f64,
}

#[derive(Args)]
pub(crate) struct Yarn {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Longest time to the first window, seconds
    #[arg(long, default_value_t = 5.0)]
    pub(crate) start_max_s: f64,
    /// Most memory of JVM and driver together, MB
    #[arg(long, default_value_t = 192.0)]
    pub(crate) master_max_mb: f64,
    /// Most memory of an executor, MB
    #[arg(long, default_value_t = 20.0)]
    pub(crate) executor_max_mb: f64,
}

impl Arguments {
    /// Does what the command line says.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Preload(arguments) => produce::preload(&arguments),
            Command::Load(arguments) => produce::load(&arguments),
            Command::CountOnly(arguments) => count_only::run(&arguments),
            Command::SendLines(arguments) => archive::send(&arguments),
            Command::Cpu(arguments) => measure::cpu::run(&arguments),
            Command::Tick(arguments) => measure::tick::run(&arguments),
            Command::Flat(arguments) => measure::flat::run(&arguments),
            Command::Idle(arguments) => measure::idle::run(&arguments),
            Command::Kept(arguments) => measure::kept::run(&arguments),
            Command::Replay(arguments) => measure::replay::run(&arguments),
            Command::Live(arguments) => measure::live::run(&arguments),
            Command::Yarn(arguments) => measure::yarn::run(&arguments),
        }
    }
}
