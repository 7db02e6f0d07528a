//! HTTP of every process: metrics and health; the driver also says how the job does and takes orders.
//!
//! HTTP/1.1 only, GET, HEAD and PUT only: that is what YARN's web proxy passes. Fed by `metrics` and the driver.

mod listen;
mod token;
mod status;
mod feed;
mod view;
mod api;
pub mod client;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time;

pub use api::driver_routes;
pub use feed::{Printed, PrintedText};
pub use listen::{BindError, bind};
pub use status::{
    CheckpointStatus, ExecutorStatus, Executors, JobState, Lag, SnapshotStatus, Status, WindowStatus,
};
pub use token::{LocalToken, Token, TokenError, local_token, token_path};
pub use view::{Action, DriverView, Process, Reply, Role, Snapshot};

use self::listen::Bounded;

/// How long answers in the making may still take once the process is to end.
pub const DRAIN_DEADLINE: Duration = Duration::from_secs(2);

/// What Prometheus' text format calls itself.
const METRICS_TYPE: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// `/metrics` and `/healthz`, which every process has.
///
/// `metrics` writes the exposition; `health` answers why the process should not be used, or `Ok`. Both are called for
/// each request and must not wait.
pub fn process_routes(
    metrics: impl Fn() -> String + Send + Sync + 'static,
    health: impl Fn() -> Result<(), String> + Send + Sync + 'static,
) -> Router {
    let (metrics, health) = (Arc::new(metrics), Arc::new(health));
    let exposition = move || async move { ([(header::CONTENT_TYPE, METRICS_TYPE)], metrics()) };
    let healthy = move || async move {
        match health() {
            Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
            Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason + "\n"),
        }
    };
    Router::new().route("/metrics", get(exposition)).route("/healthz", get(healthy))
}

/// Serves `routes` until `shutdown` ends; answers in the making have [`DRAIN_DEADLINE`] then.
///
/// Fails only when the listener does; a client never ends it.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (draining, drain) = oneshot::channel();
    let shutdown = async move {
        shutdown.await;
        let _ = draining.send(());
    };
    let routes = routes.fallback(nothing_here).layer(map_response(never_stored));
    let server = axum::serve(Bounded::new(listener), routes).with_graceful_shutdown(shutdown);
    let drained = async {
        // Without a word (the server ended by itself) there is nothing to wait for.
        if drain.await.is_ok() {
            time::sleep(DRAIN_DEADLINE).await;
        }
    };
    tokio::select! {
        ended = server.into_future() => ended,
        () = drained => Ok(()),
    }
}

async fn nothing_here() -> Response {
    (
        StatusCode::NOT_FOUND,
        "nothing here; every process has /metrics and /healthz, the driver also /api/status\n",
    )
        .into_response()
}

/// Everything here is true for a moment only; a cache between would show an old window as the newest.
async fn never_stored(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests;
