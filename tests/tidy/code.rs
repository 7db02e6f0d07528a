//! Rust text as the rules see it: comments and strings blanked, paths read out. Enough of a scanner, no parser.

/// Every path (`a::b::c`, also a lone word) with its line; a group `a::{b, c::d}` gives one path per member.
pub(crate) fn paths(code: &str) -> Vec<(usize, String)> {
    let mut scan = Scan { left: code, line: 1, found: Vec::new() };
    while !scan.left.is_empty() {
        if scan.word().is_empty() {
            scan.skip(1);
        } else {
            scan.path("");
        }
    }
    scan.found
}

/// Reads paths off the front of code.
struct Scan<'a> {
    left: &'a str,
    line: usize,
    found: Vec<(usize, String)>,
}

impl Scan<'_> {
    fn word(&self) -> String {
        self.left.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    }

    fn skip(&mut self, chars: usize) {
        let bytes = self.left.chars().take(chars).map(char::len_utf8).sum();
        self.line += self.left[..bytes].matches('\n').count();
        self.left = &self.left[bytes..];
    }

    fn skip_space(&mut self) {
        self.skip(self.left.chars().take_while(|c| c.is_whitespace()).count());
    }

    /// Reads one path, which goes on from `prefix`.
    fn path(&mut self, prefix: &str) {
        let word = self.word();
        let line = self.line;
        let path = format!("{prefix}{word}");
        self.skip(word.chars().count());
        if !self.left.starts_with("::") {
            self.found.push((line, path));
            return;
        }
        self.skip(2);
        self.skip_space();
        if self.left.starts_with('{') {
            self.group(&format!("{path}::"));
        } else if self.word().is_empty() {
            self.found.push((line, path));
        } else {
            self.path(&format!("{path}::"));
        }
    }

    fn group(&mut self, prefix: &str) {
        self.skip(1);
        while !self.left.is_empty() && !self.left.starts_with('}') {
            if self.word().is_empty() {
                self.skip(1);
            } else {
                self.path(prefix);
            }
        }
        self.skip(1);
    }
}

/// The text with comments and the insides of strings and characters blanked, line by line as it was.
pub(crate) fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut left = text;
    while let Some(first) = left.chars().next() {
        let taken = not_code(left);
        if taken == 0 {
            out.push(first);
            left = &left[first.len_utf8()..];
        } else {
            out.extend(left[..taken].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            left = &left[taken..];
        }
    }
    out
}

/// How many bytes of a comment, string or character stand at the front; 0 for code.
fn not_code(left: &str) -> usize {
    if left.starts_with("//") {
        return left.find('\n').unwrap_or(left.len());
    }
    if left.starts_with("/*") {
        return block_comment(left);
    }
    if left.starts_with('"') {
        return quoted(left);
    }
    if left.starts_with("r\"") || left.starts_with("r#") {
        return raw_string(left);
    }
    if left.starts_with('\'') {
        return character(left);
    }
    0
}

fn block_comment(left: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < left.len() {
        let step = &left.as_bytes()[at..];
        if step.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if step.starts_with(b"*/") {
            depth -= 1;
            at += 2;
        } else {
            at += 1;
        }
        if depth == 0 {
            return at;
        }
    }
    left.len()
}

fn quoted(left: &str) -> usize {
    let mut escaped = false;
    for (at, c) in left.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    left.len()
}

fn raw_string(left: &str) -> usize {
    let hashes = left[1..].chars().take_while(|c| *c == '#').count();
    if !left[1 + hashes..].starts_with('"') {
        return 0; // r#name
    }
    let end = format!("\"{}", "#".repeat(hashes));
    left[2 + hashes..].find(&end).map_or(left.len(), |at| 2 + hashes + at + end.len())
}

/// A character, told from a lifetime by its closing quote.
fn character(left: &str) -> usize {
    let mut chars = left.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => left[3..].find('\'').map_or(0, |at| at + 4),
        Some(_) => chars.next().filter(|(_, c)| *c == '\'').map_or(0, |(at, _)| at + 1),
        None => 0,
    }
}

/// Where the `mod tests { ... }` block stands in code, as bytes.
fn mod_tests(code: &str) -> Option<(usize, usize)> {
    let from = code.find("mod tests {")?;
    let mut depth = 0_usize;
    for (at, c) in code[from..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return Some((from, from + at + 1)),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// How many lines the `mod tests` block of this code has.
pub(crate) fn lines_in_mod_tests(code: &str) -> usize {
    mod_tests(code).map_or(0, |(from, until)| code[from..until].lines().count())
}

/// The text as by [`code`], the `mod tests` block blanked too.
pub(crate) fn code_without_tests(text: &str) -> String {
    let mut code = code(text);
    if let Some((from, until)) = mod_tests(&code) {
        let blank: String = code[from..until].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        code.replace_range(from..until, &blank);
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_see_code_and_not_what_looks_like_it() {
        let text = "// unsafe\nlet a = \"unsafe \\\" unsafe\"; /* /* unsafe */ unsafe */\nlet b = r#\"unsafe \" unsafe\"#;\n\
                let c = ['\"', '\\'', 'x']; fn d<'a>(e: &'a str) { unsafe {} }\n#[cfg(test)]\nmod tests {\n x::y();\n}";
        let found: Vec<_> = paths(&code(text)).into_iter().filter(|(_, path)| path == "unsafe").collect();
        assert_eq!(found, [(4, "unsafe".to_owned())]);
        assert_eq!(lines_in_mod_tests(&code(text)), 3);
        assert!(!code_without_tests(text).contains("x::y"));
    }

    #[test]
    fn paths_are_found_in_groups_and_in_expressions() {
        let text = "use std::{fs, time::{self, Instant}};\nuse crate::{\n    count::Table, wire,\n};\nself::a(super::b::C)";
        let found: Vec<String> =
            paths(text).into_iter().map(|(line, path)| format!("{line} {path}")).collect();
        let expected = [
            "1 use",
            "1 std::fs",
            "1 std::time::self",
            "1 std::time::Instant",
            "2 use",
            "3 crate::count::Table",
            "3 crate::wire",
            "5 self::a",
            "5 super::b::C",
        ];
        assert_eq!(found, expected);
    }
}
