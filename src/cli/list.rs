//! `spindle list`: the applications on the cluster that are not over.

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::{app, out};
use crate::exit;
use crate::ids::Millis;
use crate::yarn::Application;

/// Arguments of `spindle list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// One application, for scripts. Field names are a contract.
#[derive(Serialize)]
struct Listed<'a> {
    id: &'a str,
    name: &'a str,
    state: String,
    user: &'a str,
    queue: &'a str,
    started_ms: Millis,
    url: Option<&'a str>,
}

/// Lists the applications, the oldest first.
pub fn run(args: &ListArgs) -> anyhow::Result<u8> {
    let applications = app::resource_manager()?.applications()?;
    let mut text = String::new();
    for application in &applications {
        text += &if args.json { json(application)? } else { line(application) };
        text.push('\n');
    }
    out::print(&text)?;
    Ok(exit::OK)
}

fn json(app: &Application) -> serde_json::Result<String> {
    serde_json::to_string(&Listed {
        id: &app.id,
        name: &app.name,
        state: app.state.to_string(),
        user: &app.user,
        queue: &app.queue,
        started_ms: app.started_time,
        url: app.tracking_url.as_deref(),
    })
}

fn line(app: &Application) -> String {
    let Application { id, name, user, queue, state, .. } = app;
    let started = Timestamp::from_millisecond(app.started_time).map_or_else(
        |_| String::new(),
        |time| time.to_zoned(TimeZone::system()).strftime("%m-%d %H:%M:%S").to_string(),
    );
    let url = app.tracking_url.as_deref().unwrap_or("-");
    format!("{id}  {state:<9}  {started}  {user}  {queue}  {name}  {url}")
}
