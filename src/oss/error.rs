//! Why an object could not be fetched: one line that says what was tried, why it failed, and what to do.

use std::io;

use super::checksum::Sha256Hex;

/// An object that was not fetched.
#[derive(Debug, thiserror::Error)]
#[error("fetch {url}: {why}")]
pub struct FetchError {
    /// The object, as `oss://bucket/key`.
    pub url: String,
    /// Why not.
    pub why: Why,
}

/// Why an object was not fetched. What servers say is escaped and cut.
#[derive(Debug, thiserror::Error)]
pub enum Why {
    /// The client could not be set up.
    #[error("{0}")]
    Setup(String),
    /// The server does not prove who it is.
    #[error(
        "its server is not trusted: {0}; if the endpoint is right, set SSL_CERT_FILE to a file with the CA that vouches for it"
    )]
    Untrusted(String),
    /// No credentials, or none that can be used.
    #[error("{0}")]
    Credentials(String),
    /// OSS says no.
    #[error("{told}")]
    Refused {
        /// OSS's code, as in `NoSuchKey`.
        code: String,
        /// Its meaning, and what to do.
        told: String,
    },
    /// It leads elsewhere.
    #[error("redirected to {0}, where these credentials do not go; give the address that it leads to")]
    Redirected(String),
    /// Connections break, or nothing comes.
    #[error("{last}; given up after {tries} tries; is the endpoint right, and may this host reach it?")]
    Unreachable {
        /// How the last try ended.
        last: String,
        /// How many there were without progress.
        tries: u32,
    },
    /// The object was replaced again and again.
    #[error("the object was changed while it was fetched, twice; try again when it is not written to")]
    Changed,
    /// What the server says of the size is not so, or not of one mind.
    #[error("the server is wrong about the size: {0}; try again, or ask whoever runs the endpoint")]
    Size(String),
    /// Longer than it may be.
    #[error("it has {bytes} bytes, more than the {max} that are taken; is it the right object?")]
    TooLong {
        /// How many it has.
        bytes: u64,
        /// How many are taken.
        max: u64,
    },
    /// Not the content that was wanted.
    #[error("its sha256 is {found}, but {wanted} was wanted{from}; nothing was kept")]
    WrongHash {
        /// What was wanted.
        wanted: Sha256Hex,
        /// What came.
        found: Sha256Hex,
        /// Where the wanted one comes from, in words.
        from: String,
    },
    /// The object that is to tell the hash does not.
    #[error("{0}")]
    Checksum(String),
    /// Not a text.
    #[error("it is not text in UTF-8; is it the right object?")]
    NotText,
    /// A file here could not be written.
    #[error("write {path}: {source}")]
    File {
        /// The file or folder.
        path: String,
        /// What the system said.
        source: io::Error,
    },
}

impl Why {
    /// Whether there is no such object, in a bucket that is there.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == "NoSuchKey")
    }
}

/// Most characters of another's words that are shown.
const SHOWN_CHARS_MAX: usize = 300;

/// Others' words, cut, and so that they drive no terminal.
pub(crate) fn shown(text: &str) -> String {
    let mut shown: String = text.trim().chars().take(SHOWN_CHARS_MAX).flat_map(char::escape_debug).collect();
    if text.trim().chars().nth(SHOWN_CHARS_MAX).is_some() {
        shown.push_str("...");
    }
    shown
}
