//! The jar as schedulers start it, by a JVM without any Hadoop: streams, signals and exit codes of the program are its own.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;

use crate::ends::committed;
use crate::job::Job;
use crate::mock::Mock;

/// A program that says how it was called.
const TELLS: &str =
    "#!/bin/bash\nprintf '<%s>' \"$@\"\ncat\necho \"$SPINDLE_JAR\" >&2\nexit ${STUB_EXIT:-0}\n";
/// One that ends at the second SIGTERM, or with its stdin.
const COUNTS: &str = "#!/bin/bash\ntrap 'n=$((n + 1)); echo TERM $n; [[ $n != 2 ]] || exit 20' TERM\n\
                      trap 'echo INT' INT\necho ready\nwhile read -r _ || (($? > 128)); do :; done\n";

fn jar() -> PathBuf {
    let jar = Path::new(env!("CARGO_MANIFEST_DIR")).join("yarn/target/spindle-yarn.jar");
    assert!(jar.is_file(), "{} is not there: build it (mvn -f yarn package)", jar.display());
    jar
}

/// `java -cp JAR`, in folder `dir`.
fn java(jar: &Path, dir: &Path) -> Command {
    let home = std::env::var_os("JAVA_HOME").map(|home| Path::new(&home).join("bin/java"));
    let mut command = Command::new(home.unwrap_or_else(|| "java".into()));
    command.arg("-XX:TieredStopAtLevel=1").arg("-cp").arg(jar).arg("spindle.yarn.YarnJar").current_dir(dir);
    command.env_remove("SPINDLE_BIN").env_remove("SPINDLE_JAR").env("TMPDIR", dir);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the built jar with these arguments.
fn run(dir: &Path, args: &[&str]) -> Output {
    java(&jar(), dir).args(args).stdin(Stdio::null()).output().unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn program(path: &Path, text: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A folder with the program `stub`.
fn folder(stub: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    program(&dir.path().join("stub"), stub);
    dir
}

#[test]
fn arguments_and_streams_are_the_programs_own() {
    let dir = folder(TELLS);
    let mut command = java(&jar(), dir.path());
    let args =
        ["-D", "a=b", "--binary", "stub", "--name", "a  b", "--driver-java-options", "-Dx=y", "", "job.yaml"];
    let mut child = command.args(args).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"\x00input\xff").unwrap();
    let output = child.wait_with_output().unwrap();
    let expected =
        b"<submit><--conf><spark.master=yarn><--name><a  b><--driver-java-options><-Dx=y><><job.yaml>\x00input\xff";
    assert_eq!(output.stdout, expected, "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(told(&output), format!("{}\n", jar().display()), "and nothing besides");
}

#[test]
fn exit_codes_pass_through() {
    let dir = folder(TELLS);
    let start = |code: i32| {
        let mut command = java(&jar(), dir.path());
        let code = code.to_string();
        command.args(["--binary", "stub"]).env("STUB_EXIT", code).stdin(Stdio::null()).spawn().unwrap()
    };
    let codes = [0, 1, 2, 3, 4, 20, 130];
    let started: Vec<Child> = codes.into_iter().map(start).collect();
    let ended = started.into_iter().map(|mut child| child.wait().unwrap().code());
    assert_eq!(ended.collect::<Vec<_>>(), codes.map(Some));
}

#[test]
fn each_signal_to_the_jvm_reaches_the_program_once() {
    for signal in [Signal::TERM, Signal::INT] {
        let dir = folder(COUNTS);
        let mut child = java(&jar(), dir.path()).args(["--binary", "stub"]).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        assert_eq!(lines.next().unwrap(), "ready");
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(lines.next().unwrap(), "TERM 1");
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(lines.next().unwrap(), "TERM 2");
        assert_eq!((lines.next(), child.wait().unwrap().code()), (None, Some(20)));
    }
}

fn job(mock: &Mock) -> (Job, Command, TempDir) {
    let dir = TempDir::new().unwrap();
    let mut command = java(&jar(), dir.path());
    command.arg("--binary").arg(env!("CARGO_BIN_EXE_spindle"));
    (mock.job(), command, dir)
}

/// As a terminal does it, the JVM besides; as a scheduler does it, to the JVM alone, or to everyone.
#[test]
fn the_first_signal_takes_the_last_cut_by_whatever_ways_it_comes() {
    for (signal, group) in [(Signal::INT, true), (Signal::TERM, true), (Signal::TERM, false)] {
        let mut mock = Mock::new(1, 2);
        let (job, command, _dir) = job(&mock);
        let mut job = job.own_group().start_by(command);
        job.until_total(mock.write(500));
        mock.write(1);
        match group {
            true => kill_process_group(job.pid(), signal).unwrap(),
            false => job.signal(signal),
        }
        assert_eq!(job.exit_code(), 0, "{}", job.seen);
        let printed: Vec<i64> = job.seen.next.values().copied().collect();
        assert_eq!(committed(&mock, 2), printed, "{}", job.seen);
        job.seen.assert_whole();
    }
}

#[test]
fn a_client_whose_jvm_is_killed_takes_the_last_cut_and_ends() {
    let mut mock = Mock::new(1, 2);
    let (job, command, _dir) = job(&mock);
    let mut job = job.start_by(command);
    job.until_total(mock.write(500));
    let total = mock.write(1);
    job.signal(Signal::KILL);
    // That of the JVM; it also waits until nobody has its stdout any more, so until the client has ended.
    assert_eq!(job.exit_code(), -9, "{}", job.seen);
    // The kernel may say so once for each thread of the JVM.
    assert!(job.seen.logs("stopping") > 0, "{}", job.seen);
    let printed: Vec<i64> = job.seen.next.values().copied().collect();
    assert!(job.seen.total() <= total && committed(&mock, 2) == printed, "{}", job.seen);
}

/// As a script that runs the program without `exec`.
#[test]
fn a_client_with_something_between_it_and_the_jvm_warns_once() {
    let mut mock = Mock::new(1, 2);
    let other = std::os::unix::process::parent_id().to_string();
    let mut job = mock.job().env("SPINDLE_PARENT", other.clone()).start();
    job.until_total(mock.write(500));
    assert_eq!(job.stop(Signal::TERM), 0, "{}", job.seen);
    let warning = format!("process {other}, which SPINDLE_PARENT names, is not the parent of this client");
    assert_eq!(job.seen.logs(&warning), 1, "{}", job.seen);
}

#[test]
fn a_link_to_the_jar_in_a_folder_with_blanks_finds_the_program_of_its_package() {
    let dir = TempDir::new().unwrap();
    let (package, elsewhere) = (dir.path().join("a b/spindle-1"), dir.path().join("else where"));
    program(&package.join("bin/spindle"), TELLS);
    fs::create_dir(package.join("lib")).unwrap();
    fs::copy(jar(), package.join("lib/spindle-yarn.jar")).unwrap();
    fs::create_dir(&elsewhere).unwrap();
    symlink("../a b/spindle-1/lib/spindle-yarn.jar", elsewhere.join("link.jar")).unwrap();
    let by_link = |args: &[&str]| {
        java(Path::new("link.jar"), &elsewhere).args(args).stdin(Stdio::null()).output().unwrap()
    };
    let output = by_link(&["job.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    fs::remove_file(package.join("bin/spindle")).unwrap();
    let output = by_link(&["job.yaml"]);
    let error = told(&output);
    assert_eq!(output.status.code(), Some(2), "{error}");
    for place in ["a b/spindle-1/lib/spindle", "a b/spindle-1/bin/spindle", "--binary", "SPINDLE_BIN"] {
        assert!(error.contains(place) && error.lines().count() == 1, "{place}: {error}");
    }
}

#[test]
fn what_cannot_be_run_is_told_in_one_line() {
    let dir = folder(TELLS);
    let refused = |args: &[&str], code: i32, words: &str| {
        let output = run(dir.path(), args);
        let error = told(&output);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {error}");
        assert!(error.contains(words) && error.lines().count() == 1, "{args:?}: {error}");
        assert!(output.stdout.is_empty(), "{args:?}");
    };
    refused(&["--binary", "gone"], 2, "--binary gone, which is no file");
    refused(&["--binary", "stub", "--sha256", &"0".repeat(64)], 1, "its SHA-256 is ");
    refused(&["--binary", "hdfs://nn/spindle"], 1, "there is no Hadoop on the classpath");
    program(&dir.path().join("page"), "<html>\nexit 0\n");
    refused(&["--binary", "page"], 1, "page cannot be run: it is no program");
    // The program, linked against a C library that is not here.
    let bytes = fs::read(env!("CARGO_BIN_EXE_spindle")).unwrap();
    let loader = b"/lib64/ld-linux";
    let at = bytes.windows(loader.len()).position(|part| part == loader).unwrap();
    let foreign = [&bytes[..at], b"/lib64/ld-doors", &bytes[at + loader.len()..]].concat();
    program(&dir.path().join("foreign"), foreign);
    refused(&["--binary", "foreign"], 1, "what it needs to be loaded is not on this machine");
    let refused_for = |name: &str, value: &str, words: &str| {
        let mut command = java(&jar(), dir.path());
        let output = command.env("LC_ALL", "C").env(name, value).args(["--name", "n"]).output().unwrap();
        let error = told(&output);
        assert_eq!(output.status.code(), Some(2), "{name}: {error}");
        assert!(error.contains(words) && error.lines().count() == 1, "{name}: {error}");
    };
    refused_for("SPINDLE_BIN", "gone", "SPINDLE_BIN is gone");
    refused_for("SPINDLE_BIN", "ä/spindle", "set LC_ALL=C.UTF-8");
}

#[test]
fn a_copy_goes_when_the_program_has_ended() {
    let dir = folder(TELLS);
    fs::set_permissions(dir.path().join("stub"), fs::Permissions::from_mode(0o644)).unwrap();
    let tmp = dir.path().join("tmp");
    fs::create_dir(&tmp).unwrap();
    let mut command = java(&jar(), dir.path());
    command.env("TMPDIR", &tmp).env("STUB_EXIT", "4").args(["--binary", "stub"]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", told(&output));
    assert_eq!(fs::read_dir(tmp).unwrap().count(), 0);
    let output = command.env("TMPDIR", "gone").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        told(&output).contains("TMPDIR (gone)") && told(&output).lines().count() == 1,
        "{}",
        told(&output)
    );
}

#[test]
fn without_arguments_it_says_how_it_is_called() {
    let dir = TempDir::new().unwrap();
    let output = run(dir.path(), &[]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    assert!(told(&output).starts_with("Usage: yarn jar spindle-yarn.jar "), "{}", told(&output));
    let help = run(dir.path(), &["--help"]);
    assert_eq!((help.status.code(), help.stdout), (Some(0), output.stderr));
}
