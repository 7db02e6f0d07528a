//! A job's life without faults: windows at the terminal, both hosts, graceful ends of every kind, nothing left behind.

use std::fs;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use spindle::clock::Clock;

use super::app::{App, REPAIR, job};
use crate::cluster::{hadoop, named, shared};
use crate::group::committed;
use crate::kafka::Topic;
use crate::process;
use crate::produce::Writer;

/// How long a stop may take, by promise.
const STOP_S: u64 = 5;

fn printed(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_job_prints_here_runs_there_and_leaves_nothing_behind() {
    let _cluster = shared();
    let topic = Topic::create("yarn-life", 4);
    let mut writer = Writer::new(&crate::kafka::brokers(), &topic.name);
    let mut app = App::submit(job(&topic.name).set("yarn.tags", "[\"first\"]").set("window.length", "100s"));
    (0..4).for_each(|partition| writer.numbered(partition, 250));
    app.client.until_total(writer.flush());

    let status = app.status().unwrap();
    assert_eq!((status.executors.hosts, status.executors.running), (2, 2), "{status:?}");
    assert!(status.executors.list.iter().all(|executor| executor.container.is_some()), "{status:?}");
    let listed = Command::new(env!("CARGO_BIN_EXE_spindle")).arg("list").output().unwrap();
    assert!(printed(&listed).contains(&format!("{}  RUNNING", app.id)), "{listed:?}");
    // YARN hears of progress with a heartbeat.
    let mut told = String::new();
    process::until("progress", REPAIR, || {
        told = printed(&hadoop("yarn", &["application", "-status", &app.id]));
        told.contains("Progress : ") && !told.contains("Progress : 0%")
    });
    for part in ["Application-Type : SPINDLE", "Tracking-URL : http", "State : RUNNING", &topic.name] {
        assert!(told.contains(part), "{part}: {told}");
    }

    let dir = status.app_dir.unwrap();
    let secret = hadoop("hadoop", &["fs", "-cat", &format!("{dir}/secret")]).stdout;
    assert_eq!(secret.len(), 32);
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    for (pid, line) in app.processes() {
        let environment = fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())).unwrap_or_default();
        assert!(!holds(&environment, &secret, &hex) && !holds(line.as_bytes(), &secret, &hex), "{line}");
    }

    let clock = Clock::start();
    let stopped = app.spindle("stop", &[]);
    assert!(stopped.status.success(), "{stopped:?}");
    assert!(clock.monotonic().as_secs() < STOP_S, "{:?}", clock.monotonic());
    assert_eq!(app.client.exit_code(), 0, "{}", app.client.seen);
    assert_eq!(app.client.seen.total(), writer.flush(), "the last window is whole");
    assert_eq!(committed(&format!("group-of-{}", topic.name), &topic.name, 4), [250; 4]);
    app.client.seen.assert_whole();
    assert!(app.processes().is_empty(), "{:?}", app.processes());
    assert!(!hadoop("hadoop", &["fs", "-test", "-e", &dir]).status.success(), "{dir} is still there");
    let ended = printed(&hadoop("yarn", &["application", "-status", &app.id]));
    assert!(ended.contains("Final-State : SUCCEEDED"), "{ended}");

    let mut logs = Vec::new();
    process::until("the logs to be collected", REPAIR, || {
        logs = app.spindle("logs", &[]).stdout;
        let text = String::from_utf8_lossy(&logs);
        ["LogType:driver.log", "LogType:executor.log", "LogType:windows"]
            .iter()
            .all(|part| text.contains(part))
    });
    assert!(!holds(&logs, &secret, &hex));
}

fn holds(text: &[u8], secret: &[u8], hex: &str) -> bool {
    text.windows(secret.len()).any(|part| part == secret)
        || text.windows(hex.len()).any(|part| part == hex.as_bytes())
}

/// The proxy passes little: no header that it does not know, no POST, and a query that it has written anew.
#[test]
fn a_client_that_reaches_only_the_proxy_watches_and_orders_through_it() {
    let _cluster = shared();
    let topic = Topic::create("yarn-proxy", 2);
    let mut app = App::submit(job(&topic.name));
    app.until("a window", |status| status.window.is_some());
    let proxied = format!("{}/proxy/{}", named("SPINDLE_YARN"), app.id);
    let spindle = |args: &[&str]| Command::new(env!("CARGO_BIN_EXE_spindle")).args(args).output().unwrap();
    let told = printed(&spindle(&["status", &proxied]));
    assert!(told.contains(&app.id) && told.contains("RUNNING"), "{told}");
    let mut attached = crate::job::spindle(&["attach", &proxied]);
    attached.until("windows", |seen| seen.windows.len() > 3);
    let scaled = spindle(&["scale", &proxied, "1"]);
    assert!(scaled.status.success(), "{scaled:?}");
    app.until_executors(1);
    app.stop();
}

#[test]
fn a_second_ctrl_c_kills_the_job_at_once() {
    let _cluster = shared();
    let topic = Topic::create("yarn-kill", 2);
    let mut app = App::submit(job(&topic.name));
    app.client.until("a window", |seen| !seen.windows.is_empty());
    // The driver cannot answer: only the kill can end this.
    let driver = app.process("spindle driver");
    rustix::process::kill_process(driver, Signal::STOP).unwrap();
    app.client.signal(Signal::INT);
    app.client.until("the first one to be heard", |seen| seen.logs("stopping") > 0);
    // Two interrupts at once are one.
    app.client.during(Duration::from_millis(400));
    app.client.signal(Signal::INT);
    assert_eq!(app.client.exit_code(), 130, "{}", app.client.seen);
    process::until("its processes to end", REPAIR, || app.processes().is_empty());
}

