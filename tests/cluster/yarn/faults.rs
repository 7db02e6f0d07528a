//! Executors lost in every way that a cluster knows. Windows go on, and at the end their total is what was produced.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;

use rustix::process::Signal;

use super::app::{App, job, signal};
use crate::cluster::{Mend, exclusive, fault, shared};
use crate::kafka::Topic;
use crate::process;
use crate::produce::Writer;

#[test]
fn executors_lost_in_every_way_cost_no_record() {
    let _alone = exclusive();
    let topic = Topic::create("yarn-faults", 6);
    let mut writer = Writer::new(&crate::kafka::brokers(), &topic.name);
    let mut more = || {
        (0..6).for_each(|partition| writer.numbered(partition, 200));
        writer.flush()
    };
    let mut app = App::submit(job(&topic.name).set("executors.timeout", "3s"));
    app.client.until_total(more());

    let hit = app.until_executors(2)[0].clone();
    signal(hit.pid, Signal::KILL);
    app.client.until_total(more());
    app.until("the killed executor's successor", |status| {
        let of_slot = status.executors.list.iter().find(|executor| executor.slot == hit.slot);
        of_slot.is_some_and(|executor| executor.generation > hit.generation)
    });

    // It hangs: the driver notices, and it never counts again although it wakes.
    let hit = app.until_executors(2)[1].clone();
    signal(hit.pid, Signal::STOP);
    app.client.until_total(more());
    let pid = rustix::process::Pid::from_raw(i32::try_from(hit.pid).unwrap()).unwrap();
    process::until("YARN to kill the container that hangs", super::app::REPAIR, || !process::lives(pid));
    app.client.until_total(more());

    lose_nodes(&mut app, &mut more);

    // Work goes on while the ResourceManager is away, and it knows the application again.
    let _mend = Mend(&["rm start"]);
    fault("rm stop");
    app.client.until_total(more());
    fault("rm start");
    app.until_executors(2);
    app.client.until_total(more());
    let hit = app.until_executors(2)[0].clone();
    signal(hit.pid, Signal::KILL);
    app.client.until_total(more());
    app.until("a container from the new ResourceManager", |status| {
        let pids = status.executors.list.iter().map(|executor| executor.pid);
        let pids: BTreeSet<u32> = pids.collect();
        pids.len() == 2 && !pids.contains(&hit.pid)
    });
    app.stop();
    app.client.seen.assert_whole();
}

/// The node without the application master: its NodeManager dies while its containers live on; then all of it; then its
/// network is cut.
fn lose_nodes(app: &mut App, more: &mut impl FnMut() -> u64) {
    let other = if app.master_node() == 1 { "2" } else { "1" };
    let host = format!("nm{other}.");
    let on_other = |app: &App| {
        app.status().is_some_and(|status| {
            status.executors.list.iter().any(|executor| executor.host.starts_with(&host))
        })
    };
    for (break_it, mend_it) in [("stop", "start"), ("lose", "start"), ("cut", "heal")] {
        let _mend = Mend(if other == "1" {
            &["node 1 start", "node 1 heal"]
        } else {
            &["node 2 start", "node 2 heal"]
        });
        // Scaled away and back, an executor comes to the node again.
        process::until(&format!("an executor on {host}"), super::app::REPAIR, || {
            on_other(app) || {
                app.spindle("scale", &["1"]);
                app.until_executors(1);
                app.spindle("scale", &["2"]);
                app.until_executors(2);
                false
            }
        });
        fault(&format!("node {other} {break_it}"));
        app.client.until_total(more());
        app.until(&format!("both executors on the other node after {break_it}"), |status| {
            let list = &status.executors.list;
            list.len() == 2 && list.iter().all(|executor| !executor.host.starts_with(&host))
        });
        app.client.until_total(more());
        fault(&format!("node {other} {mend_it}"));
        app.client.until_total(more());
    }
}

#[test]
fn an_executor_over_its_memory_is_told_with_the_setting() {
    let _cluster = shared();
    let topic = Topic::create("yarn-memory", 4);
    let job = job(&topic.name).set("executors.memory", "64M").set("executors.cores", "4");
    let app = App::submit(job.set("executors.instances", "1"));
    let executor = app.until_executors(1)[0].clone();
    fill_stacks(executor.pid);
    app.until("a word about memory, and its successor", |status| {
        status.attention.iter().any(|line| line.contains("raise executors.memory"))
            && status.executors.list.iter().any(|next| next.generation > executor.generation)
    });
}

/// Spindle bounds what it holds, so memory is taken from outside: zeros into the part of thread stacks that was never
/// used, which is zeros without being memory.
fn fill_stacks(pid: u32) {
    const STACK: u64 = 8 << 20;
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let memory = File::options().write(true).open(format!("/proc/{pid}/mem")).unwrap();
    let mut filled = 0;
    for line in maps.lines().filter(|line| line.contains(" rw-p ") && line.split_whitespace().count() == 5) {
        let (from, until) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
        let [from, until] = [from, until].map(|address| u64::from_str_radix(address, 16).unwrap());
        if until - from == STACK {
            memory.write_all_at(&vec![0; 7 << 20], from).unwrap();
            filled += 7;
        }
    }
    assert!(filled > 64, "only {filled} MB of unused stack");
}

#[test]
fn executors_without_room_are_waited_for_and_the_job_says_what_for() {
    let _alone = exclusive();
    let topic = Topic::create("yarn-room", 2);
    let mut writer = Writer::new(&crate::kafka::brokers(), &topic.name);
    writer.numbered(0, 100);
    let mut app = App::submit(job(&topic.name).set("executors.memory", "3G").set("executors.instances", "3"));
    app.client.until_total(writer.flush());
    let waits = |line: &String| line.contains("wait for a container") && line.contains("MB");
    app.until("what it waits for", |status| status.attention.iter().any(waits));
    app.stop();
}
