//! The measurements, one file each. Every one starts what it needs and ends all of it.

pub(crate) mod cpu;
pub(crate) mod tick;
pub(crate) mod flat;
pub(crate) mod idle;
pub(crate) mod yarn;
pub(crate) mod kept;
pub(crate) mod replay;
pub(crate) mod live;

use std::process::{Child, Command, Stdio};

use anyhow::Context;

use crate::arguments::{Codec, Distribution, Stream};
use crate::run::Run;

/// A steady producer in a process of its own; ends with this value.
struct Producer(Child);

impl Producer {
    fn start(brokers: &str, topic: &str, rate: u64, stream: &Stream) -> anyhow::Result<Self> {
        let this = std::env::current_exe().context("find this program")?;
        let zipf = stream.distribution == Distribution::Zipf;
        let lz4 = stream.codec == Codec::Lz4;
        let child = Command::new(this)
            .args(["load", "--brokers", brokers, "--topic", topic, "--seconds", "3600"])
            .args(["--rate", &rate.to_string(), "--keys", &stream.keys.to_string()])
            .args(["--distribution", if zipf { "zipf" } else { "uniform" }])
            .args(["--codec", if lz4 { "lz4" } else { "none" }])
            .stdin(Stdio::null())
            .spawn()
            .context("start the producer")?;
        Ok(Self(child))
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until a whole window has passed since reading began.
fn fill(run: &Run) -> anyhow::Result<()> {
    let mut began = None;
    loop {
        let window = run.window()?;
        if window.total == 0 {
            continue;
        }
        let began = *began.get_or_insert(window.end_ms());
        if window.end_ms() > began + window.length_ms() {
            return Ok(());
        }
    }
}
