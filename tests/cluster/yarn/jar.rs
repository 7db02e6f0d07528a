//! `yarn jar`, as schedulers start jobs: the program beside the jar or from HDFS, on the real cluster.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Signal, kill_process_group};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::app::{App, job};
use crate::cluster::{hadoop, named, shared};
use crate::job::Job;
use crate::kafka::Topic;
use crate::produce::Writer;

const TOOLS: [&str; 5] = ["bash", "dirname", "env", "readlink", "stat"];
const HADOOP: [&str; 3] = ["hadoop", "hdfs", "yarn"];
/// Where `yarn jar` unpacks the jar.
const UNPACKED: &str = "unpacked";

fn jar() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("yarn/target/spindle-yarn.jar")
}

fn on_path(tool: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap();
    env::split_paths(&path).map(|folder| folder.join(tool)).find(|file| file.is_file()).unwrap()
}

/// A folder for the PATH with nothing but Hadoop's commands and what they, and our launcher, use beside a shell.
pub(super) fn only_hadoop(dir: &Path) -> PathBuf {
    let tools = dir.join("tools");
    if !tools.exists() {
        fs::create_dir(&tools).unwrap();
        TOOLS.iter().chain(&HADOOP).for_each(|tool| symlink(on_path(tool), tools.join(tool)).unwrap());
    }
    tools
}

/// `yarn jar JAR`, with nothing else on its PATH.
pub(super) fn yarn_jar(jar: &Path, dir: &Path) -> Command {
    let tools = only_hadoop(dir);
    let unpacked = dir.join(UNPACKED);
    let _ = fs::create_dir(&unpacked);
    let mut command = Command::new(tools.join("yarn"));
    command.env("HADOOP_CLIENT_OPTS", format!("-Djava.io.tmpdir={}", unpacked.display()));
    command.arg("jar").arg(jar).env("PATH", tools).env_remove("SPINDLE_BIN").env_remove("SPINDLE_JAR");
    command
}

/// A folder on the cluster, which goes at the end.
pub(super) struct OnHdfs(String);

impl OnHdfs {
    pub(super) fn create(name: &str) -> Self {
        let folder = Self(format!("{}/tmp/{name}-{}", named("SPINDLE_HDFS"), std::process::id()));
        fs_command(&["-mkdir", "-p", &folder.0]);
        folder
    }

    pub(super) fn put(&self, file: &Path, name: &str) -> String {
        let target = format!("{}/{name}", self.0);
        fs_command(&["-put", "-f", file.to_str().unwrap(), &target]);
        target
    }
}

impl Drop for OnHdfs {
    fn drop(&mut self) {
        hadoop("hadoop", &["fs", "-rm", "-r", "-skipTrash", &self.0]);
    }
}

fn fs_command(args: &[&str]) {
    let done = hadoop("hadoop", &[&["fs"], args].concat());
    assert!(done.status.success(), "{args:?}: {done:?}");
}

/// Unpacked as a package, called with nothing but Hadoop at hand, ended as schedulers do it.
#[test]
fn a_package_runs_its_own_program_and_sigterm_stops_the_job_gracefully() {
    let _cluster = shared();
    let topic = Topic::create("yarn-jar", 2);
    let mut writer = Writer::new(&crate::kafka::brokers(), &topic.name);
    let dir = TempDir::new().unwrap();
    for folder in ["bin", "lib"] {
        fs::create_dir(dir.path().join(folder)).unwrap();
    }
    fs::copy(jar(), dir.path().join("lib/spindle-yarn.jar")).unwrap();
    // Hadoop hands links on as they are.
    let link = dir.path().join("link.jar");
    symlink("lib/spindle-yarn.jar", &link).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_spindle"), dir.path().join("bin/spindle")).unwrap();
    let mut app =
        App::of(job(&topic.name).arg("--deploy-mode").arg("client").start_by(yarn_jar(&link, dir.path())));
    writer.numbered(0, 100);
    app.client.until_total(writer.flush());
    writer.numbered(1, 100);
    writer.flush();
    app.client.signal(Signal::TERM);
    assert_eq!(app.client.exit_code(), 0, "{}", app.client.seen);
    app.assert_committed_as_printed(&topic, 2);
    assert_eq!(app.client.seen.lines, Vec::<String>::new(), "nothing but windows on stdout");
    let left = fs::read_dir(dir.path().join(UNPACKED)).unwrap().count();
    assert_eq!(left, 0, "Hadoop has removed what it unpacked");
}

