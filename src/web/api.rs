//! The driver's routes: how the job does, its processes for Prometheus, and the two orders. Reads `view`.
//!
//! Reads are open. Orders need the token, in the header `X-Spindle-Token` or in the body: YARN's web proxy drops
//! headers that it does not know, and passes PUT but not POST.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::time;

use super::feed::Printed;
use super::token::Token;
use super::view::{Action, DriverView, Reply, Role};
use crate::ids::Millis;

/// Longest body of an order.
const ORDER_BYTES_MAX: usize = 4 << 10;

/// How long the driver may take to answer an order. It answers between two slides' work.
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);

/// Longest wait for the next window: YARN's web proxy gives up after 60 s of silence.
const WAIT_MAX: Duration = Duration::from_secs(20);

const TOKEN_HEADER: &str = "x-spindle-token";

#[derive(Clone)]
struct Api {
    view: Arc<DriverView>,
    token: Token,
}

/// `/sd`, `GET /api/status`, `GET /api/window`, `GET /api/windows`, `PUT /api/stop`, `PUT /api/scale`; to be merged with
/// [`process_routes`](super::process_routes).
pub fn driver_routes(view: Arc<DriverView>, token: Token) -> Router {
    Router::new()
        .route("/sd", get(service_discovery))
        .route("/api/status", get(status))
        .route("/api/window", get(window))
        .route("/api/windows", get(windows))
        .route("/api/stop", put(stop))
        .route("/api/scale", put(scale))
        .layer(DefaultBodyLimit::max(ORDER_BYTES_MAX))
        .with_state(Api { view, token })
}

/// One element of Prometheus' HTTP service discovery (prometheus.io, "HTTP SD").
#[derive(Serialize)]
struct Target {
    targets: [String; 1],
    labels: BTreeMap<&'static str, String>,
}

async fn service_discovery(State(api): State<Api>) -> Json<Vec<Target>> {
    let snapshot = api.view.snapshot();
    let target = |process: &super::view::Process| {
        let mut labels = BTreeMap::from([("app", snapshot.status.name.clone())]);
        match process.role {
            Role::Driver => labels.insert("role", "driver".to_owned()),
            Role::Executor { slot } => {
                labels.insert("slot", slot.to_string());
                labels.insert("role", "executor".to_owned())
            }
        };
        Target { targets: [process.address.clone()], labels }
    };
    Json(snapshot.processes.iter().map(target).collect())
}

async fn status(State(api): State<Api>) -> Response {
    Json(&api.view.snapshot().status).into_response()
}

async fn window(State(api): State<Api>) -> Response {
    match &api.view.snapshot().window_json {
        Some(window) => ([(header::CONTENT_TYPE, "application/json")], window.to_string()).into_response(),
        None => Refusal(StatusCode::NOT_FOUND, "there is no window yet".to_owned()).into_response(),
    }
}

/// What a follower asks for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Following {
    /// The newest window that it has; 0 for all that are kept.
    after: Millis,
    /// How long to wait for the next one, milliseconds.
    #[serde(default)]
    wait_ms: u64,
    /// Whether the job is to know that somebody follows it.
    #[serde(default)]
    follow: bool,
}

async fn windows(State(api): State<Api>, Query(following): Query<Following>) -> Json<Printed> {
    let wait = Duration::from_millis(following.wait_ms).min(WAIT_MAX);
    let feed = api.view.feed();
    let (windows, missed) = match following.follow {
        true => feed.follow(following.after, wait).await,
        false => feed.after(following.after, wait).await,
    };
    let snapshot = api.view.snapshot();
    let (app, attempt) = (snapshot.status.app.clone(), snapshot.status.attempt);
    Json(Printed { app, attempt, windows, missed })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StopOrder {
    token: Option<String>,
    deadline_ms: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScaleOrder {
    token: Option<String>,
    executors: u32,
}

async fn stop(State(api): State<Api>, headers: HeaderMap, body: Bytes) -> Result<Response, Refusal> {
    let order: StopOrder = parse(&body)?;
    api.admit(&headers, order.token.as_deref())?;
    let deadline = order.deadline_ms.map(Duration::from_millis);
    api.order(|reply| Action::Stop { deadline, reply }).await
}

async fn scale(State(api): State<Api>, headers: HeaderMap, body: Bytes) -> Result<Response, Refusal> {
    let order: ScaleOrder = parse(&body)?;
    api.admit(&headers, order.token.as_deref())?;
    if order.executors == 0 {
        let why = "a job needs at least 1 executor; to end it, stop it".to_owned();
        return Err(Refusal(StatusCode::BAD_REQUEST, why));
    }
    api.order(|reply| Action::Scale { executors: order.executors, reply }).await
}

impl Api {
    fn admit(&self, headers: &HeaderMap, in_body: Option<&str>) -> Result<(), Refusal> {
        let in_header = headers.get(TOKEN_HEADER).and_then(|value| value.to_str().ok());
        let why = match in_header.or(in_body) {
            Some(offered) if self.token.admits(offered) => return Ok(()),
            Some(_) => "the token is not this job's",
            None => "this needs the job's token, in the field \"token\" or the header X-Spindle-Token",
        };
        Err(Refusal(StatusCode::FORBIDDEN, why.to_owned()))
    }

    async fn order(&self, action: impl FnOnce(Reply) -> Action) -> Result<Response, Refusal> {
        let (reply, answer) = oneshot::channel();
        let busy = |why: &str| Refusal(StatusCode::SERVICE_UNAVAILABLE, why.to_owned());
        self.view.order(action(reply)).map_err(busy)?;
        match time::timeout(ANSWER_DEADLINE, answer).await {
            Ok(Ok(Ok(()))) => Ok((StatusCode::ACCEPTED, Json(Taken { accepted: true })).into_response()),
            Ok(Ok(Err(why))) => Err(Refusal(StatusCode::CONFLICT, why)),
            Ok(Err(_)) => Err(busy("the driver ended before it answered")),
            Err(_) => Err(Refusal(
                StatusCode::GATEWAY_TIMEOUT,
                "the driver has not answered in time; it may still follow the order".to_owned(),
            )),
        }
    }
}

/// Whatever the Content-Type says: the proxy may have dropped it.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| {
        Refusal(StatusCode::BAD_REQUEST, format!("the body is not this order's JSON: {error}"))
    })
}

#[derive(Serialize)]
struct Taken {
    accepted: bool,
}

/// An answer that is no; `{"error": why}`.
struct Refusal(StatusCode, String);

#[derive(Serialize)]
struct RefusalBody {
    error: String,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(RefusalBody { error: self.1 })).into_response()
    }
}
