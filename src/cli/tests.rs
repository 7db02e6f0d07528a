//! Command lines, right and wrong.

use super::*;

fn parsed(line: &str) -> Result<Command, String> {
    let words = line.split_whitespace().map(OsString::from);
    parse(words).map_err(|error| error.to_string())
}

#[test]
fn clap_finds_no_contradiction_in_the_commands() {
    use clap::CommandFactory as _;
    Cli::command().debug_assert();
}

#[test]
fn every_command_of_the_documentation_is_read() {
    let lines = [
        "submit x.yaml",
        "stop A --deadline 5s",
        "kill A",
        "list",
        "status A --json --check",
        "attach A",
        "logs A",
        "dump A",
        "scale A 3",
        "produce p.yaml",
        "topic x.yaml --watch",
        "doctor x.yaml --json",
        "verify x.yaml",
        "checkpoint list hdfs:///x",
        "checkpoint show hdfs:///x",
        "conf x.yaml",
        "conf --schema",
        "init",
        "sd --listen :9400",
        "sd --file /tmp/f",
        "fetch oss://b/k",
        "completions bash",
        "demo --windows 3 --rate 10 --port 0 --executors 1",
        "driver --job j --attempt 1 --secret-file s",
        "executor --driver h:1 --slot 0 --generation 0 --attempt 1 --secret-file s --die-with-parent",
    ];
    for line in lines {
        assert!(parsed(&format!("spindle {line}")).is_ok(), "{line}: {:?}", parsed(line).err());
    }
}

#[test]
fn wrong_arguments_are_refused() {
    for line in
        ["", "go", "stop", "stop A --deadline 5", "scale A 0", "scale A many", "conf", "sd", "demo --rate 0"]
    {
        assert!(parsed(&format!("spindle {line}")).is_err(), "{line}");
    }
}

#[test]
fn defaults_of_demo_and_stop_are_those_of_the_documentation() {
    let Ok(Command::Demo(demo)) = parsed("spindle demo") else { panic!("demo") };
    assert_eq!((demo.windows, demo.executors), (None, 2));
    let Ok(Command::Stop(stop)) = parsed("spindle stop A") else { panic!("stop") };
    assert_eq!(stop.deadline, config::Timespan::from_secs(10));
}

#[test]
fn an_error_says_each_cause_once() {
    let cause = || std::io::Error::from(std::io::ErrorKind::NotFound);
    let told = logging::LoggingError::File { path: "a".into(), source: cause() };
    assert_eq!(in_one_line(&told.into()), "log to a: entity not found");
    assert_eq!(in_one_line(&anyhow::Error::new(cause()).context("read b")), "read b: entity not found");
}
