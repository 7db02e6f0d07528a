//! `spindle verify`: written windows are recounted from Kafka, and every difference is told.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use super::oss::OssArgs;
use super::{STORE_PATIENCE, Usage, block_on, jobfile, out};
use crate::clock::Clock;
use crate::config::{Isolation, Layers};
use crate::exit;
use crate::ids::Millis;
use crate::sink::json;
use crate::snapshot::verify::kafka::Kafka;
use crate::snapshot::verify::{Difference, Finding, Selection, Verdict, verify};
use crate::source::ClientSettings;
use crate::store::{Address, Store};

/// Memory for records that are fetched and not counted yet.
const PREFETCH_BYTES: u64 = 64 << 20;
/// Keys of a window that are told of.
const KEYS_MAX: usize = 10;
/// How often it says how far it is.
const PROGRESS: Duration = Duration::from_secs(5);

/// Arguments of `spindle verify`.
#[derive(Debug, Args)]
#[command(after_help = "\
Reads every range of offsets that the windows were counted from again, as no member of the group, and commits nothing.
Takes snapshots of `time: processing`; a `key` that was changed since makes every window differ.

Exit code: 0 if every window that can be verified is equal, and at least one can be; 1 if one differs, is missing or
there twice, if slides or offsets are missing in between, or if no window can be verified. Windows that cannot be
verified, because Kafka has deleted their records, are told and do not change it.")]
pub struct VerifyArgs {
    /// Job file: a path or oss://bucket/key
    pub job: PathBuf,
    /// Only windows that end after this time, as in 2026-11-22T10:00:00Z
    #[arg(long, value_name = "TIME")]
    pub since: Option<Timestamp>,
    /// Only windows that end at this time or before
    #[arg(long, value_name = "TIME")]
    pub until: Option<Timestamp>,
    /// Only the last so many of them
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub last: Option<u32>,
    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
    /// Where a job file in OSS is.
    #[command(flatten)]
    pub oss: OssArgs,
}

/// Verifies and prints; see the help for the exit code.
pub fn run(args: &VerifyArgs) -> anyhow::Result<u8> {
    super::start_warnings()?;
    let job = jobfile::load(&args.job, &Layers::default(), &args.oss)?;
    let Some(section) = &job.snapshots else {
        return Err(Usage(format!("job {} writes no snapshots: see snapshots.path", job.name)).into());
    };
    let address = Address::parse(&section.path).map_err(|error| Usage(error.to_string()))?;
    let store = Store::open(&address, STORE_PATIENCE)?;
    let source = &job.source;
    let committed = source.isolation == Isolation::ReadCommitted;
    let settings =
        ClientSettings::new(&source.brokers, &source.group, committed, &source.properties, PREFETCH_BYTES);
    let mut kafka = Kafka::connect(settings, &job.key)?;
    let ms = |time: Option<Timestamp>, none| time.map_or(none, Timestamp::as_millisecond);
    let selection = Selection {
        since_ms: ms(args.since, Millis::MIN),
        until_ms: ms(args.until, Millis::MAX),
        last: args.last.map(|last| last as usize),
    };
    let mut report = Report::new(args.json);
    block_on(async {
        let mut told = Ok(());
        let mut tell = |finding| {
            if told.is_ok() {
                told = report.tell(&finding);
            }
        };
        let verified = verify(&store, &mut kafka, selection, &mut tell).await;
        verified.with_context(|| format!("verify the snapshots in {}", store.address()))?;
        told?;
        report.finish(&store)
    })
}

/// What was found so far.
struct Report {
    json: bool,
    clock: Clock,
    said: Duration,
    counts: Totals,
}

#[derive(Debug, Default, Serialize)]
struct Totals {
    windows: u64,
    equal: u64,
    differ: u64,
    unverifiable: u64,
    missing: u64,
    twice: u64,
    /// Places where slides or offsets are missing or there twice, and files that cannot be read.
    breaks: u64,
}

impl Totals {
    fn is_sound(&self) -> bool {
        self.differ + self.missing + self.twice + self.breaks == 0 && self.equal > 0
    }
}

impl Report {
    fn new(json: bool) -> Self {
        Self { json, clock: Clock::start(), said: Duration::ZERO, counts: Totals::default() }
    }

    fn tell(&mut self, finding: &Finding) -> anyhow::Result<()> {
        self.count(finding);
        let line = if self.json { in_json(finding)? } else { in_words(finding)? };
        out::print(&line)?;
        let now = self.clock.monotonic();
        if now - self.said >= PROGRESS {
            self.said = now;
            out::tell(&format!("verified {} windows in {} s", self.counts.windows, now.as_secs()));
        }
        Ok(())
    }

