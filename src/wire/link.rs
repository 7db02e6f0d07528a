//! The connection between executor and driver: frames over TLS 1.3, mutually proven. Feeds the driver's sessions.
//!
//! The client of a TLS 1.3 handshake is done before the server has seen its certificate (RFC 8446, 2), so a refused
//! client would learn of it at some later read. Therefore the server's first frame is an empty hello: `connect`
//! returns only when it is there, and both ends know the same.

mod error;

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};
use tokio_util::bytes::{Buf, BytesMut};
use tokio_util::codec::{Decoder, Encoder};

pub use self::error::LinkError;
use super::frame::{Frame, FrameCodec};
use super::identity::Identity;
use super::secret::Secret;

/// How long an accepted connection may take to prove itself.
pub const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(5);

/// Connections that may be proving themselves at once; one more is refused, so that strangers cannot pile up.
pub const HANDSHAKES_MAX: usize = 256;

/// Kind of the frame with which the server says that it has verified the client. Never handed out.
pub const HELLO_KIND: u8 = 0;

/// A buffer that a large frame left behind is given back above this size.
const BUFFER_KEPT_BYTES: usize = 256 << 10;
const READ_BYTES: usize = 16 << 10;

/// The listening side of links.
pub struct Acceptor {
    tls: TlsAcceptor,
    deadline: Duration,
    unproven: Semaphore,
}

impl Acceptor {
    /// Will accept whoever holds `secret`, and nobody else.
    pub fn new(secret: &Secret) -> Result<Self, LinkError> {
        let config = Identity::of(secret).and_then(Identity::server).map_err(LinkError::Setup)?;
        Ok(Self {
            tls: TlsAcceptor::from(Arc::new(config)),
            deadline: HANDSHAKE_DEADLINE,
            unproven: Semaphore::new(HANDSHAKES_MAX),
        })
    }

    /// Lets the other end prove itself within [`HANDSHAKE_DEADLINE`]. To be called from a task per connection: a
    /// stranger that is silent then delays nobody.
    pub async fn accept(&self, tcp: TcpStream) -> Result<Link, LinkError> {
        let peer = tcp.peer_addr().map_or_else(|_| "unknown".to_owned(), |address| address.to_string());
        let Ok(_permit) = self.unproven.try_acquire() else {
            return Err(LinkError::Crowded { peer });
        };
        let proving = async {
            tcp.set_nodelay(true).map_err(|error| LinkError::explain(&peer, error))?;
            let tls = self.tls.accept(tcp).await.map_err(|error| LinkError::explain(&peer, error))?;
            let mut link = Link::over(tls.into(), &peer);
            link.sender.send(HELLO_KIND, &[]).await?;
            Ok(link)
        };
        time::timeout(self.deadline, proving)
            .await
            .unwrap_or_else(|_| Err(LinkError::TimedOut { peer: peer.clone(), after: self.deadline }))
    }
}

/// Connects to an [`Acceptor`] at `addr` (`host:port`). When it returns, both ends have proven themselves.
///
/// `timeout` covers everything: name resolution, connection, handshake.
pub async fn connect(addr: &str, secret: &Secret, timeout: Duration) -> Result<Link, LinkError> {
    let config = Identity::of(secret).and_then(Identity::client).map_err(LinkError::Setup)?;
    connect_with(addr, TlsConnector::from(Arc::new(config)), timeout).await
}

async fn connect_with(addr: &str, tls: TlsConnector, timeout: Duration) -> Result<Link, LinkError> {
    let connecting = async {
        let tcp = TcpStream::connect(addr)
            .await
            .map_err(|source| LinkError::Unreachable { peer: addr.to_owned(), source })?;
        let prove = async {
            tcp.set_nodelay(true)?;
            // TLS wants a name; the pinned key makes it meaningless.
            let name = ServerName::from(tcp.peer_addr()?.ip());
            tls.connect(name, tcp).await
        };
        let stream = prove.await.map_err(|error| LinkError::explain(addr, error))?;
        let mut link = Link::over(stream.into(), addr);
        match link.receiver.recv().await? {
            Some(frame) if frame.kind == HELLO_KIND => Ok(link),
            Some(_) | None => Err(LinkError::NoHello { peer: addr.to_owned() }),
        }
    };
    time::timeout(timeout, connecting)
        .await
        .unwrap_or_else(|_| Err(LinkError::TimedOut { peer: addr.to_owned(), after: timeout }))
}

