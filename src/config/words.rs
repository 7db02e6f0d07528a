//! serde's messages in plain words: people who write job files need not know Rust's names of types.

use super::schema::nearest;

/// `message` as a person would say it.
pub(super) fn in_plain_words(message: &str) -> String {
    if let Some(plain) = unknown_variant(message) {
        return plain;
    }
    const WORDS: [(&str, &str); 15] = [
        ("invalid type: ", ""),
        ("invalid value: ", ""),
        ("map, expected", "a mapping, expected"),
        ("sequence, expected", "a list, expected"),
        ("unit value, expected", "nothing, expected"),
        ("expected u16", "expected a whole number from 0"),
        ("expected u32", "expected a whole number from 0"),
        ("expected u64", "expected a whole number from 0"),
        ("expected i32", "expected a whole number"),
        ("expected a boolean", "expected true or false"),
        ("expected a string", "expected a text"),
        ("expected a map", "expected a mapping"),
        ("expected a sequence", "expected a list"),
        ("expected a Value::Tagged enum", "expected a word"),
        ("invalid IP address syntax", "is not an IP address; write it as 0.0.0.0"),
    ];
    let plain = WORDS.iter().fold(message.to_owned(), |text, (from, to)| text.replace(from, to));
    let plain = plain
        .split_once("expected struct ")
        .map_or(plain.clone(), |(got, _)| format!("{got}expected a mapping"));
    let scalar = ["string ", "integer ", "boolean ", "floating point "]
        .iter()
        .find_map(|kind| plain.strip_prefix(kind));
    match scalar {
        Some(scalar) if scalar.ends_with("expected a text") => format!("{scalar}; put it in quotes"),
        Some(scalar) => scalar.to_owned(),
        None => plain,
    }
}

/// ``unknown variant `x`, expected `a` or `b` `` with the nearest word.
fn unknown_variant(message: &str) -> Option<String> {
    let (written, known) = message.strip_prefix("unknown variant `")?.rsplit_once("`, expected ")?;
    let words: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    let hint = nearest(written, &words).map(|word| format!("; did you mean {word}?")).unwrap_or_default();
    Some(format!("`{written}` is not one of {}{hint}", words.join(", ")))
}
