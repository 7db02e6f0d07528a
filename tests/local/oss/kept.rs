//! What stays on this machine: the folder with programs, and nothing of what was not finished.

use std::fs::{self, File, FileTimes, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use spindle::clock::Clock;

use super::submit::Gateway;
use super::{Person, content, sha256};
use crate::oss_server::{Fault, KEYS, Oss};
use crate::process::until;

/// Longer than what is left behind may stay.
const LONG_AGO: Duration = Duration::from_secs(25 * 60 * 60);

fn with_a_file() -> Oss {
    let oss = Oss::start();
    oss.put("conf/a.txt", "file");
    oss
}

/// As a submit leaves it that was killed.
fn left_behind(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("a.txt"), "password").unwrap();
    let old = std::time::UNIX_EPOCH + Duration::from_millis(Clock::start().wall_ms().try_into().unwrap())
        - LONG_AGO;
    File::open(folder).unwrap().set_times(FileTimes::new().set_modified(old)).unwrap();
}

#[test]
fn files_that_a_killed_submit_left_go_with_the_next_one() {
    let oss = with_a_file();
    let gateway = Gateway::new(&oss);
    let cache = gateway.dir().join(".cache/spindle");
    left_behind(&cache.join(".files-old"));
    fs::create_dir(cache.join(".files-new")).unwrap();
    fs::set_permissions(&cache, Permissions::from_mode(0o700)).unwrap();
    gateway.submit(&[]).unwrap();
    let left: Vec<_> = fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [".files-new"], "that one may be at work");
}

#[test]
fn a_folder_that_others_can_use_is_not_used_and_nothing_is_kept() {
    let oss = with_a_file();
    oss.put("bin/spindle", "program");
    let gateway = Gateway::new(&oss);
    let cache = gateway.dir().join(".cache/spindle");
    fs::create_dir_all(&cache).unwrap();
    fs::set_permissions(&cache, Permissions::from_mode(0o755)).unwrap();
    let temporary = gateway.dir().join("tmp");
    fs::create_dir(&temporary).unwrap();
    let gateway = gateway.set("TMPDIR", temporary.to_str().unwrap());
    let (told, log) = gateway.submit_and_log(&["--binary", "oss://jars/bin/spindle"]);
    let told = told.unwrap();
    let path = Path::new(told["binary"]["path"].as_str().unwrap());
    assert!(path.starts_with(&temporary) && told["binary"]["sha256"] == sha256(b"program"), "{told}");
    assert_eq!((gateway.read("program").as_str(), gateway.read("file").as_str()), ("program", "file"));
    assert_eq!(gateway.read("mode"), "700\n");
    assert!(log.contains("is not a folder that only you can use") && log.contains("not kept"), "{log}");
    let empty = |folder: &Path| fs::read_dir(folder).unwrap().next().is_none();
    assert!(empty(&temporary) && empty(&cache));
}

#[test]
fn a_fetch_that_is_ended_by_a_signal_leaves_nothing() {
    let oss = Oss::start();
    oss.put("a", content());
    let person = Person::new(&oss, &KEYS);
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        oss.faults([Fault::Silent(5000)]);
        let mut fetch = Command::new(env!("CARGO_BIN_EXE_spindle"));
        fetch
            .args(["fetch", "oss://jars/a"])
            .current_dir(person.dir())
            .env_clear()
            .envs(person.env.iter().cloned());
        let fetch = fetch.stderr(Stdio::piped()).spawn().unwrap();
        until("the first bytes are here", Duration::from_secs(30), || !person.files().is_empty());
        kill_process(Pid::from_child(&fetch), signal).unwrap();
        let ended = fetch.wait_with_output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert!(ended.status.code() == Some(1) && said.contains("nothing was kept"), "{signal:?}: {said}");
        assert_eq!(person.files(), Vec::<String>::new());
    }
}
