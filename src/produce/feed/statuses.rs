//! `source.statuses_filter`: the protocol of `statuses/filter` 1.1, as the replaced producer spoke it.
//!
//! POST with the terms as a form, signed by OAuth 1.0a; then one JSON text after another, each behind a line with its
//! length. Twitter's "Connecting to a streaming endpoint" and "Consuming streaming data" (v1.1), and hbc's
//! `ClientBase` and `DelimitedStreamReader`.

use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use reqwest::{Response, Url};
use tokio_util::bytes::Bytes;

use super::BATCH_EVENTS_MAX;
use super::http::{Http, chunk, place, url};
use super::live::{Counts, Ended, Protocol, Reason};
use crate::clock::Clock;
use crate::config::producer::{Keywords, source};
use crate::oss::shown;
use crate::produce::event::{Event, Kind, Malformed};
use crate::produce::reconnect::Failure;
use crate::produce::shape::{Notice, Reader};
use crate::random::Random;

mod delimited;
mod oauth;

use delimited::{Delimited, Item};
use oauth::{Keys, Parameters};

/// How long a connection may take to come about (hbc's default).
const CONNECT: Duration = Duration::from_secs(4);
/// Silence after which the connection counts as dead: two of the blank lines that come every 30 s (hbc's default).
const IDLE: Duration = Duration::from_secs(60);

/// The source.
pub(super) struct Statuses {
    http: Http,
    url: Url,
    /// Parameters in the address and in the form. All are signed.
    query: Parameters,
    form: Parameters,
    keys: Keys,
    clock: Clock,
    random: Random,
    counts: Counts,
    frames: Reader,
}

/// A stream of statuses that is read.
#[derive(Debug)]
pub(super) struct Reading {
    response: Response,
    messages: Delimited,
    /// Whether no whole message is left.
    is_empty: bool,
    /// How many posts the server has left out on this connection.
    undelivered: u64,
}

impl Statuses {
    pub(super) fn new(
        config: &source::StatusesFilter,
        keywords: &Keywords,
        frames: Reader,
        counts: Counts,
        clock: Clock,
        random: Random,
    ) -> anyhow::Result<Self> {
        let mut url = url(&config.url)?;
        let mut query: Parameters =
            url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        url.set_query(None);
        url.set_fragment(None);
        let own = [("delimited", "length"), ("stall_warnings", "true")];
        query.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let terms = keywords.list.iter().flat_map(|keyword| &keyword.terms);
        let track: Vec<&str> = match config.track.is_empty() {
            true => terms.map(String::as_str).collect(),
            false => config.track.iter().map(String::as_str).collect(),
        };
        let mut form: Parameters =
            config.parameters.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        form.push(("track".to_owned(), track.join(",")));
        let http = Http::with(url.scheme() == "https", CONNECT, clock)?;
        let keys = Keys::of(config);
        Ok(Self { http, url, query, form, keys, clock, random, counts, frames })
    }

    /// What a message is, and why the stream ends if it says so.
    fn event(&mut self, message: Bytes, undelivered: &mut u64) -> (Event, Option<Ended>) {
        let frame = self.frames.read(message);
        let mut ended = None;
        match frame.notice {
            Some(Notice::Undelivered(posts)) => {
                // It counts from the beginning of the connection.
                let new = posts.saturating_sub(*undelivered);
                *undelivered = posts.max(*undelivered);
                self.counts.undelivered(new);
                tracing::warn!(posts = new, "the server has left posts out, as there were too many");
            }
            Some(Notice::Warning(code, message)) => {
                tracing::warn!(code = shown(&code), message = shown(&message), "the server warns");
            }
            Some(Notice::Disconnect(code, reason)) => {
                let words = format!("the server disconnects with code {code}: {}", shown(&reason));
                ended = Some(Ended { failure: Failure::Notice(code), reason: Reason::Notice, words });
            }
            Some(Notice::Info(..) | Notice::Error(..)) | None => {}
        }
        (Event { kind: frame.kind, resume: None }, ended)
    }
}

impl Protocol for Statuses {
    type Connection = Reading;

    fn place(&self) -> String {
        place(&self.url)
    }

    async fn connect(&mut self, _: usize) -> Result<Reading, Ended> {
        let nonce = format!("{:016x}{:016x}", self.random.next_u64(), self.random.next_u64());
        let second = self.clock.wall().as_secs();
        let all: Parameters = self.query.iter().chain(&self.form).cloned().collect();
        let signed = self.keys.header("POST", self.url.as_str(), all, &nonce, second);
        let mut authorization = HeaderValue::from_str(&signed)
            .map_err(|_| Ended::refused("no signature can be made", "check the source's credentials"))?;
        authorization.set_sensitive(true);
        let mut url = self.url.clone();
        url.set_query(Some(&oauth::encoded(&self.query)));
        let request = self
            .http
            .post(url)
            .header(AUTHORIZATION, authorization)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(oauth::encoded(&self.form));
        let response = self.http.ask(request, StatusCode::OK, IDLE).await?;
        Ok(Reading { response, messages: Delimited::default(), is_empty: true, undelivered: 0 })
    }

    async fn read(&mut self, reading: &mut Reading, events: &mut Vec<Event>) -> Result<(), Ended> {
        if reading.is_empty {
            let chunk = chunk(&mut reading.response, IDLE).await?;
            reading.messages.push(&chunk);
        }
        while events.len() < BATCH_EVENTS_MAX {
            let item = reading.messages.next();
            reading.is_empty = item.is_none();
            match item {
                Some(Item::Message(message)) => {
                    let (event, ended) = self.event(message, &mut reading.undelivered);
                    events.push(event);
                    if let Some(ended) = ended {
                        return Err(ended);
                    }
                }
                Some(Item::TooLong) => {
                    events.push(Event { kind: Kind::Malformed(Malformed::TooLong), resume: None });
                }
                Some(Item::NoLengths(line)) => {
                    return Err(Ended::lost(format!("{:?} came where a length was due", shown(&line))));
                }
                None => break,
            }
        }
        Ok(())
    }

    fn is_resumable(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests;
