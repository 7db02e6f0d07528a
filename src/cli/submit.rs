//! `spindle submit`: runs a job; takes the flags of spark-submit, so that scripts and schedulers need no change.

use std::fs::File;
use std::path::PathBuf;

use clap::Args;
use tokio::sync::mpsc;

use super::Usage;
use super::app::App;
use super::kill::KillArgs;
use super::local::{self, Options};
use super::oss::OssArgs;
use super::owner::{self, Wanted, Who};
use super::status::StatusArgs;
use crate::clock::Clock;
use crate::config::{self, Start};
use crate::driver::StartRules;
use crate::oss::Sha256Hex;
use crate::source::start::StartRule;
use crate::store::Login;

mod master;
mod from;
mod properties_file;
mod spark;
mod plan;

pub use from::From;
pub use master::{DeployMode, Master};
pub use plan::{Submission, plan};

/// Arguments of `spindle submit`. No `Debug`: `--conf` may hold a password.
#[derive(Args)]
#[command(args_override_self = true)]
pub struct SubmitArgs {
    /// Job file (YAML): a path or oss://bucket/key
    #[arg(required_unless_present_any = ["kill", "status"])]
    pub job: Option<PathBuf>,
    /// spark-submit passes these to the program; here there is none
    #[arg(hide = true)]
    pub rest: Vec<String>,

    /// Where the job runs.
    #[arg(
        long,
        help = "local, local[N], local[*], yarn, yarn-client or yarn-cluster; without it: here, with executors.instances"
    )]
    pub master: Option<String>,
    /// client: windows appear here; cluster: returns when the job runs
    #[arg(long, value_name = "MODE")]
    pub deploy_mode: Option<String>,
    /// Name of the job
    #[arg(long)]
    pub name: Option<String>,
    /// YARN queue
    #[arg(long)]
    pub queue: Option<String>,
    /// Number of executors
    #[arg(long, value_name = "N")]
    pub num_executors: Option<String>,
    /// Cores of each executor
    #[arg(long, value_name = "N")]
    pub executor_cores: Option<String>,
    /// Memory of each executor; a bare number means MiB
    #[arg(long, value_name = "SIZE")]
    pub executor_memory: Option<String>,
    /// Memory of the driver; a bare number means MiB
    #[arg(long, value_name = "SIZE")]
    pub driver_memory: Option<String>,
    /// Cores of the driver
    #[arg(long, value_name = "N")]
    pub driver_cores: Option<String>,
    /// A job key (source.group=x) or a spark.* property
    #[arg(short, long, value_name = "KEY=VALUE", allow_hyphen_values = true)]
    pub conf: Vec<String>,
    /// File with such keys, as spark-defaults.conf
    #[arg(long, value_name = "PATH")]
    pub properties_file: Option<PathBuf>,
    /// Comma-separated files that driver and executors find in their working directory
    #[arg(long, value_name = "FILES")]
    pub files: Option<String>,
    /// Kerberos principal
    #[arg(long, requires = "keytab")]
    pub principal: Option<String>,
    /// Kerberos keytab
    #[arg(long, value_name = "PATH")]
    pub keytab: Option<PathBuf>,
    /// Submit as another user
    #[arg(long, value_name = "USER", conflicts_with_all = ["keytab", "principal"])]
    pub proxy_user: Option<String>,
    /// As `spindle kill`
    #[arg(long, value_name = "APP", conflicts_with_all = ["job", "status"])]
    pub kill: Option<App>,
    /// As `spindle status`
    #[arg(long, value_name = "APP", conflicts_with = "job")]
    pub status: Option<App>,
    /// Say what is done
    #[arg(short, long)]
    pub verbose: bool,

    /// What containers run: a local file, hdfs://, oss:// or ossref://; without it: this program
    #[arg(long, value_name = "PATH", help_heading = "Spindle's own")]
    pub binary: Option<String>,
    /// SHA-256 that the --binary must have; for one in OSS, otherwise that in the object KEY.sha256
    #[arg(long, value_name = "HEX", requires = "binary", help_heading = "Spindle's own")]
    pub sha256: Option<Sha256Hex>,
    /// Where files in OSS are.
    #[command(flatten)]
    pub oss: OssArgs,
    /// Where the first attempt begins: checkpoint, group, earliest, latest, or a time such as 2026-11-22T10:00:00Z
    #[arg(long, value_name = "WHERE", help_heading = "Spindle's own")]
    pub from: Option<From>,
    /// With --from checkpoint: name windows by the clock again where the checkpoint's are ahead of it
    #[arg(long, help_heading = "Spindle's own")]
    pub relabel: bool,
    /// Stop the application that owns the checkpoint, and go on with its window
    #[arg(long, help_heading = "Spindle's own", conflicts_with = "take_over")]
    pub replace: bool,
    /// Fence the application that owns the checkpoint
    #[arg(long, help_heading = "Spindle's own")]
    pub take_over: bool,
    /// Client mode: the job outlives this client
    #[arg(long, help_heading = "Spindle's own")]
    pub keep: bool,
    /// Cluster mode: stay until the job ends
    #[arg(long, help_heading = "Spindle's own")]
    pub wait: bool,
    /// Cluster mode with --wait: kill the job when this client ends
    #[arg(long, help_heading = "Spindle's own")]
    pub kill_on_exit: bool,

    /// Flags of spark-submit without a meaning here.
    #[command(flatten)]
    pub ignored: Ignored,
}

