//! The HTTP client: whom it trusts, how long it waits, and how it answers the questions of `reqsign`.
//!
//! Servers prove themselves by the system's CAs, of `SSL_CERT_FILE` and `SSL_CERT_DIR` where those are set. Proxies are
//! those of the environment. Nothing is redirected here: a redirect must not take an `Authorization` header along.

use std::error::Error as _;
use std::io;
use std::iter;
use std::time::Duration;

use reqsign_core::{Error, HttpSend};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use tokio_rustls::rustls::Error as TlsError;
use tokio_rustls::rustls::crypto::ring;
use tokio_util::bytes::Bytes;

use super::error::shown;

/// How long a question about credentials may take, and how long a connection for it.
const QUESTION: Duration = Duration::from_secs(10);
const QUESTION_CONNECT: Duration = Duration::from_secs(2);
/// Longest answer to it, in bytes.
const ANSWER_BYTES_MAX: usize = 256 << 10;

/// How long is waited, and how often tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For the next byte.
    pub idle: Duration,
    /// For an answer to begin, and for each MiB of it: what is slower counts as silent.
    pub pace: Duration,
    /// For all of an object that is read into memory.
    pub text: Duration,
    /// How many tries in a row may bring nothing.
    pub tries: u32,
    /// Before the second try; doubled with each one.
    pub back_off: Duration,
    /// Longest wait between two tries.
    pub back_off_max: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            pace: Duration::from_secs(60),
            text: Duration::from_secs(120),
            tries: 5,
            back_off: Duration::from_millis(200),
            back_off_max: Duration::from_secs(5),
        }
    }
}

/// A client for objects.
pub(super) fn client(https: bool, patience: Patience) -> Result<Client, String> {
    let builder = builder(https).connect_timeout(patience.connect).read_timeout(patience.idle);
    builder.build().map_err(|error| cannot_build(&error))
}

fn builder(https: bool) -> reqwest::ClientBuilder {
    // It is asked for by every client that names no other, and there is no other in this program.
    let _ = ring::default_provider().install_default();
    let builder = Client::builder()
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .user_agent(concat!("spindle/", env!("CARGO_PKG_VERSION")));
    // Without TLS no certificate is needed, and none need be installed.
    if https { builder } else { builder.tls_certs_only([]) }
}

fn cannot_build(error: &reqwest::Error) -> String {
    let why = root(error);
    format!(
        "no HTTPS client: {why}; install the package ca-certificates, or set SSL_CERT_FILE to a file of CAs"
    )
}

/// How a request or an answer broke off, in words.
pub(crate) fn broken(error: &reqwest::Error) -> String {
    match error.is_timeout() {
        true if error.is_connect() => "no connection in time".to_owned(),
        true => "nothing came in time".to_owned(),
        false => shown(&root(error)),
    }
}

/// Why the server's certificate is not accepted, if that is what is wrong.
pub(crate) fn distrust(error: &reqwest::Error) -> Option<String> {
    let tls = causes(error).find_map(|cause| within(cause).downcast_ref::<TlsError>())?;
    matches!(tls, TlsError::InvalidCertificate(_)).then(|| shown(&tls.to_string()))
}

/// An error of TLS travels within one of the connection, which does not name it as its source.
fn within<'a>(mut error: &'a (dyn std::error::Error + 'static)) -> &'a (dyn std::error::Error + 'static) {
    while let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        error = inner;
    }
    error
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    iter::successors(Some(error as &(dyn std::error::Error + 'static)), |&error| error.source())
}

/// The first cause: what stands above it repeats the address and says little.
fn root(error: &reqwest::Error) -> String {
    let words = causes(error).last().map(ToString::to_string).unwrap_or_default();
    if error.source().is_some() {
        words
    } else {
        words.split(" for url").next().unwrap_or_default().to_owned()
    }
}

/// The bytes of an answer; `None` if there are more than `bytes_max`.
pub(super) async fn body(mut answer: Response, bytes_max: usize) -> reqwest::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > bytes_max {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// Asks for credentials: the metadata service of ECS, STS.
#[derive(Debug, Clone, Copy)]
pub(super) struct Questions;

impl HttpSend for Questions {
    async fn http_send(&self, question: http::Request<Bytes>) -> reqsign_core::Result<http::Response<Bytes>> {
        let https = question.uri().scheme_str() == Some("https");
        let builder = builder(https).connect_timeout(QUESTION_CONNECT).timeout(QUESTION);
        // The metadata service is on this machine's own link: a proxy would ask for its own credentials.
        let builder = if https { builder } else { builder.no_proxy() };
        let client = builder.build().map_err(|error| Error::unexpected(cannot_build(&error)))?;
        let question = question.try_into().map_err(|_| Error::request_invalid("not a request"))?;
        let answer = client.execute(question).await.map_err(|error| Error::unexpected(broken(&error)))?;
        let mut told = http::Response::builder().status(answer.status());
        for (name, value) in answer.headers() {
            told = told.header(name, value);
        }
        let body = body(answer, ANSWER_BYTES_MAX).await.map_err(|error| Error::unexpected(broken(&error)))?;
        let body = body.ok_or_else(|| Error::unexpected("the answer is too long"))?;
        Ok(told.body(body.into())?)
    }
}
