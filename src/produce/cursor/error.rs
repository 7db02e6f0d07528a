//! Why a cursor cannot be used or saved, and what to do.

use crate::store::StoreError;

/// Why a cursor cannot be used or saved.
#[derive(Debug, thiserror::Error)]
pub enum CursorError {
    /// The path names no file in a store.
    #[error("cursor.path {path}: {reason}")]
    Path {
        /// As configured.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is there is no cursor, or not a whole one.
    #[error(
        "cursor {path}: {reason}; put the right file there, or move this one away: then the producer begins as if for the \
         first time, which sends posts again or leaves some out"
    )]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A later version of Spindle wrote it.
    #[error(
        "cursor {path} has version {found}, and this program knows versions up to {known}; use the program that wrote it"
    )]
    Newer {
        /// The file.
        path: String,
        /// Its version.
        found: u64,
        /// The last version that is known.
        known: u64,
    },
    /// It was written for something else.
    #[error(
        "cursor {path} was written for {what} {theirs}, and this producer has {what} {ours}; name another file by \
         cursor.path, or move this one away to begin as if for the first time"
    )]
    Foreign {
        /// The file.
        path: String,
        /// In what it differs: `source`, `source at` (an address) or `topic`.
        what: &'static str,
        /// What the file says.
        theirs: String,
        /// What the producer file says.
        ours: String,
    },
    /// A live producer has it.
    #[error("cursor {path} belongs to {owner}; stop that producer, or name another file by cursor.path")]
    Owned {
        /// The file.
        path: String,
        /// Who has it, in words.
        owner: String,
    },
    /// Another producer has taken it from this one.
    #[error("cursor {path} was taken over by {by}; this producer ends, as only one may save")]
    Lost {
        /// The file.
        path: String,
        /// Who has it now, in words.
        by: String,
    },
    /// Several producers want it at the same time.
    #[error("cursor {path}: several producers want it at the same time; start one")]
    Contested {
        /// The file.
        path: String,
    },
}

impl CursorError {
    /// Whether this producer must end: trying again will not help, and would harm the producer that has the cursor now.
    /// A store that is full or away is no such error.
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Store(_))
    }
}
