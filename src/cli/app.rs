//! How commands name a running job: application id, unique running name, or the driver's URL.

use std::fmt;
use std::str::FromStr;

use super::Usage;
use crate::web::{self, Token, client};

/// A running job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum App {
    /// `application_1700000000000_0042`.
    Id(String),
    /// The URL of the driver's page, `http://host:port`, without a slash at its end.
    Url(String),
    /// The job's name, when only one such job runs.
    Name(String),
}

impl FromStr for App {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
        let id = text.strip_prefix("application_").and_then(|rest| rest.split_once('_'));
        if text.starts_with("http://") || text.starts_with("https://") {
            return Ok(Self::Url(text.trim_end_matches('/').to_owned()));
        }
        match id {
            Some((cluster, number)) if digits(cluster) && digits(number) => Ok(Self::Id(text.to_owned())),
            _ if text.trim().is_empty() => Err("name the job by application id, name or URL".to_owned()),
            _ => Ok(Self::Name(text.to_owned())),
        }
    }
}

impl fmt::Display for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Id(text) | Self::Url(text) | Self::Name(text)) = self;
        f.write_str(text)
    }
}

/// A driver that answers at a URL.
pub(super) struct Driver {
    /// Where, without a slash at its end.
    pub url: String,
}

impl Driver {
    /// The driver of `app`; `command` is what it is wanted for.
    pub(super) fn of(app: &App, command: &str) -> anyhow::Result<Self> {
        match app {
            App::Url(url) => Ok(Self { url: url.clone() }),
            App::Id(_) | App::Name(_) => {
                let why =
                    format!("{command} by application id or name is not built yet; give the driver's URL");
                Err(Usage(why).into())
            }
        }
    }

    /// What the driver wants to see before it changes anything: for a job of this user on this machine.
    pub(super) fn token(&self) -> anyhow::Result<Token> {
        let port = client::local_port(&self.url).ok_or_else(|| {
            Usage(format!("{}: not a job on this machine, so its token is not here", self.url))
        })?;
        Ok(web::local_token(port)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apps_are_named_by_id_name_or_url() {
        let app = |text: &str| text.parse::<App>();
        assert_eq!(app("application_17_0042"), Ok(App::Id("application_17_0042".to_owned())));
        assert_eq!(app("application_x"), Ok(App::Name("application_x".to_owned())));
        assert_eq!(app("http://127.0.0.1:4040/"), Ok(App::Url("http://127.0.0.1:4040".to_owned())));
        assert_eq!(app("TweetsApp"), Ok(App::Name("TweetsApp".to_owned())));
        assert!(app(" ").is_err());
    }
}
