//! HTTP as bytes: answers may end in the middle, or never.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::request::Request;

/// What is written, and what becomes of the connection.
pub(super) struct Answer {
    pub(super) bytes: Vec<u8>,
    pub(super) then: Then,
}

/// What becomes of a connection behind its answer.
pub(super) enum Then {
    /// It is closed.
    Close,
    /// It stays open until the other end closes it.
    Hold,
    /// The same, and a byte comes ever again.
    Trickle,
}

/// Between two bytes of a server that is slow.
const TRICKLE: Duration = Duration::from_millis(5);

impl Answer {
    pub(super) fn whole(status: &str, headers: &str, body: &[u8]) -> Self {
        let length = body.len();
        let head =
            format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n");
        Self { bytes: [head.as_bytes(), body].concat(), then: Then::Close }
    }
}

/// A listener whose thread lives as long as the test's process.
pub(super) struct Server(SocketAddr);

impl Server {
    pub(super) fn start(answer: impl Fn(Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_as(None, answer)
    }

    /// With the certificate that `tls` has, if it is given.
    pub(super) fn start_as(
        tls: Option<Arc<ServerConfig>>,
        answer: impl Fn(Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (answer, tls) = (Arc::clone(&answer), tls.clone());
                thread::spawn(move || match tls {
                    Some(tls) => {
                        serve(StreamOwned::new(ServerConnection::new(tls).unwrap(), stream), &*answer)
                    }
                    None => serve(stream, &*answer),
                });
            }
        });
        Self(address)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.0
    }
}

fn serve(mut stream: impl Read + Write, answer: &dyn Fn(Request) -> Answer) {
    let Some(request) = Request::read(&mut stream) else { return };
    let Answer { bytes, then } = answer(request);
    // The other end may have seen enough.
    let _ = stream.write_all(&bytes);
    match then {
        Then::Close => {}
        Then::Hold => {
            let _ = stream.read(&mut [0]);
        }
        Then::Trickle => {
            while stream.write_all(b"+").and_then(|()| stream.flush()).is_ok() {
                thread::park_timeout(TRICKLE);
            }
        }
    }
}
