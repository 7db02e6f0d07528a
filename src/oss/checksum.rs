//! SHA-256 of an object: what was wanted, from a flag or from the file that `sha256sum` writes. Feeds `download`.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use sha2::{Digest, Sha256};
use tokio_util::bytes::Bytes;

/// Bytes that are hashed at once.
const HASHED_BYTES: usize = 256 << 10;

/// A SHA-256 in lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sha256Hex(String);

/// Not a SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a sha256: it has 64 hexadecimal digits, as sha256sum prints it")]
pub struct ChecksumError;

impl Sha256Hex {
    /// What `digest` has come to.
    pub fn of(digest: Sha256) -> Self {
        Self(format!("{:x}", Bytes::copy_from_slice(&digest.finalize())))
    }

    /// That of everything that `content` still has.
    pub fn of_all(mut content: impl Read) -> io::Result<Self> {
        let mut digest = Sha256::new();
        let mut chunk = vec![0; HASHED_BYTES];
        loop {
            match content.read(&mut chunk)? {
                0 => return Ok(Self::of(digest)),
                read => digest.update(&chunk[..read]),
            }
        }
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads what `sha256sum` has written about `file_name`, or about one file whatever its name.
    ///
    /// The format is that of GNU coreutils ("cksum output modes"): digits, blank, `*` for a binary file, name; a
    /// backslash before the digits where the name is escaped.
    pub(super) fn from_listing(text: &str, file_name: &str) -> Option<Self> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let entries: Option<Vec<(Self, &str)>> = lines.map(entry).collect();
        let entries = entries?;
        let base = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
        match entries.as_slice() {
            [(only, _)] => Some(only.clone()),
            several => several.iter().find(|(_, name)| base(name) == file_name).map(|(hash, _)| hash.clone()),
        }
    }
}

fn entry(line: &str) -> Option<(Sha256Hex, &str)> {
    let line = line.trim_start_matches('\\');
    let (digits, name) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    Some((digits.parse().ok()?, name.trim_start().trim_start_matches('*')))
}

impl FromStr for Sha256Hex {
    type Err = ChecksumError;

    fn from_str(text: &str) -> Result<Self, ChecksumError> {
        let digits = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if digits { Ok(Self(text.to_ascii_lowercase())) } else { Err(ChecksumError) }
    }
}

impl fmt::Display for Sha256Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // As `printf abc | sha256sum` prints it.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn listed(text: &str, name: &str) -> Option<String> {
        Sha256Hex::from_listing(text, name).map(|hash| hash.to_string())
    }

    #[test]
    fn a_hash_is_read_in_either_case_and_computed_as_sha256sum_does() {
        assert_eq!(Sha256Hex::of_all(&b"abc"[..]).unwrap().as_str(), ABC);
        assert_eq!(ABC.to_ascii_uppercase().parse::<Sha256Hex>().unwrap().as_str(), ABC);
        for wrong in ["", &ABC[1..], &format!("{ABC}0"), &ABC.replace('b', "g"), &format!(" {}", &ABC[1..])] {
            assert_eq!(wrong.parse::<Sha256Hex>(), Err(ChecksumError), "{wrong}");
        }
    }

    #[test]
    fn the_file_of_sha256sum_is_read_in_all_its_forms() {
        let other = ABC.replace('b', "c");
        for one in [format!("{ABC}  x"), format!("{ABC} *./y\n"), format!("{ABC}\n"), format!("\n\\{ABC}  z")]
        {
            assert_eq!(listed(&one, "spindle").as_deref(), Some(ABC), "{one}");
        }
        let several = format!("{other}  a\n{ABC}  out/spindle\n");
        assert_eq!(listed(&several, "spindle").as_deref(), Some(ABC));
        assert_eq!(listed(&several, "b"), None);
        assert_eq!(
            (listed("", "a"), listed("<html>", "a"), listed(&format!("{ABC} a\nx"), "a")),
            (None, None, None)
        );
    }
}
