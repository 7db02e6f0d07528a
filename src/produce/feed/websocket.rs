//! WebSockets (RFC 6455): the handshake, which is a request of `http`, and messages. And `source.websocket`: any
//! server, one post a message.

use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderMap, StatusCode};
use reqwest::{Response, Upgraded, Url};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::Error;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role, WebSocketConfig};
use tokio_util::bytes::Bytes;

use super::http::{Http, Refusal, headers, place, silent, url};
use super::live::{Ended, Protocol};
use super::resume::Token;
use super::{BATCH_BYTES_MAX, BATCH_EVENTS_MAX};
use crate::clock::Clock;
use crate::config::producer::source;
use crate::oss::shown;
use crate::produce::event::{Event, Resume};
use crate::produce::shape::Reader;

/// Longest message, in bytes. A record of Bluesky has at most 1 MiB, decoded.
pub(super) const MESSAGE_BYTES_MAX: usize = 4 << 20;
/// Bytes that are read at once. Posts are copied out of them.
const READ_BYTES: usize = 32 << 10;

/// An open WebSocket. Pings are answered by the library.
pub(super) struct Socket {
    stream: WebSocketStream<Upgraded>,
    idle: Duration,
}

/// A message with data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Data {
    Text(Bytes),
    Binary(Bytes),
}

/// Why there is no WebSocket.
pub(super) enum NoSocket {
    /// The server answers something else.
    Refused(Refusal),
    /// There is no answer, or none that is right.
    Ended(Ended),
}

impl Socket {
    /// Opens a WebSocket at `url`, an address of HTTP.
    pub(super) async fn open(
        http: &Http,
        url: Url,
        headers: &HeaderMap,
        idle: Duration,
    ) -> Result<Self, NoSocket> {
        let key = generate_key();
        let request = http
            .get(url)
            .headers(headers.clone())
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "websocket")
            .header(SEC_WEBSOCKET_VERSION, "13")
            .header(SEC_WEBSOCKET_KEY, &key);
        let response = http.answer(request, idle).await.map_err(NoSocket::Ended)?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(NoSocket::Refused(http.refusal(response).await));
        }
        if !is_accepted(&response, &key) {
            let words = "the server agrees to something that is no WebSocket";
            return Err(NoSocket::Ended(Ended::connect(words)));
        }
        let upgraded = timeout(idle, response.upgrade()).await;
        let Ok(Ok(upgraded)) = upgraded else {
            return Err(NoSocket::Ended(Ended::connect("the connection broke during the handshake")));
        };
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(MESSAGE_BYTES_MAX)
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        let stream = WebSocketStream::from_raw_socket(upgraded, Role::Client, Some(config)).await;
        Ok(Self { stream, idle })
    }

    /// Sends a text.
    pub(super) async fn send(&mut self, text: &str) -> Result<(), Ended> {
        match timeout(self.idle, self.stream.send(Message::text(text))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(broken(&error)),
            Err(_) => Err(silent(self.idle)),
        }
    }

    /// Waits for the next message; `None` for one without data, such as a ping.
    pub(super) async fn next(&mut self) -> Result<Option<Data>, Ended> {
        match timeout(self.idle, self.stream.next()).await {
            Ok(message) => data(message),
            Err(_) => Err(silent(self.idle)),
        }
    }

    /// A message that is here already.
    pub(super) fn at_hand(&mut self) -> Result<Option<Data>, Ended> {
        loop {
            match self.stream.next().now_or_never().map(data) {
                None => return Ok(None),
                Some(Ok(None)) => {}
                Some(other) => return other,
            }
        }
    }
}

/// RFC 6455, 4.1: what a client must check.
fn is_accepted(response: &Response, key: &str) -> bool {
    let header =
        |name| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    header(UPGRADE).eq_ignore_ascii_case("websocket")
        && header(CONNECTION).split(',').any(|token| token.trim().eq_ignore_ascii_case("upgrade"))
        && header(SEC_WEBSOCKET_ACCEPT) == derive_accept_key(key.as_bytes())
}

