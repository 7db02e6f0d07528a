//! The package as a newcomer meets it: unpacked in an empty folder. `scripts/test package` builds it first.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../support/process.rs"]
#[allow(dead_code, reason = "each test program uses a part")]
mod process;
#[path = "../support/seen.rs"]
#[allow(dead_code, reason = "each test program uses a part")]
mod seen;
#[path = "../support/job.rs"]
#[allow(dead_code, reason = "each test program uses a part")]
mod job;
#[path = "../support/produce.rs"]
#[allow(dead_code, reason = "each test program uses a part")]
mod produce;
#[path = "../local/mock.rs"]
#[allow(dead_code, reason = "each test program uses a part")]
mod mock;
mod contents;
mod old_kernel;

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// An unpacked package, in a folder with nothing else.
struct Package {
    folder: TempDir,
    root: PathBuf,
}

impl Package {
    fn unpacked() -> Self {
        let file = std::env::var("SPINDLE_PACKAGE")
            .expect("SPINDLE_PACKAGE is the package: scripts/test package sets it");
        let folder = tempfile::tempdir().unwrap();
        let tar = Command::new("tar").arg("-xzf").arg(&file).arg("-C").arg(folder.path()).status().unwrap();
        assert!(tar.success(), "{file}");
        let names: Vec<_> =
            folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        let name = format!("spindle-{}-linux-x86_64", env!("CARGO_PKG_VERSION"));
        assert_eq!(names, [name.as_str()], "one folder, of this name");
        Self { root: folder.path().join(name), folder }
    }

    /// Where it was unpacked.
    fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its program, with nothing of this machine's environment.
    fn spindle(&self) -> Command {
        let mut command = Command::new(self.root.join("bin/spindle"));
        command.env_clear().env("TMPDIR", self.folder.path()).current_dir(self.folder.path());
        command
    }

    /// A demo of five windows ends well, its books balanced.
    fn assert_demo(&self) {
        let output = self.spindle().args(["demo", "--windows", "5", "--port", "0"]).output().unwrap();
        let (stdout, stderr) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{stderr}");
        assert!(stdout.lines().filter(|line| line.starts_with("Time: ")).count() >= 5, "{stdout}");
        assert!(stdout.contains("missed 0, doubled 0"), "{stdout}{stderr}");
    }
}
