//! A window as one JSON object, for programs: what `console: json` prints and `/api/window` answers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};

use super::text::{is_unsafe, lossy, push_unicode_escape};
use crate::count::{RankedKey, Window};
use crate::ids::{Millis, Offset, Partition};

/// The object without a newline. Control characters that JSON would let pass raw (DEL, C1, bidirectional controls)
/// are escaped too, so that it can stand on a terminal.
pub fn line(app: &str, window: &Window) -> String {
    let object =
        serde_json::to_string(&Object::of(app, window)).expect("strings and numbers are always JSON");
    if !object.chars().any(is_unsafe) {
        return object;
    }
    let mut safe = String::with_capacity(object.len() + 16);
    for character in object.chars() {
        // Outside of strings JSON on one line has none of these, so an escape is always in a string.
        if is_unsafe(character) {
            push_unicode_escape(character, &mut safe);
        } else {
            safe.push(character);
        }
    }
    safe
}

/// The names are a contract with whoever reads them; their order is for people.
#[derive(Serialize)]
struct Object<'a> {
    app: &'a str,
    attempt: u32,
    window_start_ms: Millis,
    window_end_ms: Millis,
    total: u64,
    distinct: u64,
    complete: bool,
    behind_ms: u64,
    unread: Vec<String>,
    top: Vec<Row>,
    #[serde(serialize_with = "ranges")]
    ranges: &'a [(Partition, Offset, Offset)],
}

#[derive(Serialize)]
struct Row {
    /// `None` is the null key. Not UTF-8: shown lossily, the bytes are in `key_base64`.
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_base64: Option<String>,
    count: u64,
}

impl<'a> Object<'a> {
    fn of(app: &'a str, window: &'a Window) -> Self {
        Self {
            app,
            attempt: window.attempt,
            window_start_ms: window.start_ms,
            window_end_ms: window.end_ms,
            total: window.total,
            distinct: window.distinct,
            complete: window.complete,
            behind_ms: window.behind_ms,
            unread: window.unread.iter().map(Partition::to_string).collect(),
            top: window.top.iter().map(Row::of).collect(),
            ranges: &window.ranges,
        }
    }
}

impl Row {
    fn of(ranked: &RankedKey) -> Self {
        let (key, key_base64) = key(ranked.key.as_deref());
        Self { key, key_base64, count: ranked.count }
    }
}

/// A key as JSON has it: text, and base64 of its bytes where the text is not all of it; nothing for the null key.
pub fn key(bytes: Option<&[u8]>) -> (Option<String>, Option<String>) {
    let raw = bytes.filter(|bytes| std::str::from_utf8(bytes).is_err());
    (bytes.map(lossy), raw.map(|bytes| STANDARD.encode(bytes)))
}

/// A map in the order given, by partition number: `t/2` before `t/10`.
fn ranges<S: Serializer>(ranges: &&[(Partition, Offset, Offset)], to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(ranges.iter().map(|(partition, from, until)| (partition.to_string(), [from, until])))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::sink::samples::window;

    #[test]
    fn a_window_has_exactly_the_promised_keys() {
        let mut window = window(1_795_365_042_000, &[(2, "Bitcoin"), (1, "null")], 10);
        window.complete = false;
        window.behind_ms = 1_500;
        window.attempt = 2;
        window.unread = vec![Partition::new("tweets_poc", 3)];
        window.ranges = vec![(Partition::new("t", 2), 5, 7), (Partition::new("t", 10), 0, 0)];
        assert_eq!(
            line("TweetsApp", &window),
            r#"{"app":"TweetsApp","attempt":2,"window_start_ms":1795364742000,"window_end_ms":1795365042000,"#
                .to_owned()
                + r#""total":3,"distinct":2,"complete":false,"behind_ms":1500,"unread":["tweets_poc/3"],"#
                + r#""top":[{"key":"Bitcoin","count":2},{"key":null,"count":1}],"#
                + r#""ranges":{"t/2":[5,7],"t/10":[0,0]}}"#
        );
    }

    #[test]
    fn a_key_that_is_not_utf_8_is_there_twice() {
        let mut window = window(1_000, &[(1, "x")], 10);
        window.top[0].key = Some(Arc::from(&b"\xffA\xed\xa0\x80"[..]));
        let object = line("a", &window);
        assert!(object.contains(r#"{"key":"�A�","key_base64":"/0HtoIA=","count":1}"#), "{object}");
    }

    #[test]
    fn a_null_key_and_a_key_spelled_null_differ() {
        let mut window = window(1_000, &[(1, "null"), (1, "x")], 10);
        window.top[1].key = Some(Arc::from(&b"null"[..]));
        let object = line("a", &window);
        assert!(object.contains(r#"[{"key":null,"count":1},{"key":"null","count":1}]"#), "{object}");
    }

    #[test]
    fn one_line_that_drives_no_terminal_and_reads_back() {
        let key = "a\n\"b\\\u{1b}\u{7f}\u{9b}\u{202e}\u{2028}";
        let object = line("a\u{85}", &window(1_000, &[(1, key)], 10));
        assert!(!object.chars().any(is_unsafe), "{object}");
        assert!(object.contains(r#""a\n\"b\\\u001b\u007f\u009b\u202e\u2028""#), "{object}");
        let value: serde_json::Value = serde_json::from_str(&object).unwrap();
        assert_eq!(value["top"][0]["key"], key);
        assert_eq!(value["app"], "a\u{85}");
    }
}