/// What its containers run has the hash of what was fetched.
#[test]
fn a_program_on_hdfs_is_fetched_checked_and_run_everywhere() {
    let _cluster = shared();
    let topic = Topic::create("yarn-jar-hdfs", 1);
    let dir = TempDir::new().unwrap();
    let remote = OnHdfs::create("jar");
    // Another one than is built here, so that a container could not have it from elsewhere.
    let program = dir.path().join("spindle");
    let mut bytes = fs::read(env!("CARGO_BIN_EXE_spindle")).unwrap();
    bytes.extend_from_slice(topic.name.as_bytes());
    fs::write(&program, &bytes).unwrap();
    let sha256: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let url = remote.put(&program, "spindle");

    let start = |name: &str| {
        let jar = dir.path().join(name);
        fs::create_dir(&jar).unwrap();
        fs::copy(self::jar(), jar.join("alone.jar")).unwrap();
        let job = job(&topic.name).arg("--binary").arg(&url).own_group();
        job.start_by(yarn_jar(&jar.join("alone.jar"), dir.path()))
    };
    // Without a hash beside it.
    let mut app = App::of(start("unchecked"));
    app.client.until("a window", |seen| !seen.windows.is_empty());
    let driver = app.process("spindle driver").as_raw_nonzero();
    assert!(fs::read(format!("/proc/{driver}/exe")).unwrap() == bytes, "the driver is another program");
    // The job is killed, and so fails for its client.
    let killed = app.spindle("kill", &[]);
    assert!(killed.status.success(), "{killed:?}");
    assert_eq!(app.client.exit_code(), 3, "{}", app.client.seen);
    assert_eq!(app.client.secrets(), Vec::<String>::new(), "the copy is gone");

    let sums = dir.path().join("sums");
    fs::write(&sums, format!("{sha256}  spindle\n")).unwrap();
    remote.put(&sums, "spindle.sha256");
    let mut app = App::of(start("checked"));
    app.client.until("a window", |seen| !seen.windows.is_empty());
    // A terminal's Ctrl-C reaches the client by itself and by its JVM: a second one would kill the job.
    kill_process_group(app.client.pid(), Signal::INT).unwrap();
    assert_eq!(app.client.exit_code(), 0, "{}", app.client.seen);

    fs::write(&sums, format!("{}  spindle\n", "0".repeat(64))).unwrap();
    remote.put(&sums, "spindle.sha256");
    let mut refused = start("wrong");
    assert_eq!(refused.exit_code(), 1, "{}", refused.seen);
    let told = refused.seen.log.last().unwrap();
    assert!(told.contains(&sha256) && told.contains("expected is 000"), "{told}");
}

#[test]
fn what_cannot_be_fetched_or_submitted_has_its_code_and_one_line() {
    let _cluster = shared();
    let dir = TempDir::new().unwrap();
    // As in a container: a link to each file, and the files are elsewhere.
    fs::create_dir(dir.path().join("elsewhere")).unwrap();
    fs::copy(jar(), dir.path().join("elsewhere/cached.jar")).unwrap();
    symlink("elsewhere/cached.jar", dir.path().join("spindle-yarn.jar")).unwrap();
    symlink(env!("CARGO_BIN_EXE_spindle"), dir.path().join("spindle")).unwrap();
    let refused = |binary: &str, code: i32, words: &str| {
        let binary = ["--binary", binary].into_iter().filter(|_| !binary.is_empty());
        let job = binary.fold(job("spindle-test-nothing").set("yarn.queue", "fast"), Job::arg);
        let mut client = job.start_by(yarn_jar(&dir.path().join("spindle-yarn.jar"), dir.path()));
        assert_eq!(client.exit_code(), code, "{}", client.seen);
        let told = client.seen.log.last().unwrap();
        assert!(told.contains(words), "{told}");
    };
    refused(&format!("{}/tmp/none", named("SPINDLE_HDFS")), 1, "/tmp/none: there is no such file");
    refused("nosuch://bucket/key", 1, "nosuch");
    refused("", 2, "fast");
}
