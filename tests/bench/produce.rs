//! Producers: a stream on disk, as fast as it goes, and a steady one. Partitioned as Java's client does.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use spindle::clock::Clock;

use crate::arguments::{Codec, Distribution, Load, Preload, Stream};
use crate::statistics::say;
use crate::stream::Records;
use crate::topic;

const FLUSH: Duration = Duration::from_secs(60);
/// A steady stream is sent in bursts of this spacing.
const BURST: Duration = Duration::from_millis(2);

#[derive(Clone, Default)]
struct Failures(Arc<AtomicU64>);

impl rdkafka::ClientContext for Failures {}

impl ProducerContext for Failures {
    type DeliveryOpaque = ();

    fn delivery(&self, delivered: &DeliveryResult<'_>, (): ()) {
        if delivered.is_err() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Puts the stream into its topic, unless all of it is there; prints the topic's name.
pub(crate) fn preload(arguments: &Preload) -> anyhow::Result<()> {
    let name = preloaded(&arguments.brokers, arguments.records, &arguments.stream)?;
    writeln!(std::io::stdout(), "{name}").context("print")
}

/// The topic that holds `records` records of the stream; made if need be.
pub(crate) fn preloaded(brokers: &str, records: u64, stream: &Stream) -> anyhow::Result<String> {
    let distribution = if stream.distribution == Distribution::Zipf { "zipf" } else { "uniform" };
    let name = format!("bench-{records}-{}-{distribution}-{}", stream.keys, codec(stream));
    match topic::records(brokers, &name)? {
        Some(held) if held == records => return Ok(name),
        Some(held) => {
            say(&format!("{name} holds {held} records, not {records}: it is made anew"));
            topic::delete(brokers, &name)?;
        }
        None => {}
    }
    topic::create(brokers, &name)?;
    say(&format!("preload {records} records into {name}"));
    let failures = Failures::default();
    let producer = producer(brokers, stream, failures.clone())?;
    let mut source = Records::new(stream);
    (0..records).try_for_each(|_| send(&producer, &name, &mut source))?;
    finish(&producer, &failures)?;
    match topic::records(brokers, &name)? {
        Some(held) if held == records => Ok(name),
        held => bail!("{name} holds {held:?} records after {records} were sent"),
    }
}

/// Produces at a steady rate; says so when the broker cannot take it.
pub(crate) fn load(arguments: &Load) -> anyhow::Result<()> {
    // The generator stands for other machines: what it does must not delay what is measured more than need be.
    let _ = rustix::process::nice(10);
    let failures = Failures::default();
    let producer = producer(&arguments.brokers, &arguments.stream, failures.clone())?;
    let mut source = Records::new(&arguments.stream);
    let clock = Clock::start();
    let all = arguments.rate * arguments.seconds;
    let mut sent = 0;
    while sent < all {
        let due = (clock.monotonic().as_micros() as u64).saturating_mul(arguments.rate) / 1_000_000;
        while sent < due.min(all) {
            send(&producer, &arguments.topic, &mut source)?;
            sent += 1;
        }
        producer.poll(BURST);
    }
    finish(&producer, &failures)?;
    let seconds = clock.monotonic().as_secs_f64();
    if seconds > arguments.seconds as f64 * 1.05 {
        say(&format!("load: {all} records took {seconds:.1} s instead of {} s", arguments.seconds));
    }
    Ok(())
}

fn codec(stream: &Stream) -> &'static str {
    match stream.codec {
        Codec::None => "none",
        Codec::Lz4 => "lz4",
    }
}

fn producer(brokers: &str, stream: &Stream, failures: Failures) -> anyhow::Result<BaseProducer<Failures>> {
    ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("enable.idempotence", "true")
        .set("partitioner", "murmur2_random")
        .set("compression.type", codec(stream))
        .set("linger.ms", "20")
        .set("batch.size", "262144")
        .set("queue.buffering.max.messages", "500000")
        .create_with_context(failures)
        .context("create a producer")
}

fn send(producer: &BaseProducer<Failures>, topic: &str, source: &mut Records) -> anyhow::Result<()> {
    let (key, value) = source.next();
    let mut record = BaseRecord::to(topic).key(key).payload(value);
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                producer.poll(BURST);
                record = back;
            }
            Err((error, _)) => return Err(error).context("produce"),
        }
    }
}

fn finish(producer: &BaseProducer<Failures>, failures: &Failures) -> anyhow::Result<()> {
    producer.flush(FLUSH).context("wait for acknowledgements")?;
    match failures.0.load(Ordering::Relaxed) {
        0 => Ok(()),
        failed => bail!("{failed} records were not acknowledged"),
    }
}
