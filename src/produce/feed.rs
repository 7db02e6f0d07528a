//! Sources of posts: one closed enum, one file each. Feeds `ledger` with events.
//!
//! Each source runs on its own (`archive` on a thread, connections in a task of `live`) and hands events over in
//! batches, through a channel of two. When that is full, the source waits.

use std::sync::Arc;

use anyhow::anyhow;
use tokio::sync::watch;
use tokio_util::bytes::Bytes;

use super::event::{Event, Kind, Overlap, Resume};
use super::reconnect::{Ladders, Reconnect};
use super::shape::{Reader, Shape};
use crate::clock::Clock;
use crate::config::producer::{Keywords, Source, Unmatched};
use crate::random::Random;

mod health;
mod lines;
mod live;
mod http;
mod resume;
mod archive;
pub(crate) mod synthetic;
mod websocket;
mod jetstream;
mod statuses;
mod sse;
mod http_lines;

use archive::Archive;
use http_lines::HttpLines;
use jetstream::Jetstream;
pub use jetstream::REWIND_MS;
use live::{Counts, Live};
pub use live::{Reason, Reconnects, State};
use sse::Sse;
use statuses::Statuses;
use synthetic::Synthetic;
use websocket::WebSocket;

/// Most events in a batch.
const BATCH_EVENTS_MAX: usize = 1_024;
/// Most bytes of posts in a batch, about.
const BATCH_BYTES_MAX: usize = 1 << 20;
/// Batches that may wait between a source and who takes its events.
const BATCHES: usize = 2;
/// Longest line of an archive or a stream of lines, in bytes. Kafka takes records of 1 MB.
const LINE_BYTES_MAX: usize = 1 << 20;

/// A source that is being read.
#[derive(Debug)]
pub struct Feed {
    source: Running,
    repeats: Repeats,
    overlap: Overlap,
}

#[derive(Debug)]
enum Running {
    Archive(Archive),
    Synthetic(Box<Synthetic>),
    Live(Live),
}

/// Whether there is more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// There may be more.
    More,
    /// That was all.
    Finished,
}

/// How a post that comes again after a restart is recognized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeats {
    /// By its id.
    ById,
    /// Not at all, as the source goes on exactly behind the last one.
    ByPlace,
    /// It is not.
    Not,
}

/// Why a source cannot be read on, in words, with what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FeedError(pub(super) String);

/// What comes from a source that runs on its own.
#[derive(Debug)]
enum Batch {
    /// Some events.
    Events(Vec<Event>),
    /// There will be no more, because of this.
    Failed(FeedError),
    /// There will be no more, because that was all.
    Finished,
}

impl Feed {
    /// Begins reading, behind `resume` if it is there. `seed` decides what is left to chance, such as the jitter of
    /// waits. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// Files that are not there, cursors of another kind of source, keywords that cannot be looked for.
    pub fn open(
        source: &Source,
        keywords: &Keywords,
        resume: Option<Resume>,
        clock: Clock,
        seed: u64,
    ) -> anyhow::Result<Self> {
        let shape = Shape::of(source);
        let repeats = match (source, &shape) {
            (Source::File(_) | Source::Synthetic(_), _) => Repeats::ByPlace,
            (_, Shape::Plain(places)) if places.id.is_none() => Repeats::Not,
            _ => Repeats::ById,
        };
        let overlap = match source {
            Source::File(_) | Source::Synthetic(_) => Overlap::None,
            Source::Jetstream(_) => Overlap::Ms(REWIND_MS),
            _ => Overlap::One,
        };
        let frames = Reader::new(shape, keywords).map_err(|why| anyhow!("keywords: {why}"))?;
        let drops = keywords.unmatched == Unmatched::Drop;
        let mut random = Random::with_seed(seed);
        let counts = Counts::default();
        let jitter = Random::with_seed(random.next_u64());
        let source = match source {
            Source::File(file) => Running::Archive(Archive::file(file, frames, drops, resume)?),
            Source::Stdin(stdin) => Running::Archive(Archive::stdin(stdin, frames, drops)?),
            Source::Synthetic(synthetic) => {
                Running::Synthetic(Box::new(Synthetic::new(synthetic, frames, resume)?))
            }
            Source::Jetstream(config) => {
                let jetstream = Jetstream::new(config, keywords, frames, resume, clock)?;
                Running::Live(Live::start(
                    jetstream,
                    Reconnect::new(Ladders::JETSTREAM, jitter),
                    counts,
                    clock,
                ))
            }
            Source::StatusesFilter(config) => {
                let statuses = Statuses::new(config, keywords, frames, counts.clone(), clock, random)?;
                Running::Live(Live::start(statuses, Reconnect::new(Ladders::HOSEBIRD, jitter), counts, clock))
            }
            Source::Sse(config) => {
                let sse = Sse::new(config, frames, resume, clock)?;
                Running::Live(Live::start(sse, Reconnect::new(Ladders::GENERIC, jitter), counts, clock))
            }
            Source::Websocket(config) => {
                let websocket = WebSocket::new(config, frames, resume, clock)?;
                Running::Live(Live::start(websocket, Reconnect::new(Ladders::GENERIC, jitter), counts, clock))
            }
            Source::HttpLines(config) => {
                let lines = HttpLines::new(config, frames, resume, clock)?;
                Running::Live(Live::start(lines, Reconnect::new(Ladders::GENERIC, jitter), counts, clock))
            }
        };
        Ok(Self { source, repeats, overlap })
    }