/// A connection whose ends have proven to each other that they hold the same secret.
#[derive(Debug)]
pub struct Link {
    sender: Sender,
    receiver: Receiver,
}

impl Link {
    fn over(stream: TlsStream<TcpStream>, peer: &str) -> Self {
        let peer: Arc<str> = peer.into();
        let (from, to) = tokio::io::split(stream);
        Self {
            sender: Sender { to, unsent: BytesMut::new(), peer: Arc::clone(&peer) },
            receiver: Receiver { from, received: BytesMut::new(), ended: false, peer },
        }
    }

    /// The other end's address, for people.
    pub fn peer(&self) -> &str {
        &self.sender.peer
    }

    /// The two directions, to be used by two tasks.
    pub fn split(self) -> (Sender, Receiver) {
        (self.sender, self.receiver)
    }
}

/// The way out.
#[derive(Debug)]
pub struct Sender {
    to: WriteHalf<TlsStream<TcpStream>>,
    unsent: BytesMut,
    peer: Arc<str>,
}

impl Sender {
    /// Sends one frame; returns when the system has taken all of it.
    ///
    /// A peer that does not read makes this wait: callers put a time limit around it. When the call is given up,
    /// the rest of the frame goes out before the next one, so the stream stays whole.
    pub async fn send(&mut self, kind: u8, payload: &[u8]) -> Result<(), LinkError> {
        FrameCodec
            .encode((kind, payload), &mut self.unsent)
            .map_err(|source| LinkError::Frame { peer: self.peer.to_string(), source })?;
        self.drain().await.map_err(|error| LinkError::explain(&self.peer, error))?;
        if self.unsent.capacity() > BUFFER_KEPT_BYTES {
            self.unsent = BytesMut::new();
        }
        Ok(())
    }

    /// Says that nothing more will come. Without it the other end takes this process for lost.
    pub async fn close(mut self) -> Result<(), LinkError> {
        self.to.shutdown().await.map_err(|error| LinkError::explain(&self.peer, error))
    }

    async fn drain(&mut self) -> std::io::Result<()> {
        while self.unsent.has_remaining() {
            if self.to.write_buf(&mut self.unsent).await? == 0 {
                return Err(std::io::ErrorKind::WriteZero.into());
            }
        }
        self.to.flush().await
    }
}

/// The way in.
#[derive(Debug)]
pub struct Receiver {
    from: ReadHalf<TlsStream<TcpStream>>,
    received: BytesMut,
    ended: bool,
    peer: Arc<str>,
}

impl Receiver {
    /// The next frame; `None` once the other end has closed, and always after an error. May be given up and
    /// called again without losing anything.
    pub async fn recv(&mut self) -> Result<Option<Frame>, LinkError> {
        if self.ended {
            return Ok(None);
        }
        let received = self.next().await;
        self.ended = !matches!(received, Ok(Some(_)));
        received
    }

    async fn next(&mut self) -> Result<Option<Frame>, LinkError> {
        let not_a_frame = |source| LinkError::Frame { peer: self.peer.to_string(), source };
        loop {
            if let Some(frame) = FrameCodec.decode(&mut self.received).map_err(not_a_frame)? {
                return Ok(Some(frame));
            }
            self.received.reserve(READ_BYTES);
            let read = self.from.read_buf(&mut self.received).await;
            if read.map_err(|error| LinkError::explain(&self.peer, error))? == 0 {
                return FrameCodec.decode_eof(&mut self.received).map_err(not_a_frame);
            }
        }
    }
}

#[cfg(test)]
mod tests;