/// Declares flags that are taken and do nothing, and which of them were given.
macro_rules! ignored {
    ($($field:ident = $flag:literal),* $(,)?) => {
        /// Flags of spark-submit that are taken and do nothing.
        #[derive(Args)]
        #[command(next_help_heading = "Taken from spark-submit, do nothing")]
        pub struct Ignored {
            $(
                #[doc = concat!("Does nothing (", $flag, ")")]
                #[arg(long, hide_short_help = true, allow_hyphen_values = true)]
                pub $field: Option<String>,
            )*
            /// Does nothing (--supervise)
            #[arg(long, hide_short_help = true)]
            pub supervise: bool,
        }

        impl Ignored {
            fn given(&self) -> Vec<&'static str> {
                let mut given = Vec::new();
                $(if self.$field.is_some() { given.push($flag); })*
                if self.supervise {
                    given.push("--supervise");
                }
                given
            }
        }
    };
}

ignored! {
    class = "--class",
    jars = "--jars",
    packages = "--packages",
    exclude_packages = "--exclude-packages",
    repositories = "--repositories",
    py_files = "--py-files",
    archives = "--archives",
    driver_java_options = "--driver-java-options",
    driver_class_path = "--driver-class-path",
    driver_library_path = "--driver-library-path",
    total_executor_cores = "--total-executor-cores",
}

/// Runs the job, or does what `--kill` and `--status` say.
pub fn run(args: &SubmitArgs) -> anyhow::Result<u8> {
    let parent_warning = super::parent::follow(rustix::process::Signal::TERM)?;
    if let Some(app) = &args.kill {
        return super::kill::run(&KillArgs { app: app.clone() });
    }
    if let Some(app) = &args.status {
        return super::status::run(&StatusArgs { app: app.clone(), json: false, check: false });
    }
    let submission = plan(args)?;
    let log = &submission.job.log;
    super::start_logging(log.level.as_str(), log.format == config::log::Format::Json)?;
    for notice in parent_warning.iter().chain(&submission.notices) {
        tracing::warn!("{notice}");
    }
    start(submission)
}

/// Starts what was planned.
fn start(submission: Submission) -> anyhow::Result<u8> {
    match submission.master {
        Master::Yarn { deploy_mode } => super::yarn::run(submission, deploy_mode),
        Master::Local { .. } => start_local(submission),
    }
}

fn start_local(submission: Submission) -> anyhow::Result<u8> {
    let Submission { job, from, relabel, replace, take_over, login, .. } = submission;
    if let Some(Login { keytab, .. }) = &login {
        // Kerberos would say that there is no ticket.
        File::open(keytab).map_err(|error| Usage(format!("--keytab {}: {error}", keytab.display())))?;
    }
    let checkpoint = match job.checkpoint.resolve(&job.name, None) {
        Some(at) => {
            if replace {
                owner::replace(&at, login.as_ref())?;
            }
            let wanted = Wanted { from, relabel, take_over };
            Some(owner::checkpoint(&job, &at, Who::local(local::ATTEMPT), login.as_ref(), wanted)?)
        }
        None => None,
    };
    let start = StartRules { fallback: fallback(job.source.start), forced: from.and_then(From::forced) };
    let options = Options {
        start,
        checkpoint,
        out: Box::new(std::io::stdout()),
        clock: Clock::start(),
        commands: mpsc::unbounded_channel(),
        notes: None,
    };
    super::block_on(local::run(job, options))
}

pub(super) fn fallback(start: Start) -> StartRule {
    match start {
        Start::Latest => StartRule::Latest,
        Start::Earliest => StartRule::Earliest,
        Start::Timestamp(time) => StartRule::Timestamp(time.as_millisecond()),
    }
}

#[cfg(test)]
mod tests;
