//! What a job has shown: windows, checked against each other as they come, and its log.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustix::process::Pid;
use serde::Deserialize;

use crate::process;

/// Counts per key; `None` is the null key.
pub(crate) type Counts = BTreeMap<Option<Vec<u8>>, u64>;

/// One window as `console: json` prints it, without its keys.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Window {
    pub(crate) window_end_ms: i64,
    pub(crate) attempt: u32,
    pub(crate) total: u64,
    pub(crate) distinct: u64,
    pub(crate) complete: bool,
    pub(crate) behind_ms: u64,
    pub(crate) unread: Vec<String>,
    pub(crate) ranges: BTreeMap<String, (i64, i64)>,
    /// When its line was there, milliseconds since the epoch.
    #[serde(skip)]
    pub(crate) arrived_ms: i64,
}

#[derive(Deserialize)]
struct Ranking {
    top: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    key: Option<String>,
    key_base64: Option<String>,
    count: u64,
}

/// Everything that came.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) windows: Vec<Window>,
    /// Lines on stdout that are no windows.
    pub(crate) lines: Vec<String>,
    pub(crate) log: Vec<String>,
    /// Where each partition is to be read on, by the ranges printed.
    pub(crate) next: BTreeMap<String, i64>,
    /// Ranges that do not begin where the one before ended, and window ends out of order.
    pub(crate) gaps: Vec<String>,
    last: String,
}

impl Seen {
    pub(crate) fn printed(&mut self, line: String, arrived_ms: i64) {
        let Ok(window) = serde_json::from_str::<Window>(&line) else {
            self.lines.push(line);
            return;
        };
        let end_ms = window.window_end_ms;
        if self.windows.last().is_some_and(|before| before.window_end_ms >= end_ms) {
            self.gaps.push(format!("window end {end_ms} is not after the one before"));
        }
        for (partition, &(from, until)) in &window.ranges {
            let expected = self.next.insert(partition.clone(), until);
            if expected.is_some_and(|expected| expected != from) || from > until {
                self.gaps.push(format!("{partition}: {from}..{until} at {end_ms}, expected {expected:?}"));
            }
        }
        self.windows.push(Window { arrived_ms, ..window });
        self.last = line;
    }

    pub(crate) fn logged(&mut self, line: String) {
        self.log.push(line);
    }

    /// The newest window's total.
    pub(crate) fn total(&self) -> u64 {
        self.windows.last().map_or(0, |window| window.total)
    }

    /// The newest window's keys.
    pub(crate) fn counts(&self) -> Counts {
        let ranking: Ranking = serde_json::from_str(&self.last).unwrap();
        let row = |row: Row| {
            let bytes = row.key_base64.map(|base64| STANDARD.decode(base64).unwrap());
            (bytes.or(row.key.map(String::into_bytes)), row.count)
        };
        let rows = ranking.top.len();
        let counts: Counts = ranking.top.into_iter().map(row).collect();
        assert_eq!(counts.len(), rows, "a key stands twice in one window");
        counts
    }

    /// Where its status and metrics are, by its log.
    pub(crate) fn http(&self) -> String {
        let line = self.log.iter().find(|line| line.contains("status and metrics at "));
        let (_, url) = line.and_then(|line| line.split_once("status and metrics at ")).unwrap();
        url.trim().to_owned()
    }

    /// Lines of the log that hold this.
    pub(crate) fn logs(&self, part: &str) -> usize {
        self.log.iter().filter(|line| line.contains(part)).count()
    }

    /// Slot and process id of the executors that have connected and are not gone or stopped.
    pub(crate) fn connected(&self) -> Vec<(u32, Pid)> {
        let connected = self.log.iter().filter(|line| line.contains("executor connected"));
        let named = connected.filter_map(|line| {
            let field = |name: &str| {
                line.split_whitespace().find_map(|word| word.strip_prefix(name)?.parse::<u32>().ok())
            };
            Some((field("slot=")?, Pid::from_raw(i32::try_from(field("pid=")?).ok()?)?))
        });
        named.filter(|(_, pid)| process::runs(*pid)).collect()
    }

    /// Every window came, in order, each range where the one before ended.
    pub(crate) fn assert_whole(&self) {
        assert!(self.gaps.is_empty(), "{:#?}", self.gaps);
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 40;
        let log = &self.log[self.log.len().saturating_sub(SHOWN)..];
        let last = self.windows.last();
        writeln!(f, "{} windows, the last one: {last:?}; its log:\n{}", self.windows.len(), log.join("\n"))?;
        self.lines.iter().take(SHOWN).try_for_each(|line| writeln!(f, "{line}"))
    }
}
