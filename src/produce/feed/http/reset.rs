//! For how long a server wishes to be left alone, by the headers of its answer. Pure.

use std::time::Duration;

use http::HeaderMap;
use http::header::RETRY_AFTER;
use jiff::fmt::rfc2822;

/// When a limit is over, in seconds since the epoch (Twitter's and X's APIs).
const LIMIT_RESET: &str = "x-rate-limit-reset";

/// The time from now until the server may be asked again: by `Retry-After` (RFC 9110, 10.2.3), by `x-rate-limit-reset`,
/// or the later of both. `now` is the time since the epoch.
pub(super) fn after(headers: &HeaderMap, now: Duration) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let retry = text(RETRY_AFTER.as_str()).and_then(|text| match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => {
            let at = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
            Some(Duration::from_secs(at.as_second().try_into().ok()?).saturating_sub(now))
        }
    });
    let reset = text(LIMIT_RESET).and_then(|text| text.parse().ok());
    let reset = reset.map(|second| Duration::from_secs(second).saturating_sub(now));
    retry.max(reset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_headers_are_understood_and_the_later_one_counts() {
        let now = Duration::from_secs(1_795_946_400);
        for (headers, seconds) in [
            (vec![], None),
            (vec![("retry-after", "120")], Some(120)),
            (vec![("retry-after", "Sun, 29 Nov 2026 10:01:30 GMT")], Some(90)),
            (vec![("retry-after", "Sun, 29 Nov 2026 09:01:30 GMT")], Some(0)),
            (vec![("retry-after", "soon")], None),
            (vec![("retry-after", "-1")], None),
            (vec![("x-rate-limit-reset", "1795947300")], Some(900)),
            (vec![("x-rate-limit-reset", "1795946399")], Some(0)),
            (vec![("retry-after", "5"), ("x-rate-limit-reset", "1795946460")], Some(60)),
            (vec![("retry-after", "99999999999999999999")], None),
            (vec![("retry-after", "18446744073709551615")], Some(u64::MAX)),
        ] {
            let pair = |(name, value): (&'static str, &'static str)| {
                (name.parse::<http::HeaderName>().unwrap(), http::HeaderValue::from_static(value))
            };
            let map: HeaderMap = headers.iter().copied().map(pair).collect();
            assert_eq!(after(&map, now), seconds.map(Duration::from_secs), "{headers:?}");
        }
    }
}
