//! `${env:NAME}` and `${file:PATH}`: where they work, what they never show.

use super::*;

struct Fixed;

impl Lookup for Fixed {
    fn env(&self, name: &str) -> Option<String> {
        (name == "PW").then(|| "a: b # c".to_owned())
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        if path == Path::new("pw") { Ok("s3cret\n".to_owned()) } else { Err(io::ErrorKind::NotFound.into()) }
    }
}

fn resolved(text: &str) -> Result<(String, usize), String> {
    let mut tree = Value::String(text.to_owned());
    let done = substitute(&mut tree, &Fixed).map_err(|problem| problem.message)?;
    Ok((tree.as_str().unwrap().to_owned(), done.paths.len()))
}

#[test]
fn values_are_put_in_as_they_are() {
    assert_eq!(resolved("${env:PW}"), Ok(("a: b # c".to_owned(), 1)));
    assert_eq!(resolved("x-${file:pw}-${env:PW}"), Ok(("x-s3cret-a: b # c".to_owned(), 1)));
}

#[test]
fn dollar_brace_is_escaped_by_doubling() {
    assert_eq!(resolved("$${env:PW}"), Ok(("${env:PW}".to_owned(), 0)));
    assert_eq!(resolved("^a${1}$"), Ok(("^a${1}$".to_owned(), 0)), "no kind, no substitution");
}

#[test]
fn what_is_missing_is_named() {
    assert_eq!(resolved("${env:NO}"), Err("${env:NO}: the environment variable is not set".to_owned()));
    assert_eq!(resolved("${file:no}"), Err("${file:no}: entity not found".to_owned()));
    assert!(resolved("${vault:x}").is_err());
}
