//! A server on this machine that speaks what the producer's sources speak, and has the faults that a test orders.
//!
//! A test says which protocol it is and scripts its connections, one list of steps each. Requests that the real server
//! would refuse are refused as it does that, without using up the script. It runs on a thread of its own, in real time.

mod jetstream;
mod oauth;
pub(crate) mod proxy;
mod request;
mod speaks;
mod steps;
mod wire;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread;

pub(crate) use jetstream::Archive;
pub(crate) use oauth::Keys;
pub(crate) use request::Request;
pub(crate) use speaks::Speaks;
pub(crate) use steps::Step;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use speaks::Verdict;

/// The stub. Ends with its handle.
pub(crate) struct Stub {
    address: SocketAddr,
    shared: Arc<Shared>,
    seen: watch::Receiver<Seen>,
    _stop: oneshot::Sender<()>,
}

/// What its connections share.
struct Shared {
    speaks: Mutex<Speaks>,
    script: Mutex<VecDeque<Vec<Step>>>,
    seen: watch::Sender<Seen>,
    gate: Semaphore,
}

/// What has happened until now.
#[derive(Debug, Default, Clone)]
pub(crate) struct Seen {
    /// What was asked, refused requests among it.
    pub(crate) requests: Vec<Request>,
    /// How many pings were answered.
    pub(crate) pongs: usize,
    /// Texts that came in data frames.
    pub(crate) texts: Vec<String>,
    /// How often the stub has fallen silent.
    pub(crate) silences: usize,
}

impl Stub {
    pub(crate) fn start(speaks: Speaks, script: Vec<Vec<Step>>) -> Self {
        Self::start_as(None, speaks, script)
    }

    /// With the certificate that `tls` has, if it is given.
    pub(crate) fn start_as(tls: Option<Arc<ServerConfig>>, speaks: Speaks, script: Vec<Vec<Step>>) -> Self {
        let (sees, seen) = watch::channel(Seen::default());
        let shared = Arc::new(Shared {
            speaks: Mutex::new(speaks),
            script: Mutex::new(script.into()),
            seen: sees,
            gate: Semaphore::new(0),
        });
        let (stop, stopped) = oneshot::channel::<()>();
        let (bound, address) = std::sync::mpsc::channel();
        let its = Arc::clone(&shared);
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
                bound.send(listener.local_addr().unwrap()).unwrap();
                tokio::select! {
                    () = accept(listener, tls.map(TlsAcceptor::from), its) => {}
                    // The sender is only ever dropped.
                    _ = stopped => {}
                }
            });
        });
        Self { address: address.recv().unwrap(), shared, seen, _stop: stop }
    }

    /// Host and port.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// What has happened until now, once it is this.
    pub(crate) async fn until(&self, happened: impl FnMut(&Seen) -> bool) -> Seen {
        self.seen.clone().wait_for(happened).await.unwrap().clone()
    }

    /// What was asked until now, refused requests among it.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.seen.borrow().requests.clone()
    }

    /// Lets a connection that stands at [`Step::Gate`] go on.
    pub(crate) fn open(&self) {
        self.shared.gate.add_permits(1);
    }

    /// Waits until the stub has fallen silent so often.
    pub(crate) async fn silent(&self, times: usize) {
        self.until(|seen| seen.silences >= times).await;
    }

    /// Changes what it keeps, as time does.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Archive)) {
        match &mut *self.shared.speaks.lock().unwrap() {
            Speaks::JetstreamV1(archive) | Speaks::JetstreamV2(archive) => change(archive),
            _ => panic!("no Jetstream"),
        }
    }

    /// Adds connections to the script.
    pub(crate) fn then(&self, script: Vec<Vec<Step>>) {
        self.shared.script.lock().unwrap().extend(script);
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (tls, shared) = (tls.clone(), Arc::clone(&shared));
        tokio::spawn(async move {
            match tls {
                // A client need not like the certificate.
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(stream, &shared).await;
                    }
                }
                None => serve(stream, &shared).await,
            }
        });
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, shared: &Shared) {
    let Some(mut request) = Request::read(&mut stream).await else { return };
    let verdict = shared.speaks.lock().unwrap().check(&request);
    let steps = match &verdict {
        Verdict::Answer(status, ..) => {
            request.answered = *status;
            Vec::new()
        }
        Verdict::Stream(_) => shared.script.lock().unwrap().pop_front().unwrap_or_else(|| {
            // Nobody is expected here: the request in the log says that somebody came.
            vec![Step::Accept, Step::Silence]
        }),
    };
    shared.seen.send_modify(|seen| seen.requests.push(request.clone()));
    match verdict {
        Verdict::Answer(status, headers, body) => {
            wire::answer(&mut stream, status, &headers, &body).await;
        }
        Verdict::Stream(talk) => steps::run(stream, &request, talk, steps, shared).await,
    }
}
