//! A real HDFS, named by `SPINDLE_HDFS`: a directory per test, and faults by `scripts/cluster`.

use std::process::Command;

use tokio::sync::{Mutex, MutexGuard};

use crate::checkpoint::Place;
use crate::kafka::unique;

/// Faults are for the whole cluster: one test at a time.
pub(crate) async fn alone() -> MutexGuard<'static, ()> {
    static HDFS: Mutex<()> = Mutex::const_new(());
    HDFS.lock().await
}

/// A directory that no other test uses.
pub(crate) fn place(name: &str) -> Place {
    let hdfs = std::env::var("SPINDLE_HDFS")
        .expect("SPINDLE_HDFS is not set: start a cluster (scripts/cluster up hdfs) and take its lines");
    Place(format!("{hdfs}/{}", unique(name)))
}

/// A fault, or its end: `cluster(&["datanode", "1", "stop"])`.
pub(crate) fn cluster(words: &[&str]) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/cluster");
    let done = Command::new(script).args(words).status().unwrap();
    assert!(done.success(), "scripts/cluster {words:?}: {done}");
}

/// `hdfs` of the cluster, on the PATH by the lines of `scripts/cluster up`.
pub(crate) fn hdfs(words: &[&str]) {
    let done = Command::new("hdfs").args(words).output().unwrap();
    assert!(done.status.success(), "hdfs {words:?}: {}", String::from_utf8_lossy(&done.stderr));
}
