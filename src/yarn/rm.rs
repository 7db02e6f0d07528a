//! The ResourceManager's REST interface: an application's state, the running ones, kill. No JVM, unless one has
//! to prove who kills.
//!
//! "ResourceManager REST API's" at hadoop.apache.org, the same from 2.8 to 3.4. Where several ResourceManagers stand in
//! for each other, a standby answers with a redirect or a sentence; then the next one is asked.

use std::fmt;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use ureq::Agent;
use ureq::http::StatusCode;

use super::conf::{ConfError, HadoopConf};
use crate::ids::Millis;

/// How long one request may take.
const REQUEST_DEADLINE: Duration = Duration::from_secs(10);
/// Longest answer that is read: a cluster with thousands of applications.
const ANSWER_BYTES_MAX: u64 = 64 << 20;
/// What our applications are registered as.
const APPLICATION_TYPE: &str = "SPINDLE";

/// Why the ResourceManager could not be asked, or said no.
#[derive(Debug, thiserror::Error)]
pub enum RmError {
    /// None of them answers.
    #[error("ask the ResourceManager at {asked}: {why}; is it up, and may this host reach it?")]
    Unreachable {
        /// Their addresses.
        asked: String,
        /// What the last one failed with.
        why: String,
    },
    /// It does not know the application.
    #[error("no {id} on this cluster; see spindle list")]
    NoApplication {
        /// As it was asked for.
        id: String,
    },
    /// It said no.
    #[error("the ResourceManager refuses: {0}")]
    Refused(String),
}

/// What an application is doing, in YARN's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// Being written down.
    New,
    /// Being written down.
    NewSaving,
    /// Not in a queue yet.
    Submitted,
    /// In a queue; its application master has no container yet, or has not registered.
    Accepted,
    /// Its application master is registered.
    Running,
    /// Over, by its own account.
    Finished,
    /// Over, by YARN's account.
    Failed,
    /// Killed by somebody.
    Killed,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::New | Self::NewSaving | Self::Submitted => "SUBMITTED",
            Self::Accepted => "ACCEPTED",
            Self::Running => "RUNNING",
            Self::Finished => "FINISHED",
            Self::Failed => "FAILED",
            Self::Killed => "KILLED",
        })
    }
}

/// How an application says it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FinalStatus {
    /// Not over yet.
    Undefined,
    /// Well.
    Succeeded,
    /// Badly.
    Failed,
    /// Killed by somebody.
    Killed,
    /// A word of a newer YARN.
    #[serde(other)]
    Other,
}

/// One application.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Application {
    /// YARN's id of it.
    pub id: String,
    /// The job's name.
    pub name: String,
    /// Who submitted it.
    pub user: String,
    /// Its queue.
    pub queue: String,
    /// What it is doing.
    pub state: State,
    /// How it ended.
    pub final_status: FinalStatus,
    /// When it was submitted.
    pub started_time: Millis,
    /// Its page behind YARN's proxy; absent before there is one.
    #[serde(default)]
    pub tracking_url: Option<String>,
    /// `host:port` that the driver has registered; absent before 3.0 and before it has.
    #[serde(default, rename = "amRPCAddress")]
    pub am_rpc_address: Option<String>,
    /// Why it waits, or how it ended.
    #[serde(default)]
    pub diagnostics: String,
}

impl Application {
    /// Whether it will never do anything again.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Finished | State::Failed | State::Killed)
    }

    /// Why it waits, or how it ended, in one line; the rest of what YARN says is most often a stack trace.
    pub fn why(&self) -> Option<&str> {
        self.diagnostics.lines().map(str::trim).find(|line| !line.is_empty())
    }

    /// Where its driver may be found: directly where YARN knows that, and behind YARN's proxy.
    pub fn drivers(&self) -> Vec<String> {
        if self.state != State::Running {
            return Vec::new();
        }
        let direct = self.am_rpc_address.iter().filter(|address| !address.starts_with("N/A"));
        let direct = direct.map(|address| format!("http://{address}"));
        let proxied = self.tracking_url.iter().filter(|url| url.starts_with("http"));
        direct.chain(proxied.map(|url| url.trim_end_matches('/').to_owned())).collect()
    }
}

/// The ResourceManagers of one cluster.
#[derive(Debug, Clone)]
pub struct ResourceManager {
    addresses: Vec<String>,
    agent: Agent,
    /// Whether one has to prove who one is.
    secured: bool,
}

impl ResourceManager {
    /// Those that the settings name.
    pub fn of(conf: &HadoopConf) -> Result<Self, ConfError> {
        let secured = conf.get("hadoop.security.authentication").is_some_and(|how| how != "simple");
        Ok(Self { secured, ..Self::at(conf.resource_managers()?) })
    }

