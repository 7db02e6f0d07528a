//! Frames: what stands on the stream between two processes. Pure; `link` moves the bytes.
//!
//! | bytes | content |
//! |---|---|
//! | 4 | length of all that follows, u32 little-endian |
//! | 1 | version of the frame and of the messages in it, [`VERSION`] |
//! | 1 | kind: which message the payload is |
//! | n | payload |
//! | 4 | CRC32C of version, kind and payload, u32 little-endian |

use std::io;

use tokio_util::bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio_util::codec::{Decoder, Encoder};

/// The only version this build speaks. Both ends run the same binary, so there is nothing to negotiate.
pub const VERSION: u8 = 1;

/// Largest value of the length field: 16 MiB. A reader never holds more than about twice that.
///
/// A delta of 100,000 different keys is about 1.1 MB; whoever has more to say sends several frames.
pub const MAX_FRAME_BYTES: usize = 16 << 20;

/// Largest payload that [`FrameCodec`] sends.
pub const MAX_PAYLOAD_BYTES: usize = MAX_FRAME_BYTES - OVERHEAD_BYTES;

/// Version, kind and checksum.
const OVERHEAD_BYTES: usize = 1 + 1 + 4;
const LENGTH_BYTES: usize = 4;

/// One message, not yet understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Which message it is; the numbers are the message module's.
    pub kind: u8,
    /// The message's own bytes.
    pub payload: Bytes,
}

/// Why bytes are not a frame. Each ends the stream: after one of them nothing on it can be trusted.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Longer than [`MAX_FRAME_BYTES`]; told by the length field, before anything is allocated for it.
    #[error("frame of {bytes} bytes is longer than the allowed {MAX_FRAME_BYTES}")]
    TooLong {
        /// The length field, or what it would have been.
        bytes: usize,
    },
    /// The length field leaves no room for version, kind and checksum.
    #[error("frame of {bytes} bytes is shorter than the smallest possible, {OVERHEAD_BYTES}")]
    TooShort {
        /// The length field.
        bytes: usize,
    },
    /// The other process was built from another version.
    #[error("frame has version {theirs}, this process speaks version {VERSION}; run one binary on both ends")]
    WrongVersion {
        /// The version byte received.
        theirs: u8,
    },
    /// Bytes changed on their way, or the stream is not where a frame starts.
    #[error("frame checksum is {received:08x}, its content gives {computed:08x}; the stream is damaged")]
    BadChecksum {
        /// The checksum in the frame.
        received: u32,
        /// The checksum of what arrived.
        computed: u32,
    },
    /// The stream ended inside a frame.
    #[error("stream ended within a frame, after {bytes} of its bytes")]
    Truncated {
        /// Bytes of the unfinished frame, its length field among them.
        bytes: usize,
    },
    /// The stream itself failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Cuts a stream of bytes into frames, and the other way round. Stateless: between two frames it remembers nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct FrameCodec;

impl Decoder for FrameCodec {
    type Item = Frame;
    type Error = FrameError;

    fn decode(&mut self, src: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        let Some(length) = src.first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
        let length = u32::from_le_bytes(*length) as usize;
        if length < OVERHEAD_BYTES {
            return Err(FrameError::TooShort { bytes: length });
        }
        if length > MAX_FRAME_BYTES {
            return Err(FrameError::TooLong { bytes: length });
        }
        // Before the rest is there: another version may mean other lengths, and waiting for them would hang.
        if let Some(&theirs) = src.get(LENGTH_BYTES)
            && theirs != VERSION
        {
            return Err(FrameError::WrongVersion { theirs });
        }
        let missing = (LENGTH_BYTES + length).saturating_sub(src.len());
        if missing > 0 {
            src.reserve(missing);
            return Ok(None);
        }
        src.advance(LENGTH_BYTES);
        parse(src.split_to(length).freeze()).map(Some)
    }

    fn decode_eof(&mut self, src: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        match self.decode(src)? {
            None if !src.is_empty() => Err(FrameError::Truncated { bytes: src.len() }),
            frame_or_end => Ok(frame_or_end),
        }
    }
}

impl Encoder<(u8, &[u8])> for FrameCodec {
    type Error = FrameError;

    /// Appends one frame; appends nothing when the payload is too long.
    fn encode(&mut self, (kind, payload): (u8, &[u8]), dst: &mut BytesMut) -> Result<(), FrameError> {
        let length = payload.len().saturating_add(OVERHEAD_BYTES);
        let length_field = u32::try_from(length)
            .ok()
            .filter(|_| length <= MAX_FRAME_BYTES)
            .ok_or(FrameError::TooLong { bytes: length })?;
        dst.reserve(LENGTH_BYTES + length);
        dst.put_u32_le(length_field);
        dst.put_u8(VERSION);
        dst.put_u8(kind);
        dst.put_slice(payload);
        dst.put_u32_le(checksum(kind, payload));
        Ok(())
    }
}

/// `frame` is everything after the length field, at least [`OVERHEAD_BYTES`] of a known version.
fn parse(mut frame: Bytes) -> Result<Frame, FrameError> {
    let mut trailer = frame.split_off(frame.len() - 4);
    let received = trailer.get_u32_le();
    let kind = frame[1];
    let payload = frame.split_off(2);
    let computed = checksum(kind, &payload);
    if received != computed {
        return Err(FrameError::BadChecksum { received, computed });
    }
    Ok(Frame { kind, payload })
}

fn checksum(kind: u8, payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&[VERSION, kind]), payload)
}

#[cfg(test)]
mod tests;
