//! The application master's own ends: the driver, the shim, both. The ResourceManager starts another attempt, and the
//! client's terminal goes on.

use rustix::process::{Pid, Signal, kill_process};

use super::app::{App, job};
use crate::cluster::shared;
use crate::kafka::Topic;
use crate::produce::Writer;

#[test]
fn an_application_master_that_dies_is_started_again_and_the_terminal_goes_on() {
    let _cluster = shared();
    let topic = Topic::create("yarn-restarts", 2);
    let mut writer = Writer::new(&crate::kafka::brokers(), &topic.name);
    let mut app = App::submit(job(&topic.name).set("yarn.attempts", "3"));
    writer.numbered(0, 100);
    app.client.until_total(writer.flush());
    for (attempt, victims) in [(2, &["spindle driver"][..]), (3, &["ApplicationMaster"])] {
        let pids: Vec<Pid> = victims.iter().map(|part| app.process(part)).collect();
        let before = app.client.seen.windows.len();
        pids.iter().for_each(|pid| kill_process(*pid, Signal::KILL).unwrap());
        app.until("the next attempt", |status| status.attempt == attempt && status.window.is_some());
        writer.numbered(0, 100);
        writer.flush();
        // Without a checkpoint the window begins anew where the committed offsets are.
        app.client.until("the new records", |seen| {
            seen.windows.len() > before && seen.next.values().sum::<i64>() >= i64::from(attempt) * 100
        });
        assert!(app.client.seen.logs("the driver was restarted") > 0, "{}", app.client.seen);
    }
    app.stop();
    assert!(app.processes().is_empty(), "{:?}", app.processes());
}
