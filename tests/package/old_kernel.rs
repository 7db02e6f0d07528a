//! As if on Linux 3.10, CentOS 7's: what was added later does not exist.

use std::thread;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::Errno;
use rustix::process::Signal;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch, apply_filter};

use crate::Package;
use crate::mock::Mock;

/// The last system call of Linux 3.10 on x86-64 is 313, `finit_module` (arch/x86/syscalls/syscall_64.tbl of v3.10).
const ADDED_LATER: std::ops::Range<i64> = 314..600;

/// Runs `work` on a thread, and what it starts, without them. It must not start threads: glibc ends a process in which the
/// first thread has restartable sequences (4.18) and another one cannot.
fn on_linux_3_10<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let without = ADDED_LATER.map(|call| (call, Vec::new())).collect();
    let missing = SeccompAction::Errno(Errno::NOSYS.raw_os_error().unsigned_abs());
    let filter = SeccompFilter::new(without, SeccompAction::Allow, missing, TargetArch::x86_64).unwrap();
    let program: BpfProgram = filter.try_into().unwrap();
    thread::scope(|scope| {
        let thread = scope.spawn(move || {
            apply_filter(&program).unwrap();
            assert_eq!(memfd_create("x", MemfdFlags::empty()).unwrap_err(), Errno::NOSYS, "3.17 brought it");
            work()
        });
        thread.join().unwrap()
    })
}

#[test]
fn the_demo_runs_without_newer_system_calls() {
    let package = Package::unpacked();
    on_linux_3_10(|| package.assert_demo());
}

/// What the demo does not: files that are synced, renamed and locked.
#[test]
fn a_job_keeps_its_checkpoint_and_snapshots_without_newer_system_calls() {
    let package = Package::unpacked();
    let mut mock = Mock::new(1, 2);
    let start = |mock: &Mock| {
        let path = |name: &str| format!("{{path: \"file://{}/{name}\"}}", package.folder().display());
        let mut program = package.spindle();
        program.arg("submit");
        let job = mock.job().set("checkpoint", &path("checkpoint")).set("snapshots", &path("snapshots"));
        job.start_by_spawning(program, |program| on_linux_3_10(|| program.spawn().unwrap()))
    };
    let written = mock.write(100);
    let mut first = start(&mock);
    first.until_total(written);
    first.signal(Signal::TERM);
    assert_eq!(first.exit_code(), 0, "{}", first.seen);
    let mut second = start(&mock);
    second.until_total(written);
    second.signal(Signal::TERM);
    assert_eq!(second.exit_code(), 0, "{}", second.seen);
    assert!(package.folder().join("snapshots").read_dir().unwrap().count() > 0, "no snapshots");
}
