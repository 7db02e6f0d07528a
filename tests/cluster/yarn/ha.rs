//! YARN with two ResourceManagers, which `scripts/cluster up --ha` starts: jobs outlive the one that dies, and every
//! command finds the one that is active.

use std::process::Command;

use rustix::process::Signal;

use super::app::{App, job, signal};
use crate::cluster::{Mend, exclusive, fault, hadoop};
use crate::kafka::Topic;
use crate::produce::Writer;

#[test]
fn jobs_outlive_their_resource_manager() {
    let _alone = exclusive();
    let topic = Topic::create("yarn-ha", 6);
    let mut writer = Writer::new(&crate::kafka::brokers(), &topic.name);
    let mut more = || {
        (0..6).for_each(|partition| writer.numbered(partition, 200));
        writer.flush()
    };
    let mut app = App::submit(job(&topic.name));
    app.client.until_total(more());
    app.until_executors(2);

    let _mend = Mend(&["rm 1 start"]);
    fault("rm 1 stop");
    app.client.until_total(more());
    takes_over("rm2");
    let hit = app.until_executors(2)[0].clone();
    signal(hit.pid, Signal::KILL);
    app.client.until_total(more());
    app.until("a container from the other ResourceManager", |status| {
        let list = &status.executors.list;
        list.len() == 2 && list.iter().all(|executor| executor.pid != hit.pid)
    });

    // The first that clients ask is away, and after that a standby.
    lives_and_ends("yarn-ha-away");
    fault("rm 1 start");
    lives_and_ends("yarn-ha-standby");
    app.client.until_total(more());
    app.stop();
    app.client.seen.assert_whole();
}

/// Makes this one active, whatever became of the other, and sees that it is.
fn takes_over(id: &str) {
    let done = hadoop("yarn", &["rmadmin", "-transitionToActive", "--forceactive", id]);
    assert!(done.status.success(), "{done:?}");
    let state = hadoop("yarn", &["rmadmin", "-getServiceState", id]).stdout;
    assert_eq!(String::from_utf8_lossy(&state).trim(), "active");
}

/// A whole life of a job, by the commands that people use.
fn lives_and_ends(name: &str) {
    let topic = Topic::create(name, 2);
    let mut writer = Writer::new(&crate::kafka::brokers(), &topic.name);
    (0..2).for_each(|partition| writer.numbered(partition, 100));
    let total = writer.flush();
    let mut app = App::submit(job(&topic.name));
    app.client.until_total(total);
    app.until_executors(2);
    let listed = Command::new(env!("CARGO_BIN_EXE_spindle")).arg("list").output().unwrap();
    assert!(String::from_utf8_lossy(&listed.stdout).contains(&app.id), "{listed:?}");
    app.stop();
    app.client.seen.assert_whole();
}
