//! A base: everything at one slide, so that what stands in logs before it is not needed.
//!
//! Written piece by piece from an image that shares the ring's buckets: counting goes on meanwhile, and a large base
//! is never in memory as a whole. Frames: the head, lists of keys, one frame per bucket, the end. Without its end
//! a base is not valid; there is no such thing as a torn base, because it gets its name when it is whole.

use std::sync::Arc;

use tokio_util::bytes::Bytes;

use super::fields::{Fields, put_signed};
use super::frame::{self, Frames, HEAD_BYTES, Identity, Kind, PAYLOAD_BYTES_MAX};
use super::head::{self, BaseHead, FORMAT, Fingerprint, Relabeled, Unreadable};
use super::writer::State;
use crate::count::keys::KeyListWriter;
use crate::count::{KeyId, Malformed, Restore, RingImage, SealedBucket};
use crate::ids::Millis;
use crate::store::{Content, Pieces};

/// A list of keys is cut here, bytes: what the writer holds at a time.
const KEYS_BYTES: usize = 1 << 20;

impl State {
    /// The content of a base of this state, which is that after slide number `slide`.
    pub fn base(
        self,
        slide: u64,
        length_ms: Millis,
        fingerprint: Fingerprint,
        identity: Identity,
    ) -> Content {
        self.relabeled_base(slide, length_ms, fingerprint, identity, Vec::new())
    }

    /// The same, behind attempts that put ends back.
    pub(super) fn relabeled_base(
        self,
        slide: u64,
        length_ms: Millis,
        fingerprint: Fingerprint,
        identity: Identity,
        relabeled: Vec<Relabeled>,
    ) -> Content {
        let Self { end_ms, attempt, whole, positions, ring } = self;
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let format = FORMAT;
        let head = BaseHead {
            format,
            version,
            slide,
            end_ms,
            attempt,
            whole,
            length_ms,
            fingerprint,
            positions,
            relabeled,
        };
        Base { head, ring }.content(identity)
    }
}

/// A base to be written.
#[derive(Debug)]
pub(super) struct Base {
    pub head: BaseHead,
    pub ring: RingImage,
}

impl Base {
    /// The file's content.
    pub(super) fn content(self, identity: Identity) -> Content {
        let base = Arc::new(self);
        Arc::new(move || -> Pieces {
            let base = Arc::clone(&base);
            Box::new(Encoder { base, identity, next: Next::Head, frames: 0 })
        })
    }
}

struct Encoder {
    base: Arc<Base>,
    identity: Identity,
    next: Next,
    frames: u64,
}

enum Next {
    Head,
    KeysAfter(KeyId),
    Bucket(usize),
    End,
    Nothing,
}

impl Iterator for Encoder {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let base = Arc::clone(&self.base);
        let (kind, payload) = match self.next {
            Next::Head => {
                self.next = Next::KeysAfter(0);
                (Kind::Head, head::encode(&base.head))
            }
            Next::KeysAfter(last) => {
                let mut list = KeyListWriter::default();
                self.next = Next::Bucket(0);
                for (id, key) in base.ring.keys.after(last) {
                    list.put(id, key);
                    if list.len() >= KEYS_BYTES {
                        self.next = Next::KeysAfter(id);
                        break;
                    }
                }
                (Kind::Keys, list.finish())
            }
            Next::Bucket(at) => match base.ring.buckets.get(at) {
                Some((end_ms, bucket)) => {
                    self.next = Next::Bucket(at + 1);
                    let mut payload = Vec::with_capacity(bucket.packed().len() + 10);
                    put_signed(&mut payload, *end_ms);
                    payload.extend_from_slice(bucket.packed());
                    (Kind::Bucket, payload)
                }
                None => {
                    self.next = Next::End;
                    return self.next();
                }
            },
            Next::End => {
                self.next = Next::Nothing;
                (Kind::End, Vec::new())
            }
            Next::Nothing => return None,
        };
        assert!(
            payload.len() <= PAYLOAD_BYTES_MAX,
            "driver.memory ends the job before a slide has 2^30 bytes"
        );
        let mut piece = Vec::with_capacity(payload.len() + HEAD_BYTES);
        frame::put(&mut piece, self.identity, kind, self.frames, &payload);
        self.frames += 1;
        Some(piece.into())
    }
}

