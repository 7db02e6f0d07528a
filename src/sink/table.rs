//! A window for people: aligned counts, share of the total, change against the window shown before.
//!
//! The key stands last, so that no width of any script can break the columns.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use jiff::Timestamp;

use super::text::{push_escaped, push_key};
use crate::count::Window;
use crate::ids::Millis;

/// Longer keys are cut here, in characters; the other formats have them whole.
const KEY_CHARS_MAX: usize = 120;
/// Unread partitions named in the mark; the rest is a number.
const UNREAD_NAMED_MAX: usize = 8;

/// Writes windows as tables and remembers what the reader saw last.
#[derive(Debug)]
pub struct Table {
    app: String,
    shown: Option<HashMap<Option<Arc<[u8]>>, u64>>,
}

impl Table {
    /// No window shown so far: the first table has no changes.
    pub fn new(app: &str) -> Self {
        Self { app: app.to_owned(), shown: None }
    }

    /// The table, with an empty line behind it. The last column but one is the change since the window shown last;
    /// `new` is a key that was not among those shown.
    pub fn format(&self, window: &Window) -> String {
        let mut text = String::with_capacity(128 + 64 * window.top.len());
        push_escaped(&self.app, &mut text);
        text.push_str("  ");
        text.push_str(&utc(window.end_ms));
        put(&mut text, format_args!("  total {}  keys {}\n", window.total, window.distinct));
        push_mark(window, &mut text);
        if !window.top.is_empty() {
            put(
                &mut text,
                format_args!("{:>5} {:>12} {:>7} {:>9}  key\n", "rank", "count", "share", "change"),
            );
        }
        for (row, ranked) in window.top.iter().enumerate() {
            let (count, change) = (ranked.count, self.change(ranked.key.as_ref(), ranked.count));
            let share = share(count, window.total);
            put(&mut text, format_args!("{:>5} {count:>12} {share:>7} {change:>9}  ", row + 1));
            push_cut_key(ranked.key.as_deref(), &mut text);
            text.push('\n');
        }
        let more = window.distinct.saturating_sub(window.top.len() as u64);
        if more > 0 {
            let noun = if more == 1 { "key" } else { "keys" };
            put(&mut text, format_args!("      and {more} more {noun}\n"));
        }
        text.push('\n');
        text
    }

    /// The next table's changes are against this window.
    pub fn shown(&mut self, window: &Window) {
        self.shown = Some(window.top.iter().map(|ranked| (ranked.key.clone(), ranked.count)).collect());
    }

    fn change(&self, key: Option<&Arc<[u8]>>, count: u64) -> String {
        let Some(shown) = &self.shown else { return String::new() };
        match shown.get(&key.cloned()) {
            None => "new".to_owned(),
            Some(before) if *before == count => "=".to_owned(),
            Some(before) if count > *before => format!("+{}", count - before),
            Some(before) => format!("-{}", before - count),
        }
    }
}

/// Says in one line why the window is not the whole truth, if it is not.
fn push_mark(window: &Window, text: &mut String) {
    if window.complete {
        return;
    }
    text.push_str("! not complete");
    let mut between = ": ";
    if window.behind_ms > 0 {
        put(
            text,
            format_args!("{between}{}.{} s behind", window.behind_ms / 1_000, window.behind_ms % 1_000 / 100),
        );
        between = ", ";
    }
    if !window.unread.is_empty() {
        put(text, format_args!("{between}unread"));
        for partition in window.unread.iter().take(UNREAD_NAMED_MAX) {
            put(text, format_args!(" {partition}"));
        }
        if window.unread.len() > UNREAD_NAMED_MAX {
            put(text, format_args!(" and {} more", window.unread.len() - UNREAD_NAMED_MAX));
        }
        between = ", ";
    }
    if between == ": " {
        text.push_str("; not every slide in it is whole");
    }
    text.push('\n');
}

/// In tenths of a percent, rounded; `total` 0 has no shares.
fn share(count: u64, total: u64) -> String {
    if total == 0 {
        return String::new();
    }
    let permille = (u128::from(count) * 1_000 + u128::from(total) / 2) / u128::from(total);
    format!("{}.{}%", permille / 10, permille % 10)
}

/// The null key in brackets, unlike a key spelled so.
fn push_cut_key(key: Option<&[u8]>, text: &mut String) {
    if key.is_none() {
        text.push_str("(null)");
        return;
    }
    let mut whole = String::new();
    push_key(key, &mut whole);
    match whole.char_indices().nth(KEY_CHARS_MAX) {
        None => text.push_str(&whole),
        Some((end, _)) => {
            text.push_str(&whole[..end]);
            text.push('…');
        }
    }
}

fn utc(at_ms: Millis) -> String {
    match Timestamp::from_millisecond(at_ms) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => format!("{at_ms} ms"),
    }
}

fn put(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.write_fmt(what).expect("a String takes everything");
}

#[cfg(test)]
mod tests;
