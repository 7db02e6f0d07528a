//! Exit codes and answers of commands, as scripts see them.

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};

use tempfile::TempDir;

use crate::spindle;

fn run(args: &[&str]) -> Output {
    spindle(Path::new(env!("CARGO_MANIFEST_DIR"))).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap().trim_end()
}

#[test]
fn version_is_printed_by_either_name() {
    let version = env!("CARGO_PKG_VERSION");
    for args in [&["--version"][..], &["submit", "--version"]] {
        let output = run(args);
        assert_eq!(
            (output.status.code(), text(&output.stdout).contains(version)),
            (Some(0), true),
            "{args:?}"
        );
    }
}

#[test]
fn wrong_usage_exits_with_2() {
    for args in [&[][..], &["no-such-command"], &["stop"], &["submit"], &["conf", "--no-such-flag"]] {
        let output = run(args);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{args:?}");
    }
}

#[test]
fn commands_not_built_yet_say_so() {
    let lines = ["dump A", "topic x.yaml", "doctor x.yaml", "sd --listen :1"];
    for line in lines {
        let output = run(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(2), "{line}");
        let command = line.split(' ').next().unwrap();
        assert_eq!(text(&output.stderr), format!("{command} is not built yet"));
    }
}

/// What a command for YARN needs is named, with the remedy.
#[test]
fn without_hadoop_commands_for_yarn_say_what_is_missing() {
    let empty = tempfile::tempdir().unwrap();
    let told = |args: &[&str], conf: Option<&Path>| {
        let mut command = spindle(empty.path());
        for name in ["HADOOP_CONF_DIR", "YARN_CONF_DIR", "HADOOP_HOME", "SPINDLE_JAR"] {
            command.env_remove(name);
        }
        if let Some(conf) = conf {
            command.env("HADOOP_CONF_DIR", conf);
        }
        let output = command.args(args).output().unwrap();
        (output.status.code(), text(&output.stderr).to_owned())
    };
    for args in [&["list"][..], &["status", "A"], &["kill", "application_1_2"], &["attach", "A"]] {
        let (code, error) = told(args, Some(empty.path()));
        assert_eq!(code, Some(1), "{args:?}: {error}");
        assert!(
            error.contains("yarn-site.xml: No such file") && error.contains("HADOOP_CONF_DIR"),
            "{error}"
        );
    }
    let (code, error) = told(&["kill", "http://127.0.0.1:1"], None);
    assert!(code == Some(2) && error.contains("not on YARN"), "{error}");
}

#[test]
fn jar_with_arguments_is_answered_like_a_jar() {
    let output =
        run(&["submit", "--class", "A", "--master", "yarn", "app.jar", "localhost:9092", "tweets_poc"]);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(text(&output.stderr), @"app.jar: is a Spark job; Spindle takes a job file, see conf/tweets.yaml");
}

#[test]
fn arguments_behind_the_job_file_are_refused() {
    let output = run(&["submit", "conf/tweets.yaml", "localhost:9092"]);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(text(&output.stderr), @"`localhost:9092` stands behind the job file, which takes no arguments; set job keys by --conf");
}

#[test]
fn init_writes_a_job_file_that_is_valid() {
    let dir = TempDir::new().unwrap();
    let wrote = spindle(dir.path()).arg("init").output().unwrap();
    assert_eq!(
        (wrote.status.code(), text(&wrote.stdout)),
        (Some(0), "wrote job.yaml; check it by: spindle conf job.yaml")
    );
    let checked = spindle(dir.path()).args(["conf", "job.yaml"]).output().unwrap();
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
}

#[test]
fn init_overwrites_nothing() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("job.yaml"), "mine").unwrap();
    let output = spindle(dir.path()).arg("init").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(text(&output.stderr), @"job.yaml: is there already and is not overwritten; name another file");
    assert_eq!(fs::read_to_string(dir.path().join("job.yaml")).unwrap(), "mine");
}

#[test]
fn every_shell_gets_its_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = run(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0));
        assert!(text(&output.stdout).contains("spindle"), "{shell}");
    }
}

/// `spindle conf x.yaml | head -0`: the reader is gone before anything is written.
#[test]
fn closed_stdout_is_no_error() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let program = env!("CARGO_BIN_EXE_spindle");
    let mut command = std::process::Command::new(program);
    command.args(["conf", "--schema"]).stdout(Stdio::from(writer)).stderr(Stdio::piped());
    let output = command.output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
}
