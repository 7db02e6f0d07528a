//! `spindle status`: how a job is doing.

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::app::{App, Found};
use super::checkpoint::size;
use super::out;
use crate::clock::Clock;
use crate::exit;
use crate::ids::Millis;
use crate::web::{CheckpointStatus, Status, WindowStatus};
use crate::yarn::{Application, FinalStatus, State};

/// Arguments of `spindle status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Application id, unique running name, or the driver's URL
    pub app: App,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Exit with 1 when something needs attention
    #[arg(long)]
    pub check: bool,
}

/// Shows the job's state.
pub fn run(args: &StatusArgs) -> anyhow::Result<u8> {
    let found = Found::of(&args.app)?;
    if let Some((_, app)) = found.application.as_ref().filter(|(_, app)| app.state != State::Running) {
        return without_driver(args, app);
    }
    let (_, status) = found.status()?;
    let text = if args.json {
        serde_json::to_string(&status)? + "\n"
    } else {
        in_words(&status, Clock::start().wall_ms())
    };
    out::print(&text)?;
    let wanting = args.check && !status.attention.is_empty();
    Ok(if wanting { exit::FAILED } else { exit::OK })
}

/// What YARN says of an application that has no driver yet, or no more.
fn without_driver(args: &StatusArgs, app: &Application) -> anyhow::Result<u8> {
    let Application { id, name, state, queue, .. } = app;
    let text = if args.json {
        serde_json::json!({"name": name, "app": id, "state": state.to_string(), "attention": app.why().as_slice()})
            .to_string()
    } else {
        let why = app.why().unwrap_or("none");
        format!("{name} {id} {state} in queue {queue}\nattention  {why}")
    };
    out::print(&(text + "\n"))?;
    let wanting = args.check && app.final_status != FinalStatus::Succeeded;
    Ok(if wanting { exit::FAILED } else { exit::OK })
}

/// A few lines for people.
fn in_words(status: &Status, now_ms: Millis) -> String {
    let Status { name, app, state, attempt, version, lag, executors, .. } = status;
    let state = format!("{state:?}").to_uppercase();
    let up_s = (now_ms - status.since_ms).max(0) / 1000;
    let window = status.window.map_or_else(|| "none yet".to_owned(), |window| window_in_words(&window));
    let worst = lag.worst.as_ref().map_or(String::new(), |worst| format!(" (worst {worst})"));
    let unread = if status.unread.is_empty() { "none".to_owned() } else { status.unread.join(" ") };
    let attention = if status.attention.is_empty() { "none".to_owned() } else { status.attention.join("; ") };
    let checkpoint = checkpoint_in_words(status);
    let (running, wanted, hosts) = (executors.running, executors.wanted, executors.hosts);
    format!(
        "{name} {app} {state} {} attempt {attempt} v{version}\n\
         window     {window}\n\
         lag        {} records {:.1}s{worst}  unread {unread}\n\
         {checkpoint}\
         executors  {running}/{wanted} on {hosts} hosts\n\
         attention  {attention}\n",
        duration_in_words(up_s),
        lag.records,
        lag.seconds,
    )
}

fn window_in_words(window: &WindowStatus) -> String {
    let WindowStatus { end_ms, delay_ms, total, distinct, complete } = window;
    let end = time(*end_ms);
    let whole = if *complete { "complete" } else { "not complete" };
    let delay_s = *delay_ms as f64 / 1000.0;
    format!("{end} printed +{delay_s:.3}s  total {total}  keys {distinct}  {whole}")
}

fn checkpoint_in_words(status: &Status) -> String {
    let Some(CheckpointStatus { age_ms, bytes, queued }) = status.checkpoint else { return String::new() };
    let waiting = if queued > 1 { format!("  {queued} slides wait") } else { String::new() };
    let age_s = age_ms as f64 / 1000.0;
    let snapshot =
        status.snapshot.map_or(String::new(), |snapshot| format!("  snapshot {}", time(snapshot.through_ms)));
    format!("checkpoint {age_s:.1}s ago {}{waiting}{snapshot}\n", size(bytes))
}

fn time(at_ms: Millis) -> String {
    Timestamp::from_millisecond(at_ms).map_or_else(
        |_| at_ms.to_string(),
        |at| at.to_zoned(TimeZone::system()).strftime("%H:%M:%S").to_string(),
    )
}

fn duration_in_words(seconds: i64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}
