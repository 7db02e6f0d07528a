//! `source.jetstream`: posts of Bluesky. Version 2 of Jetstream first; version 1 while no host speaks that.
//!
//! github.com/bluesky-social/jetstream: docs/README.md 5.1 (version 1), 5.2 and the lexicons (version 2). Where to go on
//! is decided in `place`, whom to ask in `hosts`. Nothing is ever sent: a data frame ends the connection.

use std::time::Duration;

use http::HeaderMap;
use tokio::time::{Instant, timeout_at};

use super::http::{Http, Refusal};
use super::live::{Ended, Protocol, Reason};
use super::websocket::{Data, NoSocket, Socket};
use super::{BATCH_BYTES_MAX, BATCH_EVENTS_MAX};
use crate::clock::Clock;
use crate::config::producer::{Keywords, source};
use crate::oss::shown;
use crate::produce::event::{Event, Kind, Malformed, Resume};
use crate::produce::reconnect::Failure;
use crate::produce::shape::{self, Notice, Reader, Shape};

mod dictionary;
mod hosts;
mod place;
mod query;

use dictionary::Dictionary;
use hosts::{Host, Hosts, Version};
pub use place::REWIND_MS;
use place::{Asked, Place};
use query::Query;

/// Silence after which the connection counts as dead: two and a half of the pings that come every 30 s.
const IDLE: Duration = Duration::from_secs(75);
/// How long version 1 is read before version 2 is tried again.
const V1_FOR: Duration = Duration::from_secs(15 * 60);

/// The source.
pub(super) struct Jetstream {
    http: Http,
    hosts: Hosts,
    query: Query,
    place: Place,
    compress: bool,
    dictionary: Option<Dictionary>,
    /// The last message was too long, so that the server is asked to leave such out.
    leave_out_long: bool,
    clock: Clock,
    v1: Reader,
    v2: Reader,
}

/// A stream of events that is read.
pub(super) struct Reading {
    socket: Socket,
    host: Host,
    /// When it is left for version 2.
    until: Option<Instant>,
    /// Whether events have come.
    delivered: bool,
}

impl Jetstream {
    pub(super) fn new(
        config: &source::Jetstream,
        keywords: &Keywords,
        v2: Reader,
        resume: Option<Resume>,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let hosts = Hosts::new(config, resume.as_ref())?;
        let v1 =
            v2.reshaped(Shape::JetstreamV1, keywords).map_err(|why| anyhow::anyhow!("keywords: {why}"))?;
        Ok(Self {
            http: Http::new(hosts.any_tls(), clock)?,
            hosts,
            query: Query::of(config),
            place: Place::new(resume, config.dids.is_empty())?,
            compress: config.compress,
            dictionary: None,
            leave_out_long: false,
            clock,
            v1,
            v2,
        })
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.clock.wall().as_micros()).unwrap_or(u64::MAX)
    }

    /// Opens the stream at this host. What it says to the cursor or the dictionary is taken into account, and it is asked
    /// once more for each.
    async fn open(&mut self, host: &Host) -> Result<Socket, Ended> {
        let (mut told_too_old, mut told_dictionary) = (false, false);
        loop {
            let asked = self.place.ask(&host.name, host.version);
            let dictionary = self.dictionary(host).await;
            let url = self.query.url(host, asked, dictionary, self.leave_out_long);
            let refusal = match Socket::open(&self.http, url, &HeaderMap::new(), IDLE).await {
                Ok(socket) => return Ok(socket),
                Err(NoSocket::Ended(ended)) => return Err(ended),
                Err(NoSocket::Refused(refusal)) => refusal,
            };
            match refused(&refusal) {
                Some(Refused::CursorTooOld(message)) if !told_too_old && matches!(asked, Asked::Seq(_)) => {
                    told_too_old = true;
                    tracing::warn!(host = ?host.name, message, "the cursor is too old; go on by its time");
                    self.place.too_old();
                }
                Some(Refused::UnknownZstdDictionary(current)) if !told_dictionary => {
                    told_dictionary = true;
                    tracing::info!(host = ?host.name, current, "the dictionary was retired; fetch the current one");
                    self.dictionary = self.fetched(host, current).await;
                }
                // What is asked for is the same at each host: no other one would take it.
                Some(Refused::InvalidRequest) => return Err(refusal.ended()),
                _ => return Err(refusal.ended_here()),
            }
        }
    }

    /// The id of the dictionary that frames of this host are compressed with; fetches it if it is not here.
    async fn dictionary(&mut self, host: &Host) -> Option<u32> {
        // Version 1 has a dictionary of its own, which is built in there. It is read uncompressed.
        if !self.compress || host.version == Version::V1 {
            return None;
        }
        if self.dictionary.is_none() {
            self.dictionary = self.fetched(host, None).await;
        }
        self.dictionary.as_ref().map(Dictionary::id)
    }

    async fn fetched(&self, host: &Host, id: Option<u32>) -> Option<Dictionary> {
        match Dictionary::fetch(&self.http, host, id).await {
            Ok(dictionary) => Some(dictionary),
            Err(why) => {
                tracing::warn!(host = ?host.name, "no zstd dictionary: {why}; go on uncompressed");
                None
            }
        }
    }

    /// Appends what a message is, and returns its length.
    fn take(&mut self, reading: &mut Reading, data: Data, events: &mut Vec<Event>) -> Result<usize, Ended> {
        let json = match data {
            Data::Text(text) => text,
            Data::Binary(packed) => match self.dictionary.as_mut().map(|known| known.unpack(&packed)) {
                Some(Ok(json)) => json,
                Some(Err(ended)) => {
                    // What is wrong with it would be wrong again.
                    self.compress &= ended.reason == Reason::TooLong;
                    return Err(ended);
                }
                None => return Err(Ended::lost("a binary frame came that was not asked for")),
            },
        };
        let length = json.len();
        let frame = match reading.host.version {
            Version::V1 => self.v1.read(json),
            Version::V2 => self.v2.read(json),
        };
        self.notice(frame.notice)?;
        let mut resume = None;
        if let shape::Place::Jetstream { seq, time_us } = frame.place {
            let now_us = self.now_us();
            let Ok(gone_on) = self.place.event(&reading.host.name, seq, time_us, now_us) else {
                let words = "the host has numbered its events anew; go on by time";
                return Err(Ended::normal(words));
            };
            if let Some(gap) = gone_on.gap {
                let (from_ms, until_ms) = (gap.from_ms, gap.until_ms);
                tracing::warn!(from_ms, until_ms, "the source has not kept what came in between");
                events.push(Event { kind: Kind::Gap(gap), resume: None });
            }
            resume = Some(gone_on.resume);
            reading.delivered = true;
        }
        events.push(Event { kind: frame.kind, resume });
        Ok(length)
    }

    fn notice(&mut self, notice: Option<Notice>) -> Result<(), Ended> {
        match notice {
            Some(Notice::Info(name, message)) => {
                tracing::warn!(name = shown(&name), message = shown(&message), "the server advises");
                if name == "OutdatedCursor" {
                    self.place.outdated();
                }
                Ok(())
            }
            Some(Notice::Error(name, message)) => {
                let words = format!("the server ends it: {}: {}", shown(&name), shown(&message));
                Err(Ended { failure: Failure::Lost, reason: Reason::Notice, words })
            }
            _ => Ok(()),
        }
    }

    /// What follows from the end of a connection for the next one.
    fn left(&mut self, reading: &Reading, ended: &Ended, events: &mut Vec<Event>) {
        self.leave_out_long = ended.reason == Reason::TooLong;
        if self.leave_out_long {
            // It would come again at every connection that goes on before it.
            events.push(Event { kind: Kind::Malformed(Malformed::TooLong), resume: None });
        }
        self.hosts.left(reading.delivered);
    }
}

