//! Spindle counts Kafka keys over a sliding window, exactly, on YARN.
//!
//! The data's way: `source -> count -> wire -> driver -> sink`. The modules stand here in the order in which
//! they build on each other: each may use those above it, never those below.

pub mod ids;
pub mod clock;
pub mod random;
pub mod exit;
pub mod logging;
pub mod hadoop;
pub mod count;
pub mod store;
pub mod oss;
pub mod config;
pub mod source;
pub mod wire;
pub mod checkpoint;
pub mod sink;
pub mod snapshot;
pub mod metrics;
pub mod web;
pub mod yarn;
pub mod launch;
pub mod executor;
pub mod driver;
pub mod produce;
pub mod demo;
pub mod cli;