    fn count(&mut self, finding: &Finding) {
        let counts = &mut self.counts;
        let Finding::Window { verdict, .. } = finding else {
            counts.breaks += 1;
            return;
        };
        counts.windows += 1;
        *match verdict {
            Verdict::Equal => &mut counts.equal,
            Verdict::Differs { .. } => &mut counts.differ,
            Verdict::Unverifiable(_) => &mut counts.unverifiable,
            Verdict::Missing => &mut counts.missing,
            Verdict::Twice => &mut counts.twice,
        } += 1;
    }

    fn finish(self, store: &Store) -> anyhow::Result<u8> {
        let counts = &self.counts;
        if self.json {
            out::print(&(serde_json::to_string(counts)? + "\n"))?;
        } else if counts.windows + counts.breaks == 0 {
            out::tell(&format!("there are no such windows in {}", store.address()));
        } else {
            let Totals { windows, equal, differ, unverifiable, missing, twice, breaks } = counts;
            out::print(&format!(
                "{windows} windows: {equal} equal, {differ} differ, {unverifiable} cannot be verified, {missing} missing, \
                 {twice} there twice; {breaks} breaks in slides, offsets or files\n"
            ))?;
        }
        Ok(if counts.is_sound() { exit::OK } else { exit::FAILED })
    }
}

fn in_words(finding: &Finding) -> anyhow::Result<String> {
    let mut line = String::new();
    match finding {
        Finding::File { path, error } => writeln!(line, "{path}: {error}")?,
        Finding::Chain { end_ms, what } => writeln!(line, "{}  BREAK    {what}", time(*end_ms))?,
        Finding::Window { end_ms, total, verdict } => {
            write!(line, "{}  ", time(*end_ms))?;
            match verdict {
                Verdict::Equal => writeln!(line, "equal    {total} records")?,
                Verdict::Missing => writeln!(line, "MISSING  its slide is there, its rows are not")?,
                Verdict::Twice => writeln!(line, "TWICE    rows of this window stand in two places")?,
                Verdict::Unverifiable(why) => writeln!(line, "cannot be verified: {why}")?,
                Verdict::Differs { recounted, keys } => {
                    writeln!(line, "DIFFERS  {total} records, recounted {recounted}")?;
                    for found in keys.iter().take(KEYS_MAX) {
                        let (key, written) = (shown(found), written(found));
                        writeln!(line, "    {key}: {written}, recounted {}", found.recounted)?;
                    }
                    if keys.len() > KEYS_MAX {
                        writeln!(line, "    and {} keys more", keys.len() - KEYS_MAX)?;
                    } else if keys.is_empty() {
                        writeln!(line, "    only the order of its rows, or the total")?;
                    }
                }
            }
        }
    }
    Ok(line)
}

/// As JSON has it, so that a key cannot forge a line.
fn shown(found: &Difference) -> String {
    let (key, base64) = json::key(found.key.as_deref());
    let text = serde_json::to_string(&key).unwrap_or_default();
    base64.map_or(text.clone(), |base64| format!("{text} (base64 {base64})"))
}

fn written(found: &Difference) -> String {
    found.written.map_or("no row".to_owned(), |count| format!("written {count}"))
}

fn in_json(finding: &Finding) -> anyhow::Result<String> {
    #[derive(Serialize)]
    struct Key {
        key: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        key_base64: Option<String>,
        written: Option<u64>,
        recounted: u64,
    }
    let key = |found: &Difference| {
        let (key, key_base64) = json::key(found.key.as_deref());
        Key { key, key_base64, written: found.written, recounted: found.recounted }
    };
    let object = match finding {
        Finding::File { path, error } => {
            serde_json::json!({"verdict": "file", "path": path, "reason": error})
        }
        Finding::Chain { end_ms, what } => {
            serde_json::json!({"verdict": "break", "window_end_ms": end_ms, "reason": what})
        }
        Finding::Window { end_ms, total, verdict } => {
            let word = match verdict {
                Verdict::Equal => "equal",
                Verdict::Differs { .. } => "differs",
                Verdict::Unverifiable(_) => "unverifiable",
                Verdict::Missing => "missing",
                Verdict::Twice => "twice",
            };
            let mut object = serde_json::json!({"verdict": word, "window_end_ms": end_ms, "total": total});
            match verdict {
                Verdict::Differs { recounted, keys } => {
                    object["recounted"] = (*recounted).into();
                    object["keys"] = serde_json::to_value(keys.iter().map(key).collect::<Vec<_>>())?;
                }
                Verdict::Unverifiable(why) => object["reason"] = why.as_str().into(),
                Verdict::Equal | Verdict::Missing | Verdict::Twice => {}
            }
            object
        }
    };
    Ok(object.to_string() + "\n")
}

fn time(at_ms: Millis) -> String {
    Timestamp::from_millisecond(at_ms).map_or_else(|_| format!("{at_ms} ms"), |at| at.to_string())
}
