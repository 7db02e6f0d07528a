//! The secret that all processes of one application share, and the file in which it travels.
//!
//! It never stands in an environment variable, an argument, a log or an error. `identity` makes TLS keys of it.

use std::fmt::{self, Write as _};
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use hkdf::Hkdf;
use sha2::Sha256;

/// Length of a secret and of everything derived from it.
pub const SECRET_BYTES: usize = 32;

/// 256 random bits, made once per application.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; SECRET_BYTES]);

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The system gave no random bytes.
    #[error("make a secret: the system has no random bytes: {0}")]
    NoRandomness(getrandom::Error),
    /// The file could not be written, for one because it is there already.
    #[error("write secret {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file could not be read.
    #[error("read secret {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others than its owner may use the file.
    #[error(
        "read secret {path}: others than its owner may use it (mode {mode:04o}); \
         run `chmod 400 {path}`, and if others could have read it, submit anew",
        path = path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file does not hold exactly a secret.
    #[error("read secret {}: it is not a file of {SECRET_BYTES} bytes; was it written by another program?", path.display())]
    WrongContent {
        /// The file.
        path: PathBuf,
    },
}

impl Secret {
    /// A new secret from the system's random numbers.
    pub fn generate() -> Result<Self, SecretError> {
        let mut bytes = [0; SECRET_BYTES];
        getrandom::fill(&mut bytes).map_err(SecretError::NoRandomness)?;
        Ok(Self(bytes))
    }

    /// Writes the 32 bytes to a new file that only its owner can read (mode 0400). A file that is there already is
    /// left alone: it may be the secret of a running application.
    pub fn write(&self, path: &Path) -> Result<(), SecretError> {
        let failed = |source| SecretError::Write { path: path.to_owned(), source };
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o400).open(path).map_err(failed)?;
        file.write_all(&self.0).map_err(|error| {
            // Half a secret is of no use, and would stand in the way of the next try.
            let _ = fs::remove_file(path);
            failed(error)
        })
    }

    /// Reads what [`Secret::write`] wrote; refuses a file that others than its owner may use.
    pub fn read(path: &Path) -> Result<Self, SecretError> {
        let failed = |source| SecretError::Read { path: path.to_owned(), source };
        // Looked at before it is opened, so that a pipe in its place cannot block.
        if !fs::metadata(path).map_err(failed)?.is_file() {
            return Err(SecretError::WrongContent { path: path.to_owned() });
        }
        let file = OpenOptions::new().read(true).open(path).map_err(failed)?;
        let mode = file.metadata().map_err(failed)?.mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(SecretError::Exposed { path: path.to_owned(), mode });
        }
        let mut bytes = Vec::with_capacity(SECRET_BYTES + 1);
        file.take(SECRET_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
        let bytes = bytes.try_into().map_err(|_| SecretError::WrongContent { path: path.to_owned() })?;
        Ok(Self(bytes))
    }

    /// The secret of these bytes, which [`Secret::write`] has written.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(bytes.try_into().ok()?))
    }

    /// In hexadecimal, for the file that takes it to containers; never for an argument, a log or a text.
    pub fn to_hex(&self) -> String {
        hex(&self.0)
    }

    /// A key for one purpose; it tells nothing about the secret or about keys for other purposes (RFC 5869).
    pub(crate) fn derive(&self, purpose: &str) -> [u8; SECRET_BYTES] {
        let mut key = [0; SECRET_BYTES];
        Hkdf::<Sha256>::new(None, &self.0)
            .expand(purpose.as_bytes(), &mut key)
            .expect("one block of SHA-256 is never too much for HKDF");
        key
    }
}

/// Bytes in hexadecimal, two lower-case digits each.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a String takes everything");
    }
    text
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests;
