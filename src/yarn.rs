//! The cluster as a client sees it: Hadoop's settings, the ResourceManager's REST, and the JVM that submits.
//!
//! Only submitting needs Java (`yarn/`, class `Submit`); everything that follows is asked by REST. Feeds `cli`.

mod conf;
mod java;
mod rm;
mod submission;

pub use conf::{ConfError, HadoopConf};
pub use java::{JavaError, Progress, Submitted, find_jar, submit};
pub use rm::{Application, FinalStatus, ResourceManager, RmError, State};
pub use submission::{Files, Given, Private, Size, Submission, VERSION};
