//! A request as it came, and percent-encoding as HTTP has it.

use std::io::{BufRead, BufReader, Read};

/// Longest head that is read.
const HEAD_BYTES_MAX: u64 = 64 << 10;

/// The head of a request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query, the bucket in front.
    pub(crate) target: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
}

impl Request {
    /// `None` at the end of the stream.
    pub(super) fn read(stream: impl Read) -> Option<Self> {
        let mut lines = BufReader::new(stream.take(HEAD_BYTES_MAX)).lines().map_while(Result::ok);
        let first = lines.next()?;
        let mut words = first.split(' ');
        let (method, target) = (words.next()?.to_owned(), in_path(words.next()?));
        let header = |line: String| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        };
        let headers = lines.take_while(|line| !line.is_empty()).filter_map(header).collect();
        Some(Self { method, target, headers })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Decoded, without the query.
    pub(crate) fn path(&self) -> String {
        decoded(self.target.split('?').next().unwrap())
    }

    /// As it came.
    pub(super) fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }
}

/// A request to a proxy has the host in it, and the bucket is part of that.
fn in_path(target: &str) -> String {
    let Some(rest) = target.strip_prefix("http://") else { return target.to_owned() };
    let (host, path) = rest.split_once('/').unwrap();
    let (bucket, _) = host.split_once(".oss-").unwrap();
    format!("/{bucket}/{path}")
}

/// `%20` becomes a blank.
pub(super) fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let hex =
            (byte == b'%').then(|| u8::from_str_radix(std::str::from_utf8(&tail[..2]).unwrap(), 16).unwrap());
        bytes.push(hex.unwrap_or(byte));
        rest = if hex.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(bytes).unwrap()
}

/// A blank becomes `%20`; slashes stay.
pub(super) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