/// Why a host answers a request with 400.
enum Refused {
    /// The cursor lies before what it keeps, as it says.
    CursorTooOld(String),
    /// It has another dictionary, of this id if it names one.
    UnknownZstdDictionary(Option<u32>),
    /// What is asked for cannot be.
    InvalidRequest,
}

/// Reads an XRPC error: `{"error": name, "message": words}`.
fn refused(refusal: &Refusal) -> Option<Refused> {
    if refusal.status != http::StatusCode::BAD_REQUEST {
        return None;
    }
    let error: serde_json::Value = serde_json::from_slice(&refusal.body).ok()?;
    let text = |name: &str| error.get(name).and_then(serde_json::Value::as_str).unwrap_or_default();
    let message = text("message");
    match text("error") {
        "CursorTooOld" => Some(Refused::CursorTooOld(shown(message))),
        "UnknownZstdDictionary" => {
            let current = message.split("current dictionary id is ").nth(1).unwrap_or_default();
            let digits = current.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
            Some(Refused::UnknownZstdDictionary(digits.parse().ok()))
        }
        "InvalidRequest" => Some(Refused::InvalidRequest),
        _ => None,
    }
}

impl Protocol for Jetstream {
    type Connection = Reading;

    fn place(&self) -> String {
        self.hosts.current().to_string()
    }

    async fn connect(&mut self, host: usize) -> Result<Reading, Ended> {
        self.hosts.turn(host);
        let host = self.hosts.current().clone();
        let socket = self.open(&host).await?;
        let until = self.hosts.is_fallback().then(|| Instant::now() + V1_FOR);
        Ok(Reading { socket, host, until, delivered: false })
    }

    async fn read(&mut self, reading: &mut Reading, events: &mut Vec<Event>) -> Result<(), Ended> {
        let next = match reading.until {
            None => reading.socket.next().await,
            Some(until) => match timeout_at(until, reading.socket.next()).await {
                Ok(next) => next,
                Err(_) => Err(Ended::normal("time to try version 2 again")),
            },
        };
        let mut next = next;
        let mut bytes = 0;
        loop {
            let taken = match next {
                Ok(Some(data)) => self.take(reading, data, events),
                Ok(None) => return Ok(()),
                Err(ended) => Err(ended),
            };
            match taken {
                Ok(length) => bytes += length,
                Err(ended) => {
                    self.left(reading, &ended, events);
                    return Err(ended);
                }
            }
            if events.len() >= BATCH_EVENTS_MAX || bytes >= BATCH_BYTES_MAX {
                return Ok(());
            }
            next = reading.socket.at_hand();
        }
    }

    fn is_resumable(&self) -> bool {
        self.place.is_known()
    }
}
