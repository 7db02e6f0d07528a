//! What each rule makes of a record.

use super::*;

fn record<'a>(value: Option<&'a [u8]>, headers: &'a [(&'a str, Option<&'a [u8]>)]) -> Record<'a> {
    Record::given(Some(b"own"), value, 0, None, headers)
}

fn by_json(pointer: &str, value: &str) -> String {
    let mut reader = KeyReader::new(&KeyRule::Json(pointer.to_owned())).unwrap();
    match reader.read(&record(Some(value.as_bytes()), &[])) {
        Key::Bytes(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        Key::Null => "NULL".to_owned(),
        Key::Unkeyed(reason) => format!("UNKEYED {}", reason.label()),
    }
}

#[test]
fn record_rule_tells_null_from_empty() {
    let mut reader = KeyReader::new(&KeyRule::Record).unwrap();
    assert_eq!(reader.read(&Record::given(None, None, 0, None, &[])), Key::Null);
    assert_eq!(reader.read(&Record::given(Some(b""), None, 0, None, &[])), Key::Bytes(b""));
    assert_eq!(reader.read(&Record::given(Some(b"null"), None, 0, None, &[])), Key::Bytes(b"null"));
}

#[test]
fn header_rule_takes_the_last_header_of_the_name() {
    let mut reader = KeyReader::new(&KeyRule::Header("h".to_owned())).unwrap();
    let headers: &[(&str, Option<&[u8]>)] = &[("h", Some(b"1")), ("x", Some(b"9")), ("h", Some(b"2"))];
    assert_eq!(reader.read(&record(None, headers)), Key::Bytes(b"2"));
    assert_eq!(reader.read(&record(None, &[("h", None)])), Key::Null);
    assert_eq!(reader.read(&record(None, &[("H", Some(b"1"))])), Key::Unkeyed(Unkeyed::HeaderAbsent));
    assert!(KeyReader::new(&KeyRule::Header("a\0b".to_owned())).unwrap_err().contains("zero byte"));
}

#[test]
fn json_scalars_give_their_text() {
    let value = r#"{"s":"a\u00e9\n\"b","plain":"x","i":-1,"f":1.50,"e":1e3,"big":123456789012345678901234567890,
        "t":true,"z":null,"o":{"a/b":{"m~n":["q",["r"]]}},"empty":""}"#;
    for (pointer, key) in [
        ("/s", "aé\n\"b"),
        ("/plain", "x"),
        ("/i", "-1"),
        ("/f", "1.50"),
        ("/e", "1e3"),
        ("/big", "123456789012345678901234567890"),
        ("/t", "true"),
        ("/z", "NULL"),
        ("/empty", ""),
        ("/o/a~1b/m~0n/0", "q"),
        ("/o/a~1b/m~0n/1/0", "r"),
        ("/o/a~1b/m~0n/00", "UNKEYED pointer_absent"),
        ("/o/a~1b/m~0n/2", "UNKEYED pointer_absent"),
        ("/o/a~1b/m~0n/-", "UNKEYED pointer_absent"),
        ("/o", "UNKEYED not_scalar"),
        ("/o/a~1b/m~0n", "UNKEYED not_scalar"),
        ("/absent", "UNKEYED pointer_absent"),
        ("/s/deeper", "UNKEYED pointer_absent"),
        ("/z/deeper", "UNKEYED pointer_absent"),
        ("/i/deeper", "UNKEYED pointer_absent"),
    ] {
        assert_eq!(by_json(pointer, value), key, "{pointer}");
    }
}

#[test]
fn json_of_the_whole_value_and_of_repeated_names() {
    assert_eq!(by_json("", " \"x\" "), "x");
    assert_eq!(by_json("", "7"), "7");
    assert_eq!(by_json("/a", r#"{"a":1,"a":2}"#), "2");
    assert_eq!(by_json("/\u{e9}", r#"{"\u00e9":1}"#), "1");
}

#[test]
fn what_is_not_json_has_no_key() {
    for value in ["", "{", r#"{"a":1}x"#, r#"{"a":1,}"#, "nul", r#"{"a":"\ud800"}"#, "\"unclosed"] {
        assert_eq!(by_json("/a", value), "UNKEYED not_json", "{value}");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(by_json("/a", &deep), "UNKEYED not_json");
    let mut reader = KeyReader::new(&KeyRule::Json("/a".to_owned())).unwrap();
    assert_eq!(reader.read(&record(Some(b"{\"a\":\"\xff\"}"), &[])), Key::Unkeyed(Unkeyed::NotJson));
    assert_eq!(reader.read(&record(None, &[])), Key::Unkeyed(Unkeyed::Tombstone));
}

#[test]
fn pointers_that_are_none_are_refused() {
    for pointer in ["a", "a/b", "/a~2", "/a~"] {
        let error = KeyReader::new(&KeyRule::Json(pointer.to_owned())).unwrap_err();
        assert!(error.contains("not a JSON pointer"), "{error}");
    }
}

#[test]
fn labels_are_in_the_order_of_their_indexes() {
    for (index, reason) in Unkeyed::ALL.iter().enumerate() {
        assert_eq!(reason.index(), index);
    }
}
