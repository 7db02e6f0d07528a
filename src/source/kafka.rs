//! Reading with librdkafka: explicit assignment, batch drain, and what to believe of its events. One client per
//! reading thread; feeds the visitor of [`Source::drain`](super::Source::drain).

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::Consumer;

use super::native::{self, Batch, Client, Queue};
use super::rate::Bucket;
use super::settings::ClientSettings;
use super::slots::{Reader, Slot, Slots};
use super::{Progress, SourceError, Visit};
use crate::ids::{Offset, Partition, Position};

mod health;
mod heard;
mod renewal;
mod wake;

use health::SILENCE;
use heard::Fetches;
use renewal::Renewal;
use wake::Wake;
pub use wake::Waker;

/// Messages per batch: what one lock round of librdkafka's queue is worth (measured; more gains nothing).
pub const BATCH_MESSAGES: usize = 1000;
/// How long a rate-limited drain rests when nothing may be read.
const REST: Duration = Duration::from_millis(5);

/// A librdkafka consumer without group membership.
pub struct KafkaSource {
    settings: ClientSettings,
    client: Arc<Client>,
    /// What messages arrive in: the one queue of all partitions; with a rate limit, what the waker wakes.
    queue: Arc<Queue>,
    /// Where the client's events arrive.
    events: Queue,
    /// With a rate limit, the queue of each partition, by index.
    limited: Vec<Option<Queue>>,
    batch: Batch,
    slots: Slots,
    /// Partitions that this client has stopped. It must not start them again, because the end of the stop comes
    /// later and would undo the forwarding of the new start (`rd_kafka_toppar_fetch_stop`).
    stopped_once: HashSet<Partition>,
    /// When the next client may take the place of this one, which such partitions wait for.
    renewal: Renewal,
    /// What this client has asked of brokers.
    fetches: Fetches,
    /// The ids under which this client reads topics.
    topic_ids: HashMap<String, String>,
    wake: Arc<Wake>,
    silence: Duration,
}

impl KafkaSource {
    pub(super) fn open(settings: &ClientSettings) -> Result<(Self, Waker), SourceError> {
        let (client, queue) = client(settings)?;
        let events = Queue::of_events(&client);
        let wake = Arc::new(Wake::default());
        wake.point_to(Some(Arc::clone(&queue)));
        let fetch_wait = settings.get("fetch.wait.max.ms").and_then(|ms| ms.parse().ok()).unwrap_or(500);
        let source = Self {
            settings: settings.clone(),
            client,
            queue,
            events,
            limited: Vec::new(),
            batch: Batch::new(BATCH_MESSAGES),
            slots: Slots::default(),
            stopped_once: HashSet::new(),
            renewal: Renewal::default(),
            fetches: Fetches::default(),
            topic_ids: HashMap::new(),
            wake: Arc::clone(&wake),
            silence: SILENCE + Duration::from_millis(fetch_wait),
        };
        Ok((source, Waker(wake)))
    }

    pub(super) fn assign(&mut self, partitions: &[(Partition, Position)]) -> Result<(), SourceError> {
        if partitions.is_empty() {
            return Ok(());
        }
        let names = || names(partitions.iter().map(|(partition, _)| partition));
        let failed =
            |reason: String| SourceError::Assignment { action: "assign", partitions: names(), reason };
        if let Some((partition, _)) = partitions.iter().find(|(p, _)| self.slots.index_of(p).is_some()) {
            return Err(failed(format!("{partition} is assigned already")));
        }
        let mut start = Vec::with_capacity(partitions.len());
        for (partition, position) in partitions {
            let mut slot =
                Slot::new(partition, *position).ok_or_else(|| failed("not a topic name".to_owned()))?;
            // A client that read another topic of that name asks nobody whether there is a new one.
            let other = self.topic_ids.get(&*partition.topic).is_some_and(|id| slot.is_of_another(id));
            slot.waits = other || self.stopped_once.contains(partition);
            let waits = slot.waits;
            let index = self.slots.insert(slot);
            if !waits {
                start.push(index);
            }
        }
        self.start(&start).map_err(failed)
    }

