//! `spindle checkpoint`: what is in a checkpoint, in words. Looks only; a running job is not disturbed.

use std::fmt::Write as _;

use clap::Subcommand;
use jiff::Timestamp;

use super::{STORE_PATIENCE, Usage, block_on, out};
use crate::checkpoint::{
    AttemptDir, FileContent, FileInfo, Numbered, Recovered, Report, Shown, Sight, Tail, inspect,
};
use crate::exit;
use crate::ids::{Millis, Partition, Position};
use crate::store::{Address, Store};

/// Key numbers at most this: a gigabyte, should a damaged file ask for it.
const KEYS_MAX: usize = 1 << 26;
/// Positions shown before the rest is only counted.
const POSITIONS_MAX: usize = 20;

/// What to show of a checkpoint.
#[derive(Debug, Subcommand)]
pub enum CheckpointCommand {
    /// List its bases and logs
    List {
        /// Directory of the checkpoint
        path: String,
    },
    /// Say what is in it
    Show {
        /// Directory of the checkpoint, or one of its files
        path: String,
    },
}

/// Prints it. 1 if a restart could not go on from it, or would have lost something.
pub fn run(command: &CheckpointCommand) -> anyhow::Result<u8> {
    block_on(async {
        match command {
            CheckpointCommand::List { path } => list(&open(&address(path)?)?).await,
            CheckpointCommand::Show { path } => show(&address(path)?).await,
        }
    })
}

fn address(path: &str) -> anyhow::Result<Address> {
    Address::parse(path).map_err(|error| Usage(error.to_string()).into())
}

fn open(address: &Address) -> anyhow::Result<Store> {
    Ok(Store::open(address, STORE_PATIENCE)?)
}

async fn list(store: &Store) -> anyhow::Result<u8> {
    let sight = Sight::look(store).await?;
    if sight.attempts.is_empty() {
        return nothing(store);
    }
    let mut text = String::new();
    for attempt in &sight.attempts {
        let state = match (attempt.owned, attempt.fenced) {
            (_, true) => "ended",
            (true, false) => "the owner's",
            (false, false) => "claimed by nobody",
        };
        writeln!(text, "{}  {state}", attempt.name())?;
        let mut files: Vec<(&str, &FileInfo)> = attempt.bases.iter().map(|base| ("base", base)).collect();
        files.extend(attempt.logs.iter().map(|log| ("log", log)));
        files.sort_by_key(|(kind, file)| (file.number, *kind));
        for (kind, file) in files {
            writeln!(text, "  {kind:<4} {:010} {:>10}", file.number, size(file.bytes))?;
        }
    }
    out::print(&text)?;
    Ok(exit::OK)
}

fn nothing(store: &Store) -> anyhow::Result<u8> {
    out::print(&format!("there is no checkpoint in {}\n", store.address()))?;
    Ok(exit::FAILED)
}

async fn show(address: &Address) -> anyhow::Result<u8> {
    if let Some((above, name)) = address.split()
        && let Some((root, dir)) = above.split()
        && let Some(content) = FileContent::read(&open(&root)?, &dir, &name, KEYS_MAX).await?
    {
        out::print(&file_in_words(&content)?)?;
        return Ok(if matches!(content, FileContent::Unreadable(_)) { exit::FAILED } else { exit::OK });
    }
    let store = open(address)?;
    let shown = inspect(&store, KEYS_MAX).await?;
    if shown.sight.attempts.is_empty() {
        return nothing(&store);
    }
    let (text, sound) = in_words(&shown)?;
    out::print(&text)?;
    Ok(if sound { exit::OK } else { exit::FAILED })
}

fn in_words(shown: &Shown) -> anyhow::Result<(String, bool)> {
    let Shown { sight, recovery } = shown;
    let mut text = String::new();
    let owner = match &sight.owner {
        None => "nobody".to_owned(),
        Some(owner) => format!(
            "{} attempt {} (job {}, process {} on {}, v{}) since {}",
            owner.app,
            owner.attempt,
            owner.job,
            owner.pid,
            owner.host,
            owner.version,
            time(owner.since_ms)
        ),
    };
    let alive = match sight.held {
        Some(true) => ", running",
        Some(false) => ", ended",
        None => "",
    };
    let count = |files: fn(&AttemptDir) -> &Vec<FileInfo>| -> (usize, u64) {
        let files = sight.attempts.iter().flat_map(files);
        files.fold((0, 0), |(count, bytes), file| (count + 1, bytes + file.bytes))
    };
    let (bases, base_bytes) = count(|attempt| &attempt.bases);
    let (logs, log_bytes) = count(|attempt| &attempt.logs);
    let epoch = sight.attempts.last().map_or(0, |attempt| attempt.epoch);
    writeln!(text, "owner      {owner}{alive}")?;
    writeln!(text, "epoch      {epoch}")?;
    writeln!(text, "files      {bases} bases {}, {logs} logs {}", size(base_bytes), size(log_bytes))?;
    let sound = match recovery {
        Err(error) => {
            writeln!(text, "restart    not possible: {error}")?;
            false
        }
        Ok((None, _)) => {
            writeln!(text, "restart    begins anew: no base was finished")?;
            true
        }
        Ok((Some(found), report)) => {
            recovery_in_words(&mut text, found, report)?;
            report.corrupt.is_empty() && report.bad_bases.is_empty()
        }
    };
    Ok((text, sound))
}

