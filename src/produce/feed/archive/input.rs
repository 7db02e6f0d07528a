//! An archive's bytes, decompressed: plain, gzip or zstd, told by how they begin. Feeds `reading`.

use std::io::{self, BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;

/// How a gzip member begins (RFC 1952, 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// How a zstd frame begins (RFC 8878, 3.1.1).
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// So many bytes tell how all are packed.
pub(super) const BEGINNING: usize = ZSTD.len();
/// Compressed bytes that are read at once.
const READ_BYTES: usize = 128 << 10;

/// What the bytes of an archive are wrapped in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Plain,
    Gzip,
    Zstd,
}

impl Packing {
    /// By the first bytes.
    pub(super) fn of(beginning: &[u8]) -> Self {
        match beginning {
            _ if beginning.starts_with(&GZIP) => Self::Gzip,
            _ if beginning.starts_with(&ZSTD) => Self::Zstd,
            _ => Self::Plain,
        }
    }

    /// As people call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "text",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// Decompressed bytes.
pub(super) struct Input {
    bytes: Box<dyn Read + Send>,
    pub(super) packing: Packing,
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Input").field("packing", &self.packing).finish_non_exhaustive()
    }
}

impl Input {
    /// Bytes of which is known how they are packed.
    pub(super) fn of(raw: impl Read + Send + 'static, packing: Packing) -> io::Result<Self> {
        let buffered = |raw| BufReader::with_capacity(READ_BYTES, raw);
        let bytes: Box<dyn Read + Send> = match packing {
            Packing::Plain => Box::new(raw),
            Packing::Gzip => Box::new(MultiGzDecoder::new(buffered(raw))),
            Packing::Zstd => Box::new(zstd::Decoder::with_buffer(buffered(raw))?),
        };
        Ok(Self { bytes, packing })
    }

    /// Bytes that are asked themselves how they are packed. Waits for the first ones.
    pub(super) fn told(mut raw: impl Read + Send + 'static) -> io::Result<Self> {
        let mut beginning = Vec::new();
        raw.by_ref().take(BEGINNING as u64).read_to_end(&mut beginning)?;
        let packing = Packing::of(&beginning);
        Self::of(Cursor::new(beginning).chain(raw), packing)
    }
}

impl Input {
    /// Whether the bytes are decompressed.
    pub(super) fn is_packed(&self) -> bool {
        self.packing != Packing::Plain
    }
}

impl Read for Input {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(to)
    }
}
