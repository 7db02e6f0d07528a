//! How commands name a running job: application id, unique running name, or the driver's URL.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context as _, bail};

use super::Usage;
use crate::store::{Address, Kind, Store};
use crate::web::{self, Status, Token, client};
use crate::wire::Secret;
use crate::yarn::{Application, HadoopConf, ResourceManager};

/// What a submission calls the file.
const SECRET_FILE: &str = "secret";
/// More than it ever has.
const SECRET_BYTES_MAX: u64 = 1 << 10;

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

/// A job, found.
pub(super) struct Found {
    /// Where it runs on YARN; `None` for a driver that was named by its URL.
    pub application: Option<(ResourceManager, Application)>,
    /// Where its driver may answer, the nearest first, without a slash at the end.
    urls: Vec<String>,
}

impl Found {
    /// Finds a job that is not over; of those with one name there must be one.
    pub(super) fn of(app: &App) -> anyhow::Result<Self> {
        let (application, rm) = match app {
            App::Url(url) => return Ok(Self { application: None, urls: vec![url.clone()] }),
            App::Id(id) => {
                let rm = resource_manager()?;
                (rm.application(id)?, rm)
            }
            App::Name(name) => {
                let rm = resource_manager()?;
                (unique(&rm, name)?, rm)
            }
        };
        let urls = application.drivers();
        Ok(Self { application: Some((rm, application)), urls })
    }

    /// How the job does, and where its driver answers; the error is that of the last place tried.
    pub(super) fn status(&self) -> anyhow::Result<(String, Status)> {
        let mut failed = None;
        for url in &self.urls {
            match client::get_status(url) {
                Ok(status) => return Ok((url.clone(), status)),
                Err(error) => failed = Some(error),
            }
        }
        match (failed, &self.application) {
            (Some(error), _) => Err(error.into()),
            (None, Some((_, app))) => bail!("{} has no driver: it is {}", app.id, app.state),
            (None, None) => bail!("no driver was named"),
        }
    }

    /// The driver, and what it wants to see before it changes anything: for a job of this user.
    pub(super) fn driver(&self) -> anyhow::Result<(String, Token)> {
        let (url, status) = self.status()?;
        if let Some(dir) = &status.app_dir {
            let owner = self.application.as_ref().map(|(_, app)| app.user.as_str());
            return Ok((url, Token::of_secret(&super::block_on(secret(dir, owner))?)));
        }
        let port = client::local_port(&url)
            .ok_or_else(|| Usage(format!("{url}: not a job on this machine, so its token is not here")))?;
        Ok((url, web::local_token(port)?))
    }
}

/// The secret of a job on YARN, which lies in its directory in staging.
async fn secret(dir: &str, owner: Option<&str>) -> anyhow::Result<Secret> {
    let store = Store::open(&Address::parse(dir)?, super::STORE_PATIENCE)?;
    let read = store.read(SECRET_FILE, SECRET_BYTES_MAX).await.map_err(|error| match error.kind {
        Kind::Denied => {
            let owner = owner.unwrap_or("whoever submitted the job");
            anyhow::Error::new(error).context(format!("only {owner} may stop or scale this job"))
        }
        _ => error.into(),
    });
    let name = store.name(SECRET_FILE);
    Secret::from_bytes(&read?).with_context(|| format!("{name} is not a secret of Spindle's"))
}

/// The cluster of this machine's Hadoop settings.
pub(super) fn resource_manager() -> anyhow::Result<ResourceManager> {
    Ok(ResourceManager::of(&HadoopConf::find()?)?)
}

fn unique(rm: &ResourceManager, name: &str) -> anyhow::Result<Application> {
    let mut named: Vec<_> = rm.applications()?.into_iter().filter(|app| app.name == name).collect();
    match (named.pop(), named.len()) {
        (Some(app), 0) => Ok(app),
        (None, _) => bail!("no running application is called {name}; see spindle list"),
        (Some(last), _) => {
            let ids: Vec<_> = named.iter().chain([&last]).map(|app| app.id.as_str()).collect();
            bail!("several applications are called {name}: {}; give an id", ids.join(", "))
        }
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
