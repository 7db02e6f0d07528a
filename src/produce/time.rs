//! When a post was written, from what its source calls the time. `shape` uses it on values that `json` found.

use std::ops::Range;

use jiff::Timestamp;

use super::json::Value;
use crate::ids::Millis;

/// Times that are believed: from 2000-01-01 to the end of 2199 (UTC), in milliseconds since the epoch.
const BELIEVED_MS: Range<Millis> = 946_684_800_000..7_258_118_400_000;

/// The longest text that can be a time, in bytes. Strangers send longer ones.
const TEXT_BYTES_MAX: usize = 64;

/// How Twitter wrote `created_at`: `Wed Aug 27 13:08:45 +0000 2008`.
const TWITTER: &str = "%a %b %d %H:%M:%S %z %Y";

/// The time that `value` is, in milliseconds since the epoch, fractions dropped. `None` if it is none, or one before
/// 2000 or after 2199.
///
/// Known are RFC 3339, Twitter's format, and numbers (also in quotes). A number counts seconds, milliseconds or
/// microseconds since the epoch: in the years believed, only one of them can be meant.
pub fn written_ms(value: Value<'_>) -> Option<Millis> {
    let text = match value {
        Value::Text(text) | Value::Number(text) => text.trim(),
        Value::Bool(_) | Value::Null | Value::Other => return None,
    };
    if text.len() > TEXT_BYTES_MAX {
        return None;
    }
    let ms = since_epoch(text).or_else(|| calendar(text))?;
    BELIEVED_MS.contains(&ms).then_some(ms)
}

/// A number of seconds, milliseconds or microseconds since the epoch, by its magnitude.
fn since_epoch(text: &str) -> Option<Millis> {
    let (from, until) = (BELIEVED_MS.start, BELIEVED_MS.end);
    if let Ok(number) = text.parse::<i64>() {
        return match number {
            _ if (from / 1_000..until / 1_000).contains(&number) => Some(number * 1_000),
            _ if (from..until).contains(&number) => Some(number),
            _ if (from * 1_000..until * 1_000).contains(&number) => Some(number / 1_000),
            _ => None,
        };
    }
    // With a fraction or an exponent. 53 bits hold microseconds of these years.
    let number = text.parse::<f64>().ok()?;
    let within = |unit: f64| number >= from as f64 * unit && number < until as f64 * unit;
    [1e-3, 1.0, 1e3].into_iter().find(|unit| within(*unit)).map(|unit| (number / unit) as Millis)
}

fn calendar(text: &str) -> Option<Millis> {
    let time = text.parse::<Timestamp>().or_else(|_| Timestamp::strptime(TWITTER, text)).ok()?;
    Some(time.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Option<Millis> {
        written_ms(Value::Text(text))
    }

    // The expected numbers are from `date -u -d ... +%s`.
    #[test]
    fn rfc_3339_is_read_with_its_offset() {
        assert_eq!(text("2024-09-09T19:46:02.102Z"), Some(1_725_911_162_102));
        assert_eq!(text("2024-09-09T21:46:02+02:00"), Some(1_725_911_162_000));
        assert_eq!(text("2024-09-09t19:46:02.102999z"), Some(1_725_911_162_102));
        assert_eq!(text("2024-02-29T00:00:00Z"), Some(1_709_164_800_000));
        assert_eq!(text("2023-02-29T00:00:00Z"), None);
        assert_eq!(text("2024-09-09T19:46:02"), None);
        assert_eq!(text("2024-09-09"), None);
    }

    #[test]
    fn twitters_format_is_read() {
        assert_eq!(text("Wed Aug 27 13:08:45 +0000 2008"), Some(1_219_842_525_000));
        assert_eq!(text("Wed Aug 27 15:08:45 +0200 2008"), Some(1_219_842_525_000));
        assert_eq!(text("Wed Aug 32 13:08:45 +0000 2008"), None);
    }

    #[test]
    fn numbers_are_seconds_milliseconds_or_microseconds() {
        let expected = Some(1_725_911_162_000);
        for number in ["1725911162", "1725911162000", "1725911162000000", "1.725911162e9", "1725911162.0"] {
            assert_eq!(written_ms(Value::Number(number)), expected, "{number}");
            assert_eq!(text(number), expected, "{number} in quotes");
        }
        assert_eq!(text("1725911162.102"), Some(1_725_911_162_102));
        assert_eq!(text("1725911162102999"), Some(1_725_911_162_102));
    }

    #[test]
    fn nothing_before_2000_or_after_2199_is_believed() {
        assert_eq!(text("2000-01-01T00:00:00Z"), Some(946_684_800_000));
        assert_eq!(text("1999-12-31T23:59:59.999Z"), None);
        assert_eq!(text("2199-12-31T23:59:59.999Z"), Some(7_258_118_399_999));
        assert_eq!(text("2200-01-01T00:00:00Z"), None);
        for (first, before) in [
            ("946684800", "946684799"),
            ("946684800000", "946684799999"),
            ("946684800000000", "946684799999999"),
        ] {
            assert_eq!(text(first), Some(946_684_800_000), "{first}");
            assert_eq!(text(before), None, "{before}");
        }
        for after in ["7258118400", "7258118400000", "7258118400000000", "7.2581184e9"] {
            assert_eq!(text(after), None, "{after}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        let long = format!("1725911162.{}", "0".repeat(100));
        for none in ["", "now", "NaN", "inf", "-1725911162", "1e400", "20240909194602", "0", "-", &long] {
            assert_eq!(text(none), None, "{none:?}");
        }
        assert_eq!(written_ms(Value::Bool(true)), None);
        assert_eq!(written_ms(Value::Null), None);
        assert_eq!(written_ms(Value::Other), None);
    }
}