fn data(message: Option<Result<Message, Error>>) -> Result<Option<Data>, Ended> {
    match message {
        Some(Ok(Message::Text(text))) => Ok(Some(Data::Text(Bytes::copy_from_slice(text.as_bytes())))),
        Some(Ok(Message::Binary(bytes))) => Ok(Some(Data::Binary(Bytes::copy_from_slice(&bytes)))),
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(None),
        Some(Ok(Message::Close(frame))) => Err(closed(frame.as_ref())),
        Some(Err(error)) => Err(broken(&error)),
        None => Err(Ended::lost("the connection broke")),
    }
}

/// The server closed the WebSocket (RFC 6455, 7.4.1).
fn closed(frame: Option<&CloseFrame>) -> Ended {
    let Some(CloseFrame { code, reason }) = frame else { return Ended::normal("the server closed it") };
    let said = if reason.is_empty() { String::new() } else { format!(": {}", shown(reason)) };
    match code {
        CloseCode::Normal | CloseCode::Away | CloseCode::Restart => {
            Ended::normal(format!("the server closed it ({code}){said}"))
        }
        _ => Ended::lost(format!("the server closed it with code {code}{said}")),
    }
}

fn broken(error: &Error) -> Ended {
    match error {
        Error::Capacity(_) => {
            Ended::too_long(format!("a message is longer than the {MESSAGE_BYTES_MAX} bytes that are taken"))
        }
        Error::ConnectionClosed | Error::AlreadyClosed => Ended::normal("the server closed it"),
        other => Ended::lost(format!("the connection broke: {}", shown(&other.to_string()))),
    }
}

/// `source.websocket`.
#[derive(Debug)]
pub(super) struct WebSocket {
    http: Http,
    url: Url,
    headers: HeaderMap,
    subscribe: Vec<String>,
    idle: Duration,
    token: Token,
    frames: Reader,
}

impl WebSocket {
    pub(super) fn new(
        config: &source::WebSocket,
        frames: Reader,
        resume: Option<Resume>,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let url = url(&config.url)?;
        Ok(Self {
            http: Http::new(url.scheme() == "https", clock)?,
            url,
            headers: headers(&config.headers)?,
            subscribe: config.subscribe.clone(),
            idle: config.idle.get(),
            token: Token::new(&config.resume, resume)?,
            frames,
        })
    }

    fn take(&mut self, data: Data, events: &mut Vec<Event>) -> usize {
        let (Data::Text(bytes) | Data::Binary(bytes)) = data;
        let length = bytes.len();
        let frame = self.frames.read(bytes);
        events.push(self.token.event(frame));
        length
    }
}

impl Protocol for WebSocket {
    type Connection = Socket;

    fn place(&self) -> String {
        place(&self.url)
    }

    async fn connect(&mut self, _: usize) -> Result<Socket, Ended> {
        let mut url = self.url.clone();
        self.token.put(&mut url);
        let socket = Socket::open(&self.http, url, &self.headers, self.idle).await;
        let mut socket = socket.map_err(|no| match no {
            NoSocket::Refused(refusal) => refusal.ended(),
            NoSocket::Ended(ended) => ended,
        })?;
        for message in &self.subscribe {
            socket.send(message).await?;
        }
        Ok(socket)
    }

    async fn read(&mut self, socket: &mut Socket, events: &mut Vec<Event>) -> Result<(), Ended> {
        let mut next = socket.next().await;
        let mut bytes = 0;
        loop {
            match next {
                Ok(Some(data)) => bytes += self.take(data, events),
                Ok(None) => return Ok(()),
                Err(ended) => {
                    events.extend(ended.event());
                    return Err(ended);
                }
            }
            if events.len() >= BATCH_EVENTS_MAX || bytes >= BATCH_BYTES_MAX {
                return Ok(());
            }
            next = socket.at_hand();
        }
    }

    fn is_resumable(&self) -> bool {
        self.token.is_sent()
    }
}
