//! `spindle driver` under a scripted shim: what the application master would do is done here, containers are child
//! processes, the lines are the real ones.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use spindle::config::Job;
use spindle::web::{Token, client};
use spindle::wire::Secret;
use tempfile::TempDir;

use crate::job::PATIENCE;
use crate::mock::Mock;
use crate::process;

/// The shim, its containers, and the driver that is its child.
struct Shim {
    driver: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Value>,
    containers: HashMap<(u64, u64), Child>,
    dir: TempDir,
    http: String,
}

impl Shim {
    /// Past hello, ready and registered.
    fn start(mock: &Mock, topic: &str, more: &[&str]) -> Self {
        Self::attempt(1, mock, topic, more)
    }

    fn attempt(attempt: u32, mock: &Mock, topic: &str, more: &[&str]) -> Self {
        let mut shim = Self::child(attempt, mock, topic, more);
        shim.say(
            &json!({"type": "hello", "v": 1, "app": "application_1_2", "attempt": attempt, "host": "127.0.0.1",
                         "app_dir": "hdfs://nn/apps/application_1_2"}),
        );
        let ready = shim.hear("ready");
        shim.http = format!("http://{}", ready["http"].as_str().unwrap());
        shim.say(&json!({"type": "registered", "max_memory_mb": 4096, "queue": "default", "nodes": 2}));
        shim
    }

    fn child(attempt: u32, mock: &Mock, topic: &str, more: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let yaml = format!(
            "name: OnYarn\nsource: {{brokers: ['{}'], topics: [{topic}], group: g, start: earliest, \
             properties: {{fetch.wait.max.ms: 20}}}}\nwindow: {{length: 600s, slide: 200ms}}\nconsole: json\n\
             http: {{bind: 127.0.0.1}}\nenv: {{SPINDLE_TEST_VALUE: 'kept to itself'}}\n",
            mock.cluster.bootstrap_servers()
        );
        fs::create_dir(dir.path().join("logs")).unwrap();
        let file = dir.path().join("job.yaml");
        fs::write(&file, yaml).unwrap();
        let job = Job::load(&file).unwrap();
        private(&dir, "job.json", &job.to_handover().unwrap());
        private(&dir, "env.json", &serde_json::to_string(&job.env).unwrap());
        Secret::generate().unwrap().write(&dir.path().join("secret")).unwrap();
        let mut driver = Command::new(env!("CARGO_BIN_EXE_spindle"))
            .args([
                "driver",
                "--job",
                "job.json",
                "--attempt",
                &attempt.to_string(),
                "--secret-file",
                "secret",
            ])
            .args(["--env-file", "env.json"])
            .args(more)
            .env("LOG_DIRS", dir.path().join("logs"))
            .current_dir(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(driver.stdout.take().unwrap());
        let (line, lines) = mpsc::channel();
        thread::spawn(move || {
            for text in stdout.lines().map_while(Result::ok) {
                line.send(
                    serde_json::from_str(&text).unwrap_or_else(|_| panic!("not of the protocol: {text}")),
                )
                .unwrap_or_default();
            }
        });
        let stdin = driver.stdin.take();
        Self { driver, stdin, lines, containers: HashMap::new(), dir, http: String::new() }
    }

    fn say(&mut self, line: &Value) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// The next line of this type; those about progress may come at any time.
    fn hear(&mut self, kind: &str) -> Value {
        loop {
            let line =
                self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no {kind}: {}", self.log()));
            if line["type"] == "progress" && kind != "progress" {
                continue;
            }
            assert_eq!(line["type"], kind, "{line}");
            return line;
        }
    }

    /// Does what the next target says; returns it.
    fn converge(&mut self) -> Value {
        let target = self.hear("target");
        let wanted = target["slots"].as_array().unwrap().clone();
        let id = |slot: &Value| (slot["slot"].as_u64().unwrap(), slot["gen"].as_u64().unwrap());
        for slot in &wanted {
            let (number, generation) = id(slot);
            if self.containers.contains_key(&(number, generation)) {
                continue;
            }
            let log_dir = self.dir.path().join(format!("logs-{number}-{generation}"));
            fs::create_dir(&log_dir).unwrap();
            let args = slot["argv"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap());
            let args: Vec<&str> = args.collect();
            assert_eq!(args[0], "./spindle");
            let child = Command::new(env!("CARGO_BIN_EXE_spindle"))
                .args(&args[1..])
                .env("NM_HOST", format!("nm{number}"))
                .env("LOG_DIRS", log_dir)
                .current_dir(self.dir.path())
                .stdin(Stdio::null())
                .spawn()
                .unwrap();
            self.containers.insert((number, generation), child);
            let container = format!("container_{number}_{generation}");
            self.say(&json!({"type": "started", "slot": number, "gen": generation, "container": container,
                             "host": format!("nm{number}"), "log_url": "http://nm/logs"}));
        }
        target
    }

    /// A container ends by a signal, and its NodeManager reports it.
    fn lose(&mut self, slot: u64, generation: u64) {
        let mut child = self.containers.remove(&(slot, generation)).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        self.say(&json!({"type": "exited", "slot": slot, "gen": generation, "container": "c",
                         "host": format!("nm{slot}"), "class": "killed", "code": 137, "diagnostics": "Killed"}));
    }

    fn until_total(&self, total: u64) {
        let window = || client::get_status(&self.http).ok().and_then(|status| status.window);
        process::until(&format!("a window of {total}"), PATIENCE, || {
            window().is_some_and(|window| window.total == total)
        });
    }

    fn token(&self) -> Token {
        Token::of_secret(&Secret::read(&self.dir.path().join("secret")).unwrap())
    }

    /// Leaves the driver's stdin; returns its exit code.
    fn leave(&mut self) -> Option<i32> {
        drop(self.stdin.take());
        self.exit_code()
    }

    fn exit_code(&mut self) -> Option<i32> {
        let driver = &mut self.driver;
        process::until("the driver ends", PATIENCE, || driver.try_wait().unwrap().is_some());
        self.driver.wait().unwrap().code()
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.driver)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("logs/driver.log")).unwrap_or_default()
    }
}

