//! A file that is open: whether it is the one that was left, where in it one is, and what becomes of it while it is
//! followed.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::produce::event::Resume;
use crate::produce::feed::Name;
use crate::produce::feed::archive::input::{BEGINNING, Input, Packing};

/// A file is known by so many bytes at its beginning, at most.
const HEAD_BYTES: usize = 256;

/// A file that is being read.
#[derive(Debug)]
pub(super) struct OpenFile {
    name: Name,
    /// For looking at it; what is read goes another way.
    file: File,
    /// Where reading began, in decompressed bytes.
    begin: u64,
    /// How many decompressed bytes lie before what will be read next.
    read: u64,
    head: Head,
}

/// What became of a file that is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Became {
    /// It is the same, and may have grown.
    Same,
    /// Another file has its name.
    Replaced,
    /// It is shorter than what was read of it, or begins with something else.
    Cut,
}

impl OpenFile {
    /// Opens a file at its beginning.
    pub(super) fn open(path: &str) -> io::Result<(Self, Input)> {
        let file = File::open(path)?;
        let mut beginning = [0; BEGINNING];
        let length = read_at(&file, &mut beginning)?;
        let input = Input::of(file.try_clone()?, Packing::of(beginning.get(..length).unwrap_or_default()))?;
        let head = Head::default();
        Ok((Self { name: Arc::from(path), file, begin: 0, read: 0, head }, input))
    }

    /// Opens a file behind its first `bytes` bytes, which begin with `head`; `None` if it is another file.
    pub(super) fn again(path: &str, bytes: u64, head: u64) -> io::Result<Option<(Self, Input)>> {
        let (mut file, mut input) = Self::open(path)?;
        if file.pass(&mut input, bytes)? && file.head.at(bytes) == head {
            file.begin = bytes;
            return Ok(Some((file, input)));
        }
        Ok(None)
    }

    /// The same file under the name that it had before.
    pub(super) fn named(mut self, name: &str) -> Self {
        self.name = Arc::from(name);
        self
    }

    /// Whether a file begins with `head`, the hash of what its first `bytes` bytes begin with.
    pub(super) fn begins_with(path: &Path, bytes: u64, head: u64) -> io::Result<bool> {
        let file = File::open(path)?;
        let mut beginning = [0; BEGINNING];
        let length = read_at(&file, &mut beginning)?;
        let input = Input::of(file, Packing::of(beginning.get(..length).unwrap_or_default()))?;
        let mut first = Vec::new();
        input.take(bytes.min(HEAD_BYTES as u64)).read_to_end(&mut first)?;
        Ok(hash(&first) == head)
    }

    /// Passes over `bytes` bytes; false if there are not so many.
    fn pass(&mut self, input: &mut Input, bytes: u64) -> io::Result<bool> {
        if input.packing == Packing::Plain {
            let mut beginning = [0; HEAD_BYTES];
            let known = read_at(&self.file, &mut beginning)?.min(bytes.try_into().unwrap_or(HEAD_BYTES));
            self.head.came(beginning.get(..known).unwrap_or_default());
            if self.file.metadata()?.len() < bytes {
                return Ok(false);
            }
            // The input reads from the same open file, and so from here on.
            self.file.seek(SeekFrom::Start(bytes))?;
            self.read = bytes;
            return Ok(true);
        }
        let mut chunk = vec![0; 64 << 10];
        let mut left = bytes;
        while left > 0 {
            let wanted = chunk.len().min(left.try_into().unwrap_or(usize::MAX));
            let read = match input.read(chunk.get_mut(..wanted).unwrap_or_default()) {
                Ok(0) => return Ok(false),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                // It is damaged before that place: found again by reading it from its beginning, and said there.
                Err(_) => return Ok(false),
            };
            self.came(chunk.get(..read).unwrap_or_default());
            left -= read as u64;
        }
        Ok(true)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn begin(&self) -> u64 {
        self.begin
    }

    /// Takes notice of bytes that were read.
    pub(super) fn came(&mut self, bytes: &[u8]) {
        self.head.came(bytes);
        self.read += bytes.len() as u64;
    }

    /// Where one is, so many bytes behind the place where reading began.
    pub(super) fn place(&self, bytes: u64) -> Resume {
        let bytes = self.begin + bytes;
        Resume::Offset { file: Arc::clone(&self.name), bytes, head: self.head.at(bytes) }
    }

    /// Looks what became of the file, whose end was reached.
    pub(super) fn look(&mut self) -> io::Result<Became> {
        let own = self.file.metadata()?;
        let named = match fs::metadata(&*self.name) {
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let same = |named: &Metadata| (named.dev(), named.ino()) == (own.dev(), own.ino());
        if named.is_some_and(|named| !same(&named)) {
            return Ok(Became::Replaced);
        }
        let mut beginning = [0; HEAD_BYTES];
        let length = read_at(&self.file, &mut beginning)?;
        let begins_alike = beginning.get(..length).unwrap_or_default().starts_with(&self.head.first);
        if own.len() < self.read || !begins_alike {
            let file = &*self.name;
            tracing::warn!(?file, bytes = self.read, "the file was cut; read it from its beginning");
            return Ok(Became::Cut);
        }
        Ok(Became::Same)
    }
}

/// Fills `bytes` from the beginning of the file, as far as it goes.
fn read_at(file: &File, bytes: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while let Some(rest) = bytes.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, length as u64) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

/// How a file begins.
#[derive(Debug, Default)]
struct Head {
    first: Vec<u8>,
    /// The hash of all of it, once it is whole.
    whole: Option<u64>,
}

impl Head {
    fn came(&mut self, bytes: &[u8]) {
        if self.whole.is_some() {
            return;
        }
        let missing = HEAD_BYTES - self.first.len();
        self.first.extend_from_slice(bytes.get(..missing.min(bytes.len())).unwrap_or_default());
        if self.first.len() == HEAD_BYTES {
            self.whole = Some(hash(&self.first));
        }
    }

    /// The hash of the beginning, of which no more than `bytes` bytes count.
    fn at(&self, bytes: u64) -> u64 {
        match self.whole {
            Some(whole) if bytes >= HEAD_BYTES as u64 => whole,
            _ => {
                let length = usize::try_from(bytes).unwrap_or(HEAD_BYTES).min(self.first.len());
                hash(self.first.get(..length).unwrap_or_default())
            }
        }
    }
}

/// The first 64 bits of SHA-256: the same in every version.
fn hash(bytes: &[u8]) -> u64 {
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(Sha256::digest(bytes)) {
        *to = from;
    }
    u64::from_be_bytes(first)
}
