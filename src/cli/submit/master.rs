//! `--master` and `--deploy-mode`: where a job runs.

use std::str::FromStr;

use crate::config::executors::INSTANCES_MAX;

/// Where a job runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Master {
    /// Here, with so many executor processes.
    Local {
        /// Executors, the same as `executors.instances` of the submitted job.
        executors: u32,
    },
    /// On the cluster that `HADOOP_CONF_DIR` describes.
    Yarn {
        /// Who waits for whom.
        deploy_mode: DeployMode,
    },
}

/// What the submitting client does once the job runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeployMode {
    /// Shows windows and stops the job when it is stopped itself.
    #[default]
    Client,
    /// Returns.
    Cluster,
}

impl FromStr for DeployMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "client" => Ok(Self::Client),
            "cluster" => Ok(Self::Cluster),
            _ => Err(format!("`{text}` is no deploy mode; client or cluster")),
        }
    }
}

/// `--master` as it is written, before the job is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// Here; `None`: with the job's `executors.instances`.
    Local(Option<u32>),
    /// On YARN; the old spelling also gives the mode.
    Yarn(Option<DeployMode>),
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let local = text.strip_prefix("local[").and_then(|rest| rest.strip_suffix(']'));
        match (text, local) {
            ("yarn", _) => Ok(Self::Yarn(None)),
            ("yarn-client", _) => Ok(Self::Yarn(Some(DeployMode::Client))),
            ("yarn-cluster", _) => Ok(Self::Yarn(Some(DeployMode::Cluster))),
            ("local", _) => Ok(Self::Local(Some(1))),
            (_, Some(inside)) => {
                local_executors(inside).map(|executors| Self::Local(Some(executors))).ok_or_else(|| {
                    format!("`{text}`: write local[N] with N from 1 to {INSTANCES_MAX}, or local[*]")
                })
            }
            _ => Err(format!("`{text}` is no master of Spindle; yarn, local, local[N] or local[*]")),
        }
    }
}

/// `N`, `*`, or Spark's `N,maxFailures`, of which the second has no meaning here.
fn local_executors(inside: &str) -> Option<u32> {
    let count = inside.split_once(',').map_or(inside, |(count, _)| count).trim();
    if count == "*" {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        return Some(u32::try_from(cores).unwrap_or(INSTANCES_MAX).min(INSTANCES_MAX));
    }
    count.parse().ok().filter(|count| (1..=INSTANCES_MAX).contains(count))
}

/// Puts both flags together as spark-submit does: the old spellings forbid the other mode, `local` forbids
/// cluster mode.
pub(super) fn combine(choice: Choice, mode: Option<DeployMode>) -> Result<Choice, String> {
    match (choice, mode) {
        (Choice::Local(_), Some(DeployMode::Cluster)) => {
            Err("deploy mode cluster needs --master yarn; a local job runs in this process tree".to_owned())
        }
        (Choice::Yarn(Some(spelled)), Some(mode)) if spelled != mode => {
            Err("--deploy-mode contradicts the old spelling of --master; write --master yarn".to_owned())
        }
        (Choice::Yarn(spelled), mode) => Ok(Choice::Yarn(mode.or(spelled))),
        (local, _) => Ok(local),
    }
}
