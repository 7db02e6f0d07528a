//! `source.sse`: server-sent events (HTML standard, 9.2), one post an event. Feeds `live`.

use std::time::Duration;

use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use reqwest::{Response, Url};

use super::BATCH_EVENTS_MAX;
use super::http::{Http, chunk, headers, place, url};
use super::live::{Ended, Protocol};
use super::resume::Token;
use crate::clock::Clock;
use crate::config::producer::source;
use crate::produce::event::{Event, Kind, Malformed, Resume};
use crate::produce::shape::Reader;

mod events;

use events::{Events, Item};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// The type of an event that names none (HTML standard, 9.2.6).
const MESSAGE: &str = "message";
/// Longest wait that a server may wish for, by `retry`.
const RETRY_MAX: Duration = Duration::from_secs(60);

/// The source.
#[derive(Debug)]
pub(super) struct Sse {
    http: Http,
    url: Url,
    headers: HeaderMap,
    /// Types of events that are posts.
    types: Vec<String>,
    idle: Duration,
    token: Token,
    /// Whether places are taken from posts, and not from events.
    in_posts: bool,
    retry: Duration,
    frames: Reader,
}

/// A stream of events that is read.
#[derive(Debug)]
pub(super) struct Reading {
    response: Response,
    events: Events,
    /// Whether no whole event is left.
    is_empty: bool,
}

impl Sse {
    pub(super) fn new(
        config: &source::Sse,
        frames: Reader,
        resume: Option<Resume>,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let url = url(&config.url)?;
        let types = if config.events.is_empty() { vec![MESSAGE.to_owned()] } else { config.events.clone() };
        Ok(Self {
            http: Http::new(url.scheme() == "https", clock)?,
            url,
            headers: headers(&config.headers)?,
            types,
            idle: config.idle.get(),
            token: Token::new(&config.resume, resume)?,
            in_posts: config.cursor.is_some(),
            retry: Duration::ZERO,
            frames,
        })
    }

    /// What an item of the stream is; `None` if it is nothing to count.
    fn event(&mut self, item: Item) -> Option<Event> {
        let event = match item {
            Item::Event(event) => event,
            Item::Retry(retry) => {
                self.retry = retry.min(RETRY_MAX);
                return None;
            }
            Item::TooLong => return Some(Event { kind: Kind::Malformed(Malformed::TooLong), resume: None }),
        };
        let name = if event.name.is_empty() { MESSAGE } else { &event.name };
        let is_post = self.types.iter().any(|known| known == name);
        let mut frame = self.frames.read(event.data);
        if !is_post {
            // Only its place is of interest.
            frame.kind = Kind::Control;
        }
        Some(match event.id.filter(|_| !self.in_posts) {
            Some(id) => self.token.event_at(&id, frame),
            None => self.token.event(frame),
        })
    }
}

impl Protocol for Sse {
    type Connection = Reading;

    fn place(&self) -> String {
        place(&self.url)
    }

    async fn connect(&mut self, _: usize) -> Result<Reading, Ended> {
        let mut url = self.url.clone();
        self.token.put(&mut url);
        let mut headers = self.headers.clone();
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(id) = self.token.text().filter(|_| !self.token.is_parameter())
            && let Ok(id) = HeaderValue::from_bytes(id.as_bytes())
        {
            headers.insert(LAST_EVENT_ID, id);
        }
        let request = self.http.get(url).headers(headers);
        let response = self.http.answer(request, self.idle).await?;
        match response.status() {
            StatusCode::OK => {}
            // HTML standard, 9.2.3: by this status a server asks to be left alone.
            StatusCode::NO_CONTENT => {
                return Err(Ended::refused(
                    "HTTP 204: the server has no stream",
                    "check the source's address",
                ));
            }
            _ => return Err(self.http.refusal(response).await.ended()),
        }
        let content = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content = content.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !content.eq_ignore_ascii_case("text/event-stream") {
            return Err(Ended::connect(format!("the answer is {content:?} and no text/event-stream")));
        }
        Ok(Reading { response, events: Events::default(), is_empty: true })
    }

    async fn read(&mut self, reading: &mut Reading, events: &mut Vec<Event>) -> Result<(), Ended> {
        if reading.is_empty {
            let chunk = chunk(&mut reading.response, self.idle).await?;
            reading.events.push(&chunk);
        }
        while events.len() < BATCH_EVENTS_MAX {
            let item = reading.events.next();
            reading.is_empty = item.is_none();
            let Some(item) = item else { break };
            events.extend(self.event(item));
        }
        Ok(())
    }

    fn is_resumable(&self) -> bool {
        self.token.text().is_some()
    }

    fn wait_min(&self) -> Duration {
        self.retry
    }
}
