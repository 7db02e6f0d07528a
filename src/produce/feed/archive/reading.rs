//! An archive's bytes become events: one line after another, one file after another. Blocking; `archive` calls it on a
//! thread.

use std::fmt;
use std::io::{self, ErrorKind, Read};
use std::sync::Arc;

use super::files::Files;
use super::input::Input;
use crate::config::producer::source;
use crate::produce::event::{Event, Kind, Malformed, Resume};
use crate::produce::feed::health::Health;
use crate::produce::feed::lines::{Ends, Line, Lines};
use crate::produce::feed::{BATCH_EVENTS_MAX, FeedError, LINE_BYTES_MAX, unshare};
use crate::produce::shape::Reader;

mod file;
mod rotated;

use file::{Became, OpenFile};

/// Bytes that are read at once.
const CHUNK_BYTES: usize = 256 << 10;
/// How a text may say that it is UTF-8 (Unicode 23.8). It is no part of the first line.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// An archive and how far it has been read.
#[derive(Debug)]
pub(super) struct Reading {
    source: Source,
    frames: Reader,
    drops: bool,
    /// Where it was left, until that is found.
    resume: Option<Left>,
    current: Option<Current>,
    health: Health,
}

#[derive(Debug)]
enum Source {
    /// Standard input; `None` once it is open.
    Stream(Option<Raw>),
    Files(Files),
}

/// Bytes of which nothing is known yet.
struct Raw(Box<dyn Read + Send>);

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Raw")
    }
}

/// Where a file was left.
#[derive(Debug)]
struct Left {
    file: Arc<str>,
    bytes: u64,
    head: u64,
}

/// What is read at present.
#[derive(Debug)]
struct Current {
    /// `None`: standard input.
    file: Option<OpenFile>,
    input: Input,
    lines: Lines,
    /// Whether a BOM has been looked for.
    begun: bool,
    /// Whether its end was reached. It is looked at before more is read.
    at_end: bool,
}

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Go on.
    More,
    /// Look again later.
    NothingNew,
    /// That was all.
    End,
}

impl Reading {
    pub(super) fn of_stream(raw: impl Read + Send + 'static, frames: Reader, drops: bool) -> Self {
        let source = Source::Stream(Some(Raw(Box::new(raw))));
        Self { source, frames, drops, resume: None, current: None, health: Health::default() }
    }

    pub(super) fn of_files(
        config: &source::File,
        frames: Reader,
        drops: bool,
        resume: Option<Resume>,
        health: Health,
    ) -> anyhow::Result<Self> {
        let resume = match resume {
            None => None,
            Some(Resume::Offset { file, bytes, head }) => Some(Left { file, bytes, head }),
            Some(_) => {
                anyhow::bail!("the cursor is none of source.file; name another cursor.path for this source")
            }
        };
        let from = resume.as_ref().map(|left| &*left.file);
        let files = Files::open(&config.path, config.follow, from)?;
        let mut reading = Self { source: Source::Files(files), frames, drops, resume, current: None, health };
        // What cannot be read at all is known before anything else is begun.
        reading.advance()?;
        if let (Some(left), Some(current)) = (&reading.resume, &reading.current) {
            let next = current.file.as_ref().map(OpenFile::name);
            tracing::warn!(file = ?left.file, ?next, "the cursor's file is not there; read the next one");
            reading.resume = None;
        }
        Ok(reading)
    }

