//! What is in a file of a checkpoint, without owning it: for people.

use super::OpenError;
use super::claim::Sight;
use super::frame::{Frames, Identity, Kind, Tail};
use super::head::{self, BaseHead, LogHead, Unreadable};
use super::layout::parse_file;
use super::slide::{Slide, Table};
use super::{Recovered, Report, base, recover};
use crate::store::{Store, StoreError};

/// Longest file read, bytes.
const FILE_BYTES_MAX: u64 = 8 << 30;

/// A whole file, or what can be read of it.
#[derive(Debug)]
pub enum FileContent {
    /// A base.
    Base {
        /// Its head.
        head: Box<BaseHead>,
        /// Slides in its window.
        slides: usize,
        /// Different keys in its window.
        keys: u64,
        /// Records in its window.
        records: u64,
    },
    /// A log.
    Log {
        /// Its head.
        head: LogHead,
        /// Its first slide.
        first: Option<Box<Numbered>>,
        /// Its last slide.
        last: Option<Box<Numbered>>,
        /// How many slides it has.
        slides: u64,
        /// Pairs of key and slide.
        pairs: u64,
        /// Records in them.
        records: u64,
        /// How it ends.
        tail: Tail,
    },
    /// Neither, or damaged.
    Unreadable(Unreadable),
}

/// A slide of a log.
#[derive(Debug, Clone)]
pub struct Numbered {
    /// Its number.
    pub number: u64,
    /// The slide.
    pub slide: Slide,
}

/// What a restart would go on from.
#[derive(Debug)]
pub struct Shown {
    /// Who owns it and what lies there.
    pub sight: Sight,
    /// What recovery would read now; a log that is being written may be longer than what can be read of it.
    pub recovery: Result<(Option<Recovered>, Report), OpenError>,
}

/// Reads a checkpoint as recovery would, without taking it.
pub async fn inspect(store: &Store, ids_max: usize) -> Result<Shown, StoreError> {
    let sight = Sight::look(store).await?;
    let recovery = recover(store, &sight.attempts, false, ids_max, 0).await;
    Ok(Shown { sight, recovery })
}

impl FileContent {
    /// Reads the file `name` in the attempt's directory `dir`; `None` if it is not called like one of a checkpoint.
    pub async fn read(
        store: &Store,
        dir: &str,
        name: &str,
        ids_max: usize,
    ) -> Result<Option<Self>, StoreError> {
        let Some((epoch, is_base, number)) = parse_file(dir, name) else { return Ok(None) };
        let bytes = store.read_so_far(&format!("{dir}/{name}"), FILE_BYTES_MAX).await?;
        let identity = Identity { epoch, number };
        let content = if is_base { of_base(&bytes, identity, ids_max) } else { of_log(&bytes, identity) };
        Ok(Some(content.unwrap_or_else(Self::Unreadable)))
    }
}

fn of_base(bytes: &[u8], identity: Identity, ids_max: usize) -> Result<FileContent, Unreadable> {
    let (head, restore) = base::decode(bytes, identity, ids_max)?;
    let (slides, keys, records) = (restore.slides(), restore.distinct(), restore.total());
    Ok(FileContent::Base { head: Box::new(head), slides, keys, records })
}

fn of_log(bytes: &[u8], identity: Identity) -> Result<FileContent, Unreadable> {
    let mut frames = Frames::new(bytes, identity);
    let head: LogHead = head::read(&mut frames, identity)?;
    let mut table = Table::default();
    let (mut first, mut last) = (None, None);
    let (mut slides, mut pairs, mut records) = (0, 0, 0);
    for frame in frames.by_ref().filter(|frame| frame.kind == Kind::Slide as u8) {
        let slide = table.decode(frame.payload);
        let slide = slide.map_err(|error| Unreadable::Damaged(format!("slide {}: {error}", frame.number)))?;
        slides += 1;
        for (_, bucket) in &slide.counts {
            pairs += bucket.pairs().count() as u64;
            records += bucket.total();
        }
        let this = Box::new(Numbered { number: frame.number, slide });
        first.get_or_insert_with(|| this.clone());
        last = Some(this);
    }
    Ok(FileContent::Log { head, first, last, slides, pairs, records, tail: frames.tail() })
}
