//! The arithmetic: pure, no I/O, no clock, no threads.
//!
//! An executor counts into a [`table::KeyTable`] and sends it as a flat [`block`]; the driver interns the
//! block's keys in a [`dictionary::Dictionary`], adds it to the [`ring::Ring`] as one [`bucket`] per slide, and
//! reads the ranking off the ring's running totals.

pub mod varint;
pub mod block;
pub mod table;
pub mod dictionary;
pub mod bucket;
pub mod ring;
pub mod rank;
pub mod window;

pub use block::{BlockError, BlockReader};
pub use bucket::{Pairs, SealedBucket};
pub use dictionary::{Dictionary, KeyId};
pub use ring::Ring;
pub use table::KeyTable;
pub use window::{RankedKey, Window};