    /// Reads on, and appends what came.
    pub(super) fn step(&mut self, events: &mut Vec<Event>) -> Result<Step, FeedError> {
        if self.current.is_none() && !self.advance()? {
            return Ok(if self.follows() { Step::NothingNew } else { Step::End });
        }
        let Some(current) = &mut self.current else { return Ok(Step::End) };
        let taken = current.lines.taken();
        current.take_lines(&mut self.frames, events);
        if !events.is_empty() {
            let bytes = current.lines.taken() - taken;
            unshare(events, self.drops, bytes);
            return Ok(Step::More);
        }
        match current.look()? {
            Became::Same => {}
            // It may have been written to before it was replaced.
            Became::Replaced if current.fill()? > 0 => return Ok(Step::More),
            Became::Replaced | Became::Cut => return self.finish(true, events),
        }
        if current.fill()? > 0 {
            return Ok(Step::More);
        }
        current.at_end = true;
        if !self.follows() {
            return self.finish(false, events);
        }
        if !self.has_more()? {
            return Ok(Step::NothingNew);
        }
        // What was written before the next file appeared is there by now.
        match self.current.as_mut().map_or(Ok(0), Current::fill)? {
            0 => self.finish(false, events),
            _ => Ok(Step::More),
        }
    }

    fn follows(&self) -> bool {
        match &self.source {
            Source::Stream(_) => false,
            Source::Files(files) => files.follow(),
        }
    }

    fn has_more(&mut self) -> Result<bool, FeedError> {
        match &mut self.source {
            Source::Stream(_) => Ok(false),
            Source::Files(files) => {
                files.has_more().map_err(|error| FeedError(format!("list {}: {error}", files.path())))
            }
        }
    }

    /// The current file is over: what is left in it is a line, and the next one comes; or the one that has its name now.
    fn finish(&mut self, again: bool, events: &mut Vec<Event>) -> Result<Step, FeedError> {
        if let Source::Files(files) = &mut self.source
            && again
        {
            files.again();
        }
        if let Some(mut current) = self.current.take() {
            // Its writer may not have ended this line yet. Its place lies before it, so that the next start reads it again,
            // whole: it may be sent twice, and is not lost.
            let before = current.lines.taken();
            let rest = current.lines.rest();
            events.extend(rest.and_then(|line| current.event(line, before, &mut self.frames)));
        }
        Ok(if self.advance()? || self.follows() { Step::More } else { Step::End })
    }

    /// Opens the next file, if there is one.
    fn advance(&mut self) -> Result<bool, FeedError> {
        let failed = |path: &str, error: &io::Error| FeedError(format!("open {path}: {error}"));
        let files = match &mut self.source {
            Source::Stream(raw) => {
                let Some(Raw(raw)) = raw.take() else { return Ok(false) };
                let input = Input::told(raw).map_err(|error| failed("standard input", &error))?;
                self.current = Some(Current::of(None, input));
                return Ok(true);
            }
            Source::Files(files) => files,
        };
        files.has_more().map_err(|error| failed(files.path(), &error))?;
        let next = files.next().map_err(|error| failed(files.path(), &error))?;
        let Some(path) = next else {
            if files.follow() && matches!(files, Files::One { .. }) {
                self.health.trouble(format!("{} is not there", files.path()));
            }
            return Ok(false);
        };
        let follow = files.follow();
        let left = self.resume.take_if(|left| *left.file == *path);
        let opened = match left {
            Some(left) => open_again(files, &path, &left),
            None => OpenFile::open(&path).map(|(file, input)| (file, input, false)),
        };
        let (file, input, rotated) = match opened {
            Ok(opened) => opened,
            // It was there a moment ago: another one is about to take its place.
            Err(error) if follow && error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(failed(&path, &error)),
        };
        if follow && input.is_packed() && !rotated {
            let packing = input.packing.name();
            let remedy = "a compressed file cannot be followed: set source.file.follow to false";
            return Err(FeedError(format!("{path} is {packing}; {remedy}")));
        }
        self.health.well();
        self.current = Some(Current::of(Some(file), input));
        Ok(true)
    }
}

