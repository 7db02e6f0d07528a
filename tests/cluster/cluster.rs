//! The cluster that tests share: faults of its services, by `scripts/cluster`; who may cause them, and when.

use std::path::Path;
use std::process::{Command, Output};

use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

static SERVICES: RwLock<()> = RwLock::const_new(());

/// For tests that need HDFS and YARN as they are.
pub(crate) fn shared() -> RwLockReadGuard<'static, ()> {
    SERVICES.blocking_read()
}

/// For tests that break a service of HDFS or YARN, and mend it before they end.
pub(crate) fn exclusive() -> RwLockWriteGuard<'static, ()> {
    SERVICES.blocking_write()
}

/// The same for tests that are tasks.
pub(crate) async fn alone() -> RwLockWriteGuard<'static, ()> {
    SERVICES.write().await
}

/// Causes or mends a fault, as in `scripts/cluster node 1 stop`.
pub(crate) fn fault(words: &str) {
    let output = run(words);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "scripts/cluster {words}: {told}");
}

/// What `scripts/cluster` prints, as in `scripts/cluster status hdfs`.
pub(crate) fn told(words: &str) -> String {
    String::from_utf8(run(words).stdout).unwrap()
}

fn run(words: &str) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/cluster");
    Command::new(script).args(words.split(' ')).output().unwrap()
}

/// Mends what a test has broken, also when it fails.
pub(crate) struct Mend(pub(crate) &'static [&'static str]);

impl Mend {
    /// For what is broken here.
    pub(crate) fn after(breaks: &[&str], mends: &'static [&'static str]) -> Self {
        let mend = Self(mends);
        breaks.iter().for_each(|words| fault(words));
        mend
    }
}

impl Drop for Mend {
    fn drop(&mut self) {
        self.0.iter().for_each(|words| fault(words));
    }
}

/// Runs one of Hadoop's commands; returns what it printed.
pub(crate) fn hadoop(program: &str, args: &[&str]) -> Output {
    let run = Command::new(program).args(args).output();
    run.unwrap_or_else(|error| {
        panic!("{program}: {error}; start a cluster (scripts/cluster up) and take its PATH")
    })
}

/// An environment variable that `scripts/cluster up` prints.
pub(crate) fn named(variable: &str) -> String {
    std::env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} is not set: start a cluster (scripts/cluster up)"))
}
