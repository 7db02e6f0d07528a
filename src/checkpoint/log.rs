//! A log's bytes, piece by piece: what one sync makes durable. Made by the writer, read by `recover`.

use super::frame::{self, Identity, Kind, PAYLOAD_BYTES_MAX};
use super::head::{self, FORMAT, LogHead, Relabeled};
use super::slide::{Slide, Table};
use crate::ids::Millis;

/// One sync carries at most so much, unless a single slide is larger.
const PIECE_BYTES: usize = 8 << 20;

/// Turns slides into what is appended to one log. After a piece that may not have reached its log it is of no more
/// use, and neither is the log.
#[derive(Debug)]
pub struct LogEncoder {
    identity: Identity,
    table: Table,
    /// Whether the log's head has been given out.
    begun: bool,
    relabeled: Vec<Relabeled>,
}

/// What is appended and synced at once.
#[derive(Debug)]
pub struct Piece {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Slides in it.
    pub slides: usize,
    /// Number of the last of them.
    pub last: u64,
    /// That slide's end.
    pub end_ms: Millis,
}

impl LogEncoder {
    /// Begins the log of this identity.
    pub fn new(identity: Identity) -> Self {
        Self { identity, table: Table::default(), begun: false, relabeled: Vec::new() }
    }

    /// Says which attempts have put window ends back, this one or those before that left no log.
    pub(super) fn relabeled(self, relabeled: Vec<Relabeled>) -> Self {
        Self { relabeled, ..self }
    }

    /// As many of the numbered slides as one sync carries; `None` if there are none. `after` is the number of the last
    /// durable slide, `length_ms` the window's length.
    pub fn piece<'a>(
        &mut self,
        after: u64,
        length_ms: Millis,
        slides: impl Iterator<Item = (u64, &'a Slide)>,
    ) -> Option<Piece> {
        let mut piece = Piece { bytes: Vec::new(), slides: 0, last: after, end_ms: 0 };
        for (number, slide) in slides {
            if !std::mem::replace(&mut self.begun, true) {
                let version = env!("CARGO_PKG_VERSION").to_owned();
                let (own, before): (Vec<Relabeled>, Vec<Relabeled>) =
                    self.relabeled.iter().partition(|relabeled| relabeled.epoch == self.identity.epoch);
                let relabeled_ms = own.first().map_or(0, |own| own.by_ms);
                let head = LogHead {
                    format: FORMAT,
                    version,
                    after,
                    length_ms,
                    relabeled_ms,
                    relabeled_before: before,
                };
                frame::put(&mut piece.bytes, self.identity, Kind::Head, 0, &head::encode(&head));
            }
            let payload = self.table.encode(slide);
            assert!(
                payload.len() <= PAYLOAD_BYTES_MAX,
                "driver.memory ends the job before a slide has 2^30 bytes"
            );
            frame::put(&mut piece.bytes, self.identity, Kind::Slide, number, &payload);
            (piece.last, piece.end_ms) = (number, slide.end_ms);
            piece.slides += 1;
            if piece.bytes.len() >= PIECE_BYTES {
                break;
            }
        }
        (piece.slides > 0).then_some(piece)
    }
}
