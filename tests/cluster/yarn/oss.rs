//! A program and a file that lie in OSS, run on the cluster: fetched by the client, staged as its own files are.

use std::fs;

use super::app::{App, job};
use crate::cluster::{hadoop, named, shared};
use crate::job::Job;
use crate::kafka::Topic;
use crate::oss_server::{BUCKET, KEYS, Oss, REGION};

/// The program, but not the very same: with a byte behind its end.
fn program() -> Vec<u8> {
    let mut bytes = fs::read(env!("CARGO_BIN_EXE_spindle")).unwrap();
    bytes.push(0);
    bytes
}

fn sha256(content: &[u8]) -> String {
    spindle::oss::Sha256Hex::of_all(content).unwrap().to_string()
}

/// A job of somebody with keys for OSS.
pub(super) fn with_keys(job: Job, oss: &Oss) -> Job {
    job.env("OSS_ENDPOINT", oss.endpoint())
        .env("OSS_REGION", REGION)
        .env("OSS_ACCESS_KEY_ID", KEYS.id)
        .env("OSS_ACCESS_KEY_SECRET", KEYS.secret)
}

#[test]
fn a_program_and_a_file_in_oss_run_on_the_cluster() {
    let _cluster = shared();
    let topic = Topic::create("yarn-oss", 1);
    let (oss, program) = (Oss::start(), program());
    let hash = sha256(&program);
    oss.put("bin/spindle", program);
    oss.put("bin/spindle.sha256", format!("{hash}  spindle\n"));
    oss.put("conf/of-oss.txt", "from OSS");
    let staging = format!("{}/user/root/oss-{}", named("SPINDLE_HDFS"), std::process::id());
    let cache = tempfile::tempdir().unwrap();
    let submitted = || {
        let job = with_keys(job(&topic.name), &oss).env("XDG_CACHE_HOME", cache.path().display().to_string());
        let job = job.arg("--binary").arg(&format!("ossref://{BUCKET}/bin/spindle"));
        App::submit(
            job.arg("--files").arg(&format!("oss://{BUCKET}/conf/of-oss.txt")).set("yarn.staging", &staging),
        )
    };
    let fetched =
        || oss.asked().iter().filter(|request| request.path() == format!("/{BUCKET}/bin/spindle")).count();

    let mut first = submitted();
    first.client.until("a window", |seen| !seen.windows.is_empty());
    let listed = hadoop("hadoop", &["fs", "-ls", "-C", &format!("{staging}/bin")]);
    assert_eq!(String::from_utf8(listed.stdout).unwrap().trim(), format!("{staging}/bin/{hash}"));
    let driver = first.process("spindle driver").as_raw_nonzero();
    assert_eq!(fs::read_to_string(format!("/proc/{driver}/cwd/of-oss.txt")).unwrap(), "from OSS");
    let ran = sha256(&fs::read(format!("/proc/{driver}/exe")).unwrap());
    assert_eq!(ran, hash, "that very program runs");
    let environment = fs::read(format!("/proc/{driver}/environ")).unwrap();
    assert!(!String::from_utf8_lossy(&environment).contains(KEYS.secret), "keys stay with the client");
    assert_eq!(fetched(), 1);
    first.stop();

    let mut second = submitted();
    second.client.until("a window", |seen| !seen.windows.is_empty());
    assert_eq!(fetched(), 0, "it is here already");
    second.stop();

    let binary = format!("{staging}/bin/{hash}/spindle");
    let wrong = "0".repeat(64);
    let job = job(&topic.name).arg("--binary").arg(&binary).arg("--sha256").arg(&wrong);
    let mut refused = job.set("yarn.staging", &staging).start();
    assert_eq!(refused.exit_code(), 1, "{}", refused.seen);
    let last = refused.seen.log.last().unwrap();
    assert!([&hash, &wrong].iter().all(|part| last.contains(*part)) && last.contains("--sha256"), "{last}");
    hadoop("hadoop", &["fs", "-rm", "-r", "-skipTrash", &staging]);
}
