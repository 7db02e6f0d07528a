//! What is found where, and what is refused. The oracle parses whole documents.

use super::*;
use crate::random::Random;

fn pointers(list: &[&str]) -> Pointers {
    Pointers::new(&list.iter().map(|text| text.parse().unwrap()).collect::<Vec<Pointer>>())
}

/// The value at one pointer, as this file writes it: `"text"`, a number or boolean, `null`, `other`, `-` for none.
fn shown(value: Option<Value<'_>>) -> String {
    match value {
        Some(Value::Text(text)) => format!("{text:?}"),
        Some(Value::Number(text)) => text.to_owned(),
        Some(Value::Bool(value)) => value.to_string(),
        Some(Value::Null) => "null".to_owned(),
        Some(Value::Other) => "other".to_owned(),
        None => "-".to_owned(),
    }
}

fn at(pointer: &str, json: &str) -> String {
    let mut found = Found::default();
    pointers(&[pointer]).read(json.as_bytes(), &mut found).unwrap();
    shown(found.get(0))
}

fn error(json: impl AsRef<[u8]>) -> Malformed {
    pointers(&["/a/b", "/c"]).read(json.as_ref(), &mut Found::default()).unwrap_err()
}

#[test]
fn several_values_are_found_in_one_pass() {
    let pointers =
        pointers(&["/commit/record/text", "/did", "/commit", "/commit/record/langs/0", "/did", "/x"]);
    let mut found = Found::default();
    let post =
        r#"{"did":"did:plc:a","time_us":1,"commit":{"rev":"r","record":{"langs":["en","de"],"text":"a\n"}}}"#;
    pointers.read(post.as_bytes(), &mut found).unwrap();
    let all: Vec<_> = (0..7).map(|index| shown(found.get(index))).collect();
    assert_eq!(all, [r#""a\n""#, r#""did:plc:a""#, "other", r#""en""#, r#""did:plc:a""#, "-", "-"]);
}

#[test]
fn each_kind_of_value_keeps_its_text() {
    let json = r#" {"s":"x","n":-1.50e+3,"big":123456789012345678901234567890,"huge":1e999,"t":true,"f":false,
        "z":null,"o":{"k":"v"},"l":[1,[2]],"":"empty name","a/b":"slash","m~n":"tilde"} "#;
    for (pointer, value) in [
        ("/s", r#""x""#),
        ("/n", "-1.50e+3"),
        ("/big", "123456789012345678901234567890"),
        ("/huge", "1e999"),
        ("/t", "true"),
        ("/f", "false"),
        ("/z", "null"),
        ("/o", "other"),
        ("/l", "other"),
        ("", "other"),
        ("/o/k", r#""v""#),
        ("/l/0", "1"),
        ("/l/1/0", "2"),
        ("/l/2", "-"),
        ("/l/-", "-"),
        ("/l/00", "-"),
        ("/l/+0", "-"),
        ("/o/0", "-"),
        ("/", r#""empty name""#),
        ("/a~1b", r#""slash""#),
        ("/m~0n", r#""tilde""#),
        ("/s/x", "-"),
        ("/n/x", "-"),
        ("/huge/x", "-"),
        ("/z/x", "-"),
        ("/t/x", "-"),
    ] {
        assert_eq!(at(pointer, json), value, "{pointer}");
    }
}

#[test]
fn values_have_a_text_unless_they_are_null_or_hold_others() {
    let texts = [Value::Text("a"), Value::Number("1.0"), Value::Bool(true), Value::Bool(false)];
    assert_eq!(texts.map(Value::text), [Some("a"), Some("1.0"), Some("true"), Some("false")]);
    assert_eq!([Value::Null, Value::Other].map(Value::text), [None, None]);
}

#[test]
fn escapes_are_decoded_and_lone_surrogates_replaced() {
    for (json, text) in [
        (r#"\u0049\u006fT"#, "IoT"),
        (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t"),
        (r#"\ud83d\ude00"#, "😀"),
        (r#"a\ud83db"#, "a\u{fffd}b"),
        (r#"\ude00"#, "\u{fffd}"),
        (r#"\ude00\ud83d"#, "\u{fffd}\u{fffd}"),
        (r#"\ud83d\ud83d\ude00"#, "\u{fffd}😀"),
        (r#"\ud83d\n"#, "\u{fffd}\n"),
        (r#"\ud7ff\ue000퟿é"#, "\u{d7ff}\u{e000}\u{d7ff}é"),
        (r#"\u0000"#, "\0"),
    ] {
        assert_eq!(at("/a", &format!(r#"{{"a":"{json}"}}"#)), format!("{text:?}"), "{json}");
        // The same where an object is expected, and in names.
        assert_eq!(at("/a/b", &format!(r#"{{"a":"{json}"}}"#)), "-", "{json}");
        assert_eq!(at("/b", &format!(r#"{{"a{json}":{{"{json}":1}},"b":2}}"#)), "2", "{json}");
    }
    assert_eq!(at("/IoT", r#"{"\u0049oT":1}"#), "1");
    assert_eq!(at("/\u{fffd}", r#"{"\ud800":1}"#), "1");
    assert_eq!(at(r"/\u0049oT", r#"{"\u0049oT":1}"#), "-");
}

#[test]
fn the_last_member_of_a_name_counts() {
    assert_eq!(at("/a", r#"{"a":1,"a":2}"#), "2");
    assert_eq!(at("/a", r#"{"a":1,"\u0061":null}"#), "null");
    assert_eq!(at("/a/b", r#"{"a":{"b":1},"a":{"b":2}}"#), "2");
    assert_eq!(at("/a/b", r#"{"a":{"b":1},"a":{"c":2}}"#), "-");
    assert_eq!(at("/a/b", r#"{"a":{"b":1},"a":3}"#), "-");
    assert_eq!(at("/a/0", r#"{"a":[1],"a":[]}"#), "-");
}

#[test]
fn what_is_not_one_json_object_is_malformed() {
    for json in [
        "",
        " ",
        "{",
        r#"{"a""#,
        r#"{"a":"#,
        r#"{"a":1"#,
        r#"{"a":1,}"#,
        r#"{"a":1}x"#,
        r#"{"a":1}{}"#,
        r#"{"a":NaN}"#,
        r#"{"a":Infinity}"#,
        r#"{"a":01}"#,
        r#"{"a":+1}"#,
        r#"{"a":1.}"#,
        r#"{'a':1}"#,
        r#"{a:1}"#,
        r#"{"a":"\x"}"#,
        r#"{"a":"\u12"}"#,
        r#"{"a":{"b":"\ud800"},"c":tru}"#,
        "{\"a\":\"\n\"}",
        "{\"a\nb\":1}",
        "{\"c\":\"\\n\n\"}",
        "\u{feff}{}",
        "{} \0",
        "// c\n{}",
    ] {
        assert_eq!(error(json), Malformed::NotJson, "{json:?}");
    }
    for json in ["[]", "1", "null", "\"a\"", r#"[{"a":1}]"#] {
        assert_eq!(error(json), Malformed::NotAPost, "{json:?}");
    }
    for json in [&b"{\"x\":\"\xff\"}"[..], b"\xed\xa0\x80", b"{\"x\":\"\xc3"] {
        assert_eq!(error(json), Malformed::NotUtf8, "{json:?}");
    }
}

#[test]
fn every_cut_of_a_post_is_malformed() {
    let post = r#"{"a":{"b":"é\u00e9\ud83d\ude00","x":[1,2.5e3,true]},"c":null}"#;
    assert!(pointers(&["/a/b", "/c"]).read(post.as_bytes(), &mut Found::default()).is_ok());
    for cut in 0..post.len() {
        let _ = error(&post.as_bytes()[..cut]);
    }
}

#[test]
fn after_an_error_nothing_is_found() {
    let pointers = pointers(&["/a"]);
    let mut found = Found::default();
    pointers.read(br#"{"a":1}"#, &mut found).unwrap();
    assert_eq!(found.get(0), Some(Value::Number("1")));
    pointers.read(br#"{"b":1}"#, &mut found).unwrap();
    assert_eq!(found.get(0), None);
    assert!(pointers.read(br#"{"a":1"#, &mut found).is_err());
    assert_eq!(found.get(0), None);
    assert!(pointers.read(br#"[{"a":1}]"#, &mut found).is_err());
    assert_eq!(found.get(0), None);
}

#[test]
fn the_depth_limit_is_that_of_serde_json_wherever_it_is_deep() {
    let names = |depth: usize| format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
    let lists =
        |depth: usize| format!(r#"{{"x":{}"[[\"{{"{}}}"#, "[".repeat(depth - 1), "]".repeat(depth - 1));
    for depth in [1, 2, 126, 127, 128, 129, 1_000, 100_000] {
        for json in [names(depth), lists(depth)] {
            let known = serde_json::from_str::<serde_json::Value>(&json).is_ok();
            for list in [&["/a/a/a/a"][..], &["/x"], &["/a", "/a/a", "/x/0/0"], &[]] {
                let read = pointers(list).read(json.as_bytes(), &mut Found::default());
                let expected = if known { Ok(()) } else { Err(Malformed::NotAPost) };
                assert_eq!(read, expected, "depth {depth}, {list:?}");
            }
        }
    }
    let wide = format!(r#"{{"x":[{}1]}}"#, "[],{},".repeat(1_000));
    assert_eq!(at("/x/0", &wide), "other");
}

/// Against a parser of whole documents, over texts made by chance, broken ones among them.
#[test]
fn chance_documents_read_as_a_parser_of_all_reads_them() {
    for seed in 0..3_000 {
        let mut random = Random::with_seed(seed);
        let mut json = format!("{{{}}}", members(&mut random, 3));
        if random.one_in(4) {
            let mut at = random.below(json.len());
            while !json.is_char_boundary(at) {
                at -= 1;
            }
            json.insert_str(at, ["x", "\"", ",", "}", "\\", "[", " ", "0"][random.below(8)]);
        }
        let list: Vec<String> = (0..4).map(|_| chance_pointer(&mut random)).collect();
        let whole: Option<serde_json::Value> = serde_json::from_str(&json).ok();
        let mut found = Found::default();
        let pointers = pointers(&list.iter().map(String::as_str).collect::<Vec<_>>());
        let read = pointers.read(json.as_bytes(), &mut found);
        assert_eq!(read.is_ok(), whole.is_some(), "seed {seed}: {json}");
        for (index, pointer) in list.iter().enumerate() {
            let expected = match whole.as_ref().and_then(|whole| whole.pointer(pointer)) {
                Some(serde_json::Value::String(text)) => format!("{text:?}"),
                Some(serde_json::Value::Object(_) | serde_json::Value::Array(_)) => "other".to_owned(),
                Some(scalar) => scalar.to_string(),
                None => "-".to_owned(),
            };
            assert_eq!(shown(found.get(index)), expected, "seed {seed}: {pointer} in {json}");
        }
        // The second walk, which otherwise only rare posts take, finds the same.
        let mut again = Found::default();
        again.clear(list.len());
        assert_eq!(pointers.walk(&json, &mut again, true).is_ok(), whole.is_some(), "seed {seed}: {json}");
        if whole.is_some() {
            assert!(
                (0..4).all(|index| again.get(index) == found.get(index)),
                "seed {seed}: {list:?} in {json}"
            );
        }
    }
}

const NAMES: [&str; 5] = ["a", "b", "0", "1", "x/y"];

fn chance_pointer(random: &mut Random) -> String {
    (0..random.below(4)).map(|_| format!("/{}", NAMES[random.below(5)].replace('/', "~1"))).collect()
}

fn members(random: &mut Random, depth: usize) -> String {
    let member = |random: &mut Random| {
        let name = NAMES[random.below(5)].replace('a', ["a", "\\u0061"][random.below(2)]);
        format!("\"{name}\" :{}", chance_value(random, depth))
    };
    (0..random.below(4)).map(|_| member(random)).collect::<Vec<_>>().join(", ")
}

fn chance_value(random: &mut Random, depth: usize) -> String {
    match random.below(if depth == 0 { 6 } else { 10 }) {
        0 => "null".to_owned(),
        1 => "true".to_owned(),
        2 => random.between(-50, 50).to_string(),
        3 => "\"\"".to_owned(),
        4 => r#""q\"[{\\""#.to_owned(),
        5 => "\"\\u00e9é😀\\n\"".to_owned(),
        6 | 7 => {
            let elements: Vec<_> = (0..random.below(3)).map(|_| chance_value(random, depth - 1)).collect();
            format!("[{}]", elements.join(","))
        }
        _ => format!("{{{}}}", members(random, depth - 1)),
    }
}
