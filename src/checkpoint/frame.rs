//! Frames: the only thing that base and log files consist of; found again, or found damaged, byte by byte.
//!
//! `magic | kind u8 | length u32 | number u64 | crc32c u32 | payload`, little-endian. The checksum covers everything
//! but the magic and itself, and begins with the file's identity: a frame of another file that a disk or a hand
//! put here is not taken for one of this file.

/// Begins every frame. Not a word of text: a scan for it should stop seldom.
const MAGIC: [u8; 4] = [0x9e, b'S', b'p', 0xd1];
/// Bytes before the payload.
pub(super) const HEAD_BYTES: usize = MAGIC.len() + 1 + 4 + 8 + 4;
/// Longest payload.
pub(super) const PAYLOAD_BYTES_MAX: usize = 1 << 30;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// First of every file, JSON: the format and what the file is.
    Head = 1,
    /// One slide, in a log.
    Slide = 2,
    /// A list of keys, in a base.
    Keys = 3,
    /// One bucket, in a base.
    Bucket = 4,
    /// Last of a base: without it the base is not whole.
    End = 5,
}

/// Which file a frame belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The attempt's epoch.
    pub epoch: u64,
    /// The file's number.
    pub number: u64,
}

/// A frame that is what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub kind: u8,
    pub number: u64,
    pub payload: &'a [u8],
}

/// How a file ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// With a whole frame.
    Clean,
    /// Within a frame that was being written when the writer died; nothing was promised for it.
    Torn {
        /// Where the last whole frame ends.
        at: u64,
        /// Bytes after that.
        bytes: u64,
    },
    /// A damaged frame has a whole one behind it: what was durable is lost.
    Corrupt {
        /// Where the damaged frame begins.
        at: u64,
        /// Number of the first whole frame behind it.
        next: u64,
    },
}

/// Appends one frame. `payload` is at most [`PAYLOAD_BYTES_MAX`] long.
pub(super) fn put(out: &mut Vec<u8>, identity: Identity, kind: Kind, number: u64, payload: &[u8]) {
    let length = u32::try_from(payload.len()).expect("a payload's length was checked");
    let mut head = [0; 13];
    head[0] = kind as u8;
    head[1..5].copy_from_slice(&length.to_le_bytes());
    head[5..].copy_from_slice(&number.to_le_bytes());
    out.reserve(HEAD_BYTES + payload.len());
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&head);
    out.extend_from_slice(&checksum(identity, &head, payload).to_le_bytes());
    out.extend_from_slice(payload);
}

fn checksum(identity: Identity, head: &[u8], payload: &[u8]) -> u32 {
    let mut crc = crc32c::crc32c(&identity.epoch.to_le_bytes());
    crc = crc32c::crc32c_append(crc, &identity.number.to_le_bytes());
    crc = crc32c::crc32c_append(crc, head);
    crc32c::crc32c_append(crc, payload)
}

/// The frames of a file, up to its end or the first one that is not whole.
#[derive(Debug)]
pub(super) struct Frames<'a> {
    bytes: &'a [u8],
    at: usize,
    identity: Identity,
}

impl<'a> Frames<'a> {
    pub(super) fn new(bytes: &'a [u8], identity: Identity) -> Self {
        Self { bytes, at: 0, identity }
    }

    /// How the file ends; to be asked after the last frame.
    pub(super) fn tail(&self) -> Tail {
        let (at, rest) = (self.at as u64, &self.bytes[self.at..]);
        if rest.is_empty() {
            return Tail::Clean;
        }
        // Lengths in garbage are anything: what is checked in vain is bounded.
        let mut budget = 4 * self.bytes.len() + (1 << 20);
        for from in 1..rest.len().saturating_sub(HEAD_BYTES - 1) {
            if !rest[from..].starts_with(&MAGIC) {
                continue;
            }
            if let Some((frame, _)) = self.frame_at(self.at + from) {
                return Tail::Corrupt { at, next: frame.number };
            }
            let Some(left) = budget.checked_sub(rest.len() - from) else { break };
            budget = left;
        }
        Tail::Torn { at, bytes: rest.len() as u64 }
    }

    fn frame_at(&self, at: usize) -> Option<(Frame<'a>, usize)> {
        let rest = self.bytes.get(at..)?.strip_prefix(&MAGIC)?;
        let (head, rest) = rest.split_first_chunk::<13>()?;
        let (crc, rest) = rest.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*head[1..].first_chunk::<4>()?) as usize;
        let payload = rest.get(..length)?;
        let number = u64::from_le_bytes(*head[5..].first_chunk::<8>()?);
        let whole = checksum(self.identity, head, payload) == u32::from_le_bytes(*crc);
        whole.then_some((Frame { kind: head[0], number, payload }, at + HEAD_BYTES + length))
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    fn next(&mut self) -> Option<Frame<'a>> {
        let (frame, end) = self.frame_at(self.at)?;
        self.at = end;
        Some(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THIS: Identity = Identity { epoch: 3, number: 7 };

    fn file() -> (Vec<u8>, Vec<usize>) {
        let mut bytes = Vec::new();
        let mut ends = vec![0];
        for number in 0..5u64 {
            put(&mut bytes, THIS, Kind::Slide, number, &vec![number as u8; 3 * number as usize]);
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    fn read(bytes: &[u8], identity: Identity) -> (Vec<u64>, Tail) {
        let mut frames = Frames::new(bytes, identity);
        (frames.by_ref().map(|frame| frame.number).collect(), frames.tail())
    }

    #[test]
    fn every_truncation_is_clean_or_torn_after_the_last_whole_frame() {
        let (bytes, ends) = file();
        for length in 0..=bytes.len() {
            let whole = ends.iter().filter(|end| **end <= length).count() - 1;
            let (numbers, tail) = read(&bytes[..length], THIS);
            assert_eq!(numbers.len(), whole, "cut at {length}");
            let at = ends[whole];
            let torn = Tail::Torn { at: at as u64, bytes: (length - at) as u64 };
            assert_eq!(tail, if length == at { Tail::Clean } else { torn }, "cut at {length}");
        }
    }

    #[test]
    fn every_flipped_bit_is_corruption_or_in_the_last_frame_a_torn_tail() {
        let (bytes, ends) = file();
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let hit = ends.iter().filter(|end| **end <= bit / 8).count() - 1;
            let (numbers, tail) = read(&damaged, THIS);
            assert_eq!(numbers.len(), hit, "bit {bit}");
            match tail {
                Tail::Corrupt { at, next } => assert_eq!((at, next), (ends[hit] as u64, hit as u64 + 1)),
                Tail::Torn { at, .. } => assert_eq!((at, hit), (ends[hit] as u64, 4)),
                Tail::Clean => panic!("bit {bit} was not noticed"),
            }
        }
    }

    #[test]
    fn a_frame_of_another_file_is_none_of_this_one() {
        let (bytes, _) = file();
        for other in [Identity { epoch: 2, ..THIS }, Identity { number: 8, ..THIS }] {
            assert!(read(&bytes, other).0.is_empty());
        }
    }

    #[test]
    fn garbage_full_of_magic_is_read_in_bounded_time() {
        let mut bytes = Vec::new();
        while bytes.len() < 4 << 20 {
            bytes.extend_from_slice(&MAGIC);
            bytes.extend_from_slice(&[2, 0, 0, 16, 0]);
        }
        assert!(matches!(read(&bytes, THIS).1, Tail::Torn { at: 0, .. }));
    }
}
