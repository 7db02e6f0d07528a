//! A ResourceManager that wants to know who asks, as HDFS does (`scripts/cluster up --kerberos`). Jobs of people who
//! have a ticket are the other modules' tests, which `scripts/test kerberos` runs on this cluster, too.

use std::collections::BTreeSet;

use rustix::process::{Signal, kill_process};
use tempfile::TempDir;

use super::app::{App, job};
use crate::cluster::{hadoop, named, shared};
use crate::job::Job;
use crate::kafka::{Topic, brokers};
use crate::kerberos::proofs;
use crate::produce::Writer;

/// Where no ticket is.
fn without_ticket(job: Job, dir: &TempDir) -> Job {
    job.env("KRB5CCNAME", format!("FILE:{}", dir.path().join("ticket").display()))
}

#[test]
fn a_keytab_serves_the_submitter_and_every_driver() {
    let _cluster = shared();
    let topic = Topic::create("yarn-keytab", 2);
    let mut writer = Writer::new(&brokers(), &topic.name);
    let empty = TempDir::new().unwrap();
    let (principal, keytab) = (named("SPINDLE_PRINCIPAL"), named("SPINDLE_KEYTAB"));
    let job = without_ticket(job(&topic.name), &empty).env("HADOOP_USER_NAME", "somebody-else");
    let job = job.arg("--principal").arg(&principal).arg("--keytab").arg(&keytab);
    let mut app = App::submit(job.set("yarn.attempts", "2"));
    writer.numbered(0, 50);
    app.client.until_total(writer.flush());
    let status = app.until("a durable window", |status| status.checkpoint.is_some());
    let staged = format!("{}/keytab", status.app_dir.unwrap());
    let listed = hadoop("hadoop", &["fs", "-stat", "%a %u", &staged]);
    assert_eq!(String::from_utf8_lossy(&listed.stdout).trim(), "600 spindle");
    kill_process(app.process("ApplicationMaster"), Signal::KILL).unwrap();
    app.client.until("windows of the next attempt", |seen| {
        seen.windows.iter().filter(|window| window.attempt == 2).count() > 3
    });
    writer.numbered(1, 50);
    app.client.until_total(writer.flush());
    let checkpoint = &topic.name;
    assert_eq!(
        proofs(checkpoint),
        BTreeSet::from(["KERBEROS".to_owned()]),
        "not by a token that does not last"
    );
    app.stop();
    assert!(!hadoop("hadoop", &["fs", "-test", "-e", &staged]).status.success(), "{staged} is still there");
}

#[test]
fn without_a_ticket_a_submission_is_refused() {
    let _cluster = shared();
    let topic = Topic::create("yarn-no-ticket", 1);
    let empty = TempDir::new().unwrap();
    let mut client = without_ticket(job(&topic.name), &empty).start();
    assert_eq!(client.exit_code(), 2, "{}", client.seen);
    assert!(client.seen.logs("kinit") > 0 && client.seen.logs("--keytab") > 0, "{}", client.seen);
}
