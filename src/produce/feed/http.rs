//! HTTP as the sources use it: one client, and one place where an answer or an error becomes the end of a connection.
//!
//! Servers prove themselves by the system's CAs, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`. Proxies are those of
//! the environment. Nothing is redirected: a redirect must not take credentials along.

use std::time::Duration;

use anyhow::anyhow;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, Url};
use tokio::time::timeout;
use tokio_rustls::rustls::crypto::ring;
use tokio_util::bytes::Bytes;

use super::live::{Ended, Reason};
use crate::clock::Clock;
use crate::config::SecretMap;
use crate::oss::{broken, distrust, shown};
use crate::produce::reconnect::Failure;

mod reset;
mod secrets;

use secrets::Secrets;

/// How long a connection may take to come about, TLS included.
const CONNECT: Duration = Duration::from_secs(10);
/// How long the text of an error may take to come, in all.
const REFUSAL: Duration = Duration::from_secs(10);
/// Longest error that is read.
const REFUSAL_BYTES_MAX: usize = 4 << 10;

/// The client.
#[derive(Debug, Clone)]
pub(super) struct Http {
    client: Client,
    clock: Clock,
}

impl Http {
    /// A client; without `tls` it needs no CAs.
    pub(super) fn new(tls: bool, clock: Clock) -> anyhow::Result<Self> {
        Self::with(tls, CONNECT, clock)
    }

    /// A client that waits so long for connections.
    pub(super) fn with(tls: bool, connect: Duration, clock: Clock) -> anyhow::Result<Self> {
        // Asked for by every client that names no other. There is no other in this program.
        let _ = ring::default_provider().install_default();
        let builder = Client::builder()
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(connect)
            // A connection that was left must not be used again.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("spindle/", env!("CARGO_PKG_VERSION")));
        let builder = if tls { builder } else { builder.tls_certs_only([]) };
        let client = builder.build().map_err(|error| {
            let remedy = "install the package ca-certificates, or set SSL_CERT_FILE to a file of CAs";
            anyhow!("no HTTPS client: {}; {remedy}", broken(&error))
        })?;
        Ok(Self { client, clock })
    }

    pub(super) fn get(&self, url: Url) -> RequestBuilder {
        self.client.get(url)
    }

    pub(super) fn post(&self, url: Url) -> RequestBuilder {
        self.client.post(url)
    }

    /// Sends a request, and waits for an answer with this status. Any other is the end.
    pub(super) async fn ask(
        &self,
        request: RequestBuilder,
        wanted: StatusCode,
        patience: Duration,
    ) -> Result<Response, Ended> {
        let response = self.answer(request, patience).await?;
        if response.status() == wanted {
            return Ok(response);
        }
        Err(self.refusal(response).await.ended())
    }

    /// Sends a request, and waits for any answer.
    pub(super) async fn answer(
        &self,
        request: RequestBuilder,
        patience: Duration,
    ) -> Result<Response, Ended> {
        let request = request.build().map_err(|error| Ended::connect(words(&error)))?;
        let secrets = Secrets::of(&request);
        match timeout(patience, self.client.execute(request)).await {
            Ok(Ok(mut response)) => {
                response.extensions_mut().insert(secrets);
                Ok(response)
            }
            Ok(Err(error)) => Err(Ended::connect(words(&error))),
            Err(_) => Err(Ended::connect(format!("no answer within {} s", patience.as_secs()))),
        }
    }

    /// What an answer says that is not the one that was wanted.
    pub(super) async fn refusal(&self, mut response: Response) -> Refusal {
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        let read = async {
            while body.len() < REFUSAL_BYTES_MAX
                && let Ok(Some(chunk)) = response.chunk().await
            {
                body.extend_from_slice(&chunk);
            }
        };
        // Half of an error says more than none.
        let _ = timeout(REFUSAL, read).await;
        body.truncate(REFUSAL_BYTES_MAX);
        let secrets = response.extensions().get::<Secrets>().cloned().unwrap_or_default();
        let (reset, url) = (reset::after(&headers, self.clock.wall()), response.url().clone());
        Refusal { status, reset, headers, body, url, secrets }
    }
}

/// An answer that is not the one that was wanted.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// For how long the server wishes to be left alone.
    reset: Option<Duration>,
    headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// What was asked for.
    url: Url,
    secrets: Secrets,
}

