//! Checkpoints through deaths and failures at every step, against an oracle that keeps every slide.

mod world;
mod deaths;
mod owners;
mod openings;
mod damage;
mod keeping;
mod recreated;
mod history;
mod relabel;
mod tries;
mod abandoned;
#[expect(clippy::print_stdout, reason = "says what it measured")]
mod measure;
