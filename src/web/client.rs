//! The other end of `api`: what `spindle status`, `stop` and `scale` ask a driver. Blocking; one request each.

use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use ureq::Agent;
use ureq::http::Uri;

use crate::ids::Millis;

use super::feed::Printed;
use super::status::Status;
use super::token::Token;

/// How long one request may take, connection and answer together.
const REQUEST_DEADLINE: Duration = Duration::from_secs(15);
/// How long a host may take to answer at all: a node that this one cannot reach is asked through YARN instead.
const CONNECT_DEADLINE: Duration = Duration::from_secs(3);
/// Longest wait for a window within one request.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 8 << 20;

/// Why a driver could not be asked, or said no.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// What was given is not the address of a driver.
    #[error("{url}: not an http:// address of a driver, such as http://127.0.0.1:4040")]
    NotAnAddress {
        /// As it was given.
        url: String,
    },
    /// No answer.
    #[error("ask {url}: {source}; does the job still run, and may this host reach it?")]
    NoAnswer {
        /// What was asked.
        url: String,
        /// What went wrong.
        source: Box<ureq::Error>,
    },
    /// The driver said no.
    #[error("ask {url}: refused ({status}): {why}")]
    Refused {
        /// What was asked.
        url: String,
        /// HTTP status.
        status: u16,
        /// The driver's words.
        why: String,
    },
    /// An answer, but not a driver's.
    #[error(
        "ask {url}: the answer ({status}) is not a spindle driver's; has the job ended, or does another program listen there?"
    )]
    NotSpindle {
        /// What was asked.
        url: String,
        /// HTTP status.
        status: u16,
    },
}

/// How the job at `url` (the driver's own address, or its page behind YARN's proxy) does.
pub fn get_status(url: &str) -> Result<Status, ClientError> {
    let url = at(url, "api/status")?;
    let answer = agent().get(&url).call();
    let (status, body) = read(&url, answer)?;
    serde_json::from_value(body).map_err(|_| ClientError::NotSpindle { url, status })
}

/// The windows behind `after_ms`, in the job's console format; waits up to `wait` for the next one. `follow` tells the
/// job that somebody wants to see every window.
pub fn get_windows(
    url: &str,
    after_ms: Millis,
    wait: Duration,
    follow: bool,
) -> Result<Printed, ClientError> {
    let asked = at(url, "api/windows")?;
    let wait_ms = wait.min(WAIT_MAX).as_millis();
    let answer = agent().get(format!("{asked}?after={after_ms}&wait_ms={wait_ms}&follow={follow}")).call();
    let (status, body) = read(&asked, answer)?;
    serde_json::from_value(body).map_err(|_| ClientError::NotSpindle { url: asked, status })
}

/// Asks the job to take its last cut and end within `deadline`; returns when the driver has agreed.
pub fn stop(url: &str, token: &Token, deadline: Duration) -> Result<(), ClientError> {
    #[derive(Serialize)]
    struct Order<'a> {
        token: &'a str,
        deadline_ms: u64,
    }
    let deadline_ms = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
    order(url, "api/stop", &Order { token: token.reveal(), deadline_ms })
}

/// Asks the job to run `executors` executors; returns when the driver has agreed.
pub fn scale(url: &str, token: &Token, executors: u32) -> Result<(), ClientError> {
    #[derive(Serialize)]
    struct Order<'a> {
        token: &'a str,
        executors: u32,
    }
    order(url, "api/scale", &Order { token: token.reveal(), executors })
}

/// The port of a driver on this machine; `None` when `url` leads elsewhere, where this machine's tokens must not go.
pub fn local_port(url: &str) -> Option<u16> {
    let uri: Uri = url.parse().ok()?;
    let host = uri.host()?.trim_start_matches('[').trim_end_matches(']');
    let local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    uri.port_u16().filter(|_| local)
}

fn order(url: &str, path: &str, order: &impl Serialize) -> Result<(), ClientError> {
    let url = at(url, path)?;
    let body = serde_json::to_string(order).expect("strings and numbers are always JSON");
    let answer = agent().put(&url).header("content-type", "application/json").send(&body);
    let (status, body) = read(&url, answer)?;
    match body.get("accepted") {
        Some(Value::Bool(true)) => Ok(()),
        _ => Err(ClientError::NotSpindle { url, status }),
    }
}

fn at(url: &str, path: &str) -> Result<String, ClientError> {
    let whole = format!("{}/{path}", url.trim_end_matches('/'));
    let known = whole.parse::<Uri>().is_ok_and(|uri| {
        uri.scheme_str() == Some("http")
            && uri.host().is_some_and(|host| !host.is_empty())
            && uri.query().is_none()
    });
    if known { Ok(whole) } else { Err(ClientError::NotAnAddress { url: url.to_owned() }) }
}

/// No proxy of the environment: a driver is a neighbour, and orders carry a token.
fn agent() -> Agent {
    Agent::config_builder()
        .timeout_global(Some(REQUEST_DEADLINE))
        .timeout_connect(Some(CONNECT_DEADLINE))
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .build()
        .new_agent()
}

/// The JSON of a good answer, or the reason of a bad one.
fn read(
    url: &str,
    answer: Result<http::Response<ureq::Body>, ureq::Error>,
) -> Result<(u16, Value), ClientError> {
    let no_answer = |source| ClientError::NoAnswer { url: url.to_owned(), source: Box::new(source) };
    let mut answer = answer.map_err(no_answer)?;
    let status = answer.status().as_u16();
    let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string().map_err(no_answer)?;
    let body: Value =
        serde_json::from_str(&body).map_err(|_| ClientError::NotSpindle { url: url.to_owned(), status })?;
    if (200..300).contains(&status) {
        return Ok((status, body));
    }
    match body.get("error").and_then(Value::as_str) {
        Some(why) => Err(ClientError::Refused { url: url.to_owned(), status, why: why.to_owned() }),
        None => Err(ClientError::NotSpindle { url: url.to_owned(), status }),
    }
}

#[cfg(test)]
mod tests;
