//! A proxy for HTTPS and secure WebSockets: CONNECT (RFC 9110, 9.3.6), whatever host is named, to one address.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread;

use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::Request;

/// The proxy. Its thread ends with the process.
pub(crate) struct Proxy {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Proxy {
    /// One that leads to `to`, whatever is asked for.
    pub(crate) fn start(to: String) -> Self {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let its = Arc::clone(&requests);
        let (bound, address) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
                bound.send(listener.local_addr().unwrap()).unwrap();
                loop {
                    let (mut stream, _) = listener.accept().await.unwrap();
                    let (to, its) = (to.clone(), Arc::clone(&its));
                    tokio::spawn(async move {
                        let Some(request) = Request::read(&mut stream).await else { return };
                        let is_connect = request.method == "CONNECT";
                        its.lock().unwrap().push(request);
                        if !is_connect {
                            super::wire::answer(&mut stream, 405, &[], b"").await;
                            return;
                        }
                        let mut server = TcpStream::connect(to).await.unwrap();
                        stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
                        // Either end may go first.
                        let _ = copy_bidirectional(&mut stream, &mut server).await;
                    });
                }
            });
        });
        Self { address: address.recv().unwrap(), requests }
    }

    /// As `https_proxy` names it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was asked of it.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}