/// Opens the file that was left at a place, true if it has another name by now: then the one under its old name comes next.
/// If it is gone, opens that one at once.
fn open_again(files: &mut Files, path: &str, left: &Left) -> io::Result<(OpenFile, Input, bool)> {
    if let Some((file, input)) = OpenFile::again(path, left.bytes, left.head)? {
        return Ok((file, input, false));
    }
    // In a directory all files are read anyway, under whatever name.
    let is_one = matches!(files, Files::One { .. });
    if is_one && let Some((file, input)) = rotated::find(path, left.bytes, left.head)? {
        files.again();
        return Ok((file, input, true));
    }
    let (file, bytes) = (path, left.bytes);
    tracing::warn!(
        ?file,
        bytes,
        "not the file that the cursor was written for, and that one is not found beside it: lines that were written to \
         it behind the cursor may be missing; read this one from its beginning"
    );
    OpenFile::open(path).map(|(file, input)| (file, input, false))
}

impl Current {
    fn of(file: Option<OpenFile>, input: Input) -> Self {
        let begun = file.as_ref().is_some_and(|file| file.begin() > 0);
        let lines = Lines::new(Ends::Newline, LINE_BYTES_MAX);
        Self { file, input, lines, begun, at_end: false }
    }

    /// Looks at the file, if its end was reached before.
    fn look(&mut self) -> Result<Became, FeedError> {
        let Some(file) = self.file.as_mut().filter(|_| self.at_end) else { return Ok(Became::Same) };
        file.look().map_err(|error| FeedError(format!("look at {}: {error}", file.name())))
    }

    /// Reads a chunk, and returns how long it is; 0 at the end.
    fn fill(&mut self) -> Result<usize, FeedError> {
        let buffer = self.lines.buffer();
        let length = buffer.len();
        buffer.resize(length + CHUNK_BYTES, 0);
        let read = loop {
            match self.input.read(buffer.get_mut(length..).unwrap_or_default()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        buffer.truncate(length + *read.as_ref().unwrap_or(&0));
        let read = read.map_err(|error| self.broken(&error))?;
        if let Some(file) = &mut self.file {
            file.came(self.lines.buffer().get(length..).unwrap_or_default());
        }
        Ok(read)
    }

    fn broken(&self, error: &io::Error) -> FeedError {
        let name = self.file.as_ref().map_or("standard input", OpenFile::name);
        let place = self.file.as_ref().map_or(0, OpenFile::begin) + self.lines.taken();
        let packing = self.input.packing.name();
        FeedError(match error.kind() {
            ErrorKind::UnexpectedEof if self.input.is_packed() => format!(
                "{name} is cut off in the middle of its {packing} data; all lines up to byte {place} \
                 (decompressed) were read; replace it with the whole file"
            ),
            _ if self.input.is_packed() => format!(
                "{name} is damaged: {packing} behind byte {place} (decompressed): {error}; replace it with a whole \
                 file"
            ),
            _ => format!("read {name} behind byte {place}: {error}"),
        })
    }

    /// Takes whole lines out of what was read.
    fn take_lines(&mut self, frames: &mut Reader, events: &mut Vec<Event>) {
        if !self.begun {
            let buffer = self.lines.buffer();
            if BOM.starts_with(buffer) && buffer.len() < BOM.len() {
                return;
            }
            let bom = buffer.starts_with(BOM);
            self.begun = true;
            self.lines.skip(if bom { BOM.len() } else { 0 });
        }
        while events.len() < BATCH_EVENTS_MAX {
            let Some(line) = self.lines.next() else { return };
            events.extend(self.event(line, self.lines.taken(), frames));
        }
    }

    /// What a line is, with the place to go on at; `None` if it is blank.
    fn event(&self, line: Line, bytes: u64, frames: &mut Reader) -> Option<Event> {
        let kind = match line {
            Line::TooLong => Kind::Malformed(Malformed::TooLong),
            Line::Text(text) if text.trim_ascii().is_empty() => return None,
            Line::Text(text) => frames.read(text).kind,
        };
        Some(Event { kind, resume: self.file.as_ref().map(|file| file.place(bytes)) })
    }
}

#[cfg(test)]
mod tests;
