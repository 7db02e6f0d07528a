//! `spindle produce`: posts from a stream or an archive into a Kafka topic.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use tokio::sync::{mpsc, watch};

use super::out;
use super::serve::address;
use super::signals::{Kind, Meaning, Signals};
use super::{jobfile, oss::OssArgs};
use crate::clock::Clock;
use crate::config::load::Setting;
use crate::config::log::Format;
use crate::config::{Layers, Producer};
use crate::exit;
use crate::metrics::ProducerMetrics;
use crate::produce::cursor::CursorError;
use crate::produce::run::{Ended, Stop};
use crate::produce::{self, View};
use crate::web;

/// Arguments of `spindle produce`.
#[derive(Debug, Args)]
pub struct ProduceArgs {
    /// Producer file: a path or oss://bucket/key
    pub producer: PathBuf,
    /// Set a key of the producer file, as in source.file.path=posts.ndjson
    #[arg(long, short = 'c', value_name = "KEY=VALUE", value_parser = setting)]
    pub conf: Vec<Setting>,
    /// Where a producer file in OSS is.
    #[command(flatten)]
    pub oss: OssArgs,
}

fn setting(text: &str) -> Result<Setting, String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok(Setting { key: key.to_owned(), value: value.to_owned(), origin: format!("--conf {key}") })
}

/// Runs the producer until its source is over or somebody stops it.
pub fn run(args: &ProduceArgs) -> anyhow::Result<u8> {
    let layers = Layers { defaults: Vec::new(), settings: args.conf.clone() };
    let producer = jobfile::load_producer(&args.producer, &layers, &args.oss)?;
    super::start_logging(producer.log.level.as_str(), producer.log.format == Format::Json)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("start the runtime")?;
    let ended = runtime.block_on(work(producer));
    // Threads that still wait for Kafka are not waited for.
    runtime.shutdown_background();
    let (code, line) = ended?;
    out::print(&format!("{line}\n"))?;
    Ok(code)
}

async fn work(producer: Producer) -> anyhow::Result<(u8, String)> {
    let clock = Clock::start();
    let (stop, mut stops) = mpsc::unbounded_channel();
    let signals = tokio::spawn(follow_signals(Signals::listen(clock)?, stop));
    let http = web::bind(producer.http.bind, producer.http.port).await?;
    let at = address(&http)?;
    let keys: Vec<String> = producer.keywords.list.iter().map(|keyword| keyword.key.clone()).collect();
    let (seen, view) = watch::channel(View::default());
    let started = tokio::select! {
        started = produce::start(producer, clock, seen) => started,
        stop = stops.recv() => {
            let code = if stop == Some(Stop::Abort) { exit::INTERRUPTED } else { exit::OK };
            return Ok((code, "stopped before anything was read".to_owned()));
        }
    };
    let run = match started {
        Ok(run) => run,
        Err(error) => {
            tracing::error!("{}", super::in_one_line(&error));
            return Ok((code_of(&error), "nothing was sent".to_owned()));
        }
    };
    serve(http, view);
    tracing::info!("metrics at http://{at}/metrics");
    notify(&[sd_notify::NotifyState::Ready]);
    let ended = run.run(stops).await;
    notify(&[sd_notify::NotifyState::Stopping]);
    signals.abort();
    if let Some(failure) = &ended.failure {
        tracing::error!("{}", super::in_one_line(failure));
    }
    Ok((exit_code(&ended), summary(&ended, &keys)))
}

/// Of what a producer failed with.
fn code_of(error: &anyhow::Error) -> u8 {
    match error.downcast_ref() {
        Some(CursorError::Owned { .. } | CursorError::Lost { .. }) => exit::FENCED,
        _ => super::exit_code(error),
    }
}

/// Metrics and health, for as long as this process lives.
fn serve(http: tokio::net::TcpListener, view: watch::Receiver<View>) {
    let metrics = Arc::new(ProducerMetrics::new());
    let health = view.clone();
    let encode = move || {
        view.borrow().show(&metrics);
        metrics.encode()
    };
    let routes = web::process_routes(encode, move || health.borrow().trouble.clone().map_or(Ok(()), Err));
    tokio::spawn(web::serve(http, routes, std::future::pending()));
}

/// Tells systemd, if it started this process as a unit of `Type=notify`.
fn notify(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd could not be told");
    }
}

async fn follow_signals(mut signals: Signals, stop: mpsc::UnboundedSender<Stop>) {
    while let Some(signal) = signals.next().await {
        let order = if signal == (Kind::Interrupt, Meaning::Again) { Stop::Abort } else { Stop::Drain };
        if order == Stop::Drain {
            notify(&[sd_notify::NotifyState::Stopping]);
        }
        if stop.send(order).is_err() {
            return;
        }
    }
}

fn exit_code(ended: &Ended) -> u8 {
    match ended {
        Ended { failure: Some(error), .. } => code_of(error),
        Ended { aborted: true, .. } => exit::INTERRUPTED,
        ended if ended.is_clean() => exit::OK,
        _ => exit::FAILED,
    }
}

/// Both sums, the keys, and what is left.
fn summary(ended: &Ended, keys: &[String]) -> String {
    let accounts = &ended.accounts;
    let keys = keys.iter().map(String::as_str).chain(["null"]).zip(&accounts.by_keyword);
    let keys: Vec<String> = keys.map(|(key, records)| format!("{} {records}", key.escape_debug())).collect();
    let mut text = format!("{accounts}\nacknowledged by key: {}", keys.join(", "));
    if accounts.resent > 0 {
        text += &format!("\nsent again after a restart: {}", accounts.resent);
    }
    if accounts.gaps > 0 {
        text += &format!(
            "\nthe source left out {} intervals, {} s together",
            accounts.gaps,
            accounts.gap_ms.div_ceil(1_000)
        );
    }
    if let Some(left) = ended.left() {
        text += &format!("\n{left}");
    }
    text
}