#[test]
fn ctrl_c_at_the_client_stops_the_job_gracefully() {
    let _cluster = shared();
    let topic = Topic::create("yarn-interrupt", 2);
    let mut writer = Writer::new(&crate::kafka::brokers(), &topic.name);
    let mut app = App::submit(job(&topic.name));
    writer.numbered(1, 100);
    app.client.until_total(writer.flush());
    // Whatever of these the last cut finds read is committed, and its window is here.
    writer.numbered(0, 100);
    writer.flush();
    app.client.signal(Signal::INT);
    assert_eq!(app.client.exit_code(), 0, "{}", app.client.seen);
    app.assert_committed_as_printed(&topic, 2);
    assert!(app.processes().is_empty(), "{:?}", app.processes());
}

#[test]
fn a_job_in_cluster_mode_can_be_waited_for_and_is_killed_with_its_client_when_so_wished() {
    let _cluster = shared();
    let topic = Topic::create("yarn-wait", 1);
    let waited = |more: &str| {
        let name = format!("{}{more}", topic.name);
        App::submit(
            job(&topic.name).arg("--deploy-mode").arg("cluster").arg("--wait").arg(more).set("name", &name),
        )
    };
    let (mut stopped, mut killed) = (waited("--verbose"), waited("--kill-on-exit"));
    for app in [&stopped, &killed] {
        app.until("a window", |status| status.window.is_some());
    }
    stopped.stop();
    killed.client.signal(Signal::TERM);
    assert_eq!(killed.client.exit_code(), 3, "{}", killed.client.seen);
    for app in [stopped, killed] {
        let seen = &app.client.seen;
        assert!(seen.windows.is_empty() && seen.lines.is_empty(), "windows are not for it: {seen}");
    }
}

/// Windows are for the client; when it is gone, nobody wants them, unless it said so.
#[test]
fn a_client_that_is_killed_takes_its_job_along_unless_the_job_is_to_be_kept() {
    let _cluster = shared();
    let topic = Topic::create("yarn-client-gone", 2);
    let mut writer = Writer::new(&crate::kafka::brokers(), &topic.name);
    let job = || job(&topic.name).set("yarn.client_timeout", "15s");
    let mut left = App::submit(job());
    let name = format!("{}-kept", topic.name);
    let mut kept = App::submit(job().arg("--keep").set("name", &name).set("source.group", &topic.name));
    writer.numbered(0, 100);
    let total = writer.flush();
    for app in [&mut kept, &mut left] {
        app.client.until_total(total);
        app.client.signal(Signal::KILL);
    }
    let told = |app: &App| printed(&app.spindle("status", &[]));
    assert!(told(&left).contains("RUNNING"), "{}", told(&left));
    process::until("the end of the job without a client", REPAIR, || told(&left).contains("FINISHED"));
    let ended = printed(&hadoop("yarn", &["application", "-status", &left.id]));
    assert!(ended.contains("Final-State : SUCCEEDED"), "{ended}");
    assert_eq!(committed(&format!("group-of-{}", topic.name), &topic.name, 2), [100, 0], "its last cut");
    let status = kept.until("a window", |status| status.window.is_some());
    assert_eq!(status.attention, Vec::<String>::new());
    let stopped = kept.spindle("stop", &[]);
    assert!(stopped.status.success(), "{stopped:?}");
}

#[test]
fn a_job_in_cluster_mode_is_named_watched_scaled_and_killed_from_outside() {
    let _cluster = shared();
    let topic = Topic::create("yarn-cluster-mode", 4);
    let mut app = App::submit(job(&topic.name).arg("--deploy-mode").arg("cluster"));
    assert_eq!(app.client.exit_code(), 0, "{}", app.client.seen);
    assert!(app.client.seen.logs("spindle attach") > 0, "{}", app.client.seen);
    app.until("a window", |status| status.window.is_some());
    let mut attached = crate::job::spindle(&["attach", &topic.name]);
    attached.until("windows", |seen| seen.windows.len() > 2);
    let scaled =
        Command::new(env!("CARGO_BIN_EXE_spindle")).args(["scale", &topic.name, "3"]).output().unwrap();
    assert!(scaled.status.success(), "{scaled:?}");
    app.until_executors(3);
    // Reading is open, orders are not.
    let mut other = Command::new(env!("CARGO_BIN_EXE_spindle"));
    let other = other.args(["scale", &app.id, "2"]).env("HADOOP_USER_NAME", "somebody").output().unwrap();
    let told = String::from_utf8_lossy(&other.stderr);
    assert_eq!(other.status.code(), Some(1), "{told}");
    assert!(told.contains("only root may stop or scale this job: read hdfs://"), "{told}");
    assert!(told.contains("/secret: ") && told.contains("Permission denied"), "{told}");
    let killed = app.spindle("kill", &[]);
    assert!(killed.status.success(), "{killed:?}");
    assert_eq!(attached.exit_code(), 3, "{}", attached.seen);
    process::until("its processes to end", REPAIR, || app.processes().is_empty());
    let again = app.spindle("stop", &[]);
    assert_eq!(again.status.code(), Some(1), "{again:?}");
}
