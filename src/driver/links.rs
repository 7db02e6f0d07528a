//! The driver's end of every link: connections in, messages out, and no wait for anyone.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time;

use crate::ids::Session;
use crate::wire::message::{Hello, ToDriver, ToExecutor};
use crate::wire::{Acceptor, LinkError, Receiver, Secret, Sender};

/// Messages from executors that wait for the driver; what does not fit waits in the sockets.
const INCOMING_MAX: usize = 32;
/// Messages to one executor that wait; one that is so far behind has lost its session.
const OUTGOING_MAX: usize = 1_024;
/// How long a connection may take to say who it is.
const HELLO: Duration = Duration::from_secs(5);
/// How long a last message may take.
const LAST_WORD: Duration = Duration::from_secs(1);

/// What links tell the driver.
#[derive(Debug)]
pub(super) enum LinkEvent {
    /// An executor has connected and said who it is.
    Opened(Session, Box<Hello>, Outgoing),
    /// A message.
    Message(Session, ToDriver),
    /// The connection is gone.
    Closed(Session, String),
}

/// The way to one executor.
pub(super) struct Outgoing {
    messages: mpsc::Sender<ToExecutor>,
    reading: AbortHandle,
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outgoing")
    }
}

/// Every link that is up.
#[derive(Debug, Default)]
pub(super) struct Links {
    outgoing: HashMap<Session, Outgoing>,
}

impl Links {
    /// Starts taking connections on `listener`; what they bring is received from the returned channel.
    pub(super) fn listen(
        listener: TcpListener,
        secret: &Secret,
    ) -> Result<(Self, mpsc::Receiver<LinkEvent>), LinkError> {
        let (events, incoming) = mpsc::channel(INCOMING_MAX);
        tokio::spawn(accept(listener, Arc::new(Acceptor::new(secret)?), events));
        Ok((Self::default(), incoming))
    }

    pub(super) fn opened(&mut self, session: Session, outgoing: Outgoing) {
        self.outgoing.insert(session, outgoing);
    }

    /// Queues a message. One that does not fit is dropped together with its link: the session then ends as
    /// closed.
    pub(super) fn send(&mut self, session: Session, message: ToExecutor) {
        let full = |outgoing: &Outgoing| outgoing.messages.try_send(message).is_err();
        if self.outgoing.get(&session).is_some_and(full) {
            self.outgoing.remove(&session);
        }
    }

    /// Says why and closes; whatever the executor still sends is discarded.
    pub(super) fn end(&mut self, session: Session, reason: String) {
        if let Some(outgoing) = self.outgoing.remove(&session) {
            outgoing.reading.abort();
            let _ = outgoing.messages.try_send(ToExecutor::End { reason });
        }
    }

    /// Says something to everyone.
    pub(super) fn send_all(&mut self, message: &ToExecutor) {
        let sessions: Vec<_> = self.outgoing.keys().copied().collect();
        sessions.into_iter().for_each(|session| self.send(session, message.clone()));
    }

    /// Ends every link.
    pub(super) fn end_all(&mut self, reason: &str) {
        let sessions: Vec<_> = self.outgoing.keys().copied().collect();
        sessions.into_iter().for_each(|session| self.end(session, reason.to_owned()));
    }
}

async fn accept(listener: TcpListener, acceptor: Arc<Acceptor>, events: mpsc::Sender<LinkEvent>) {
    let mut connection = 0;
    loop {
        match listener.accept().await {
            Ok((tcp, _)) => {
                connection += 1;
                tokio::spawn(serve(tcp, Arc::clone(&acceptor), connection, events.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "accept a connection");
                time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(tcp: TcpStream, acceptor: Arc<Acceptor>, connection: u64, events: mpsc::Sender<LinkEvent>) {
    let peer = tcp.peer_addr().map_or_else(|_| "unknown".to_owned(), |peer| peer.to_string());
    let introduced = async {
        let link = acceptor.accept(tcp).await.map_err(|error| error.to_string())?;
        let (sender, mut receiver) = link.split();
        let silent = |_| "it did not say hello".to_owned();
        let hello = time::timeout(HELLO, hello(&mut receiver)).await.map_err(silent)??;
        Ok::<_, String>((sender, receiver, hello))
    };
    let (sender, receiver, hello) = match introduced.await {
        Ok(introduced) => introduced,
        Err(reason) => return tracing::warn!(peer, reason, "refuse a connection"),
    };
    let session = Session { slot: hello.slot, generation: hello.generation, connection };
    let (messages, queue) = mpsc::channel(OUTGOING_MAX);
    let (open, opened) = oneshot::channel();
    let reading = tokio::spawn({
        let events = events.clone();
        async move {
            // Nothing of a session may come before its opening.
            if opened.await.is_ok() {
                read(session, receiver, events).await;
            }
        }
    });
    let outgoing = Outgoing { messages, reading: reading.abort_handle() };
    if events.send(LinkEvent::Opened(session, Box::new(hello), outgoing)).await.is_ok()
        && open.send(()).is_ok()
    {
        write(sender, queue).await;
    }
}

async fn hello(receiver: &mut Receiver) -> Result<Hello, String> {
    match receiver.recv().await {
        Ok(Some(frame)) => match ToDriver::decode(frame.kind, &frame.payload) {
            Ok(ToDriver::Hello(hello)) => Ok(hello),
            Ok(_) => Err("its first message was not hello".to_owned()),
            Err(error) => Err(error.to_string()),
        },
        Ok(None) => Err("it closed before it said hello".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

async fn read(session: Session, mut receiver: Receiver, events: mpsc::Sender<LinkEvent>) {
    let reason = loop {
        let message = match receiver.recv().await {
            Ok(Some(frame)) => ToDriver::decode(frame.kind, &frame.payload),
            Ok(None) => break "the executor closed it".to_owned(),
            Err(error) => break error.to_string(),
        };
        match message {
            Ok(message) => {
                if events.send(LinkEvent::Message(session, message)).await.is_err() {
                    return;
                }
            }
            Err(error) => break error.to_string(),
        }
    };
    let _ = events.send(LinkEvent::Closed(session, reason)).await;
}

/// Sends until the session is over: then the queue's other end is gone and its last message is the end.
async fn write(mut sender: Sender, mut queue: mpsc::Receiver<ToExecutor>) {
    while let Some(message) = queue.recv().await {
        let (kind, payload) = message.encode();
        let last = matches!(message, ToExecutor::End { .. });
        let sending = sender.send(kind, &payload);
        let sent =
            if last { time::timeout(LAST_WORD, sending).await.unwrap_or(Ok(())) } else { sending.await };
        if let Err(error) = sent {
            // The reading half reports the broken connection; there is only one report per session.
            return tracing::debug!(%error, "send to an executor");
        }
    }
    let _ = time::timeout(LAST_WORD, sender.close()).await;
}
