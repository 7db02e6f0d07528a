//! What cannot run is refused at once, with the remedy, and leaves nothing behind.

use std::fs;

use super::app::{App, job};
use crate::cluster::{Mend, exclusive, hadoop, named, shared};
use crate::kafka::Topic;

#[test]
fn what_can_never_run_is_refused_with_the_remedy() {
    let _cluster = shared();
    let refused = |key: &str, value: &str, code: i32, told: &[&str]| {
        let mut client = job("spindle-test-nothing").set(key, value).start();
        assert_eq!(client.exit_code(), code, "{}", client.seen);
        let last = client.seen.log.last().unwrap();
        assert!(told.iter().all(|part| last.contains(part)), "{last}");
    };
    refused("yarn.queue", "fast", 2, &["fast", "default"]);
    refused("executors.memory", "64G", 2, &["executors.memory", "maximum-allocation-mb"]);
    refused("driver.memory", "64G", 2, &["driver.memory", "maximum-allocation-mb"]);
}

/// Somebody has tidied the staging folder while the application waited for a container.
#[test]
fn a_binary_that_is_gone_before_a_node_has_it_is_named() {
    let _alone = exclusive();
    let topic = Topic::create("yarn-missing", 1);
    let staging = format!("{}/user/root/missing-{}", named("SPINDLE_HDFS"), std::process::id());
    // Nodes that do not call get no containers.
    let paused = Mend::after(&["node 1 pause", "node 2 pause"], &["node 1 resume", "node 2 resume"]);
    let mut app = App::submit(job(&topic.name).set("yarn.staging", &staging).set("yarn.attempts", "1"));
    let removed = hadoop("hadoop", &["fs", "-rm", "-skipTrash", &format!("{staging}/bin/*/spindle")]);
    assert!(removed.status.success(), "{removed:?}");
    drop(paused);
    assert_eq!(app.client.exit_code(), 1, "{}", app.client.seen);
    let last = app.client.seen.log.last().unwrap();
    let told = ["File does not exist", &format!("{staging}/bin/"), "submit again"];
    assert!(told.iter().all(|part| last.contains(part)), "{last}");
    hadoop("hadoop", &["fs", "-rm", "-r", "-skipTrash", &staging]);
}

/// Somebody has written into the staging folder: the content is no longer what its name says.
#[test]
fn a_binary_that_is_not_the_one_submitted_does_not_run() {
    let _cluster = shared();
    let topic = Topic::create("yarn-corrupt", 1);
    let staging = format!("{}/user/root/corrupt-{}", named("SPINDLE_HDFS"), std::process::id());
    let mut first = App::submit(job(&topic.name).set("yarn.staging", &staging));
    first.client.until("a window", |seen| !seen.windows.is_empty());
    first.stop();
    let listed = hadoop("hadoop", &["fs", "-ls", "-C", &format!("{staging}/bin/*/spindle")]);
    let binary = String::from_utf8(listed.stdout).unwrap().trim().to_owned();
    let copy = tempfile::NamedTempFile::new().unwrap();
    let mut bytes = fs::read(env!("CARGO_BIN_EXE_spindle")).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(copy.path(), bytes).unwrap();
    let put = hadoop("hadoop", &["fs", "-put", "-f", copy.path().to_str().unwrap(), &binary]);
    assert!(put.status.success(), "{put:?}");
    let mut second = App::submit(job(&topic.name).set("yarn.staging", &staging).set("yarn.attempts", "1"));
    assert_eq!(second.client.exit_code(), 1, "{}", second.client.seen);
    let last = second.client.seen.log.last().unwrap();
    assert!(last.contains("is not the one that was submitted, by its sha256"), "{last}");
    hadoop("hadoop", &["fs", "-rm", "-r", "-skipTrash", &staging]);
}
