//! A window as it is shown: what every sink prints and every page draws. The driver makes it, sinks read it.

use std::sync::Arc;

use crate::ids::{Millis, Offset, Partition};

/// One line of a ranking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RankedKey {
    /// The key's bytes; `None` is the null key, which no key of bytes equals.
    pub key: Option<Arc<[u8]>>,
    /// Records with this key in the window, at least 1.
    pub count: u64,
}

/// The result of one window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// First millisecond that belongs to the window.
    pub start_ms: Millis,
    /// The slide boundary it is printed for; the first millisecond that no longer belongs to it.
    pub end_ms: Millis,
    /// Driver attempt that printed it, from 1.
    pub attempt: u32,
    /// Records in the window.
    pub total: u64,
    /// Different keys in the window, the null key among them.
    pub distinct: u64,
    /// True when every slide of the window is there, with nothing unread and no backlog being worked off.
    pub complete: bool,
    /// How old the oldest record is that should have been read by the window end, 0 when none is.
    pub behind_ms: u64,
    /// Partitions that could not be read in the newest slide, ascending.
    pub unread: Vec<Partition>,
    /// The first keys of the ranking: by count descending, then the null key, then key bytes ascending.
    pub top: Vec<RankedKey>,
    /// Offsets `[from, until)` read in the newest slide, by partition ascending.
    pub ranges: Vec<(Partition, Offset, Offset)>,
}
