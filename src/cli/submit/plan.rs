//! Flags, `--conf`, properties file and job file to one `Submission`: the only place where flags get a meaning.
//!
//! Precedence as in spark-submit: flags, then `--conf`, then the properties file, then the job file.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::from::From;
use super::master::{Choice, DeployMode, Master, combine};
use super::spark::{self, Meaning};
use super::{SubmitArgs, properties_file};
use crate::cli::oss::OssArgs;
use crate::cli::{Usage, jobfile};
use crate::config::load::is_spark_program;
use crate::config::{Job, JobError, Layers, Setting};
use crate::oss::Sha256Hex;
use crate::store::Login;

/// What is to be submitted, all of it decided.
#[derive(Debug)]
pub struct Submission {
    /// Where it runs.
    pub master: Master,
    /// The job, with every flag in it.
    pub job: Job,
    /// The job file, for messages.
    pub job_file: PathBuf,
    /// Where the first attempt begins, once; `None`: as the job says.
    pub from: Option<From>,
    /// Put window ends of the checkpoint back that are ahead of now, once.
    pub relabel: bool,
    /// What containers run; `None`: this program.
    pub binary: Option<String>,
    /// The SHA-256 that it must have.
    pub sha256: Option<Sha256Hex>,
    /// Where files in OSS are.
    pub oss: OssArgs,
    /// Stop the owner of the checkpoint first.
    pub replace: bool,
    /// Fence the owner of the checkpoint.
    pub take_over: bool,
    /// Client mode: the job outlives the client.
    pub keep: bool,
    /// Cluster mode: the client stays until the job ends.
    pub wait: bool,
    /// Cluster mode: the job dies with the client.
    pub kill_on_exit: bool,
    /// Who the job is to Kerberos.
    pub login: Option<Login>,
    /// User to submit as.
    pub proxy_user: Option<String>,
    /// Say what is done.
    pub verbose: bool,
    /// What the user should know: flags that do nothing, properties without meaning. One line each.
    pub notices: Vec<String>,
}

/// Where a local job shows its page unless the job file says otherwise: as Spark's `spark.ui.port` and its
/// `spark.port.maxRetries`.
const LOCAL_HTTP: [(&str, &str); 2] = [("http.bind", "127.0.0.1"), ("http.port", "4040-4056")];

/// Decides everything that the command line and the files say. Errors are `Usage` and `JobError`, exit code 2.
pub fn plan(args: &SubmitArgs) -> anyhow::Result<Submission> {
    let job_file = args.job.clone().unwrap_or_default();
    check_arguments(&job_file, args)?;
    let mut draft = Draft::default();
    draft.read_properties_file(args)?;
    draft.read_conf(args)?;
    draft.read_flags(args)?;
    let choice = match draft.master {
        Some(choice) => combine(choice, draft.deploy_mode).map_err(Usage)?,
        None => combine(Choice::Local(None), draft.deploy_mode).map_err(Usage)?,
    };
    check_mode_flags(choice, args)?;
    let job = jobfile::load(&job_file, &draft.layers(choice), &args.oss)?;
    check_checkpoint_flags(choice, &job, args)?;
    let master = match choice {
        Choice::Local(_) => Master::Local { executors: job.executors.instances },
        Choice::Yarn(mode) => Master::Yarn { deploy_mode: mode.unwrap_or_default() },
    };
    Ok(Submission {
        master,
        job,
        job_file,
        from: args.from,
        relabel: args.relabel,
        binary: args.binary.clone(),
        sha256: args.sha256.clone(),
        oss: args.oss.clone(),
        replace: args.replace,
        take_over: args.take_over,
        keep: args.keep,
        wait: args.wait || draft.wait,
        kill_on_exit: args.kill_on_exit,
        login: draft.login(args.proxy_user.is_some())?,
        proxy_user: args.proxy_user.clone(),
        verbose: args.verbose,
        notices: draft.notices,
    })
}

