//! Keys from headers and from JSON values; records without one are counted, under null.

use crate::mock::Mock;
use crate::seen::Counts;

fn expected(counts: &[(Option<&str>, u64)]) -> Counts {
    counts.iter().map(|(key, count)| (key.map(|key| key.as_bytes().to_vec()), *count)).collect()
}

#[test]
fn a_json_pointer_finds_keys_and_bad_records_are_null() {
    let mock = Mock::new(1, 2);
    let values: [&[u8]; 9] = [
        br#"{"user": {"lang": "en"}, "text": "a"}"#,
        br#"{"user": {"lang": "en"}}"#,
        br#"{"user": {"lang": "d\u0065"}}"#,
        br#"{"user": {"lang": 1.50}}"#,
        br#"{"user": {"lang": null}}"#,
        br#"{"user": {}}"#,
        br#"{"user": {"lang": "en""#,
        b"\xff\x00 not json",
        b"",
    ];
    values.iter().for_each(|value| mock.writer.value(value, &[]));
    mock.writer.flush();
    let mut job = mock.job().set("key", "{json: /user/lang}").start();
    job.until_total(9);
    let counts = job.finish().counts();
    assert_eq!(counts, expected(&[(Some("en"), 2), (Some("de"), 1), (Some("1.50"), 1), (None, 5)]));
}

#[test]
fn a_header_is_the_key_and_records_without_it_are_null() {
    let mock = Mock::new(1, 2);
    let headers: [&[(&str, &[u8])]; 5] = [
        &[("lang", b"en")],
        &[("other", b"x"), ("lang", b"en")],
        &[("lang", b"null")],
        &[("Lang", b"en")],
        &[],
    ];
    headers.iter().for_each(|headers| mock.writer.value(b"v", headers));
    mock.writer.flush();
    let mut job = mock.job().set("key", "{header: lang}").start();
    job.until_total(5);
    let counts = job.finish().counts();
    assert_eq!(counts, expected(&[(Some("en"), 2), (Some("null"), 1), (None, 2)]));
}
