//! The job's environment on YARN. It travels in a file that only its owner can read: what a container is launched
//! with lands in scripts and logs. A process sets it by starting itself anew, before there are threads.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, anyhow};

use crate::exit;

/// The argument that names the file.
const FLAG: &str = "--env-file";

/// Starts this program anew with the variables of `file` (a JSON object of strings), and without the argument that
/// named it. Returns only when that fails, with the exit code.
pub(super) fn restart_with(file: &Path) -> u8 {
    let Err(error) = restart(file);
    // There is no log yet: it is the new program's.
    super::out::tell(&super::in_one_line(&error));
    exit::SETTINGS
}

fn restart(file: &Path) -> anyhow::Result<Infallible> {
    let shown = file.display();
    let text = fs::read_to_string(file).with_context(|| format!("read the job's environment {shown}"))?;
    // The error would repeat values.
    let variables: BTreeMap<String, String> =
        serde_json::from_str(&text).map_err(|_| anyhow!("{shown} is not a JSON object of strings"))?;
    let program = env::current_exe().context("find this binary")?;
    let error = Command::new(program).args(without(env::args_os().skip(1))).envs(variables).exec();
    Err(error).context("start this program anew with the job's environment")
}

fn without(args: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut kept = Vec::new();
    let mut value_follows = false;
    for arg in args {
        match arg.to_str() {
            _ if value_follows => value_follows = false,
            Some(FLAG) => value_follows = true,
            Some(text) if text.starts_with("--env-file=") => {}
            _ => kept.push(arg),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_file_is_left_out() {
        let args = |texts: &[&str]| without(texts.iter().map(OsString::from));
        assert_eq!(
            args(&["driver", "--env-file", "env.json", "--attempt", "1"]),
            ["driver", "--attempt", "1"]
        );
        assert_eq!(args(&["executor", "--env-file=env.json"]), ["executor"]);
    }
}
