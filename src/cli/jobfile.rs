//! The job or producer file that a command names: a path, or an object in OSS. Every command reads it by this.

use std::fs::{File, Metadata};
use std::io::Read as _;
use std::path::Path;

use super::oss::OssArgs;
use crate::config::load::{FILE_BYTES_MAX, is_spark_program};
use crate::config::{Job, JobError, Layers, Producer};
use crate::oss::is_oss;

/// Reads and validates the job file, with `layers` below and above its values.
pub(super) fn load(file: &Path, layers: &Layers, oss: &OssArgs) -> anyhow::Result<Job> {
    match fetched("job file", file, oss)? {
        Some(text) => Ok(Job::of_text(file, &text, layers)?),
        None => Ok(Job::load_between(file, layers)?),
    }
}

/// The same for a producer file.
pub(super) fn load_producer(file: &Path, layers: &Layers, oss: &OssArgs) -> anyhow::Result<Producer> {
    match fetched("producer file", file, oss)? {
        Some(text) => Ok(Producer::of_text(file, &text, layers)?),
        None => Ok(Producer::load_between(file, layers)?),
    }
}

/// One of both.
pub(super) enum Either {
    Job(Box<Job>),
    Producer(Box<Producer>),
}

/// Reads a file of either kind. A producer's says where it writes to, which no job does.
pub(super) fn load_either(file: &Path, layers: &Layers, oss: &OssArgs) -> anyhow::Result<Either> {
    let text = match fetched("file", file, oss)? {
        Some(text) => Some(text),
        None => beginning(file),
    };
    let is_producer = text.is_some_and(|text| text.lines().any(|line| line.starts_with("kafka:")));
    Ok(if is_producer {
        Either::Producer(Box::new(load_producer(file, layers, oss)?))
    } else {
        Either::Job(Box::new(load(file, layers, oss)?))
    })
}

/// What a file on this machine says; `None` if that is not known without harm: a pipe can be read only once. What is wrong
/// with a file is said by whoever reads it then.
fn beginning(file: &Path) -> Option<String> {
    let opened = File::open(file).ok()?;
    let mut text = String::new();
    opened.metadata().ok().filter(Metadata::is_file)?;
    opened.take(FILE_BYTES_MAX).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The text of a file in OSS; `None` for one on this machine.
fn fetched(what: &'static str, file: &Path, oss: &OssArgs) -> anyhow::Result<Option<String>> {
    let Some(url) = file.to_str().filter(|text| is_oss(text)) else { return Ok(None) };
    let object = oss.object(what, url)?;
    if is_spark_program(file) {
        return Err(JobError::spark_job(file).into());
    }
    super::block_on(async { Ok(Some(object.text(FILE_BYTES_MAX).await?)) })
}
