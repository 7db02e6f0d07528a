//! `executors` and `driver`: the processes of a job.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::Problem;
use super::keypath::KeyPath;
use super::ports::Ports;
use super::units::{Size, Timespan};

/// The section `executors`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Executors {
    /// How many.
    pub instances: u32,
    /// Memory of each, all of it: there is no JVM overhead to add.
    pub memory: Size,
    /// Cores of each.
    pub cores: u32,
    /// An executor that is silent for so long is given up.
    pub timeout: Timespan,
    /// So is one that owes a cut for so long while others have answered.
    pub straggler: Timespan,
}

/// The section `driver`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Driver {
    /// Memory of the driver; on YARN the application master's JVM comes on top.
    pub memory: Size,
    /// Cores of the driver.
    pub cores: u32,
    /// Where executors connect.
    pub port: Ports,
}

impl Default for Executors {
    fn default() -> Self {
        Self {
            instances: 2,
            memory: Size::from_mib(256),
            cores: 1,
            timeout: Timespan::from_secs(5),
            straggler: Timespan::from_secs(10),
        }
    }
}

impl Default for Driver {
    fn default() -> Self {
        Self { memory: Size::from_mib(256), cores: 1, port: Ports::Any }
    }
}

/// Most executors of a job.
pub const INSTANCES_MAX: u32 = 1_000;
const CORES_MAX: u32 = 1_024;
/// Least memory of a process: the binary, librdkafka's buffers, the runtime.
const MEMORY_MIN: Size = Size::from_mib(64);
/// Shortest patience with an executor.
const PATIENCE_MIN: Timespan = Timespan::from_ms(100);

impl Executors {
    pub(super) fn check(&self, at: &KeyPath) -> Result<(), Problem> {
        check_count(self.instances, INSTANCES_MAX, &at.key("instances"))?;
        check_memory(self.memory, &at.key("memory"))?;
        check_count(self.cores, CORES_MAX, &at.key("cores"))?;
        for (key, span) in [("timeout", self.timeout), ("straggler", self.straggler)] {
            if span < PATIENCE_MIN {
                return Err(Problem::value(
                    at.key(key),
                    format!("{span} is too short; at least {PATIENCE_MIN}"),
                ));
            }
        }
        Ok(())
    }
}

impl Driver {
    pub(super) fn check(&self, at: &KeyPath) -> Result<(), Problem> {
        check_memory(self.memory, &at.key("memory"))?;
        check_count(self.cores, CORES_MAX, &at.key("cores"))
    }
}

fn check_count(count: u32, most: u32, at: &KeyPath) -> Result<(), Problem> {
    match count {
        0 => Err(Problem::value(at.clone(), "0 is too few; at least 1")),
        _ if count > most => Err(Problem::value(at.clone(), format!("{count} is too many; at most {most}"))),
        _ => Ok(()),
    }
}

fn check_memory(memory: Size, at: &KeyPath) -> Result<(), Problem> {
    if memory < MEMORY_MIN {
        return Err(Problem::value(at.clone(), format!("{memory} is too little; at least {MEMORY_MIN}")));
    }
    Ok(())
}