impl Refusal {
    /// In words.
    fn words(&self) -> String {
        let text = self.secrets.hide(&String::from_utf8_lossy(&self.body));
        let said = if text.trim().is_empty() { String::new() } else { format!(": {}", shown(&text)) };
        let status = self.status;
        match self.headers.get(http::header::LOCATION) {
            Some(to) if status.is_redirection() => {
                match self.url.join(&String::from_utf8_lossy(to.as_bytes())) {
                    Ok(to) => {
                        // Servers take the query along, with what is secret in it.
                        let (scheme, place, path) = (to.scheme(), place(&to), self.secrets.hide(to.path()));
                        format!("HTTP {status}, to {}", shown(&format!("{scheme}://{place}{path}")))
                    }
                    Err(_) => format!("HTTP {status}, to no address"),
                }
            }
            _ => format!("HTTP {status}{said}"),
        }
    }

    /// What it means for who wants to connect.
    pub(super) fn ended(self) -> Ended {
        let words = self.words();
        let reset = self.reset;
        let remedy = match self.status.as_u16() {
            // 420: Twitter's own, "Enhance Your Calm".
            420 | 429 => {
                let failure = Failure::RateLimited { reset };
                return Ended { failure, reason: Reason::RateLimited, words };
            }
            401 | 403 => "check the credentials of the source, and the clock of this host",
            300..=399 => "give the address that it leads to, as credentials are not taken along",
            400 | 405 | 414 | 415 | 422 | 431 => "check what the source is asked for",
            200..=299 => {
                return Ended::connect(format!("{words}, which is no stream"));
            }
            status => {
                let failure = Failure::Http { status, reset };
                return Ended { failure, reason: Reason::Http, words };
            }
        };
        Ended::refused(words, remedy)
    }

    /// The same where one host may refuse and another one not: nothing is final.
    pub(super) fn ended_here(self) -> Ended {
        let (status, reset) = (self.status.as_u16(), self.reset);
        match self.ended() {
            Ended { reason: Reason::Refused, words, .. } => {
                Ended { failure: Failure::Http { status, reset }, reason: Reason::Http, words }
            }
            other => other,
        }
    }
}

/// The next piece of a body. Its end is the end of the connection.
pub(super) async fn chunk(response: &mut Response, idle: Duration) -> Result<Bytes, Ended> {
    match timeout(idle, response.chunk()).await {
        Ok(Ok(Some(chunk))) => Ok(chunk),
        Ok(Ok(None)) => Err(Ended::normal("the server ended the stream")),
        Ok(Err(error)) => Err(Ended::lost(format!("the stream broke: {}", words(&error)))),
        Err(_) => Err(silent(idle)),
    }
}

/// Nothing came for so long.
pub(super) fn silent(idle: Duration) -> Ended {
    Ended::silent(format!("nothing came for {} s", idle.as_secs()))
}

/// Headers as they are configured. They are never shown.
pub(super) fn headers(configured: &SecretMap) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in configured.iter() {
        let wrong = || anyhow!("source headers: {name:?} is no header that can be sent");
        let mut value = HeaderValue::from_str(value).map_err(|_| wrong())?;
        value.set_sensitive(true);
        headers.insert(HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?, value);
    }
    Ok(headers)
}

/// The address `text` for HTTP; those of WebSockets are the same with another scheme.
pub(super) fn url(text: &str) -> anyhow::Result<Url> {
    let http = match text.split_once("://") {
        Some(("ws", rest)) => format!("http://{rest}"),
        Some(("wss", rest)) => format!("https://{rest}"),
        _ => text.to_owned(),
    };
    // The address may hold a secret, and so is not repeated.
    http.parse().map_err(|error| anyhow!("the source's address is none: {error}"))
}

/// Where an address leads. What is behind the host may be secret.
pub(super) fn place(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}{port}", url.host_str().unwrap_or_default())
}

fn words(error: &reqwest::Error) -> String {
    match distrust(error) {
        Some(why) => format!(
            "its certificate is not trusted: {why}; if the address is right, set SSL_CERT_FILE to a file with the CA \
             that vouches for it"
        ),
        None => broken(error),
    }
}

#[cfg(test)]
mod tests;
