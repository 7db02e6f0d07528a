//! An archive of posts on disk, and a program that sends its lines and does nothing else: the baseline of the producer.
//! The keyword of a line follows from its number, so that the baseline need not look for it.

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use spindle::random::Random;

use crate::arguments::SendLines;

/// Keywords by line number modulo their count; one line of five has none.
pub(crate) const KEYWORDS: [Option<&str>; 5] =
    [Some("Bitcoin"), Some("Blockchain"), Some("IoT"), Some("5G"), None];
/// Bytes of a line.
const LINE_BYTES: usize = 1_000;
const WORDS: [&str; 8] = ["the", "weather", "was", "lovely", "again", "today", "and", "nobody"];
const FULL: Duration = Duration::from_millis(2);
const FLUSH: Duration = Duration::from_secs(60);

/// Writes an archive of so many posts of 1 kB.
pub(crate) fn write(path: &Path, posts: u64) -> anyhow::Result<()> {
    let mut file = BufWriter::new(File::create(path).context("create the archive")?);
    let mut random = Random::with_seed(7);
    for number in 0..posts {
        let keyword = KEYWORDS[number as usize % KEYWORDS.len()].unwrap_or("nothing");
        let mut line = format!(
            r#"{{"created_at":"Wed Aug 27 13:08:45 +0000 2025","user":{{"name":"u{}"}},"text":""#,
            random.next_u64() % 5_000
        );
        while line.len() < LINE_BYTES - keyword.len() - 12 {
            line.push_str(WORDS[random.below(WORDS.len())]);
            line.push(' ');
        }
        line.push_str(keyword);
        line.push_str("\"}\n");
        file.write_all(line.as_bytes()).context("write the archive")?;
    }
    file.flush().context("write the archive")
}

/// Sends each line, with the producer's own settings.
pub(crate) fn send(arguments: &SendLines) -> anyhow::Result<()> {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &arguments.brokers)
        .set("enable.idempotence", "true")
        .set("partitioner", "murmur2_random")
        .set("compression.type", "snappy")
        .set("linger.ms", "20")
        .set("batch.size", "32768")
        .create()
        .context("create a producer")?;
    let mut lines =
        BufReader::with_capacity(256 << 10, File::open(&arguments.file).context("open the archive")?);
    let mut line = Vec::new();
    for keyword in KEYWORDS.iter().cycle() {
        line.clear();
        if lines.read_until(b'\n', &mut line).context("read the archive")? == 0 {
            break;
        }
        let mut record = BaseRecord::<str, [u8]>::to(&arguments.topic).payload(&line[..line.len() - 1]);
        record.key = *keyword;
        while let Err((error, back)) = producer.send(record) {
            if !matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)) {
                bail!("send a line: {error}");
            }
            producer.poll(FULL);
            record = back;
        }
        producer.poll(Duration::ZERO);
    }
    producer.flush(FLUSH).context("wait for acknowledgements")
}
