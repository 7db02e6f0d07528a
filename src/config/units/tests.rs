//! Durations and sizes as people write them.

use super::*;

fn timespan(text: &str) -> Result<u64, String> {
    text.parse::<Timespan>().map(Timespan::ms)
}

#[test]
fn durations_take_every_unit() {
    let read: Vec<_> =
        ["500ms", "300s", "30m", "5min", "1h", "30d"].iter().map(|text| timespan(text)).collect();
    let ms = [500, 300_000, 1_800_000, 300_000, 3_600_000, 2_592_000_000];
    assert_eq!(read, ms.map(Ok));
}

#[test]
fn bare_number_is_refused_with_the_reason() {
    insta::assert_snapshot!(timespan("300").unwrap_err(), @"300 has no unit, so seconds and milliseconds cannot be told apart; write 300s or 300ms");
}

#[test]
fn odd_durations_are_refused() {
    for text in ["", "s", "-1s", "1.5s", "1 s", "1S", "1w", "١s", "99999999999999999999s", "40000d"] {
        assert!(timespan(text).is_err(), "{text}");
    }
}

#[test]
fn durations_print_as_they_are_written() {
    for text in ["0s", "1ms", "1500ms", "60s", "300s", "10m", "30m", "1h", "30d"] {
        assert_eq!(text.parse::<Timespan>().map(|span| span.to_string()), Ok(text.to_owned()));
    }
}

#[test]
fn bare_size_means_mib() {
    assert_eq!("256".parse::<Size>(), Ok(Size::from_mib(256)));
    assert_eq!("256".parse(), "256M".parse::<Size>());
}

#[test]
fn sizes_are_binary_and_of_either_case() {
    assert_eq!("512K".parse::<Size>().map(Size::bytes), Ok(524_288));
    assert_eq!("1g".parse(), "1024MB".parse::<Size>());
    assert_eq!("1K".parse::<Size>().map(Size::mib), Ok(1), "rounded up");
    for text in ["", "M", "-1M", "1.5G", "1 G", "1X", "99999999999T"] {
        assert!(text.parse::<Size>().is_err(), "{text}");
    }
}

#[test]
fn sizes_print_as_they_are_written() {
    for text in ["0M", "256M", "1G", "512K", "7B"] {
        assert_eq!(text.parse::<Size>().map(|size| size.to_string()), Ok(text.to_owned()));
    }
}