    /// Puts a fresh client in the place of this one if partitions wait for it and its time has come.
    fn renew(&mut self, now: Duration) -> Result<(), SourceError> {
        if !self.slots.iter().any(|(_, slot)| slot.waits) || !self.renewal.may(now) {
            return Ok(());
        }
        self.replace_client()?;
        self.slots.iter_mut().for_each(|(_, slot)| slot.waits = false);
        let start: Vec<_> = self.slots.iter().filter(|(_, slot)| !slot.stopped()).map(|(i, _)| i).collect();
        self.start(&start).map_err(|reason| {
            let partitions = names(self.slots.iter().map(|(_, slot)| &slot.partition));
            SourceError::Assignment { action: "assign", partitions, reason }
        })
    }

    pub(super) fn release(&mut self, partitions: &[Partition]) -> Result<(), SourceError> {
        let indexes: Vec<usize> = partitions.iter().filter_map(|p| self.slots.index_of(p)).collect();
        let running = indexes.iter().copied().filter(|i| self.slots.get(*i).is_some_and(|s| !s.stopped()));
        self.stop(&running.collect::<Vec<_>>())?;
        for index in indexes {
            self.slots.remove(index);
            if let Some(queue) = self.limited.get_mut(index) {
                *queue = None;
            }
        }
        Ok(())
    }

    pub(super) fn drain(
        &mut self,
        now: Duration,
        timeout: Duration,
        visitor: &mut impl Visit,
    ) -> Result<usize, SourceError> {
        self.renew(now)?;
        let woken = self.wake.wanted();
        let timeout = if woken { Duration::ZERO } else { timeout };
        if self.settings.max_rate_per_partition == 0 {
            // Only the first message is waited for: librdkafka would wake this thread for each until a batch is full.
            let first =
                if timeout.is_zero() { 0 } else { self.drain_lane(None, millis(timeout), 1, visitor)? };
            return Ok(first + self.drain_lane(None, 0, BATCH_MESSAGES, visitor)?);
        }
        let mut records = 0;
        for index in 0..self.limited.len() {
            records += self.drain_limited(index, now, visitor)?;
        }
        if records == 0 {
            self.drain_lane(None, millis(timeout.min(REST)), BATCH_MESSAGES, visitor)?;
        }
        Ok(records)
    }

    /// Reads what one partition may: each has a queue, as messages cannot be put back into a shared one.
    fn drain_limited(
        &mut self,
        index: usize,
        now: Duration,
        visitor: &mut impl Visit,
    ) -> Result<usize, SourceError> {
        let rate = self.settings.max_rate_per_partition;
        let Some(slot) = self.slots.get_mut(index) else { return Ok(0) };
        let allowed = slot.bucket.get_or_insert_with(|| Bucket::new(rate, now)).available(now);
        if allowed == 0 {
            return Ok(0);
        }
        let records = self.drain_lane(Some(index), 0, allowed, visitor)?;
        if let Some(bucket) = self.slots.get_mut(index).and_then(|slot| slot.bucket.as_mut()) {
            bucket.take(records);
        }
        Ok(records)
    }

    /// Reads a batch from the shared queue, or from the one of the partition with this index.
    fn drain_lane(
        &mut self,
        index: Option<usize>,
        wait_ms: i32,
        count_max: usize,
        visitor: &mut impl Visit,
    ) -> Result<usize, SourceError> {
        let queue = match index {
            None => Some(&*self.queue),
            Some(index) => self.limited.get(index).and_then(Option::as_ref),
        };
        let Some(queue) = queue else { return Ok(0) };
        let mut batch = std::mem::take(&mut self.batch);
        let taken = batch.take(queue, wait_ms, count_max);
        // Between taking and showing: what the client learned before it fetched these records (that the topic is
        // another one now) must be known before they count.
        if self.events.len() > 0 {
            self.serve_events()?;
        }
        let mut stopped = Vec::new();
        let mut reader = Reader::new(&mut self.slots, visitor, &mut stopped);
        taken.show(&mut reader);
        let records = reader.records;
        self.batch = batch;
        self.stop(&stopped)?;
        Ok(records)
    }

