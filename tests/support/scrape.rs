//! What a producer under way says of itself by HTTP.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::job::{PATIENCE, Running};
use crate::process;

/// Where a producer serves metrics and health.
pub(crate) struct Scrape(String);

impl Scrape {
    /// Of a producer that was just started.
    pub(crate) fn of(producer: &mut Running) -> Self {
        const SAYS: &str = "metrics at http://";
        producer.until("its address", |seen| seen.logs(SAYS) == 1);
        let line = producer.seen.log.iter().find(|line| line.contains(SAYS)).unwrap();
        let (_, address) = line.split_once(SAYS).unwrap();
        Self(address.trim_end_matches("/metrics").to_owned())
    }

    /// Status line, headers and body of an answer; nothing if nobody answers any more.
    pub(crate) fn get(&self, path: &str) -> String {
        let mut answer = String::new();
        let Ok(mut stream) = TcpStream::connect(&self.0) else { return answer };
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.0).unwrap();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// The value of a metric.
    pub(crate) fn value(&self, name: &str) -> u64 {
        let answer = self.get("/metrics");
        let line = answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} in {answer}")).parse::<f64>().unwrap() as u64
    }

    /// Waits until a metric has this value at least.
    pub(crate) fn until(&self, name: &str, least: u64) {
        process::until(name, PATIENCE, || self.value(name) >= least);
    }
}
