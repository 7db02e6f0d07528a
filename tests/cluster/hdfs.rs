//! A real HDFS, named by `SPINDLE_HDFS`: a directory per test.

use crate::checkpoint::Place;
use crate::cluster::{hadoop, named};
use crate::kafka::unique;

/// A directory that no other test uses.
pub(crate) fn place(name: &str) -> Place {
    Place(format!("{}/tmp/{}", named("SPINDLE_HDFS"), unique(name)))
}

/// What a job file says of snapshots below a directory, of every window.
pub(crate) fn snapshots(directory: &str) -> String {
    format!("{{path: '{directory}/snapshots', keys: 100, every: 500ms, roll: 5s}}")
}

/// `hdfs` of the cluster, on the PATH by the lines of `scripts/cluster up`.
pub(crate) fn hdfs(words: &[&str]) {
    let done = hadoop("hdfs", words);
    assert!(done.status.success(), "hdfs {words:?}: {}", String::from_utf8_lossy(&done.stderr));
}
