//! What every driver process has, wherever it runs: its HTTP, with orders that become the driver's commands.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::driver::{Command, Observer};
use crate::web::{self, Action, Token};

/// How long the last cut, print and commit may take after a signal: what is left of the two seconds in which people
/// expect the end is for executors that do not end by themselves.
pub(super) const STOP: Duration = Duration::from_millis(1_200);

/// Metrics, status and orders by HTTP, for as long as this process lives.
pub(super) fn serve_http(
    http: TcpListener,
    observer: &mut Observer,
    token: Token,
    orders: mpsc::UnboundedSender<Command>,
) {
    let metrics = observer.metrics();
    let routes = web::process_routes(move || metrics.encode(), || Ok(()))
        .merge(web::driver_routes(observer.view(), token));
    tokio::spawn(web::serve(http, routes, std::future::pending()));
    if let Some(actions) = observer.actions() {
        tokio::spawn(follow_actions(actions, orders));
    }
}

async fn follow_actions(mut actions: mpsc::Receiver<Action>, orders: mpsc::UnboundedSender<Command>) {
    while let Some(action) = actions.recv().await {
        let (order, reply) = match action {
            Action::Stop { deadline, reply } => (Command::Stop { within: deadline.unwrap_or(STOP) }, reply),
            Action::Scale { executors, reply } => (Command::Scale(executors), reply),
        };
        let taken = orders.send(order).map_err(|_| "the driver is ending".to_owned());
        // Who asked may have gone.
        let _ = reply.send(taken);
    }
}

/// Where a listener listens.
pub(super) fn address(listener: &TcpListener) -> anyhow::Result<SocketAddr> {
    listener.local_addr().context("read the port that was bound")
}
