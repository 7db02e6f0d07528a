//! The arithmetic: pure, no I/O, no clock, no threads.
//!
//! An executor counts into a [`table::KeyTable`] and sends it as a flat [`block`]; the driver interns the
//! block's keys in a [`dictionary::Dictionary`], adds it to the [`ring::Ring`] as one [`bucket`] per slide, and
//! reads the ranking off the ring's running totals. What a checkpoint keeps of a ring goes out and comes back as
//! packed [`bucket`]s and lists of [`keys`].

pub mod varint;
pub mod block;
pub mod table;
pub mod dictionary;
pub mod keys;
pub mod bucket;
pub mod ring;
pub mod rank;
pub mod window;

pub use block::{BlockError, BlockReader};
pub use bucket::{Pairs, SealedBucket};
pub use dictionary::{Dictionary, KeyId, Keys};
pub use keys::Malformed;
pub use ring::{ExportedSlide, Restore, Ring, RingImage};
pub use table::KeyTable;
pub use window::{RankedKey, Window};
