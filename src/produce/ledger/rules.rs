//! What the books of a run go by.

use crate::config::producer::{Unmatched, WhenFull};

/// What the producer file says about posts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// How many posts may wait.
    pub queue_posts: usize,
    /// Most posts between the oldest one without an answer and the newest one sent. A partition without a leader holds its
    /// own records back while others are acknowledged.
    pub flight_posts: usize,
    /// What happens to a post that finds no place.
    pub when_full: WhenFull,
    /// What becomes of posts without a keyword.
    pub unmatched: Unmatched,
    /// How many keywords there are.
    pub keywords: usize,
    /// Whether records count only when they are committed.
    pub transactions: bool,
}