/// spark-submit hands what stands behind the program to it. Who does that here has a Spark command line at hand,
/// so the answer to a jar comes first.
fn check_arguments(job_file: &Path, args: &SubmitArgs) -> anyhow::Result<()> {
    let Some(extra) = args.rest.first() else { return Ok(()) };
    if is_spark_program(job_file) {
        return Err(JobError::spark_job(job_file).into());
    }
    Err(Usage(format!(
        "`{extra}` stands behind the job file, which takes no arguments; set job keys by --conf"
    ))
    .into())
}

fn check_mode_flags(choice: Choice, args: &SubmitArgs) -> Result<(), Usage> {
    let cluster = choice == Choice::Yarn(Some(DeployMode::Cluster));
    let client = matches!(choice, Choice::Yarn(_)) && !cluster;
    let wrong = |flag: &str, mode: &str| Err(Usage(format!("{flag} has a meaning only with {mode}")));
    if args.relabel && args.from != Some(From::Checkpoint) {
        return wrong("--relabel", "--from checkpoint");
    }
    match args {
        _ if args.keep && !client => wrong("--keep", "--master yarn --deploy-mode client"),
        _ if args.wait && !cluster => wrong("--wait", "--master yarn --deploy-mode cluster"),
        _ if args.kill_on_exit && !cluster => wrong("--kill-on-exit", "--master yarn --deploy-mode cluster"),
        _ => Ok(()),
    }
}

/// Flags about a checkpoint need one, and so do snapshots: they are made of what is durable.
fn check_checkpoint_flags(choice: Choice, job: &Job, args: &SubmitArgs) -> Result<(), Usage> {
    let staging = matches!(choice, Choice::Yarn(_)).then_some(job.yarn.staging.as_str());
    if job.checkpoint.resolve(&job.name, staging).is_some() {
        return Ok(());
    }
    let needing = [
        ("snapshots", job.snapshots.is_some()),
        ("--replace", args.replace),
        ("--take-over", args.take_over),
        ("--from checkpoint", args.from == Some(From::Checkpoint)),
    ];
    match needing.into_iter().find(|(_, given)| *given) {
        Some((flag, _)) => Err(Usage(format!(
            "{flag} needs a checkpoint, and this job has none; set checkpoint.path to hdfs:///a/directory or file:///a/directory"
        ))),
        None => Ok(()),
    }
}

/// What has been read so far; what is read later wins.
#[derive(Default)]
struct Draft {
    settings: Vec<Setting>,
    master: Option<Choice>,
    deploy_mode: Option<DeployMode>,
    principal: Option<String>,
    keytab: Option<PathBuf>,
    wait: bool,
    notices: Vec<String>,
}

impl Draft {
    fn read_properties_file(&mut self, args: &SubmitArgs) -> Result<(), Usage> {
        let Some(file) = &args.properties_file else { return Ok(()) };
        let shown = file.display();
        let text = std::fs::read_to_string(file)
            .map_err(|error| Usage(format!("{shown}: cannot be read: {error}")))?;
        let properties = properties_file::parse(&text)
            .map_err(|(line, reason)| Usage(format!("{shown}:{line}: {reason}")))?;
        properties.into_iter().try_for_each(|property| {
            self.read_property(&property.key, property.value, format!("{shown}:{}", property.line))
        })
    }

