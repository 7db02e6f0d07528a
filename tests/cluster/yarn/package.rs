//! The package as it is given away, on the real cluster: unpacked in an empty folder, with nothing but Hadoop's commands
//! on the PATH, in each way that it can be told what to run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use tempfile::TempDir;

use super::app::{App, job};
use super::jar::{OnHdfs, only_hadoop, yarn_jar};
use super::oss::with_keys;
use crate::cluster::{named, shared};
use crate::job::Job;
use crate::kafka::Topic;
use crate::oss_server::{BUCKET, Oss};
use crate::produce::Writer;

struct Package {
    folder: TempDir,
    root: PathBuf,
}

impl Package {
    fn unpacked() -> Self {
        let folder = TempDir::new().unwrap();
        let tar = Command::new("tar")
            .arg("-xzf")
            .arg(named("SPINDLE_PACKAGE"))
            .arg("-C")
            .arg(folder.path())
            .status();
        assert!(tar.unwrap().success());
        let root = folder.path().join(format!("spindle-{}-linux-x86_64", env!("CARGO_PKG_VERSION")));
        Self { folder, root }
    }

    fn program(&self) -> PathBuf {
        self.root.join("bin/spindle")
    }

    /// Its launcher.
    fn spindle_submit(&self) -> Command {
        let mut command = Command::new(self.root.join("bin/spindle-submit"));
        command
            .env("PATH", only_hadoop(self.folder.path()))
            .env_remove("SPINDLE_BIN")
            .env_remove("SPINDLE_JAR");
        command
    }
}

/// A whole life: windows, all of what was written, SIGTERM, 0. Driver and executors run the very program.
fn assert_lives(topic: &str, by: Command, with: impl FnOnce(Job) -> Job, program: &[u8]) {
    let topic = Topic::create(topic, 2);
    let mut writer = Writer::new(&crate::kafka::brokers(), &topic.name);
    let mut app = App::of(with(job(&topic.name)).start_by(by));
    (0..2).for_each(|partition| writer.numbered(partition, 100));
    app.client.until_total(writer.flush());
    app.until_executors(2);
    for part in ["spindle driver", "spindle executor"] {
        let pid = app.process(part).as_raw_nonzero();
        assert!(fs::read(format!("/proc/{pid}/exe")).unwrap() == program, "{part} is another program");
    }
    app.client.signal(Signal::TERM);
    assert_eq!(app.client.exit_code(), 0, "{}", app.client.seen);
}

fn read(program: &Path) -> Vec<u8> {
    fs::read(program).unwrap()
}

#[test]
fn the_launcher_of_a_package_submits_its_program() {
    let _cluster = shared();
    let package = Package::unpacked();
    assert_lives("package-launcher", package.spindle_submit(), |job| job, &read(&package.program()));
}

#[test]
fn the_jar_of_a_package_submits_its_program() {
    let _cluster = shared();
    let package = Package::unpacked();
    let by = yarn_jar(&package.root.join("lib/spindle-yarn.jar"), package.folder.path());
    assert_lives("package-jar", by, |job| job, &read(&package.program()));
}

#[test]
fn a_package_runs_a_program_that_lies_on_hdfs_or_in_oss() {
    let _cluster = shared();
    let package = Package::unpacked();
    // Not the package's own: that one containers could have from the client.
    let mut other = read(&package.program());
    other.push(0);
    let file = package.folder.path().join("other");
    fs::write(&file, &other).unwrap();
    let remote = OnHdfs::create("package");
    let on_hdfs = remote.put(&file, "spindle");
    assert_lives("package-hdfs", package.spindle_submit(), |job| job.arg("--binary").arg(&on_hdfs), &other);

    let oss = Oss::start();
    oss.put("bin/spindle", other.clone());
    let in_oss = format!("oss://{BUCKET}/bin/spindle");
    let with = |job: Job| with_keys(job, &oss).arg("--binary").arg(&in_oss);
    assert_lives("package-oss", package.spindle_submit(), with, &other);
}
