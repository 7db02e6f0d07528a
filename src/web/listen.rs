//! Where a process listens, and how many clients may hold it at once. Feeds `serve`.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

use crate::config::Ports;

/// Clients at once; more wait in the system's backlog.
const CLIENTS_MAX: usize = 128;

/// A client that for so long has neither finished a request nor taken a byte of its answer is dropped, so that silent
/// ones cannot hold all places. Longer than Prometheus' usual interval, which reuses its connection.
const IDLE_MAX: Duration = Duration::from_secs(90);

/// No port that the rule allows could be had.
#[derive(Debug, thiserror::Error)]
#[error("listen on {addr}, port {ports}: {source}; free one, or set another port")]
pub struct BindError {
    addr: IpAddr,
    ports: Ports,
    source: io::Error,
}

/// Listens on `addr` at the first of `ports` that nobody has.
pub async fn bind(addr: IpAddr, ports: Ports) -> Result<TcpListener, BindError> {
    let mut last = io::ErrorKind::AddrNotAvailable.into();
    for port in ports.candidates() {
        match TcpListener::bind(SocketAddr::new(addr, port)).await {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = error,
            Err(source) => return Err(BindError { addr, ports, source }),
        }
    }
    Err(BindError { addr, ports, source: last })
}

/// A listener that holds at most [`CLIENTS_MAX`] connections, none of them for nothing.
pub(super) struct Bounded {
    listener: TcpListener,
    places: Arc<Semaphore>,
    idle_max: Duration,
}

impl Bounded {
    pub(super) fn new(listener: TcpListener) -> Self {
        Self { listener, places: Arc::new(Semaphore::new(CLIENTS_MAX)), idle_max: IDLE_MAX }
    }
}

impl Listener for Bounded {
    type Io = Client;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Client, SocketAddr) {
        let place = Arc::clone(&self.places).acquire_owned().await.expect("nobody closes this semaphore");
        let (tcp, peer) = Listener::accept(&mut self.listener).await;
        (Client { tcp, idle_max: self.idle_max, idle: Box::pin(sleep(self.idle_max)), _place: place }, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that ends by itself when nothing comes of it. Only bytes sent renew its time: a request that drips in
/// must be whole before it is over.
pub(super) struct Client {
    tcp: TcpStream,
    idle_max: Duration,
    idle: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl Client {
    fn or_time_out<T>(
        &mut self,
        poll: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if poll.is_pending() && self.idle.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        poll
    }
}

impl AsyncRead for Client {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.tcp).poll_read(context, buffer);
        self.or_time_out(poll, context)
    }
}

impl AsyncWrite for Client {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.tcp).poll_write(context, bytes);
        if matches!(poll, Poll::Ready(Ok(1..))) {
            let idle_max = self.idle_max;
            self.idle.set(sleep(idle_max));
        }
        self.or_time_out(poll, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::AsyncReadExt;
    use tokio::time::timeout;

    use super::*;

    const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    async fn taken() -> (TcpListener, u16) {
        let listener = bind(LOCAL, Ports::Any).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        (listener, port)
    }

    #[tokio::test]
    async fn a_fixed_port_is_taken_or_refused_by_name() {
        let (_held, port) = taken().await;
        let error = bind(LOCAL, Ports::One(port)).await.unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("listen on 127.0.0.1, port {port}: Address already in use")),
            "{error}"
        );
    }

    #[tokio::test]
    async fn the_first_free_port_is_a_later_one_when_the_first_is_taken() {
        let (_held, port) = taken().await;
        let rule = Ports::Range(port, port.saturating_add(100));
        let next = bind(LOCAL, rule).await.unwrap().local_addr().unwrap().port();
        assert!(next > port, "{port} {next}");
    }

    #[tokio::test]
    async fn a_range_ends_at_its_end() {
        let (_held, port) = taken().await;
        let error = bind(LOCAL, Ports::Range(port, port)).await.unwrap_err().to_string();
        assert!(error.contains(&format!("port {port}-{port}: ")), "{error}");
    }

    #[tokio::test]
    async fn a_silent_client_loses_its_place() {
        let (listener, port) = taken().await;
        let mut bounded = Bounded {
            idle_max: Duration::from_millis(20),
            places: Arc::new(Semaphore::new(1)),
            ..Bounded::new(listener)
        };
        let _silent = TcpStream::connect((LOCAL, port)).await.unwrap();
        let (mut client, _) = bounded.accept().await;
        assert_eq!(bounded.places.available_permits(), 0);
        let read = timeout(Duration::from_secs(30), client.read(&mut [0; 8])).await;
        let error = read.expect("it ends by itself").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(client);
        assert_eq!(bounded.places.available_permits(), 1);
    }
}
