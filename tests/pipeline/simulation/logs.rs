//! What the brokers hold: logs with gaps that grow, expire, are truncated, deleted, made anew.

use std::collections::BTreeMap;

use spindle::driver::state::Facts;
use spindle::ids::{Millis, Offset, Partition, TopicId};
use spindle::random::Random;
use spindle::source::admin::LogRange;

/// The keys that records have, by number. Few, so that ties are frequent.
pub(crate) const KEYS: [Option<&[u8]>; 8] =
    [None, Some(b""), Some(b"null"), Some(b"IoT"), Some(b"5G"), Some(b"\xff\n"), Some(b"a"), Some(b"b")];

/// One record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record {
    pub(crate) offset: Offset,
    /// Index into [`KEYS`].
    pub(crate) key: usize,
    /// Since when it can be read: when it was appended, or its transaction ended.
    pub(crate) written_ms: Millis,
}

/// One partition's log.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    /// Counts topics of this name that were made one after the other.
    pub(crate) incarnation: u8,
    /// When it was made.
    pub(crate) made_ms: Millis,
    pub(crate) exists: bool,
    pub(crate) led: bool,
    /// Others reach its leader, this job's readers do not.
    pub(crate) hung: bool,
    pub(crate) first: Offset,
    /// The high watermark.
    pub(crate) end: Offset,
    /// The first offset of an open transaction.
    pub(crate) open: Option<Offset>,
    /// What each leader epoch could read: after a truncation or recreation the same offsets hold other records.
    pub(crate) epochs: Vec<Vec<Record>>,
    /// Epochs that began by cutting the log off at an offset; a new topic cuts everything off.
    cuts: Vec<(usize, Offset)>,
}

impl Log {
    fn new(first: Offset, made_ms: Millis) -> Self {
        Self {
            incarnation: 1,
            made_ms,
            exists: true,
            led: true,
            hung: false,
            first,
            end: first,
            open: None,
            epochs: vec![Vec::new()],
            cuts: Vec::new(),
        }
    }

    /// The last stable offset: where reading ends.
    pub(crate) fn stable(&self) -> Offset {
        self.open.unwrap_or(self.end)
    }

    /// A transaction begins, which will keep back what is appended from now on.
    pub(crate) fn open_transaction(&mut self) {
        self.open = self.open.or(Some(self.end));
    }

    /// It ends, and everything behind its begin can be read.
    pub(crate) fn end_transaction(&mut self, now_ms: Millis) {
        let Some(offset) = self.open.take() else { return };
        let records = self.epochs.last_mut().into_iter().flatten();
        records.filter(|record| record.offset >= offset).for_each(|record| record.written_ms = now_ms);
    }

    pub(crate) fn epoch(&self) -> i32 {
        self.epochs.len() as i32 - 1
    }

    /// The records of one epoch from `from`.
    pub(crate) fn read(&self, epoch: i32, from: Offset) -> &[Record] {
        let records = self.epochs.get(epoch as usize).map_or(&[][..], Vec::as_slice);
        &records[records.partition_point(|record| record.offset < from)..]
    }

    /// Whether the log was cut off below `offset` after epoch `from` and up to epoch `until`.
    pub(crate) fn was_cut_below(&self, offset: Offset, from: i32, until: i32) -> bool {
        let mut cuts = self.cuts.iter().map(|&(epoch, at)| (epoch as i32, at));
        from >= 0 && cuts.any(|(epoch, at)| epoch > from && epoch <= until && at < offset)
    }

    fn append(&mut self, now_ms: Millis, random: &mut Random) {
        let gap = if random.one_in(6) { random.between(1, 3) } else { 0 };
        let offset = self.end + gap;
        let key = random.below(KEYS.len()).min(random.below(KEYS.len()));
        let epoch = self.epochs.last_mut().expect("a log begins with an epoch");
        epoch.push(Record { offset, key, written_ms: now_ms });
        self.end = offset + 1 + i64::from(random.one_in(9));
    }

    /// How far it reaches, as its leader says.
    pub(crate) fn range(&self) -> LogRange {
        LogRange { first: self.first, end: self.stable().max(self.first), high: self.end }
    }

    pub(crate) fn expire(&mut self, random: &mut Random) {
        self.first = random.between(self.first, self.stable().max(self.first));
    }

    pub(crate) fn truncate(&mut self, now_ms: Millis, random: &mut Random) {
        self.end_transaction(now_ms);
        let at = random.between(self.first.max(self.end - 12), self.end);
        let kept = self.epochs.last().into_iter().flatten().filter(|record| record.offset < at);
        self.epochs.push(kept.copied().collect());
        self.cuts.push((self.epochs.len() - 1, at));
        self.end = at;
    }

    pub(crate) fn recreate(&mut self, now_ms: Millis) {
        self.incarnation += 1;
        self.made_ms = now_ms;
        self.exists = true;
        self.led = true;
        self.open = None;
        self.epochs.push(Vec::new());
        self.cuts.push((self.epochs.len() - 1, -1));
        (self.first, self.end) = (0, 0);
    }
}

/// Every log of the job's topics.
#[derive(Debug, Default)]
pub(crate) struct Logs {
    pub(crate) logs: BTreeMap<Partition, Log>,
    /// Whether the brokers know topic ids.
    pub(crate) ids: bool,
}

impl Logs {
    pub(crate) fn add(&mut self, first: Offset, now_ms: Millis) -> Partition {
        let partition = Partition::new("t", self.logs.len() as i32);
        self.logs.insert(partition.clone(), Log::new(first, now_ms));
        partition
    }

    pub(crate) fn any(&mut self, random: &mut Random) -> (&Partition, &mut Log) {
        let at = random.below(self.logs.len());
        self.logs.iter_mut().nth(at).expect("there is a log")
    }

    pub(crate) fn grow(&mut self, now_ms: Millis, records_max: usize, random: &mut Random) {
        for log in self.logs.values_mut().filter(|log| log.exists && log.led) {
            for _ in 0..random.below(records_max + 1) {
                log.append(now_ms, random);
            }
        }
    }

    pub(crate) fn topic_id(&self, log: &Log) -> Option<TopicId> {
        self.ids.then_some(TopicId([log.incarnation; 16]))
    }

    /// What the broker says now.
    pub(crate) fn facts(&self) -> Vec<Facts> {
        let existing = self.logs.iter().filter(|(_, log)| log.exists);
        let facts = |(partition, log): (&Partition, &Log)| Facts {
            partition: partition.clone(),
            topic_id: self.topic_id(log),
            log: log.led.then(|| log.range()),
        };
        existing.map(facts).collect()
    }
}