/// Reads a base from end to end. `ids_max` bounds key numbers.
pub(super) fn decode(
    bytes: &[u8],
    identity: Identity,
    ids_max: usize,
) -> Result<(BaseHead, Restore), Unreadable> {
    let damaged = |reason: String| Unreadable::Damaged(reason);
    let malformed = |number: u64| move |error: Malformed| damaged(format!("frame {number}: {error}"));
    let mut frames = Frames::new(bytes, identity);
    let head: BaseHead = head::read(&mut frames, identity)?;
    let mut restore = Restore::new(ids_max);
    let mut expected = 1;
    let mut ended = false;
    for frame in frames.by_ref() {
        if ended || frame.number != expected {
            return Err(damaged(format!("frame {} stands where {expected} should", frame.number)));
        }
        expected += 1;
        match frame.kind {
            kind if kind == Kind::Keys as u8 => {
                restore.name(frame.payload).map_err(malformed(frame.number))?
            }
            kind if kind == Kind::Bucket as u8 => {
                let taken = take_bucket(&mut restore, frame.payload);
                taken.map_err(malformed(frame.number))?;
            }
            kind if kind == Kind::End as u8 => ended = true,
            kind => return Err(damaged(format!("frame {} is of unknown kind {kind}", frame.number))),
        }
    }
    match frames.tail() {
        frame::Tail::Clean if ended => Ok((head, restore)),
        frame::Tail::Clean => Err(damaged(format!("it ends after frame {}", expected - 1))),
        frame::Tail::Torn { at, .. } | frame::Tail::Corrupt { at, .. } => {
            Err(damaged(format!("it is damaged at byte {at}")))
        }
    }
}

fn take_bucket(restore: &mut Restore, payload: &[u8]) -> Result<(), Malformed> {
    let mut fields = Fields(payload);
    let end_ms = fields.signed()?;
    restore.bucket(end_ms, SealedBucket::from_packed(fields.rest())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::count::{KeyTable, Pairs, Ring};
    use crate::ids::{Partition, Position};

    const THIS: Identity = Identity { epoch: 1, number: 4 };

    fn ring() -> Ring {
        let mut ring = Ring::with_seed(1);
        for end_ms in 1..6 {
            let mut table = KeyTable::with_seed(1);
            (0..40 * end_ms).for_each(|n| table.add(format!("key {}", n % 57).as_bytes()));
            table.add_null(2);
            let mut pairs = Pairs::default();
            ring.stage(&table.take_block(), &mut pairs).unwrap();
            ring.push(end_ms * 1_000, pairs);
        }
        ring
    }

    fn base(ring: RingImage) -> Base {
        let (key, time) = ("record".to_owned(), "processing".to_owned());
        let topics = vec![("t".to_owned(), None)];
        let head = BaseHead {
            format: FORMAT,
            version: "0".to_owned(),
            slide: 5,
            end_ms: Some(5_000),
            attempt: 1,
            whole: 3,
            length_ms: 10_000,
            fingerprint: Fingerprint { cluster: None, topics, key, slide_ms: 1_000, time },
            positions: vec![(Partition::new("t", 0), Position::at(9))],
            relabeled: vec![Relabeled { epoch: 2, by_ms: -7_000 }],
        };
        Base { head, ring }
    }

    fn bytes(base: Base) -> Vec<u8> {
        base.content(THIS)().flatten().collect()
    }

    #[test]
    fn a_base_comes_back_as_it_went() {
        let mut ring = ring();
        let written = base(ring.image());
        let expected_head = written.head.clone();
        let (head, restore) = decode(&bytes(written), THIS, 1_000).unwrap();
        assert_eq!(head, expected_head);
        let back = restore.finish(9);
        assert_eq!(back.rank(100), ring.rank(100));
        assert_eq!((back.total(), back.slides()), (ring.total(), ring.slides()));
    }

    #[test]
    fn many_keys_take_several_lists() {
        let mut ring = Ring::with_seed(1);
        let mut table = KeyTable::with_seed(1);
        (0..40_000).for_each(|n| table.add(format!("{n:>60}").as_bytes()));
        let mut pairs = Pairs::default();
        ring.stage(&table.take_block(), &mut pairs).unwrap();
        ring.push(1_000, pairs);
        let bytes = bytes(base(ring.image()));
        let lists = Frames::new(&bytes, THIS).filter(|frame| frame.kind == Kind::Keys as u8).count();
        assert_eq!(lists, 3);
        let back = decode(&bytes, THIS, 1 << 20).unwrap().1.finish(9);
        assert_eq!(back.rank(50_000), ring.rank(50_000));
    }

    #[test]
    fn no_truncation_and_no_flipped_bit_passes() {
        let bytes = bytes(base(ring().image()));
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length], THIS, 1_000).is_err(), "cut at {length}");
        }
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << (at % 8);
            assert!(decode(&damaged, THIS, 1_000).is_err(), "byte {at}");
        }
        let twice = [bytes.clone(), bytes].concat();
        assert!(decode(&twice, THIS, 1_000).is_err());
    }
}
