//! `spindle attach` and `submit` where YARN, the JVM that submits and the driver are played: what they show, through
//! restarts, and how they end.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::job::PATIENCE;
use crate::process;

const APP: &str = "application_1_2";

/// What the driver, or YARN's proxy in front of it, does when it is asked for windows.
#[derive(Clone, Copy)]
enum Step {
    /// Gives the windows with these ends; says in which attempt, and whether others between are lost.
    Windows(u32, &'static [i64], bool),
    /// Another job has come to listen there.
    Stranger,
    HangUp,
}

/// What the ResourceManager says.
#[derive(Clone, Copy)]
enum Rm {
    /// In a queue still, before anything else.
    Waits(&'static str),
    Runs,
    Over(&'static str, &'static str, &'static str),
    Forgets,
    HangsUp,
}

/// ResourceManager and driver behind one address. When the driver has done its steps it hangs up, and the
/// ResourceManager does its own; the last of them again and again.
struct Stage {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
    conf: TempDir,
}

impl Stage {
    fn set(steps: &[Step], rm: &[Rm]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let mut play = Play {
            address: address.clone(),
            asked: Arc::clone(&asked),
            steps: steps.to_vec().into(),
            rm: rm.to_vec().into(),
        };
        thread::spawn(move || {
            for tcp in listener.incoming() {
                let mut tcp = tcp.unwrap();
                let mut lines = BufReader::new(tcp.try_clone().unwrap()).lines().map_while(Result::ok);
                let first = lines.next().unwrap_or_default();
                lines.take_while(|line| !line.is_empty()).for_each(drop);
                if let Some((code, body)) = play.answer(first.split(' ').nth(1).unwrap_or_default()) {
                    let body = body.to_string();
                    let length = body.len();
                    let head = format!("HTTP/1.1 {code} x\r\nConnection: close\r\nContent-Length: {length}");
                    let _ = write!(tcp, "{head}\r\n\r\n{body}");
                }
            }
        });
        let conf = TempDir::new().unwrap();
        let name = "yarn.resourcemanager.webapp.address";
        let property = format!("<property><name>{name}</name><value>{address}</value></property>");
        fs::write(conf.path().join("yarn-site.xml"), format!("<configuration>{property}</configuration>"))
            .unwrap();
        Self { address, asked, conf }
    }

    fn attach(&self, to: &str) -> Output {
        end_of(self.command(&["attach", to]))
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spindle"));
        command.args(args).env("HADOOP_CONF_DIR", self.conf.path()).env_remove("SPINDLE_LOG");
        command
    }

    /// Submits a job; the JVM says that YARN has taken it.
    fn submit(&self, more: &[&str]) -> Output {
        let home = self.conf.path();
        fs::create_dir_all(home.join("bin")).unwrap();
        let submitted = json!({"type": "submitted", "app": APP, "user": "ann", "app_dir": "hdfs://n/a",
            "am_memory_mb": 448, "executor_memory_mb": 256});
        for (name, script) in [
            ("hadoop", "echo /none".to_owned()),
            (
                "java",
                format!(
                    "read -r asked; echo \"$asked\" > {}/asked; echo '{{\"new\":1}}'; echo '{submitted}'",
                    home.display()
                ),
            ),
        ] {
            let program = home.join("bin").join(name);
            fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        }
        fs::write(home.join("shim.jar"), "").unwrap();
        let job = "name: Played\nsource: {brokers: [b], topics: [t], group: g}\n";
        fs::write(home.join("job.yaml"), job).unwrap();
        let mut command = self.command(&["submit", "--master", "yarn"]);
        command.args(more).arg(home.join("job.yaml"));
        command.env("JAVA_HOME", home).env("HADOOP_HOME", home).env("SPINDLE_JAR", home.join("shim.jar"));
        end_of(command)
    }
}

/// What it has printed at its end, which must come.
fn end_of(command: Command) -> Output {
    assert_cmd::Command::from_std(command).timeout(PATIENCE).output().unwrap()
}

struct Play {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
    steps: VecDeque<Step>,
    rm: VecDeque<Rm>,
}

impl Play {
    /// Status and body; `None` hangs up.
    fn answer(&mut self, path: &str) -> Option<(u16, Value)> {
        if path.starts_with("/ws/v1/cluster/apps/") {
            return self.rm();
        }
        if path.starts_with("/ws/v1/cluster/apps?") {
            let ids = [APP, "application_1_3", "application_1_4"];
            let apps = ids.map(|id| self.app(id, "RUNNING", "UNDEFINED", ""));
            return Some((200, json!({"apps": {"app": apps}})));
        }
        if path == "/api/status" {
            return Some((200, status(&self.address)));
        }
        self.asked.lock().unwrap().push(path.to_owned());
        match self.steps.pop_front()? {
            Step::Windows(attempt, ends, missed) => Some((200, windows(APP, attempt, ends, missed))),
            Step::Stranger => Some((200, windows("application_1_3", 1, &[9_000], false))),
            Step::HangUp => None,
        }
    }

    fn rm(&mut self) -> Option<(u16, Value)> {
        let running = !self.steps.is_empty();
        let waits = matches!(self.rm[0], Rm::Waits(_));
        let now = match (running, self.rm.len()) {
            (true, _) if !waits => Rm::Runs,
            (true, _) => self.rm.pop_front().unwrap(),
            (false, 1) => self.rm[0],
            (false, _) => self.rm.pop_front().unwrap(),
        };
        match now {
            Rm::HangsUp => None,
            Rm::Forgets => Some((404, json!({"RemoteException": {"message": "not found"}}))),
            Rm::Waits(why) => Some((200, json!({"app": self.app(APP, "ACCEPTED", "UNDEFINED", why)}))),
            Rm::Runs => Some((200, json!({"app": self.app(APP, "RUNNING", "UNDEFINED", "")}))),
            Rm::Over(state, how, why) => Some((200, json!({"app": self.app(APP, state, how, why)}))),
        }
    }

    fn app(&self, id: &str, state: &str, final_status: &str, diagnostics: &str) -> Value {
        let address = &self.address;
        let name = if id == APP { "Once" } else { "Twice" };
        json!({"id": id, "name": name, "user": "ann", "queue": "default", "state": state,
            "finalStatus": final_status, "startedTime": 7, "diagnostics": diagnostics, "amRPCAddress": address,
            "trackingUrl": format!("http://{address}/proxy/{APP}/")})
    }
}

fn status(http: &str) -> Value {
    json!({"name": "Played", "app": APP, "app_dir": null, "http": http, "state": "RUNNING", "since_ms": 0,
        "attempt": 1, "version": "0", "lag": {"records": 0, "seconds": 0.0, "worst": null}, "unread": [],
        "window": {"end_ms": 1_000, "delay_ms": 1, "total": 0, "distinct": 0, "complete": true},
        "executors": {"running": 0, "wanted": 0, "hosts": 0, "list": []}, "attention": []})
}

fn windows(app: &str, attempt: u32, ends: &[i64], missed: bool) -> Value {
    let window = |end_ms: &i64| json!({"end_ms": end_ms, "text": format!("window {end_ms}\n")});
    let windows: Vec<Value> = ends.iter().map(window).collect();
    json!({"app": app, "attempt": attempt, "windows": windows, "missed": missed})
}

fn printed(output: &Output) -> (String, String) {
    (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

const WELL: Rm = Rm::Over("FINISHED", "SUCCEEDED", "");

#[test]
fn each_window_is_shown_once_through_a_restart_of_the_driver() {
    let steps = [
        Step::Windows(1, &[1_000, 1_500], false),
        Step::Windows(1, &[], false),
        Step::HangUp,
        Step::Stranger,
        Step::Windows(2, &[2_000], true),
    ];
    let stage = Stage::set(&steps, &[WELL]);
    let output = stage.attach(APP);
    let (out, log) = printed(&output);
    assert_eq!((output.status.code(), out.as_str()), (Some(0), "window 1000\nwindow 1500\nwindow 2000\n"));
    assert_eq!(log.matches("the driver was restarted").count(), 1, "{log}");
    assert!(log.contains("application_1_2 ended: SUCCEEDED"), "{log}");
    let asked =
        |place: &str, after: u32| format!("{place}/api/windows?after={after}&wait_ms=10000&follow=true");
    // Directly where that works, else through the proxy; the last two find nobody.
    let proxied = |after| asked("/proxy/application_1_2", after);
    let direct = |after| asked("", after);
    let expected = [
        direct(999),
        direct(1_500),
        direct(1_500),
        proxied(1_500),
        direct(1_500),
        direct(2_000),
        proxied(2_000),
    ];
    assert_eq!(*stage.asked.lock().unwrap(), expected);
}

#[test]
fn who_submits_sees_the_job_begin_and_every_window_of_it() {
    let steps = [Step::HangUp, Step::HangUp, Step::Windows(1, &[1_000], false)];
    let stage = Stage::set(&steps, &[Rm::Waits("no room\nat all"), Rm::Waits(""), WELL]);
    let output = stage.submit(&[]);
    let (out, log) = printed(&output);
    assert_eq!((output.status.code(), out.as_str()), (Some(0), "window 1000\n"), "{log}");
    let place = |part: &str| log.find(part).unwrap_or_else(|| panic!("no {part}: {log}"));
    let told = [
        "Submitted application application_1_2\n",
        "application_1_2 is ACCEPTED in queue default: no room\n",
        "the application master is registered",
        "first window",
        "application_1_2 ended: SUCCEEDED",
    ];
    let places: Vec<usize> = told.iter().map(|part| place(part)).collect();
    assert!(places.is_sorted(), "{log}");
    assert_eq!(stage.asked.lock().unwrap()[0], "/api/windows?after=0&wait_ms=10000&follow=true");
}

#[test]
fn in_cluster_mode_windows_stay_where_they_are() {
    let steps = [Step::HangUp, Step::HangUp, Step::Windows(1, &[1_000], false)];
    let stage = Stage::set(&steps, &[Rm::Waits(""), WELL]);
    let output = stage.submit(&["--deploy-mode", "cluster", "--wait"]);
    let (out, log) = printed(&output);
    assert_eq!((output.status.code(), out.as_str()), (Some(0), ""), "{log}");
    assert!(log.contains("ended: SUCCEEDED") && !log.contains("first window"), "{log}");
    assert!(stage.asked.lock().unwrap().iter().all(|asked| asked.ends_with("wait_ms=0&follow=false")));

    let stage = Stage::set(&steps, &[WELL]);
    let output = stage.submit(&["--deploy-mode", "cluster"]);
    let (out, log) = printed(&output);
    assert_eq!((output.status.code(), out.as_str()), (Some(0), ""), "{log}");
    assert!(log.contains("spindle stop application_1_2") && !log.contains("ended"), "{log}");
}

#[test]
fn the_driver_in_its_container_is_told_where_to_begin() {
    let stage = Stage::set(&[Step::HangUp], &[WELL]);
    let output =
        stage.submit(&["--deploy-mode", "cluster", "--from", "checkpoint", "--relabel", "--take-over"]);
    assert_eq!(output.status.code(), Some(0), "{}", printed(&output).1);
    let asked = fs::read_to_string(stage.conf.path().join("asked")).unwrap();
    let asked: Value = serde_json::from_str(&asked).unwrap();
    assert_eq!(asked["driver_args"], json!(["--from", "checkpoint", "--relabel", "--take-over"]));
}

#[test]
fn a_name_stands_for_one_job() {
    let stage = Stage::set(&[Step::Windows(1, &[1_000], false)], &[WELL]);
    let output = stage.attach("Once");
    assert_eq!((output.status.code(), printed(&output).0.as_str()), (Some(0), "window 1000\n"));
    for (name, told) in [
        ("Twice", "several applications are called Twice: application_1_3, application_1_4; give an id"),
        ("Never", "no running application is called Never; see spindle list"),
    ] {
        let output = stage.attach(name);
        assert_eq!(output.status.code(), Some(1));
        assert!(printed(&output).1.contains(told), "{}", printed(&output).1);
    }
}

#[test]
fn windows_that_are_kept_no_more_are_missed_aloud() {
    let steps = [Step::Windows(1, &[1_000], false), Step::Windows(1, &[9_000], true)];
    let output = Stage::set(&steps, &[WELL]).attach(APP);
    let (out, log) = printed(&output);
    assert_eq!((output.status.code(), out.as_str()), (Some(0), "window 1000\nwindow 9000\n"));
    assert_eq!(log.matches("kept no more").count(), 1, "{log}");
}

#[test]
fn how_it_ended_is_said_in_words_and_by_the_exit_code() {
    let container = "\n Application failed 1 times: exited with  exitCode: 18\nstack";
    for (over, code, told) in [
        (Rm::Over("FINISHED", "FAILED", "no topic t\nstack"), 1, "failed: no topic t; see: spindle logs"),
        (Rm::Over("FAILED", "FAILED", container), 1, "not the one that was submitted"),
        (Rm::Over("FINISHED", "UNDEFINED", ""), 1, "failed: no reason given"),
        (Rm::Over("KILLED", "KILLED", "killed by ann"), 3, "was killed: killed by ann"),
        (Rm::Forgets, 4, "no application_1_2 on this cluster"),
    ] {
        let output = Stage::set(&[Step::HangUp], &[Rm::Runs, over]).attach(APP);
        let (out, log) = printed(&output);
        assert_eq!((output.status.code(), out.as_str()), (Some(code), ""), "{log}");
        assert!(log.contains(told), "{log}");
    }
}

#[test]
fn a_resource_manager_that_is_away_for_a_moment_is_asked_again() {
    let rm = [Rm::HangsUp, Rm::HangsUp, WELL];
    let output = Stage::set(&[Step::Windows(1, &[1_000], false)], &rm).attach(APP);
    assert_eq!((output.status.code(), printed(&output).0.as_str()), (Some(0), "window 1000\n"));
}

#[test]
fn a_driver_at_an_address_is_given_up_when_it_is_silent_for_long() {
    // The second time it hangs up, nothing has come since the first.
    let (first, last) = (Step::Windows(1, &[1_000], false), Step::Windows(1, &[1_500], false));
    let steps = [first, Step::HangUp, Step::HangUp, last];
    let stage = Stage::set(&steps, &[WELL]);
    let output = stage.attach(&format!("http://{}", stage.address));
    let (out, log) = printed(&output);
    assert_eq!((output.status.code(), out.as_str()), (Some(4), "window 1000\nwindow 1500\n"));
    assert!(log.contains("answers no more"), "{log}");
}

#[test]
fn nobody_is_followed_for_a_closed_stdout() {
    let stage = Stage::set(&[Step::Windows(1, &[1_000], false); 1_000], &[WELL]);
    let mut attach =
        stage.command(&["attach", APP]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    drop(attach.stdout.take());
    process::until("its end", PATIENCE, || attach.try_wait().unwrap().is_some());
    assert_eq!(attach.wait().unwrap().code(), Some(0));
    assert!(stage.asked.lock().unwrap().len() < 1_000);
}
