//! `--properties-file`: Java properties, the syntax of spark-defaults.conf (`java.util.Properties.load`).

/// One property and the line, from 1, that it begins on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Property {
    pub line: usize,
    pub key: String,
    pub value: String,
}

/// Reads the properties of `text` in order. The error names the line.
pub(super) fn parse(text: &str) -> Result<Vec<Property>, (usize, String)> {
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((nth, first)) = lines.next() {
        let first = first.trim_start();
        if first.is_empty() || first.starts_with(['#', '!']) {
            continue;
        }
        let mut logical = first.to_owned();
        while continues(&logical) {
            logical.pop();
            let Some((_, next)) = lines.next() else { break };
            logical.push_str(next.trim_start());
        }
        let (key, value) = split(&logical);
        let unescaped = |part| unescape(part).map_err(|reason| (nth + 1, reason));
        found.push(Property { line: nth + 1, key: unescaped(key)?, value: unescaped(value.trim_end())? });
    }
    Ok(found)
}

/// An odd number of backslashes at its end joins a line to the next.
fn continues(line: &str) -> bool {
    let backslashes = line.len() - line.trim_end_matches('\\').len();
    backslashes % 2 == 1
}

/// The key ends at the first white space, `=` or `:` that is not escaped; one `=` or `:` may follow the space.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let ends_key = |c: char| {
        let ends = !escaped && (c.is_whitespace() || c == '=' || c == ':');
        escaped = c == '\\' && !escaped;
        ends
    };
    let Some(end) = line.find(ends_key) else { return (line, "") };
    let rest = line[end..].trim_start();
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start();
    (&line[..end], value)
}

fn unescape(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('t') => out.push('\t'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('f') => out.push('\u{c}'),
            Some('u') => {
                let digits: String = chars.by_ref().take(4).collect();
                let code = u32::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 4);
                let read = code.and_then(char::from_u32);
                out.push(read.ok_or_else(|| format!("`\\u{digits}` is no character"))?);
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parse(text).unwrap().into_iter().map(|property| (property.key, property.value)).collect()
    }

    #[test]
    fn keys_and_values_are_parted_as_java_does() {
        for text in ["a b c", "a=b c", "a = b c", "a: b c", "  a   b c  ", "a\tb c"] {
            assert_eq!(pairs(text), [("a".to_owned(), "b c".to_owned())], "{text}");
        }
        assert_eq!(pairs("a"), [("a".to_owned(), String::new())]);
        assert_eq!(pairs("a ==b"), [("a".to_owned(), "=b".to_owned())]);
    }

    #[test]
    fn comments_and_empty_lines_do_not_count() {
        let found = parse("# c\n\n! c\n a 1\n").unwrap();
        assert_eq!(found, [Property { line: 4, key: "a".to_owned(), value: "1".to_owned() }]);
    }

    #[test]
    fn lines_are_joined_and_escapes_resolved() {
        assert_eq!(
            pairs("a x\\\n   y\nb\\ c=\\u0041\\\\\n"),
            [("a".to_owned(), "xy".to_owned()), ("b c".to_owned(), "A\\".to_owned())]
        );
        assert_eq!(parse("\na \\u12"), Err((2, "`\\u12` is no character".to_owned())));
    }
}
