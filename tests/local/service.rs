//! The producer as a service of systemd: what `conf/spindle-producer.service` says, read by systemd itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use spindle::config::Producer;
use spindle::exit;
use tempfile::TempDir;

/// Most exposure that `systemd-analyze security` may find, of 100: below 20 it says OK.
const EXPOSURE_MAX: u32 = 18;

fn unit() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/spindle-producer.service")).unwrap()
}

/// The unit with the built program, in a folder of its own.
fn installed(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spindle-producer.service");
    let text =
        text.replace("ExecStart=/usr/bin/spindle", concat!("ExecStart=", env!("CARGO_BIN_EXE_spindle")));
    fs::write(&path, text).unwrap();
    (folder, path)
}

/// `None`, said, where systemd's tools are not installed.
fn analyze(args: &[&str], unit: &Path) -> Option<Output> {
    match Command::new("systemd-analyze").args(args).arg(unit).output() {
        Ok(output) => Some(output),
        Err(error) => {
            println!("not run: systemd-analyze: {error}; it comes with systemd");
            None
        }
    }
}

fn value(name: &str) -> String {
    let unit = unit();
    let mut found = unit.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let value = found.next().unwrap_or_else(|| panic!("{name} is not set")).to_owned();
    assert_eq!(found.next(), None, "{name} is set twice");
    value
}

#[test]
fn systemd_understands_every_line_of_it() {
    let (_folder, path) = installed(&unit());
    let Some(verified) = analyze(&["verify", "--man=no"], &path) else { return };
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && said.is_empty(), "{said}");

    let (_folder, path) = installed(&unit().replace("ProtectClock", "ProtectClok"));
    let verified = analyze(&["verify", "--man=no"], &path).unwrap();
    assert!(String::from_utf8_lossy(&verified.stderr).contains("ProtectClok"), "a wrong line is noticed");
}

#[test]
fn it_may_do_little() {
    let (_folder, path) = installed(&unit());
    let threshold = format!("--threshold={EXPOSURE_MAX}");
    let Some(found) = analyze(&["security", "--offline=true", "--no-pager", &threshold], &path) else {
        return;
    };
    let said =
        format!("{}{}", String::from_utf8_lossy(&found.stdout), String::from_utf8_lossy(&found.stderr));
    assert!(found.status.success(), "{said}");
}

#[test]
fn it_agrees_with_the_program() {
    assert_eq!(value("RestartPreventExitStatus"), exit::USAGE.to_string());
    assert_eq!(value("Type"), "notify");
    let stop = Duration::from_secs(value("TimeoutStopSec").parse().unwrap());
    let drain = Duration::from_millis(Producer::default().drain.ms());
    assert!(stop >= drain + Duration::from_secs(30), "{drain:?}, and then a commit and a save");
}
