//! A stand-in for OSS on this machine: answers GET as OSS does, to requests that are signed as OSS demands, and has the
//! faults that a test orders. Path style, as its endpoint is an address.

mod answer;
pub(crate) mod metadata;
mod request;
mod server;
pub(crate) mod signature;
pub(crate) mod sts;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use answer::{error, found};
pub(crate) use request::Request;
use server::{Answer, Server};
use signature::Refusal;
use spindle::clock::Clock;
use tokio_rustls::rustls::ServerConfig;

/// The region of its buckets.
pub(crate) const REGION: &str = "cn-hangzhou";
/// Its bucket.
pub(crate) const BUCKET: &str = "jars";
/// A bucket that it has only in another region.
pub(crate) const ELSEWHERE: &str = "elsewhere";

/// Keys that it knows.
#[derive(Clone)]
pub(crate) struct Keys {
    pub(crate) id: &'static str,
    pub(crate) secret: &'static str,
    pub(crate) token: Option<&'static str>,
    /// Whether the token has expired.
    pub(crate) expired: bool,
}

/// Somebody's own.
pub(crate) const KEYS: Keys = Keys { id: "LTAI5tOwn", secret: "own0Secret", token: None, expired: false };
/// Temporary ones, as STS and RAM roles give them.
pub(crate) const TEMPORARY: Keys =
    Keys { id: "STS.NTemporary", secret: "temporary0Secret", token: Some("CAIStoken+/="), expired: false };
/// Temporary ones that are over.
pub(crate) const EXPIRED: Keys =
    Keys { id: "STS.NExpired", secret: "expired0Secret", token: Some("CAISold+/="), expired: true };

/// What is done instead of a good answer, once.
#[derive(Clone)]
pub(crate) enum Fault {
    /// The connection is cut after so many bytes of the body.
    Cut(usize),
    /// The same, and then the object is another.
    CutAndChange(usize, Vec<u8>),
    /// Nothing more comes after so many bytes, and the connection stays.
    Silent(usize),
    /// Bytes come, but one after another with waits in between.
    Trickle,
    /// This status, with an empty body.
    Status(u16),
    /// A redirect.
    Redirect(String),
    /// Length and range tell of so many bytes more than there are.
    TellMore(usize),
    /// The length is that of so many bytes only; the range tells the truth.
    TellLess(usize),
    /// Chunked, with so many bytes more than the range tells.
    SendMore(usize),
}

#[derive(Default)]
struct State {
    objects: HashMap<String, Vec<u8>>,
    faults: VecDeque<Fault>,
    requests: Vec<Request>,
    ahead_ms: i64,
}

/// The stand-in. Its threads end with it.
pub(crate) struct Oss {
    server: Server,
    state: Arc<Mutex<State>>,
}

impl Oss {
    pub(crate) fn start() -> Self {
        Self::start_as(None)
    }

    /// With the certificate that `tls` has, if it is given.
    pub(crate) fn start_as(tls: Option<Arc<ServerConfig>>) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let its = Arc::clone(&state);
        let server = Server::start_as(tls, move |request| its.lock().unwrap().answer(request));
        Self { server, state }
    }

    /// Without a scheme.
    pub(crate) fn address(&self) -> String {
        self.server.address().to_string()
    }

    /// As `OSS_ENDPOINT` names it, without TLS.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address())
    }

    pub(crate) fn put(&self, key: &str, content: impl Into<Vec<u8>>) {
        self.state.lock().unwrap().objects.insert(key.to_owned(), content.into());
    }

    /// The next requests for an object that is there meet these, one after another.
    pub(crate) fn faults(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state.lock().unwrap().faults.extend(faults);
    }

    /// Sets its clock ahead.
    pub(crate) fn set_ahead(&self, ms: i64) {
        self.state.lock().unwrap().ahead_ms = ms;
    }

    /// What was asked since this was asked last.
    pub(crate) fn asked(&self) -> Vec<Request> {
        std::mem::take(&mut self.state.lock().unwrap().requests)
    }
}

impl State {
    fn answer(&mut self, request: Request) -> Answer {
        self.requests.push(request.clone());
        let now_ms = Clock::start().wall_ms() + self.ahead_ms;
        let known = |id: &str| [KEYS, TEMPORARY, EXPIRED].into_iter().find(|keys| keys.id == id);
        if let Err(Refusal { status, code, more }) = signature::check(&request, REGION, now_ms, known) {
            return error(status, code, &more);
        }
        let path = request.path();
        let (bucket, key) = path.trim_start_matches('/').split_once('/').unwrap_or((&path, ""));
        let content = match (bucket, self.objects.get(key)) {
            (ELSEWHERE, _) => {
                return error(403, "AccessDenied", "<Endpoint>oss-cn-beijing.aliyuncs.com</Endpoint>");
            }
            (BUCKET, _) if key.starts_with("closed/") => return error(403, "AccessDenied", ""),
            (BUCKET, Some(content)) => content.clone(),
            (BUCKET, None) => return error(404, "NoSuchKey", ""),
            _ => return error(404, "NoSuchBucket", ""),
        };
        let fault = self.faults.pop_front();
        if let Some(Fault::CutAndChange(_, other)) = &fault {
            self.objects.insert(key.to_owned(), other.clone());
        }
        found(&request, &content, fault.as_ref())
    }
}
