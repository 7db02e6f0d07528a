//! Keys as text: bytes of strangers made safe for lines and terminals. Feeds every format.

use std::fmt::Write;

/// Appends `key` as people see it: decoded as Java decodes it, control characters escaped; `null` for the null key.
pub(super) fn push_key(key: Option<&[u8]>, to: &mut String) {
    match key {
        None => to.push_str("null"),
        Some(bytes) => push_escaped(&lossy(bytes), to),
    }
}

/// Appends `text` with everything escaped that could forge a line or drive a terminal.
pub(super) fn push_escaped(text: &str, to: &mut String) {
    for character in text.chars() {
        match character {
            '\n' => to.push_str("\\n"),
            '\r' => to.push_str("\\r"),
            '\t' => to.push_str("\\t"),
            unsafe_one if is_unsafe(unsafe_one) => push_unicode_escape(unsafe_one, to),
            plain => to.push(plain),
        }
    }
}

/// Appends `\uXXXX`. All that is escaped lies in the basic plane, so four digits always do.
pub(super) fn push_unicode_escape(character: char, to: &mut String) {
    write!(to, "\\u{:04x}", u32::from(character)).expect("a String takes everything");
}

/// C0, DEL and C1 controls, Unicode's line and paragraph separators, and the bidirectional controls (UAX #9), with
/// which a key could show itself as another.
pub(super) fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// Decodes UTF-8 as Java's `new String(bytes, UTF_8)` does: U+FFFD for each ill-formed piece, as Rust does it too, but
/// only one for an encoded surrogate (compared with JDK 17 over all sequences of up to four telling bytes).
pub(super) fn lossy(bytes: &[u8]) -> String {
    let (mut rest, mut text) = (bytes, String::with_capacity(bytes.len()));
    loop {
        let error = match std::str::from_utf8(rest) {
            Ok(valid) => {
                text.push_str(valid);
                return text;
            }
            Err(error) => error,
        };
        let (valid, bad) = rest.split_at(error.valid_up_to());
        text.push_str(&String::from_utf8_lossy(valid));
        text.push('\u{fffd}');
        let skipped = match bad {
            [0xed, 0xa0..=0xbf, 0x80..=0xbf, ..] => 3,
            [0xed, 0xa0..=0xbf, ..] => 2,
            _ => error.error_len().unwrap_or(bad.len()),
        };
        rest = &bad[skipped..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(key: &[u8]) -> String {
        let mut text = String::new();
        push_key(Some(key), &mut text);
        text
    }

    #[test]
    fn what_moves_a_cursor_or_a_line_is_escaped() {
        assert_eq!(shown(b"a\nb\r\t\x00\x1b[2J\x7f"), r"a\nb\r\t\u0000\u001b[2J\u007f");
        assert_eq!(shown("\u{9b}1m \u{85}".as_bytes()), r"\u009b1m \u0085");
        assert_eq!(shown("\u{202e}gpj\u{2066}\u{2028}\u{200f}".as_bytes()), r"\u202egpj\u2066\u2028\u200f");
    }

    #[test]
    fn everything_else_stays_as_it_is() {
        for key in ["", "Bitcoin", "null", "(1,x)", "a\\nb", "ビット", "5G 📶", "é\u{301}", "\u{a0}"] {
            assert_eq!(shown(key.as_bytes()), key);
        }
    }

    #[test]
    fn ill_formed_utf_8_reads_as_java_reads_it() {
        let cases: [(&[u8], &str); 9] = [
            (b"\xff", "\u{fffd}"),
            (b"a\xc3", "a\u{fffd}"),
            (b"\xe2\x82x", "\u{fffd}x"),
            (b"\xf0\x9f\x92", "\u{fffd}"),
            (b"\xc0\x80", "\u{fffd}\u{fffd}"),
            (b"\xf5\x80\x80", "\u{fffd}\u{fffd}\u{fffd}"),
            (b"\xed\xa0\x80", "\u{fffd}"),
            (b"\xed\xbf\xbfz", "\u{fffd}z"),
            (b"\xed\xa0A", "\u{fffd}A"),
        ];
        for (bytes, text) in cases {
            assert_eq!(lossy(bytes), text, "{bytes:x?}");
        }
    }
}