fn recovery_in_words(text: &mut String, found: &Recovered, report: &Report) -> anyhow::Result<()> {
    let base = report.base.as_deref().unwrap_or_default();
    let end = found.end_ms.map_or_else(|| "nothing closed yet".to_owned(), time);
    writeln!(text, "last end   {end}, slide {}, of attempt {}", found.slide, found.attempt)?;
    let ring = &found.ring;
    writeln!(
        text,
        "window     {} slides, {} records, {} keys",
        ring.slides(),
        ring.total(),
        ring.distinct()
    )?;
    if ring.slides() == 0 || report.slides == 0 {
        // Not wrong, but not what people expect of a job that runs.
        writeln!(
            text,
            "           (of a log that is being written, HDFS shows nothing before it is taken over)"
        )?;
    }
    writeln!(
        text,
        "restart    goes on from {base} and {} slides of {} logs, {} read",
        report.slides,
        report.logs,
        size(report.bytes)
    )?;
    for (path, bytes) in &report.torn {
        writeln!(text, "torn       {path}: {bytes} bytes of an unfinished slide are left out")?;
    }
    if report.repeated + report.superseded > 0 {
        let (repeated, superseded) = (report.repeated, report.superseded);
        writeln!(text, "left out   {repeated} repeated slides, {superseded} of drivers that were fenced")?;
    }
    for (path, error) in &report.bad_bases {
        writeln!(text, "damaged    {path}: {error}")?;
    }
    for corrupt in &report.corrupt {
        writeln!(text, "LOST       {corrupt}")?;
    }
    positions_in_words(text, &found.positions)
}

fn positions_in_words(text: &mut String, positions: &[(Partition, Position)]) -> anyhow::Result<()> {
    for (partition, position) in positions.iter().take(POSITIONS_MAX) {
        writeln!(text, "position   {partition} {}", position.offset)?;
    }
    if positions.len() > POSITIONS_MAX {
        writeln!(text, "position   and {} more", positions.len() - POSITIONS_MAX)?;
    }
    Ok(())
}

fn file_in_words(content: &FileContent) -> anyhow::Result<String> {
    let mut text = String::new();
    match content {
        FileContent::Unreadable(error) => writeln!(text, "damaged    {error}")?,
        FileContent::Base { head, slides, keys, records } => {
            let end = head.end_ms.map_or_else(|| "before the first slide".to_owned(), time);
            writeln!(
                text,
                "base       v{}, after slide {} of attempt {}",
                head.version, head.slide, head.attempt
            )?;
            writeln!(text, "end        {end}")?;
            writeln!(text, "window     {slides} slides, {records} records, {keys} keys")?;
            positions_in_words(&mut text, &head.positions)?;
        }
        FileContent::Log { head, first, last, slides, pairs, records, tail } => {
            writeln!(text, "log        v{}, after slide {}", head.version, head.after)?;
            writeln!(text, "slides     {slides}, {records} records, {pairs} pairs of key and slide")?;
            for (word, slide) in [("first", first), ("last", last)] {
                if let Some(slide) = slide {
                    let Numbered { number, slide } = &**slide;
                    writeln!(text, "{word:<10} slide {number}, end {}", time(slide.end_ms))?;
                }
            }
            match tail {
                Tail::Clean => {}
                Tail::Torn { at, bytes } => {
                    writeln!(text, "torn       {bytes} bytes of an unfinished slide at byte {at}")?;
                }
                Tail::Corrupt { at, next } => {
                    writeln!(text, "LOST       damaged at byte {at}; slide {next} is whole behind it")?;
                }
            }
        }
    }
    Ok(text)
}

fn time(at_ms: Millis) -> String {
    Timestamp::from_millisecond(at_ms).map_or_else(|_| format!("{at_ms} ms"), |at| at.to_string())
}

/// A length for people.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{} KB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}