impl Drop for Shim {
    fn drop(&mut self) {
        for child in self.containers.values_mut().chain([&mut self.driver]) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn private(dir: &TempDir, name: &str, text: &str) {
    let path = dir.path().join(name);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[test]
fn a_driver_under_a_shim_counts_restarts_elsewhere_and_finishes() {
    let mut mock = Mock::new(1, 4);
    let written = mock.write(500);
    let mut shim = Shim::start(&mock, "t", &[]);
    let target = shim.converge();
    assert_eq!(target["slots"].as_array().unwrap().len(), 2, "{target}");
    assert_eq!(target["slots"][0]["memory_mb"], 256);
    shim.until_total(written);
    let status = client::get_status(&shim.http).unwrap();
    assert_eq!((status.app.as_str(), status.executors.hosts), ("application_1_2", 2));
    assert_eq!(status.executors.list[1].container.as_deref(), Some("container_1_0"));
    shim.lose(1, 0);
    // One target without the dead generation, one with the next.
    let target = loop {
        let target = shim.converge();
        if target["slots"].as_array().unwrap().len() == 2 {
            break target;
        }
    };
    assert_eq!((&target["slots"][1]["gen"], &target["slots"][1]["avoid"]), (&json!(1), &json!(["nm1"])));
    let written = mock.write(500);
    shim.until_total(written);
    client::stop(&shim.http, &shim.token(), PATIENCE).unwrap();
    let finish = shim.hear("finish");
    assert_eq!(
        (&finish["status"], &finish["diagnostics"]),
        (&json!("SUCCEEDED"), &json!("")),
        "{}",
        shim.log()
    );
    assert_eq!(shim.leave(), Some(0), "{}", shim.log());
    let windows = fs::read_to_string(shim.dir.path().join("logs/windows")).unwrap();
    let last: Value = serde_json::from_str(windows.lines().last().unwrap()).unwrap();
    assert_eq!(last["total"], written);
}

#[test]
fn windows_can_be_followed_and_a_follower_that_is_gone_ends_the_job() {
    let mock = Mock::new(1, 1);
    let mut shim = Shim::start(&mock, "t", &["--follow-ms", "3000"]);
    shim.converge();
    let first = client::get_windows(&shim.http, 0, PATIENCE, true).unwrap();
    let next = client::get_windows(&shim.http, first.windows.last().unwrap().end_ms, PATIENCE, true).unwrap();
    assert!(!first.missed && !next.missed);
    assert_eq!(first.windows[0].end_ms + 200, [&first.windows[..], &next.windows[..]].concat()[1].end_ms);
    assert!(
        next.windows[0].text.starts_with("{\"app\":\"OnYarn\",\"attempt\":1,"),
        "{}",
        next.windows[0].text
    );
    assert_eq!(shim.hear("finish")["status"], "SUCCEEDED");
    assert!(shim.log().contains("the client is gone"), "{}", shim.log());
    assert_eq!(shim.leave(), Some(0));
}

#[test]
fn an_attempt_that_loses_its_shim_ends_without_finishing_the_application() {
    let mock = Mock::new(1, 1);
    let mut shim = Shim::start(&mock, "t", &[]);
    shim.converge();
    assert_eq!(shim.leave(), Some(13), "{}", shim.log());
    assert!(shim.lines.iter().all(|line| line["type"] != "finish"));

    let mut shim = Shim::start(&mock, "t", &[]);
    shim.converge();
    kill_process(shim.pid(), Signal::TERM).unwrap();
    assert_eq!(shim.exit_code(), Some(13), "{}", shim.log());
    assert!(shim.lines.iter().all(|line| line["type"] != "finish"));

    let mut shim = Shim::start(&mock, "t", &[]);
    shim.say(&json!("gibberish"));
    assert_eq!(shim.exit_code(), Some(16), "{}", shim.log());
}

#[test]
fn what_a_restart_does_not_cure_fails_the_application() {
    let mock = Mock::new(1, 1);
    let mut shim = Shim::start(&mock, "no_such_topic", &[]);
    shim.converge();
    let finish = shim.hear("finish");
    assert_eq!(finish["status"], "FAILED");
    assert!(finish["diagnostics"].as_str().unwrap().contains("no_such_topic"), "{finish}");
    assert_eq!(shim.leave(), Some(1), "{}", shim.log());
}

/// What its first attempt has read is not there any more. A Kafka that is away is another matter.
#[test]
fn a_topic_that_is_gone_fails_a_later_attempt_too() {
    let mock = Mock::new(1, 1);
    let mut shim = Shim::attempt(2, &mock, "no_such_topic", &[]);
    shim.converge();
    let finish = shim.hear("finish");
    assert_eq!(finish["status"], "FAILED");
    assert!(
        finish["diagnostics"].as_str().unwrap().contains("topic no_such_topic does not exist"),
        "{finish}"
    );
    assert_eq!(shim.leave(), Some(1), "{}", shim.log());
    assert!(shim.log().contains("wait for Kafka"), "not at once: {}", shim.log());
}

#[test]
fn files_that_cannot_be_used_end_the_attempt_with_their_name() {
    let dir = tempfile::tempdir().unwrap();
    private(&dir, "job.json", "{}");
    private(&dir, "env.json", "[]");
    let driver = |args: &str| {
        let run =
            crate::spindle(dir.path()).args(["driver", "--attempt", "1"]).args(args.split(' ')).unwrap_err();
        let output = run.as_output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, told) = driver("--job gone.json --secret-file secret");
    assert!(code == Some(19) && told.contains("read the job gone.json: No such file"), "{code:?} {told}");
    let (code, told) = driver("--job job.json --secret-file secret");
    assert!(
        code == Some(19) && told.contains("read the job job.json: line 1 column 2 is not a job"),
        "{told}"
    );
    let (code, told) = driver("--job job.json --secret-file secret --env-file env.json");
    assert!(code == Some(19) && told.contains("env.json is not a JSON object of strings"), "{code:?} {told}");
}
