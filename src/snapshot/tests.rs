//! The writer through restarts, deaths and failures at every step: always the same files.

pub(super) mod world;
mod restarts;
mod deaths;
mod stores;

pub(super) use world::{plan, slides};
