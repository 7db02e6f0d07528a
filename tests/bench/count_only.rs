//! The baseline: a program that drains records with Spindle's client settings and does nothing with them.
#![expect(unsafe_code, reason = "the raw drain that Spindle is measured against is a C function")]

use std::collections::BTreeMap;
use std::ffi::CString;
use std::ptr;
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};
use rdkafka_sys as sys;
use spindle::clock::Clock;
use spindle::ids::{Partition, Position};
use spindle::source::{ClientSettings, Record, Source, Visit};

use crate::arguments::CountOnly;
use crate::topic::PARTITIONS;

/// Messages per batch, as in the source.
const BATCH_MESSAGES: usize = 1000;
/// Memory for fetched records of a client: half of what an executor has by default.
const PREFETCH_BYTES: u64 = 128 << 20;
const WAIT_MS: i32 = 1_000;
/// Drains without a record until the stream is given up for lost.
const EMPTY_MAX: usize = 30;

/// Drains the whole topic.
pub(crate) fn run(arguments: &CountOnly) -> anyhow::Result<()> {
    let clients: Vec<Vec<i32>> = (0..arguments.clients)
        .map(|client| (0..PARTITIONS).filter(|n| *n as usize % arguments.clients == client).collect())
        .collect();
    let records = thread::scope(|scope| {
        let start = |partitions| scope.spawn(move || drain(arguments, partitions));
        let threads: Vec<_> = clients.into_iter().map(start).collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        joined
            .map(|counted| counted.map_err(|_| anyhow::anyhow!("a thread panicked"))?)
            .sum::<anyhow::Result<u64>>()
    })?;
    if records != arguments.records {
        bail!("{} holds {records} records, expected {}", arguments.topic, arguments.records);
    }
    Ok(())
}

fn settings(brokers: &str) -> ClientSettings {
    ClientSettings::new(&[brokers.to_owned()], "bench-count-only", true, &BTreeMap::new(), PREFETCH_BYTES)
}

fn drain(arguments: &CountOnly, partitions: Vec<i32>) -> anyhow::Result<u64> {
    if arguments.visit { visit(arguments, partitions) } else { raw(arguments, partitions) }
}

/// Reads until each partition has reported its end.
fn raw(arguments: &CountOnly, partitions: Vec<i32>) -> anyhow::Result<u64> {
    let mut config = ClientConfig::new();
    for (name, value) in settings(&arguments.brokers).properties {
        config.set(name, value);
    }
    let client: BaseConsumer = config.create().context("create a client")?;
    let topic = CString::new(arguments.topic.as_str())?;
    // SAFETY: the client outlives the queue, which is destroyed below.
    let queue = unsafe { sys::rd_kafka_queue_new(client.client().native_ptr()) };
    let mut list = TopicPartitionList::new();
    for &partition in &partitions {
        // SAFETY: the topic is a C string for the call; the partition's handle is destroyed once.
        unsafe {
            let own =
                sys::rd_kafka_queue_get_partition(client.client().native_ptr(), topic.as_ptr(), partition);
            sys::rd_kafka_queue_forward(own, queue);
            sys::rd_kafka_queue_destroy(own);
        }
        list.add_partition_offset(&arguments.topic, partition, Offset::Offset(0))?;
    }
    client.incremental_assign(&list).context("assign")?;
    let (mut records, mut ends, mut empty) = (0, 0, 0);
    let mut batch = vec![ptr::null_mut::<sys::rd_kafka_message_t>(); BATCH_MESSAGES];
    while ends < partitions.len() && empty < EMPTY_MAX {
        // SAFETY: the array has room for so many, and each message is destroyed once and not used afterwards.
        let count =
            unsafe { sys::rd_kafka_consume_batch_queue(queue, WAIT_MS, batch.as_mut_ptr(), BATCH_MESSAGES) };
        let count = usize::try_from(count).context("drain")?;
        empty = if count == 0 { empty + 1 } else { 0 };
        for &message in &batch[..count] {
            // SAFETY: as above.
            unsafe {
                match (*message).err {
                    sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => records += 1,
                    sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__PARTITION_EOF => ends += 1,
                    other => bail!("drain: {other:?}"),
                }
                sys::rd_kafka_message_destroy(message);
            }
        }
    }
    // SAFETY: made above, destroyed once, before the client.
    unsafe { sys::rd_kafka_queue_destroy(queue) };
    Ok(records)
}

struct Count(u64);

impl Visit for Count {
    #[inline]
    fn record(&mut self, _index: usize, _record: &Record<'_>) {
        self.0 += 1;
    }
}

fn visit(arguments: &CountOnly, partitions: Vec<i32>) -> anyhow::Result<u64> {
    let (mut source, _waker) = Source::open(&settings(&arguments.brokers))?;
    let positions: Vec<_> = partitions
        .iter()
        .map(|&number| (Partition::new(arguments.topic.as_str(), number), Position::at(0)))
        .collect();
    source.assign(&positions)?;
    let clock = Clock::start();
    let mut count = Count(0);
    let at_end =
        |source: &Source| source.progress().all(|p| matches!(p.state, spindle::source::State::AtEnd));
    while !at_end(&source) {
        source.drain(clock.monotonic(), Duration::from_secs(1), &mut count)?;
    }
    Ok(count.0)
}
