//! What a `spark.*` property means to Spindle. The README's table is this one.

/// What to do with a property's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It is the value of this job key.
    Key(&'static str),
    /// It is a time of this job key, in which a bare number means milliseconds.
    MillisKey(&'static str),
    /// Spark puts a directory of its own below this one, and so does Spindle.
    StagingParent,
    /// `--master`.
    Master,
    /// `--deploy-mode`.
    DeployMode,
    /// `--principal`.
    Principal,
    /// `--keytab`.
    Keytab,
    /// `--wait`.
    Wait,
    /// Nothing, for this reason.
    Nothing(&'static str),
}

use Meaning::{DeployMode, Key, Keytab, Master, MillisKey, Nothing, Principal, StagingParent, Wait};

const ALL_OF_IT: &str =
    "executors.memory and driver.memory are all the memory there is, without a JVM's overhead";
const BY_HAND: &str = "the number of executors is changed by `spindle scale`";
const NO_JVM: &str = "Spindle has no JVM in the data path";

const SPARK: &[(&str, Meaning)] = &[
    ("spark.app.name", Key("name")),
    ("spark.master", Master),
    ("spark.submit.deployMode", DeployMode),
    ("spark.executor.instances", Key("executors.instances")),
    ("spark.executor.memory", Key("executors.memory")),
    ("spark.executor.cores", Key("executors.cores")),
    ("spark.driver.memory", Key("driver.memory")),
    ("spark.driver.cores", Key("driver.cores")),
    ("spark.driver.port", Key("driver.port")),
    ("spark.ui.port", Key("http.port")),
    ("spark.files", Key("files")),
    ("spark.yarn.dist.files", Key("files")),
    ("spark.yarn.queue", Key("yarn.queue")),
    ("spark.yarn.tags", Key("yarn.tags")),
    ("spark.yarn.priority", Key("yarn.priority")),
    ("spark.yarn.maxAppAttempts", Key("yarn.attempts")),
    ("spark.yarn.am.attemptFailuresValidityInterval", MillisKey("yarn.attempts_window")),
    ("spark.yarn.am.nodeLabelExpression", Key("yarn.label")),
    ("spark.yarn.executor.nodeLabelExpression", Key("yarn.label")),
    ("spark.yarn.exclude.nodes", Key("yarn.exclude_nodes")),
    ("spark.yarn.stagingDir", StagingParent),
    ("spark.yarn.submit.waitAppCompletion", Wait),
    ("spark.yarn.principal", Principal),
    ("spark.kerberos.principal", Principal),
    ("spark.yarn.keytab", Keytab),
    ("spark.kerberos.keytab", Keytab),
    ("spark.streaming.kafka.maxRatePerPartition", Key("source.max_rate_per_partition")),
    ("spark.streaming.stopGracefullyOnShutdown", Nothing("Spindle always stops gracefully")),
    ("spark.streaming.kafka.allowNonConsecutiveOffsets", Nothing("gaps between offsets are always allowed")),
    ("spark.streaming.backpressure.enabled", Nothing("executors read no faster than they count")),
    ("spark.dynamicAllocation.enabled", Nothing(BY_HAND)),
    ("spark.streaming.dynamicAllocation.enabled", Nothing(BY_HAND)),
    ("spark.executor.memoryOverhead", Nothing(ALL_OF_IT)),
    ("spark.driver.memoryOverhead", Nothing(ALL_OF_IT)),
    ("spark.yarn.executor.memoryOverhead", Nothing(ALL_OF_IT)),
    ("spark.yarn.driver.memoryOverhead", Nothing(ALL_OF_IT)),
    ("spark.yarn.am.memory", Nothing("set driver.memory, which is the application master's in either mode")),
    ("spark.serializer", Nothing(NO_JVM)),
    ("spark.jars", Nothing(NO_JVM)),
    ("spark.executor.extraJavaOptions", Nothing(NO_JVM)),
    ("spark.driver.extraJavaOptions", Nothing(NO_JVM)),
];

/// Prefixes behind which the name of an environment variable stands. Spindle has one environment for both.
const ENVIRONMENT: [&str; 2] = ["spark.yarn.appMasterEnv.", "spark.executorEnv."];

/// What `property` means; `None` when Spindle does not know it.
pub(super) fn meaning(property: &str) -> Option<Meaning> {
    SPARK.iter().find(|(known, _)| *known == property).map(|(_, meaning)| *meaning)
}

/// The job key of an environment variable, `env.NAME`.
pub(super) fn environment(property: &str) -> Option<String> {
    let name = ENVIRONMENT.iter().find_map(|prefix| property.strip_prefix(prefix))?;
    (!name.is_empty()).then(|| format!("env.{name}"))
}
