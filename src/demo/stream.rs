//! The demo's stream: posts through a real Kafka producer into a mock cluster, at a steady rate.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, anyhow};
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};

use super::books::Books;
use super::posts::Posts;
use crate::clock::Clock;

/// Posts are sent in bursts of this spacing.
const BURST: Duration = Duration::from_millis(10);
/// How long acknowledgements may take at the end.
const FLUSH: Duration = Duration::from_secs(5);

/// A running stream.
pub(super) struct Stream {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<anyhow::Result<()>>,
}

/// Enters every acknowledged record in the books.
struct Bookkeeper(Arc<Mutex<Books>>);

impl rdkafka::ClientContext for Bookkeeper {}

impl ProducerContext for Bookkeeper {
    type DeliveryOpaque = ();

    fn delivery(&self, delivered: &DeliveryResult<'_>, (): ()) {
        match delivered {
            Ok(message) => {
                self.0.lock().unwrap_or_else(PoisonError::into_inner).produced(message.key(), 1);
            }
            Err((error, _)) => tracing::warn!(%error, "a post was not acknowledged"),
        }
    }
}

impl Stream {
    /// Starts producing `rate` posts a second to `topic`.
    pub(super) fn start(
        brokers: &str,
        topic: &str,
        rate: u64,
        clock: Clock,
        books: Arc<Mutex<Books>>,
    ) -> anyhow::Result<Self> {
        let producer: BaseProducer<Bookkeeper> = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("enable.idempotence", "true")
            .set("compression.type", "snappy")
            .set("linger.ms", "20")
            .set("partitioner", "murmur2_random")
            .create_with_context(Bookkeeper(books))
            .context("create the Kafka producer")?;
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, topic) = (Arc::clone(&stop), topic.to_owned());
        let run = move || produce(&producer, &topic, rate, clock, &stopped);
        let thread =
            thread::Builder::new().name("producer".to_owned()).spawn(run).context("start the producer")?;
        Ok(Self { stop, thread })
    }

    /// Sends nothing more; what was sent is still being acknowledged until [`Stream::finished`].
    pub(super) fn end(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
    }

    /// Whether everything sent is acknowledged after [`Stream::end`], or the producer has failed.
    pub(super) fn finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Ends, and tells how it went.
    pub(super) fn join(self) -> anyhow::Result<()> {
        self.end();
        self.thread.join().map_err(|_| anyhow!("the producer's thread panicked"))?
    }
}

fn produce(
    producer: &BaseProducer<Bookkeeper>,
    topic: &str,
    rate: u64,
    clock: Clock,
    stop: &AtomicBool,
) -> anyhow::Result<()> {
    let mut posts = Posts::with_seed(1);
    let start = clock.monotonic();
    let mut sent = 0;
    while !stop.load(Ordering::Relaxed) {
        let due = (clock.monotonic() - start).as_micros() as u64 * rate / 1_000_000;
        while sent < due && !stop.load(Ordering::Relaxed) {
            let post = posts.next();
            send(producer, topic, post.key, &post.json)?;
            sent += 1;
        }
        producer.poll(Duration::ZERO);
        thread::park_timeout(BURST);
    }
    producer.flush(FLUSH).context("wait for Kafka's acknowledgements")
}

fn send(
    producer: &BaseProducer<Bookkeeper>,
    topic: &str,
    key: Option<&str>,
    json: &str,
) -> anyhow::Result<()> {
    let mut record = BaseRecord::<str, str, ()>::to(topic).payload(json);
    record.key = key;
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), same)) => {
                producer.poll(BURST);
                record = same;
            }
            Err((error, _)) => return Err(error).context("send a post"),
        }
    }
}