    /// Waits until something came, and appends it: at most about 1,024 events or 1 MiB at once.
    ///
    /// The future may be dropped; nothing is lost by that.
    ///
    /// # Errors
    /// The source cannot be read on.
    pub async fn next(&mut self, events: &mut Vec<Event>) -> Result<Progress, FeedError> {
        match &mut self.source {
            Running::Archive(archive) => archive.next(events).await,
            Running::Synthetic(synthetic) => synthetic.next(events).await,
            Running::Live(live) => live.next(events).await,
        }
    }

    /// Stops reading, and appends what was read and would be lost otherwise: what connections gave, and what standard input
    /// did. A line or message that has not ended is none. A file or a made-up stream is found again where it was left, so
    /// nothing of it is appended.
    ///
    /// Takes a second at most. Must not be dropped before it is ready. [`Feed::next`] has nothing more afterwards.
    pub async fn close(&mut self, events: &mut Vec<Event>) {
        match &mut self.source {
            Running::Archive(archive) => archive.close(events).await,
            Running::Synthetic(synthetic) => synthetic.close(),
            Running::Live(live) => live.close(events).await,
        }
    }

    /// Says that there is no room for posts, and has not been for a while. A connection that can be found again by its
    /// cursor is closed until [`Feed::next`] is called again; other sources just wait.
    pub fn pause(&mut self) {
        match &mut self.source {
            Running::Archive(_) | Running::Synthetic(_) => {}
            Running::Live(live) => live.pause(),
        }
    }

    /// How a post that comes again after a restart is recognized.
    pub fn repeats(&self) -> Repeats {
        self.repeats
    }

    /// How much of what came before its cursor comes again.
    pub fn overlap(&self) -> Overlap {
        self.overlap
    }

    /// How often connections were made again, for each reason; `None` for sources without connections.
    pub fn reconnects(&self) -> Option<Reconnects> {
        Some(self.live()?.counts().reconnects())
    }

    /// How many posts the server says that it has left out, as there were too many.
    pub fn undelivered(&self) -> u64 {
        self.live().map_or(0, |live| live.counts().all_undelivered())
    }

    /// What the source is doing; `None` for sources without connections.
    pub fn state(&self) -> Option<watch::Receiver<State>> {
        Some(self.live()?.state())
    }

    fn live(&self) -> Option<&Live> {
        match &self.source {
            Running::Live(live) => Some(live),
            Running::Archive(_) | Running::Synthetic(_) => None,
        }
    }

    /// Whether the source delivers, or could; otherwise since when it does not, and why.
    ///
    /// # Errors
    /// What is wrong, in words, for `/healthz`.
    pub fn health(&self) -> Result<(), String> {
        match &self.source {
            Running::Archive(archive) => archive.health(),
            Running::Synthetic(_) => Ok(()),
            Running::Live(live) => live.health(),
        }
    }
}

/// Gives posts memory of their own, if they occupy little of the `bytes` that they were cut from: else each of them
/// would hold all of that in memory while it waits for Kafka. Posts that `drops` lets nobody wait for do not count.
fn unshare(events: &mut [Event], drops: bool, bytes: u64) {
    let posts = events.iter_mut().filter_map(|event| match &mut event.kind {
        Kind::Post(post) if post.keyword.is_some() || !drops => Some(post),
        _ => None,
    });
    let posts: Vec<_> = posts.collect();
    let kept: u64 = posts.iter().map(|post| post.json.len() as u64).sum();
    if kept < bytes / 2 {
        posts.into_iter().for_each(|post| post.json = Bytes::copy_from_slice(&post.json));
    }
}

/// A name that many events share.
type Name = Arc<str>;