    /// Those at these web addresses.
    fn at(addresses: Vec<String>) -> Self {
        let agent = Agent::config_builder()
            .timeout_global(Some(REQUEST_DEADLINE))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .build()
            .new_agent();
        Self { addresses, agent, secured: false }
    }

    /// One application.
    pub fn application(&self, id: &str) -> Result<Application, RmError> {
        #[derive(Deserialize)]
        struct Answer {
            app: Application,
        }
        let answer: Answer = self.ask(&format!("apps/{id}")).map_err(|error| match error {
            Answered::NotFound => RmError::NoApplication { id: id.to_owned() },
            Answered::Error(error) => error,
        })?;
        Ok(answer.app)
    }

    /// Spindle's applications that are not over.
    pub fn applications(&self) -> Result<Vec<Application>, RmError> {
        #[derive(Deserialize)]
        struct Answer {
            apps: Option<Apps>,
        }
        #[derive(Deserialize)]
        struct Apps {
            #[serde(default)]
            app: Vec<Application>,
        }
        let states = "NEW,NEW_SAVING,SUBMITTED,ACCEPTED,RUNNING";
        let path = format!("apps?states={states}&applicationTypes={APPLICATION_TYPE}");
        let answer: Answer = self.ask(&path).map_err(|error| match error {
            Answered::NotFound => RmError::Refused("it has no list of applications".to_owned()),
            Answered::Error(error) => error,
        })?;
        let mut apps = answer.apps.map(|apps| apps.app).unwrap_or_default();
        apps.sort_by_key(|app| app.started_time);
        Ok(apps)
    }

    /// Kills an application as `user`. Returns when the ResourceManager has agreed.
    ///
    /// With Kerberos as whoever has a ticket, by Hadoop's own command: REST takes an order from somebody who is proved
    /// only where the web servers were told to ask for that, too.
    pub fn kill(&self, id: &str, user: &str) -> Result<(), RmError> {
        if self.secured {
            return kill_by_command(id);
        }
        #[derive(Serialize)]
        struct Wanted {
            state: &'static str,
        }
        let path = format!("apps/{id}/state?user.name={user}");
        let body = serde_json::to_string(&Wanted { state: "KILLED" }).expect("a word is always JSON");
        let put = |url: &str| self.agent.put(url).header("content-type", "application/json").send(&body);
        match self.try_each(&path, put) {
            Ok((status, _)) if status.is_success() => Ok(()),
            Ok((StatusCode::NOT_FOUND, _)) => Err(RmError::NoApplication { id: id.to_owned() }),
            Ok((status, text)) => Err(refused(status, &text)),
            Err(error) => Err(error),
        }
    }

    fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<T, Answered> {
        let get = |url: &str| self.agent.get(url).header("accept", "application/json").call();
        let (status, text) = self.try_each(path, get).map_err(Answered::Error)?;
        if status == StatusCode::NOT_FOUND {
            return Err(Answered::NotFound);
        }
        if !status.is_success() {
            return Err(Answered::Error(refused(status, &text)));
        }
        serde_json::from_str(&text).map_err(|error| {
            Answered::Error(RmError::Refused(format!("its answer is not what it should be: {error}")))
        })
    }

    /// The first answer of one that is in charge.
    fn try_each(
        &self,
        path: &str,
        request: impl Fn(&str) -> Result<http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<(StatusCode, String), RmError> {
        let mut why = String::new();
        for address in &self.addresses {
            let answer = request(&format!("{address}/ws/v1/cluster/{path}")).and_then(|mut answer| {
                let text = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string()?;
                Ok((answer.status(), text))
            });
            match answer {
                Ok((status, _)) if status.is_redirection() => why = "it is on standby".to_owned(),
                Ok((_, text)) if text.starts_with("This is standby RM") => {
                    why = "it is on standby".to_owned()
                }
                Ok(answer) => return Ok(answer),
                Err(error) => why = error.to_string(),
            }
        }
        Err(RmError::Unreachable { asked: self.addresses.join(", "), why })
    }
}

enum Answered {
    NotFound,
    Error(RmError),
}

fn kill_by_command(id: &str) -> Result<(), RmError> {
    let command = "yarn application -kill";
    let done = Command::new("yarn").args(["application", "-kill", id]).stdin(Stdio::null()).output();
    let done = done.map_err(|error| {
        RmError::Refused(format!("run {command}: {error}; put Hadoop's bin folder on the PATH"))
    })?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it does not say why");
    Err(RmError::Refused(format!("{command}: {last}")))
}

/// The first line of what it says: the rest is a stack trace.
fn refused(status: StatusCode, text: &str) -> RmError {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Body {
        remote_exception: Exception,
    }
    #[derive(Deserialize)]
    struct Exception {
        message: String,
    }
    let message = match serde_json::from_str::<Body>(text) {
        Ok(body) => body.remote_exception.message,
        Err(_) => format!("HTTP status {status}"),
    };
    RmError::Refused(message.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests;
