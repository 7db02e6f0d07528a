//! What the stub does on one connection, step by step.

use std::future::pending;
use std::io::Write;
use std::pin::pin;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::time::interval;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::speaks::{Speaks, Talk};
use super::{Request, Shared, wire};

const PACE: Duration = Duration::from_millis(10);

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// How long a client may take to see that the connection has ended.
const PATIENCE: Duration = Duration::from_secs(5);

/// One thing that the stub does.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Answers with this status, these headers and this body, and closes.
    Status(u16, Vec<(&'static str, String)>, String),
    /// Sends these bytes instead of an answer, and closes.
    Garbage(Vec<u8>),
    /// Agrees to the stream.
    Accept,
    /// Agrees, but with this header in place of the right one.
    AcceptWith(&'static str, String),
    /// A message: a text frame, a status behind its length, or bytes of the body.
    Send(Vec<u8>),
    /// A binary frame.
    Binary(Vec<u8>),
    /// Bytes as they are: within the body, or on the wire of a WebSocket.
    Bytes(Vec<u8>),
    /// The next samples of a Jetstream.
    Replay(usize),
    /// All samples of a Jetstream that are left, this many each 10 ms: a stream has its pace.
    Rest(usize),
    /// This sample of a Jetstream, and the next ones go on behind it.
    Sample(usize),
    Ping,
    /// Closes a WebSocket with this code and reason.
    Close(u16, &'static str),
    /// Ends a body as it should end.
    End,
    /// Ends the connection, whatever is open.
    Cut,
    /// Waits until the test opens it.
    Gate,
    /// Does nothing more, and leaves the connection open.
    Silence,
}

impl Step {
    pub(crate) fn send(text: impl Into<String>) -> Self {
        Self::Send(text.into().into_bytes())
    }
}

/// A connection that is spoken on.
struct Line<'a, S> {
    to: WriteHalf<S>,
    is_websocket: bool,
    is_v2: bool,
    with_lengths: bool,
    gzip: Option<GzEncoder<Vec<u8>>>,
    talk: Talk,
    shared: &'a Shared,
}

pub(super) async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    request: &Request,
    talk: Talk,
    steps: Vec<Step>,
    shared: &Shared,
) {
    let speaks = shared.speaks.lock().unwrap().clone();
    let (from, to) = split(stream);
    let mut line = Line {
        to,
        is_websocket: speaks.is_websocket(),
        is_v2: matches!(speaks, Speaks::JetstreamV2(_)),
        with_lengths: matches!(speaks, Speaks::Statuses(_)),
        gzip: talk.gzip.then(|| GzEncoder::new(Vec::new(), Compression::fast())),
        talk,
        shared,
    };
    let is_jetstream = matches!(speaks, Speaks::JetstreamV1(_) | Speaks::JetstreamV2(_));
    let mut listening = pin!(listen(from, speaks.is_websocket(), is_jetstream, shared));
    let over = tokio::select! {
        () = line.follow(request, steps) => None,
        over = &mut listening => Some(over),
    };
    if let Some(Over::Spoke) = over {
        // Server-push only: 1008, policy violation.
        let _ = line.to.write_all(&wire::frame(CLOSE, &1008_u16.to_be_bytes())).await;
    }
    let _ = line.to.shutdown().await;
    if over.is_none() {
        // A connection that is closed before all of it is read is reset, and what was sent on it may be lost.
        let _ = timeout(PATIENCE, listening).await;
    }
}

/// Why a client need not be spoken to any more.
enum Over {
    /// It is gone.
    Gone,
    /// It has sent data where it must not.
    Spoke,
}

async fn listen<S: AsyncRead>(
    mut from: ReadHalf<S>,
    is_websocket: bool,
    is_jetstream: bool,
    shared: &Shared,
) -> Over {
    if !is_websocket {
        let mut nothing = [0];
        // Whether it closes its end or all of it makes no difference here.
        let _ = from.read(&mut nothing).await;
        return Over::Gone;
    }
    while let Some(frame) = wire::client_frame(&mut from).await {
        match frame.opcode {
            CLOSE => return Over::Gone,
            PONG => shared.seen.send_modify(|seen| seen.pongs += 1),
            TEXT | BINARY => {
                let text = String::from_utf8_lossy(&frame.payload).into_owned();
                shared.seen.send_modify(|seen| seen.texts.push(text));
                if is_jetstream {
                    return Over::Spoke;
                }
            }
            _ => {}
        }
    }
    Over::Gone
}

impl<S: AsyncRead + AsyncWrite + Unpin> Line<'_, S> {
    async fn follow(&mut self, request: &Request, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Status(status, headers, body) => {
                    wire::answer(&mut self.to, status, &headers, body.as_bytes()).await;
                    return;
                }
                Step::Garbage(bytes) => {
                    self.write(&bytes).await;
                    return;
                }
                Step::Accept => self.accept(request, None).await,
                Step::AcceptWith(name, value) => self.accept(request, Some((name, &value))).await,
                Step::Send(bytes) => self.send(&bytes).await,
                Step::Binary(bytes) => self.write(&wire::frame(BINARY, &bytes)).await,
                Step::Bytes(bytes) if self.is_websocket => self.write(&bytes).await,
                Step::Bytes(bytes) => self.body(&bytes).await,
                Step::Replay(samples) => {
                    for _ in 0..samples {
                        self.sample().await;
                    }
                }
                Step::Rest(at_once) => {
                    let mut pace = interval(PACE);
                    while self.sample().await {
                        if self.talk.at.is_multiple_of(at_once) {
                            pace.tick().await;
                        }
                    }
                }
                Step::Sample(at) => {
                    self.talk.at = at;
                    self.sample().await;
                }
                Step::Ping => self.write(&wire::frame(PING, b"alive?")).await,
                Step::Close(code, reason) => {
                    let payload = [&code.to_be_bytes(), reason.as_bytes()].concat();
                    self.write(&wire::frame(CLOSE, &payload)).await;
                    return;
                }
                Step::End => {
                    let rest = self.gzip.take().map(|gzip| gzip.finish().unwrap());
                    if let Some(rest) = rest {
                        self.write(&wire::chunk(&rest)).await;
                    }
                    self.write(b"0\r\n\r\n").await;
                    return;
                }
                Step::Gate => self.shared.gate.acquire().await.unwrap().forget(),
                Step::Cut => return,
                Step::Silence => {
                    self.shared.seen.send_modify(|seen| seen.silences += 1);
                    pending::<()>().await;
                }
            }
        }
    }

    async fn accept(&mut self, request: &Request, instead: Option<(&str, &str)>) {
        let mut headers = if self.is_websocket {
            let key = derive_accept_key(request.header("sec-websocket-key").unwrap().as_bytes());
            vec![
                ("Upgrade", "websocket".to_owned()),
                ("Connection", "Upgrade".to_owned()),
                ("Sec-WebSocket-Accept", key),
            ]
        } else {
            let content =
                if self.with_lengths { "application/json" } else { "text/event-stream; charset=utf-8" };
            vec![("Content-Type", content.to_owned()), ("Transfer-Encoding", "chunked".to_owned())]
        };
        if self.gzip.is_some() {
            headers.push(("Content-Encoding", "gzip".to_owned()));
        }
        for (name, value) in &mut headers {
            if let Some((_, other)) = instead.filter(|(wrong, _)| wrong == name) {
                other.clone_into(value);
            }
        }
        let status = if self.is_websocket { "101 Switching Protocols" } else { "200 OK" };
        let mut head = format!("HTTP/1.1 {status}\r\n");
        headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
        self.write((head + "\r\n").as_bytes()).await;
        if self.talk.outdated {
            let payload = serde_json::json!({
                "$type": "network.bsky.jetstream.subscribeEvents#info", "name": "OutdatedCursor",
                "message": "requested timestamp cursor below retention floor",
            });
            let info = serde_json::json!({"$type": "message", "payload": payload}).to_string();
            self.send(info.as_bytes()).await;
        }
    }

    async fn send(&mut self, bytes: &[u8]) {
        if let Some(dictionary) = &self.talk.dictionary {
            let mut compressor = zstd::bulk::Compressor::with_dictionary(3, dictionary).unwrap();
            let frame = wire::frame(BINARY, &compressor.compress(bytes).unwrap());
            self.write(&frame).await;
        } else if self.is_websocket {
            self.write(&wire::frame(TEXT, bytes)).await;
        } else if self.with_lengths {
            // What ends the message is counted as well.
            let message = [format!("{}\r\n", bytes.len() + 2).as_bytes(), bytes, b"\r\n"].concat();
            self.body(&message).await;
        } else {
            self.body(bytes).await;
        }
    }

    /// False if there is none.
    async fn sample(&mut self) -> bool {
        let frame = match &mut *self.shared.speaks.lock().unwrap() {
            Speaks::JetstreamV1(archive) | Speaks::JetstreamV2(archive) => {
                let is_there = self.talk.at < archive.samples.len();
                // Whoever connects without a cursor from now on gets what comes behind it.
                archive.live = archive.live.max(self.talk.at + usize::from(is_there));
                is_there.then(|| archive.frame(self.talk.at, self.is_v2))
            }
            _ => panic!("no Jetstream"),
        };
        let Some(frame) = frame else { return false };
        self.talk.at += 1;
        self.send(frame.as_bytes()).await;
        true
    }

    /// Sends bytes of a body, so that all of them can be decompressed at the other end.
    async fn body(&mut self, bytes: &[u8]) {
        let packed = self.gzip.as_mut().map(|gzip| {
            gzip.write_all(bytes).unwrap();
            gzip.flush().unwrap();
            std::mem::take(gzip.get_mut())
        });
        let chunk = wire::chunk(packed.as_deref().unwrap_or(bytes));
        self.write(&chunk).await;
    }

    /// The other end may be gone.
    async fn write(&mut self, bytes: &[u8]) {
        let _ = self.to.write_all(bytes).await;
        let _ = self.to.flush().await;
    }
}
