//! Processes in YARN's containers, as `/proc` shows them where the nodes are this machine.

use std::fs;

use rustix::process::Pid;

/// Those of one application, bash of YARN's own among them: id and command line.
pub(crate) fn of_application(id: &str) -> Vec<(Pid, String)> {
    let ours = format!("_{}_", id.trim_start_matches("application_"));
    let pids = fs::read_dir("/proc").into_iter().flatten();
    let pids = pids.filter_map(|entry| Pid::from_raw(entry.ok()?.file_name().to_str()?.parse().ok()?));
    let of_application = |pid: Pid| -> Option<(Pid, String)> {
        let proc_ = format!("/proc/{}", pid.as_raw_nonzero());
        let environment = fs::read(format!("{proc_}/environ")).ok()?;
        let container =
            environment.split(|byte| *byte == 0).find(|word| word.starts_with(b"CONTAINER_ID="))?;
        if !String::from_utf8_lossy(container).contains(&ours) {
            return None;
        }
        let line = fs::read(format!("{proc_}/cmdline")).ok()?;
        Some((pid, String::from_utf8_lossy(&line).replace('\0', " ")))
    };
    pids.filter_map(of_application).collect()
}