    pub(super) fn progress(&self) -> impl Iterator<Item = Progress<'_>> {
        self.slots.iter().map(|(index, slot)| Progress {
            partition: &slot.partition,
            index,
            until: slot.until,
            log_end: self.log_end(slot),
            heard: slot.heard_end,
            last_timestamp_ms: slot.last_timestamp_ms,
            state: slot.state(),
        })
    }

    /// Between statistics the high watermark of the last fetch is newer, but no end to compare with while
    /// transactions are open.
    fn log_end(&self, slot: &Slot) -> Option<Offset> {
        match slot.heard_end {
            _ if slot.at_end => Some(slot.until.offset),
            Some(heard) if heard.end < heard.high => Some(heard.end.max(slot.until.offset)),
            _ => native::cached_log_end(&self.client, &slot.topic, slot.partition.number),
        }
    }

    pub(super) fn index_of(&self, partition: &Partition) -> Option<usize> {
        self.slots.index_of(partition)
    }

    pub(super) fn queued(&self) -> usize {
        self.queue.len() + self.limited.iter().flatten().map(Queue::len).sum::<usize>()
    }

    /// Starts the partitions at these indexes where they stand.
    fn start(&mut self, indexes: &[usize]) -> Result<(), String> {
        for &index in indexes {
            let Some(slot) = self.slots.get_mut(index) else { continue };
            slot.restart();
            if let Some(id) = self.topic_ids.get(&*slot.partition.topic) {
                slot.identify(id);
            }
            let collected = if self.settings.max_rate_per_partition == 0 {
                self.queue.collect(&slot.partition)
            } else {
                let queue = Queue::new(Arc::clone(&self.client));
                let collected = queue.collect(&slot.partition);
                self.limited.resize_with(self.limited.len().max(index + 1), || None);
                self.limited[index] = Some(queue);
                collected
            };
            if !collected {
                return Err(format!("the client has no queue for {}", slot.partition));
            }
        }
        let slots =
            || indexes.iter().filter_map(|index| self.slots.get(*index)).filter(|slot| !slot.stopped());
        let list = native::list(slots().map(|slot| (&slot.partition, slot.until)));
        if list.count() == 0 {
            return Ok(());
        }
        self.client.incremental_assign(&list).map_err(|error| error.to_string())?;
        // An assignment starts fetching at once, and whether the position's epoch is looked at depends on when
        // metadata arrives (rd_kafka_toppar_leader_update). A seek always validates it first.
        let known = slots().filter(|slot| slot.until.leader_epoch >= 0 && slot.until.offset > 0);
        let known = native::list(known.map(|slot| (&slot.partition, slot.until)));
        if known.count() > 0 {
            self.client.seek_partitions(known, Duration::ZERO).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Stops the partitions at these indexes; the slots stay.
    fn stop(&mut self, indexes: &[usize]) -> Result<(), SourceError> {
        if indexes.is_empty() {
            return Ok(());
        }
        let partitions: Vec<_> =
            indexes.iter().filter_map(|i| self.slots.get(*i)).map(|slot| slot.partition.clone()).collect();
        let list = native::list(partitions.iter().map(|p| (p, Position::at(-1))));
        let result = self.client.incremental_unassign(&list);
        result.map_err(|error| SourceError::Assignment {
            action: "release",
            partitions: names(&partitions),
            reason: error.to_string(),
        })?;
        self.stopped_once.extend(partitions);
        Ok(())
    }

    /// Puts a fresh client in the place of this one. What was fetched and not drained is fetched again.
    fn replace_client(&mut self) -> Result<(), SourceError> {
        let (client, queue) = client(&self.settings)?;
        self.wake.point_to(Some(Arc::clone(&queue)));
        self.limited.clear();
        self.slots.forget_handles();
        self.stopped_once.clear();
        self.topic_ids.clear();
        self.fetches = Fetches::default();
        self.events = Queue::of_events(&client);
        self.queue = queue;
        self.client = client;
        Ok(())
    }
}

impl Drop for KafkaSource {
    fn drop(&mut self) {
        self.wake.point_to(None);
    }
}

impl fmt::Debug for KafkaSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSource").field("settings", &self.settings).field("slots", &self.slots).finish()
    }
}

fn client(settings: &ClientSettings) -> Result<(Arc<Client>, Arc<Queue>), SourceError> {
    let created = Client::create(&settings.client_config());
    let client = created.map_err(|error| SourceError::Settings(error.to_string()))?;
    let queue = Arc::new(Queue::new(Arc::clone(&client)));
    Ok((client, queue))
}

fn names<'a>(partitions: impl IntoIterator<Item = &'a Partition>) -> String {
    partitions.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn millis(timeout: Duration) -> i32 {
    i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
