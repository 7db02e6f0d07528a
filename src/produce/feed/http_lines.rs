//! `source.http_lines`: an HTTP response without end, one post a line. Blank lines keep the connection alive.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use reqwest::{Response, Url};
use tokio_util::bytes::Bytes;

use super::http::{Http, chunk, headers, place, url};
use super::lines::{Ends, Line, Lines};
use super::live::{Ended, Protocol};
use super::resume::Token;
use super::{BATCH_EVENTS_MAX, LINE_BYTES_MAX, Reason};
use crate::clock::Clock;
use crate::config::producer::source;
use crate::produce::event::{Event, Kind, Malformed, Resume};
use crate::produce::shape::Reader;

/// The source.
#[derive(Debug)]
pub(super) struct HttpLines {
    http: Http,
    url: Url,
    headers: HeaderMap,
    idle: Duration,
    token: Token,
    frames: Reader,
}

/// A response that is read.
#[derive(Debug)]
pub(super) struct Reading {
    response: Response,
    lines: Lines,
    /// Whether no whole line is left.
    is_empty: bool,
}

impl HttpLines {
    pub(super) fn new(
        config: &source::HttpLines,
        frames: Reader,
        resume: Option<Resume>,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let url = url(&config.url)?;
        Ok(Self {
            http: Http::new(url.scheme() == "https", clock)?,
            url,
            headers: headers(&config.headers)?,
            idle: config.idle.get(),
            token: Token::new(&config.resume, resume)?,
            frames,
        })
    }

    fn event(&mut self, line: Line) -> Option<Event> {
        match line {
            Line::TooLong => Some(Event { kind: Kind::Malformed(Malformed::TooLong), resume: None }),
            Line::Text(text) if text.trim_ascii().is_empty() => None,
            Line::Text(text) => {
                let frame = self.frames.read(Bytes::copy_from_slice(&text));
                Some(self.token.event(frame))
            }
        }
    }
}

impl Protocol for HttpLines {
    type Connection = Reading;

    fn place(&self) -> String {
        place(&self.url)
    }

    async fn connect(&mut self, _: usize) -> Result<Reading, Ended> {
        let mut url = self.url.clone();
        self.token.put(&mut url);
        let request = self.http.get(url).headers(self.headers.clone());
        let response = self.http.ask(request, StatusCode::OK, self.idle).await?;
        Ok(Reading { response, lines: Lines::new(Ends::Newline, LINE_BYTES_MAX), is_empty: true })
    }

    async fn read(&mut self, reading: &mut Reading, events: &mut Vec<Event>) -> Result<(), Ended> {
        if reading.is_empty {
            match chunk(&mut reading.response, self.idle).await {
                Ok(chunk) => reading.lines.push(&chunk),
                Err(ended) => {
                    // An orderly end ends the last line. What breaks off is no line.
                    let last = reading.lines.rest().filter(|_| ended.reason == Reason::Normal);
                    events.extend(last.and_then(|line| self.event(line)));
                    return Err(ended);
                }
            }
        }
        while events.len() < BATCH_EVENTS_MAX {
            let line = reading.lines.next();
            reading.is_empty = line.is_none();
            let Some(line) = line else { break };
            events.extend(self.event(line));
        }
        Ok(())
    }

    fn is_resumable(&self) -> bool {
        self.token.is_sent()
    }
}
