//! Who may give orders: whoever knows the token. Locally it lies in a file that only its owner can read.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::process::getuid;
use sha2::{Digest, Sha256};

use crate::wire::{self, Secret};

/// Longest token file that is read.
const TOKEN_CHARS_MAX: usize = 256;

/// 256 bits in hexadecimal, as they stand in a request.
#[derive(Clone)]
pub struct Token(String);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The system gave no random bytes.
    #[error("make a token: the system has no random bytes: {0}")]
    NoRandomness(getrandom::Error),
    /// The folder for tokens belongs to somebody else, or others may use it.
    #[error("token folder {}: it is not a folder that only you can use; remove it, or set XDG_RUNTIME_DIR", path.display())]
    FolderNotPrivate {
        /// The folder.
        path: PathBuf,
    },
    /// The file or its folder could not be used.
    #[error("token {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Token {
    /// The token of these bytes.
    pub fn of(bytes: &[u8; 32]) -> Self {
        Self(wire::hex(bytes))
    }

    /// The one that everybody derives who has the application's secret.
    pub fn of_secret(secret: &Secret) -> Self {
        Self::of(&secret.derive("spindle http token"))
    }

    /// A new one.
    pub fn generate() -> Result<Self, TokenError> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(TokenError::NoRandomness)?;
        Ok(Self::of(&bytes))
    }

    /// Whether `offered` is this token, in a time that does not tell how much of it is right.
    pub fn admits(&self, offered: &str) -> bool {
        Sha256::digest(&self.0) == Sha256::digest(offered)
    }

    /// For the request that shows it; never for a log.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The file in which the local process that listens on `port` keeps its token.
pub fn token_path(port: u16) -> PathBuf {
    folder(env::var_os("XDG_RUNTIME_DIR"), getuid().as_raw()).join(format!("token-{port}"))
}

/// The token of the local process that listens on `port`, if it runs as the same user.
pub fn local_token(port: u16) -> Result<Token, TokenError> {
    read(&token_path(port))
}

/// A token with its file, which goes when this is dropped.
#[derive(Debug)]
pub struct LocalToken {
    token: Token,
    path: PathBuf,
}

impl LocalToken {
    /// Makes a token for the process that listens on `port`. A file that an earlier holder of the port left behind is
    /// replaced.
    pub fn create(port: u16) -> Result<Self, TokenError> {
        Self::create_at(token_path(port))
    }

    /// The token.
    pub fn token(&self) -> &Token {
        &self.token
    }

    fn create_at(path: PathBuf) -> Result<Self, TokenError> {
        let folder = path.parent().unwrap_or(Path::new("/"));
        match DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(folder)(error)),
            _ => check_private(folder)?,
        }
        let token = Token::generate()?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&path)(error)),
            _ => {}
        }
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o400).open(&path).map_err(failed(&path))?;
        let made = Self { token, path };
        file.write_all(made.token.reveal().as_bytes()).map_err(failed(&made.path))?;
        Ok(made)
    }
}

impl Drop for LocalToken {
    fn drop(&mut self) {
        // A file left behind opens nothing: its token is no longer anybody's.
        let _ = fs::remove_file(&self.path);
    }
}

fn folder(runtime_dir: Option<OsString>, uid: u32) -> PathBuf {
    match runtime_dir.filter(|path| Path::new(path).is_absolute()) {
        Some(path) => PathBuf::from(path).join("spindle"),
        None => PathBuf::from(format!("/tmp/spindle-{uid}")),
    }
}

fn read(path: &Path) -> Result<Token, TokenError> {
    check_private(path.parent().unwrap_or(Path::new("/")))?;
    let mut text = fs::read_to_string(path).map_err(failed(path))?;
    text.truncate(text.trim_end().len());
    if text.is_empty() || text.len() > TOKEN_CHARS_MAX || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(failed(path)(io::Error::new(io::ErrorKind::InvalidData, "not a token")));
    }
    Ok(Token(text))
}

/// `/tmp` is everybody's: a folder that another user put there first must not be trusted, nor a link.
fn check_private(folder: &Path) -> Result<(), TokenError> {
    let found = fs::symlink_metadata(folder).map_err(failed(folder))?;
    if found.is_dir() && found.uid() == getuid().as_raw() && found.mode() & 0o077 == 0 {
        return Ok(());
    }
    Err(TokenError::FolderNotPrivate { path: folder.to_owned() })
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> TokenError {
    let path = path.to_owned();
    move |source| TokenError::Io { path, source }
}

#[cfg(test)]
mod tests;
