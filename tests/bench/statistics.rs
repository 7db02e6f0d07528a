//! Medians, percentiles, and rows of the table.

use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context, bail};

/// Something for people; rows go to stdout.
pub(crate) fn say(text: &str) {
    // Nobody need listen.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Prints a row and fails when its target is missed.
pub(crate) fn row(what: &str, target: &str, measured: &str, met: bool) -> anyhow::Result<()> {
    let verdict = if met { "met" } else { "**missed**" };
    writeln!(std::io::stdout(), "| {what} | {target} | {measured} | {verdict} |").context("print")?;
    if !met {
        bail!("target missed: {what}");
    }
    Ok(())
}

/// Values of one kind.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sample(Vec<f64>);

impl Sample {
    pub(crate) fn add(&mut self, value: f64) {
        let at = self.0.partition_point(|known| *known < value);
        self.0.insert(at, value);
    }

    /// The value that the fraction `part` of all does not exceed; NaN of nothing.
    pub(crate) fn quantile(&self, part: f64) -> f64 {
        let rank = (part * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn median(&self) -> f64 {
        let middle = self.0.len() / 2;
        match self.0.len() {
            0 => f64::NAN,
            n if n % 2 == 1 => self.0[middle],
            _ => f64::midpoint(self.0[middle - 1], self.0[middle]),
        }
    }

    pub(crate) fn max(&self) -> f64 {
        self.0.last().copied().unwrap_or(f64::NAN)
    }

    /// Median, smallest and largest, to `digits` behind the point.
    pub(crate) fn show(&self, digits: usize) -> String {
        let smallest = self.0.first().copied().unwrap_or(f64::NAN);
        format!("{:.digits$} ({smallest:.digits$} to {:.digits$})", self.median(), self.max())
    }
}

pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
