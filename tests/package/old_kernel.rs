//! As if on Linux 3.10, CentOS 7's: what was added later does not exist.

use std::thread;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::Errno;
use seccompiler::{SeccompAction, SeccompFilter, TargetArch, apply_filter};

use crate::Package;

/// The last system call of Linux 3.10 on x86-64 is 313, `finit_module` (arch/x86/syscalls/syscall_64.tbl of v3.10).
const ADDED_LATER: std::ops::Range<i64> = 314..600;

/// Runs `work` on a thread, and what it starts, without them.
fn on_linux_3_10(work: impl FnOnce() + Send + 'static) {
    let without = ADDED_LATER.map(|call| (call, Vec::new())).collect();
    let missing = SeccompAction::Errno(Errno::NOSYS.raw_os_error().unsigned_abs());
    let filter = SeccompFilter::new(without, SeccompAction::Allow, missing, TargetArch::x86_64).unwrap();
    let program = filter.try_into().unwrap();
    let thread = thread::spawn(move || {
        apply_filter(&program).unwrap();
        assert_eq!(memfd_create("x", MemfdFlags::empty()).unwrap_err(), Errno::NOSYS, "3.17 brought it");
        work();
    });
    thread.join().unwrap();
}

#[test]
fn the_demo_runs_without_newer_system_calls() {
    let package = Package::unpacked();
    on_linux_3_10(move || package.assert_demo());
}
