//! The start of a producer, in the order that makes it safe: first its cursor, so that a second producer touches nothing;
//! then Kafka, where an older one of the same name is shut out; then what the topic holds behind the cursor; and only then
//! the source.

use std::time::Duration;

use anyhow::Context as _;
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio::task;

use super::cursor::{CursorFile, OwnerInfo, Purpose, Saved};
use super::feed::{Feed, Repeats};
use super::ledger::{Ends, FLIGHT_POSTS, Ledger, Progress, Recalled, Rules, Seen};
use super::recall::recall;
use super::run::{Keeping, Run};
use super::shape::{Identify, Shape};
use super::sink::Sink;
use super::view::View;
use crate::clock::Clock;
use crate::config::Producer;
use crate::config::producer::Delivery;

/// How long the look into the topic may take.
const RECALL: Duration = Duration::from_secs(600);
/// How long ids are remembered without a cursor: a source may deliver something again after a reconnect.
const DEDUPE: Duration = Duration::from_secs(600);

/// Opens everything. What can be seen of the run from outside goes to `view`.
///
/// # Errors
/// The cursor is another producer's, or damaged; Kafka cannot be reached, or does not take such records; the source
/// cannot be read.
pub async fn start(producer: Producer, clock: Clock, view: watch::Sender<View>) -> anyhow::Result<Run> {
    let cursor = open_cursor(&producer, clock).await?;
    let sink = open_sink(&producer).await?;
    let (keeping, found) = match cursor {
        Some((file, saved)) => keep(&producer, &sink, file, saved, clock).await?,
        None => (Keeping::default(), Found::default()),
    };
    let seed = getrandom::u64().context("read random bytes")?;
    let resume = keeping.resume().cloned();
    let feed = Feed::open(&producer.source, &producer.keywords, resume.clone(), clock, seed)?;
    let rules = Rules {
        queue_posts: usize::try_from(producer.queue.posts).unwrap_or(usize::MAX),
        flight_posts: FLIGHT_POSTS,
        when_full: producer.queue.when_full,
        unmatched: producer.keywords.unmatched,
        keywords: producer.keywords.list.len(),
        transactions: sink.is_transactional(),
    };
    // With transactions Kafka's own marks lie between records, which are nobody's posts.
    let read_to = if sink.is_transactional() { Ends::new() } else { found.read_to };
    let progress = Progress::new(feed.overlap(), resume, found.ends).found(read_to, FLIGHT_POSTS as u64);
    let now = clock.monotonic();
    let dedupe = producer.cursor.as_ref().map_or(DEDUPE, |cursor| cursor.dedupe.get());
    let mut ledger = Ledger::new(rules, progress, Seen::new(dedupe, now), found.recalled);
    ledger.expect_repeats(if feed.repeats() == Repeats::ByPlace { found.unnamed } else { 0 });
    let drain = producer.drain.get();
    Ok(Run { feed, sink, ledger, keeping, clock, expects_until: now + dedupe, drain, view })
}

/// What the topic holds of posts that the source will deliver again.
#[derive(Default)]
struct Found {
    recalled: Recalled,
    /// Records without an id.
    unnamed: u64,
    /// From where it was read, and up to where.
    ends: Ends,
    read_to: Ends,
}

async fn open_cursor(
    producer: &Producer,
    clock: Clock,
) -> anyhow::Result<Option<(CursorFile, Option<Saved>)>> {
    let Some(cursor) = &producer.cursor else { return Ok(None) };
    let who = OwnerInfo { host: host_name(), pid: std::process::id(), since_ms: clock.wall_ms() };
    let identity = producer.source.identity();
    let purpose =
        Purpose { source: producer.source.name(), identity: &identity, topic: &producer.kafka.topic };
    Ok(Some(CursorFile::open(cursor, who, purpose, clock.monotonic()).await?))
}

async fn open_sink(producer: &Producer) -> anyhow::Result<Sink> {
    let (kafka, keywords) = (producer.kafka.clone(), producer.keywords.clone());
    let id = transactional_id(producer);
    task::spawn_blocking(move || Ok(Sink::open(&kafka, &keywords, id.as_deref())?)).await?
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The producer's name towards Kafka, with transactions: the same after each restart, and another for another cursor.
fn transactional_id(producer: &Producer) -> Option<String> {
    let cursor = producer.cursor.as_ref().filter(|_| producer.kafka.delivery == Delivery::Transactions)?;
    if !producer.kafka.transactional_id.is_empty() {
        return Some(producer.kafka.transactional_id.clone());
    }
    // The same path on another machine is another file.
    let host = if cursor.path.starts_with("file:") { host_name() } else { String::new() };
    let hash = Sha256::digest(format!("{host} {}", cursor.path));
    let name: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    Some(format!("spindle-{}-{name}", producer.kafka.topic))
}

/// Goes on at a cursor; a new one is saved at once. Without it a kill before the first save would leave records that
/// nobody looks for.
async fn keep(
    producer: &Producer,
    sink: &Sink,
    mut file: CursorFile,
    saved: Option<Saved>,
    clock: Clock,
) -> anyhow::Result<(Keeping, Found)> {
    let first = saved.is_none();
    let saved = match saved {
        Some(saved) => saved,
        None => {
            let asked = sink.clone();
            let ends = task::spawn_blocking(move || asked.ends()).await??;
            Saved {
                source: producer.source.name().to_owned(),
                identity: producer.source.identity(),
                resume: None,
                topic: producer.kafka.topic.clone(),
                topic_id: sink.topic_id(),
                ends: ends.into_iter().map(|(partition, offset)| (partition.number, offset)).collect(),
                saved_ms: clock.wall_ms(),
            }
        }
    };
    if first {
        file.save(&saved, clock.monotonic()).await.context("save the first cursor")?;
    }
    let found = if first {
        Found { ends: saved.ends.clone(), ..Found::default() }
    } else {
        look(producer, sink, &saved).await?
    };
    let every = producer.cursor.as_ref().map_or(DEDUPE, |cursor| cursor.every.get());
    Ok((Keeping::new(file, saved, every, clock), found))
}

/// Reads what the topic holds behind the cursor.
async fn look(producer: &Producer, sink: &Sink, saved: &Saved) -> anyhow::Result<Found> {
    let from = saved.recall_from(sink.topic_id());
    let (kafka, committed) = (producer.kafka.clone(), sink.is_transactional());
    let shape = Shape::of(&producer.source);
    // Other sources' ids are unique within them alone.
    let by_id_alone = !matches!(shape, Shape::Plain(_));
    let mut identify = Identify::new(shape);
    let work = move || {
        let (mut recalled, mut unnamed) = (Recalled::new(by_id_alone), 0);
        let read = recall(&kafka, committed, &from, RECALL, |_, _, _, json| match identify.identify(json) {
            Some(id) => recalled.insert(id, json),
            None => unnamed += 1,
        })?;
        anyhow::Ok((read, recalled, unnamed))
    };
    let (read, recalled, unnamed) = task::spawn_blocking(work).await??;
    let (records, posts, left_out) = (read.records, recalled.len(), recalled.left_out());
    tracing::info!(records, posts, "read what the topic holds behind the cursor");
    if left_out > 0 {
        tracing::warn!(left_out, "the topic holds too many posts behind the cursor; these may be sent again");
    }
    let (mut ends, mut read_to) = (saved.ends.clone(), Ends::new());
    for lane in read.lanes {
        ends.insert(lane.partition.number, lane.from);
        read_to.insert(lane.partition.number, lane.until);
    }
    Ok(Found { recalled, unnamed, ends, read_to })
}
