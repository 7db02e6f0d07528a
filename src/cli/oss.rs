//! Files in OSS, as commands take them: the flags, the settings behind those, a download with its progress.

use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::Usage;
use crate::oss::{HadoopKeys, Object, ObjectUrl, Patience, Place, Sha256Hex, Wanted};
use crate::yarn::{ConfError, HadoopConf};

/// How often a progress bar is drawn without news.
const TICK: Duration = Duration::from_millis(200);
/// How many waits of a test a MiB may take.
const PACE_WAITS: u32 = 5;
/// What a bar shows: how far, how much, how fast, how long.
const BAR: &str = "{wide_msg} {bar:20} {bytes}/{total_bytes} {bytes_per_sec} {eta}";

/// Where files in OSS are.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Files in OSS")]
pub struct OssArgs {
    /// Region of the bucket, as in cn-hangzhou
    #[arg(long, value_name = "REGION", env = "OSS_REGION")]
    pub oss_region: Option<String>,
    /// Endpoint, as in oss-cn-hangzhou-internal.aliyuncs.com; without it: fs.oss.endpoint of core-site.xml
    #[arg(long, value_name = "HOST", env = "OSS_ENDPOINT")]
    pub oss_endpoint: Option<String>,
    /// Longest wait for the next byte and between two tries, in milliseconds; for tests
    #[arg(long, value_name = "MS", hide = true)]
    pub oss_wait_ms: Option<u64>,
}

impl OssArgs {
    /// The object at `text`; `what` says in an error what that is. Does not repeat `text`, which may hold a secret.
    pub(super) fn object(&self, what: &str, text: &str) -> anyhow::Result<Object> {
        let url = ObjectUrl::parse(text).map_err(|error| Usage(format!("{what}: {error}")))?;
        let hadoop = hadoop();
        let setting = |name: &str| {
            let value = hadoop.as_ref().and_then(|conf| conf.get(name));
            value.filter(|value| !value.is_empty())
        };
        let (region, endpoint) = (self.oss_region.clone(), self.oss_endpoint.clone());
        let wanted = Wanted::new(region, endpoint, setting("fs.oss.endpoint"));
        let place = Place::of(&url, &wanted).map_err(|error| Usage(format!("{what}: {error}")))?;
        let keys = || {
            let (id, secret) = (setting("fs.oss.accessKeyId")?, setting("fs.oss.accessKeySecret")?);
            Some(HadoopKeys { id, secret, token: setting("fs.oss.securityToken") })
        };
        let patience = match self.oss_wait_ms.map(Duration::from_millis) {
            Some(wait) => Patience {
                idle: wait,
                pace: PACE_WAITS * wait,
                back_off: wait,
                back_off_max: wait,
                ..Patience::default()
            },
            None => Patience::default(),
        };
        Ok(Object::new(url, &place, keys().as_ref(), patience)?)
    }
}

/// Hadoop's settings, where there are some; what is wrong with them is told, for keys may be in there.
fn hadoop() -> Option<HadoopConf> {
    match HadoopConf::find() {
        Ok(conf) => Some(conf),
        Err(ConfError::NoFolder) => None,
        Err(error) => {
            tracing::warn!("no endpoint and no keys for OSS from core-site.xml: {error}");
            None
        }
    }
}

/// The hash that an object must have, and where that is from in words.
pub(super) async fn wanted(
    object: &Object,
    flag: Option<&Sha256Hex>,
) -> anyhow::Result<Option<(Sha256Hex, &'static str)>> {
    match flag {
        Some(hash) => Ok(Some((hash.clone(), "--sha256"))),
        None => Ok(object.told_sha256().await?.map(|hash| (hash, "the object KEY.sha256 beside it"))),
    }
}

/// Where a download is, on a terminal; nowhere if stderr is none.
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn of(object: &Object) -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template(BAR) {
            bar.set_style(style);
        }
        bar.set_message(object.url().to_string());
        bar.enable_steady_tick(TICK);
        Self(bar)
    }

    pub(super) fn tell(&self) -> impl FnMut(u64, u64) {
        |have, bytes| {
            self.0.set_length(bytes);
            self.0.set_position(have);
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
