//! Results for readers: files of ranked windows that appear whole, once, and only of what is durable.
//!
//! Sits between `driver` and [`crate::store`]. The way of a driver through it:
//!
//! 1. With the checkpoint opened and before it starts: [`crate::checkpoint::Opened::keep_since`] with
//!    [`crate::ids::Millis::MIN`], so that nothing is deleted that results may still be made of.
//! 2. [`start`] returns at once with the [`Writer`] and its [`Event`]s; it never makes the driver wait. On the store's
//!    threads it stops writers of earlier attempts, finds out up to which end everything is visible, and makes what is
//!    missing out of the checkpoint's past ([`Setup::until_ms`] is where that ends and live slides begin).
//! 3. For every slide, when it is closed and offered to the checkpoint: [`Writer::closed`] with its [`Slide`]; at ends
//!    that [`Plan::is_written`], with the first [`Plan::keys`] of the ranking. When the checkpoint says
//!    `Durable{end_ms}`: [`Writer::durable`].
//! 4. [`Event::Visible`]: rows up to this end are visible; pass it to [`crate::checkpoint::Writer::keep_since`].
//!    Where window ends are put back, [`Event::Settled`] says that everything from before is visible; the checkpoint waits
//!    for it ([`crate::checkpoint::Writer::settled`]), because the next attempt does not look for it behind its own ends.
//! 5. To stop gracefully, once the checkpoint has closed: [`Writer::close`]; [`Event::Closed`] comes when the last file,
//!    of the windows so far, is visible. Whoever cannot wait for it may go: the next attempt makes it.
//! 6. [`Event::Fenced`] and [`Event::Refused`] are the end of writing, not of the job. Nothing need be kept for it then:
//!    [`crate::checkpoint::Writer::keep_since`] with [`crate::ids::Millis::MAX`].
//!
//! What makes each window stand there exactly once: files are a function of durable slides alone (`builder`), so two
//! writers make the same one, and a target that is there is done; a writer that is not the checkpoint's owner any more
//! cannot rename (`claim`); an attempt goes on after the last window that is visible. The store being away costs memory
//! up to a bound; beyond it slides are dropped and read again from the checkpoint ([`crate::checkpoint::History`]).
//! [`verify`] recounts what was written.

mod plan;
mod slide;
mod rows;
mod facts;
mod layout;
mod builder;
mod claim;
mod writer;
pub mod verify;

pub use claim::Owner;
pub use facts::{Facts, WindowFacts};
pub use layout::FileName;
pub use plan::Plan;
pub use slide::{Ranked, Slide};
pub use writer::{Event, Events, Setup, Writer, start};

#[cfg(test)]
mod tests;
