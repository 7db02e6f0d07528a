//! The job file that a command names: a path, or an object in OSS. Every command reads it by this.

use std::path::Path;

use super::oss::OssArgs;
use crate::config::load::{FILE_BYTES_MAX, is_spark_program};
use crate::config::{Job, JobError, Layers};
use crate::oss::is_oss;

/// Reads and validates the job file, with `layers` below and above its values.
pub(super) fn load(file: &Path, layers: &Layers, oss: &OssArgs) -> anyhow::Result<Job> {
    let Some(url) = file.to_str().filter(|text| is_oss(text)) else {
        return Ok(Job::load_between(file, layers)?);
    };
    let object = oss.object("job file", url)?;
    if is_spark_program(file) {
        return Err(JobError::spark_job(file).into());
    }
    let text = super::block_on(async { Ok(object.text(FILE_BYTES_MAX).await?) })?;
    Ok(Job::of_text(file, &text, layers)?)
}
