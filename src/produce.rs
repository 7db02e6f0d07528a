//! The producer: from a live stream, or an archive, into the Kafka topic that a job counts.
//!
//! A post's way: `feed` (connect, read) -> `shape` (what the frame means, its keyword) -> `ledger` (every post
//! accounted for) -> `sink` (Kafka) -> acknowledged -> `ledger` -> `cursor` (where to go on after a restart).

pub mod event;
pub mod json;
pub mod keywords;
pub mod time;
pub mod shape;
pub mod reconnect;
pub mod feed;
pub mod ledger;
pub mod sink;
pub mod recall;
pub mod cursor;
mod view;
pub mod run;
mod start;

pub use start::start;
pub use view::View;