    fn read_conf(&mut self, args: &SubmitArgs) -> Result<(), Usage> {
        args.conf.iter().try_for_each(|conf| match conf.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => {
                self.read_property(key.trim(), value.to_owned(), "--conf".to_owned())
            }
            _ => Err(Usage("--conf: write KEY=VALUE, as in --conf source.group=tweets_shadow".to_owned())),
        })
    }

    fn read_flags(&mut self, args: &SubmitArgs) -> Result<(), Usage> {
        let job_keys = [
            ("--name", "name", &args.name),
            ("--queue", "yarn.queue", &args.queue),
            ("--num-executors", "executors.instances", &args.num_executors),
            ("--executor-cores", "executors.cores", &args.executor_cores),
            ("--executor-memory", "executors.memory", &args.executor_memory),
            ("--driver-memory", "driver.memory", &args.driver_memory),
            ("--driver-cores", "driver.cores", &args.driver_cores),
            ("--files", "files", &args.files),
        ];
        for (flag, key, value) in job_keys {
            if let Some(value) = value {
                self.set(key, value.clone(), flag.to_owned());
            }
        }
        if let Some(text) = &args.master {
            self.master = Some(read("--master", text)?);
        }
        if let Some(text) = &args.deploy_mode {
            self.deploy_mode = Some(read("--deploy-mode", text)?);
        }
        self.principal = args.principal.clone().or(self.principal.take());
        self.keytab = args.keytab.clone().or(self.keytab.take());
        if !args.ignored.given().is_empty() {
            let flags = args.ignored.given().join(", ");
            self.notices
                .push(format!("{flags}: taken as spark-submit does, without effect: Spindle runs no Java"));
        }
        Ok(())
    }

    /// A property from `--conf` or a file: of Spark's when its name begins so, else a job key.
    fn read_property(&mut self, key: &str, value: String, origin: String) -> Result<(), Usage> {
        if !key.starts_with("spark.") {
            self.set(key, value, origin);
            return Ok(());
        }
        let named = format!("{origin} {key}");
        if let Some(job_key) = spark::environment(key) {
            self.set(&job_key, value, named);
            return Ok(());
        }
        match spark::meaning(key) {
            Some(Meaning::Key(job_key)) => self.set(job_key, value, named),
            Some(Meaning::MillisKey(job_key)) => {
                let bare = value.chars().all(|c| c.is_ascii_digit());
                self.set(job_key, if bare { value + "ms" } else { value }, named);
            }
            Some(Meaning::StagingParent) => {
                self.set("yarn.staging", format!("{}/.spindle", value.trim_end_matches('/')), named);
            }
            Some(Meaning::Master) => self.master = Some(read(&named, &value)?),
            Some(Meaning::DeployMode) => self.deploy_mode = Some(read(&named, &value)?),
            Some(Meaning::Principal) => self.principal = Some(value),
            Some(Meaning::Keytab) => self.keytab = Some(value.into()),
            Some(Meaning::Wait) => self.wait = value == "true",
            Some(Meaning::Nothing(reason)) => self.notices.push(format!("{named}: without effect: {reason}")),
            None => {
                self.notices.push(format!("{named}: Spindle does not know this property; it has no effect"))
            }
        }
        Ok(())
    }

    fn set(&mut self, key: &str, value: String, origin: String) {
        self.settings.push(Setting { key: key.to_owned(), value, origin });
    }

    /// `local[N]` beats every other number of executors: it says what this machine shall bear.
    fn layers(&mut self, choice: Choice) -> Layers {
        let mut layers = Layers { defaults: Vec::new(), settings: std::mem::take(&mut self.settings) };
        let Choice::Local(executors) = choice else { return layers };
        let setting =
            |key: &str, value: String| Setting { key: key.to_owned(), value, origin: "--master".to_owned() };
        layers.defaults = LOCAL_HTTP.map(|(key, value)| setting(key, value.to_owned())).to_vec();
        layers.settings.extend(executors.map(|count| setting("executors.instances", count.to_string())));
        layers
    }

    fn login(&self, proxied: bool) -> Result<Option<Login>, Usage> {
        match (&self.principal, &self.keytab) {
            (Some(_), Some(_)) if proxied => Err(Usage(
                "--proxy-user and a keytab exclude each other: a proxied user has no keytab".to_owned(),
            )),
            (Some(principal), Some(keytab)) => {
                Ok(Some(Login { principal: principal.clone(), keytab: keytab.clone() }))
            }
            (None, None) => Ok(None),
            _ => Err(Usage("a principal needs a keytab, and a keytab a principal".to_owned())),
        }
    }
}

/// Reads a value; the error names where it comes from.
fn read<T: FromStr<Err = String>>(origin: impl Display, text: &str) -> Result<T, Usage> {
    text.parse().map_err(|reason| Usage(format!("{origin}: {reason}")))
}
