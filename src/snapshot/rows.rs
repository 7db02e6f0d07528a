//! Rows: one JSON object a line per window and rank. Written for readers, read back by `verify`.
//!
//! Columns are always there, in this order: `app, window_start_ms, window_end_ms, total, complete, rank, key,
//! key_base64, count`. `key` and `key_base64` are as `console: json` has them: the null key is null in both; of a key
//! that is not UTF-8 `key` shows what can be shown, and `key_base64` has its bytes. A window without a key still has
//! a row, with `rank`, `key` and `count` null: that nothing came is a result too.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::count::{RankedKey, Window};
use crate::ids::Millis;
use crate::sink::json;

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Row {
    app: Arc<str>,
    window_start_ms: Millis,
    window_end_ms: Millis,
    total: u64,
    complete: bool,
    rank: Option<u64>,
    key: Option<String>,
    key_base64: Option<String>,
    count: Option<u64>,
}

/// Appends the rows of a window.
pub(super) fn put(app: &str, window: &Window, out: &mut Vec<u8>) {
    let mut row = Row {
        app: app.into(),
        window_start_ms: window.start_ms,
        window_end_ms: window.end_ms,
        total: window.total,
        complete: window.complete,
        rank: None,
        key: None,
        key_base64: None,
        count: None,
    };
    if window.top.is_empty() {
        line(&row, out);
    }
    for (ranked, rank) in window.top.iter().zip(1..) {
        (row.key, row.key_base64) = json::key(ranked.key.as_deref());
        (row.rank, row.count) = (Some(rank), Some(ranked.count));
        line(&row, out);
    }
}

fn line(row: &Row, out: &mut Vec<u8>) {
    serde_json::to_writer(&mut *out, row).expect("strings and numbers are always JSON");
    out.push(b'\n');
}

/// A window as its rows tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written {
    /// Its first millisecond.
    pub start_ms: Millis,
    /// Its end.
    pub end_ms: Millis,
    /// Records in it.
    pub total: u64,
    /// Its ranking, as far as it was written.
    pub top: Vec<RankedKey>,
}

/// Puts rows together again to windows: give it every line, then [`Reader::finish`].
#[derive(Debug, Default)]
pub(super) struct Reader {
    open: Option<Written>,
    rows: u64,
}

impl Reader {
    /// Takes a line; returns the window before if this one begins another.
    pub(super) fn line(&mut self, text: &str) -> Result<Option<Written>, String> {
        let row: Row = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let mut done = None;
        // A window that stands there twice in a row begins again with its first rank.
        if self.open.as_ref().is_none_or(|open| open.end_ms != row.window_end_ms)
            || row.rank.unwrap_or(1) == 1
        {
            let Row { window_start_ms: start_ms, window_end_ms: end_ms, total, .. } = row;
            done = self.open.replace(Written { start_ms, end_ms, total, top: Vec::new() });
            self.rows = 0;
        }
        let Some(open) = &mut self.open else { return Ok(done) };
        if open.total != row.total {
            return Err(format!("the rows of window {} do not agree on its total", open.end_ms));
        }
        if let (Some(rank), Some(count)) = (row.rank, row.count) {
            self.rows += 1;
            if rank != self.rows {
                return Err(format!(
                    "rank {rank} of window {} stands where {} should",
                    open.end_ms, self.rows
                ));
            }
            open.top.push(RankedKey { key: key(row.key, row.key_base64)?, count });
        }
        Ok(done)
    }

    /// The last window.
    pub(super) fn finish(&mut self) -> Option<Written> {
        self.open.take()
    }
}

fn key(text: Option<String>, base64: Option<String>) -> Result<Option<Arc<[u8]>>, String> {
    match base64 {
        Some(base64) => {
            let bytes = STANDARD.decode(&base64).map_err(|error| format!("key_base64 {base64}: {error}"))?;
            Ok(Some(bytes.into()))
        }
        None => Ok(text.map(|text| text.into_bytes().into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Ranked<'a> = (Option<&'a [u8]>, u64);

    fn window(end_ms: Millis, top: &[Ranked<'_>]) -> Window {
        let ranked = |&(key, count): &Ranked<'_>| RankedKey { key: key.map(Into::into), count };
        Window {
            start_ms: end_ms - 300_000,
            end_ms,
            attempt: 2,
            total: top.iter().map(|(_, count)| count).sum(),
            distinct: top.len() as u64,
            complete: true,
            behind_ms: 0,
            unread: Vec::new(),
            top: top.iter().map(ranked).collect(),
            ranges: Vec::new(),
        }
    }

    #[test]
    fn rows_have_exactly_the_promised_columns() {
        let top: [Ranked<'_>; 3] = [(None, 7), (Some(b"Bitcoin"), 5), (Some(b"\xff\"\n"), 1)];
        let mut out = Vec::new();
        put("TweetsApp", &window(1_795_431_600_000, &top), &mut out);
        put("TweetsApp", &window(1_795_431_660_000, &[]), &mut out);
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r#"
        {"app":"TweetsApp","window_start_ms":1795431300000,"window_end_ms":1795431600000,"total":13,"complete":true,"rank":1,"key":null,"key_base64":null,"count":7}
        {"app":"TweetsApp","window_start_ms":1795431300000,"window_end_ms":1795431600000,"total":13,"complete":true,"rank":2,"key":"Bitcoin","key_base64":null,"count":5}
        {"app":"TweetsApp","window_start_ms":1795431300000,"window_end_ms":1795431600000,"total":13,"complete":true,"rank":3,"key":"�\"\n","key_base64":"/yIK","count":1}
        {"app":"TweetsApp","window_start_ms":1795431360000,"window_end_ms":1795431660000,"total":0,"complete":true,"rank":null,"key":null,"key_base64":null,"count":null}
        "#);
    }

    #[test]
    fn windows_come_back_as_they_went() {
        let tops: [&[Ranked<'_>]; 4] =
            [&[(Some(b"null"), 3), (None, 3), (Some(b""), 1)], &[], &[], &[(Some(b"\xc3\x28"), 9)]];
        let windows: Vec<_> = tops.iter().zip(1..).map(|(top, n)| window(n * 60_000, top)).collect();
        let mut out = Vec::new();
        windows.iter().for_each(|window| put("a", window, &mut out));
        let mut reader = Reader::default();
        let text = String::from_utf8(out).unwrap();
        let mut back: Vec<_> = text.lines().filter_map(|line| reader.line(line).unwrap()).collect();
        back.extend(reader.finish());
        assert_eq!(back.len(), 4);
        for (back, window) in back.iter().zip(&windows) {
            assert_eq!((back.end_ms, back.total, &back.top), (window.end_ms, window.total, &window.top));
        }
    }

    #[test]
    fn a_row_that_is_missing_or_there_twice_is_noticed() {
        let mut out = Vec::new();
        put("a", &window(60_000, &[(Some(b"x"), 3), (Some(b"y"), 2), (Some(b"z"), 1)]), &mut out);
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<_> = text.lines().collect();
        for order in [[0, 2, 1], [0, 1, 1], [1, 2, 0]] {
            let mut reader = Reader::default();
            assert!(order.iter().any(|&at: &usize| reader.line(lines[at]).is_err()), "{order:?}");
        }
    }
}
