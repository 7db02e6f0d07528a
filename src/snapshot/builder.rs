//! Slides in, files out: a pure function of the slides, whoever hands them over and however often it was interrupted.
//!
//! A file is finished by the first slide that reaches the end of its roll. A slide's ranges stand in the file of the
//! first written window that holds the slide, so that whatever lies between two files is in the later one.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio_util::bytes::Bytes;

use super::facts::Facts;
use super::layout::FileName;
use super::plan::Plan;
use super::rows;
use super::slide::Slide;
use crate::count::Window;
use crate::ids::Millis;
use crate::sink::json;

/// A file with what belongs beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    pub name: FileName,
    pub rows: Bytes,
    pub ranges: Bytes,
    /// Its newest window as one object.
    pub latest: Bytes,
    /// Number of the slide that ends with it.
    pub slide: u64,
}

/// Puts files together.
#[derive(Debug)]
pub(super) struct Builder {
    plan: Plan,
    /// Slides up to here are in files already; they are passed over.
    last_ms: Option<Millis>,
    /// Number of the slide before the next one, where it is known and nothing was lost behind it.
    last: Option<u64>,
    /// Ranges of the slides after the last written window.
    between: Vec<u8>,
    open: Option<Roll>,
}

#[derive(Debug)]
struct Roll {
    end_ms: Millis,
    first_ms: Millis,
    newest: Window,
    /// Number of the slide that ends with it.
    slide: u64,
    rows: Packed,
    ranges: Packed,
}

impl Builder {
    /// Goes on after `last_ms`, the last window end that stands in a file.
    pub(super) fn new(plan: Plan, last_ms: Option<Millis>) -> Self {
        Self { plan, last_ms, last: None, between: Vec::new(), open: None }
    }

    /// The same, where this slide ended then.
    pub(super) fn behind(self, slide: Option<u64>) -> Self {
        Self { last: slide, ..self }
    }

    /// Slides before the next one are lost.
    pub(super) fn lost(&mut self) {
        self.last = None;
    }

    /// Whether an end is not later than that of the last slide, so that it is passed over.
    fn is_behind(&self, end_ms: Millis) -> bool {
        self.last_ms.is_some_and(|last| end_ms <= last)
    }

    /// Takes the next slide; of those whose ends are passed already, none. Returns the file that it finishes: the one before it, or the one that it is the last of;
    /// after a pause it can be both.
    pub(super) fn push(&mut self, slide: &Slide) -> Vec<File> {
        if self.is_behind(slide.end_ms) {
            return Vec::new();
        }
        self.last_ms = Some(slide.end_ms);
        let mut files = Vec::new();
        if self.open.as_ref().is_some_and(|roll| slide.end_ms > roll.end_ms) {
            files.extend(self.finish());
        }
        // What is missing was passed over, and that happens only to slides whose ends were put back (`--relabel`).
        let relabeled = self.last.is_some_and(|last| slide.number > last + 1);
        self.last = Some(slide.number);
        Facts { relabeled, ..Facts::of(slide, self.plan.keys) }.put(&mut self.between);
        if let Some(ranked) = &slide.window {
            self.add(slide.shown(ranked), slide.number);
        }
        if self.open.as_ref().is_some_and(|roll| slide.end_ms == roll.end_ms) {
            files.extend(self.finish());
        }
        files
    }

    fn add(&mut self, window: Window, slide: u64) {
        let mut lines = Vec::new();
        rows::put(&self.plan.app, &window, &mut lines);
        let between = std::mem::take(&mut self.between);
        let (gzip, end_ms) = (self.plan.gzip, window.end_ms);
        let roll = self.open.get_or_insert_with(|| Roll {
            end_ms: self.plan.roll_end(end_ms),
            first_ms: end_ms,
            newest: window.clone(),
            slide,
            rows: Packed::new(gzip),
            ranges: Packed::new(gzip),
        });
        roll.rows.put(&lines);
        roll.ranges.put(&between);
        (roll.newest, roll.slide) = (window, slide);
    }

    /// The file with what has come of its roll so far.
    pub(super) fn finish(&mut self) -> Option<File> {
        let Roll { first_ms, newest, slide, rows, ranges, .. } = self.open.take()?;
        let name = FileName { first_ms, last_ms: newest.end_ms, gzip: self.plan.gzip };
        let latest = json::line(&self.plan.app, &newest) + "\n";
        Some(File { name, rows: rows.finish(), ranges: ranges.finish(), latest: latest.into(), slide })
    }
}

/// A file's bytes: with gzip, the same for the same content, because no time and no name is in it.
#[derive(Debug)]
enum Packed {
    Plain(Vec<u8>),
    Gzip(GzEncoder<Vec<u8>>),
}

impl Packed {
    fn new(gzip: bool) -> Self {
        if gzip {
            Self::Gzip(GzEncoder::new(Vec::new(), Compression::default()))
        } else {
            Self::Plain(Vec::new())
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        let put = match self {
            Self::Plain(out) => out.write_all(bytes),
            Self::Gzip(out) => out.write_all(bytes),
        };
        put.expect("a Vec takes everything");
    }

    fn finish(self) -> Bytes {
        match self {
            Self::Plain(out) => out,
            Self::Gzip(out) => out.finish().expect("a Vec takes everything"),
        }
        .into()
    }
}

#[cfg(test)]
mod tests;
