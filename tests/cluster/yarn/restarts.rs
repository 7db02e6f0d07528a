//! The application master's own ends: the driver, the shim, the container with both. The ResourceManager starts another
//! attempt, which goes on with the whole window from the checkpoint, and so does the client's terminal.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::app::{App, job};
use crate::cluster::shared;
use crate::kafka::{Topic, brokers};
use crate::kills::compare;
use crate::produce::Writer;
use crate::seen::Counts;

/// From a driver's start to its first window.
const FIRST_WINDOW_MS: i64 = 5_000;
/// A window that is followed by so many is durable.
const SETTLED: usize = 5;
/// Between two batches of the load.
const LOAD_EVERY: Duration = Duration::from_millis(20);

#[test]
fn an_application_master_that_dies_is_started_again_and_no_count_is_lost() {
    let _cluster = shared();
    let topic = Topic::create("yarn-restarts", 2);
    let load = Load::on(&topic.name);
    let mut app = App::submit(job(&topic.name).set("yarn.attempts", "4"));
    until_windows(&mut app, 1);
    let deaths = [&["spindle driver"][..], &["ApplicationMaster"], &["ApplicationMaster", "spindle driver"]];
    for (attempt, victims) in (2..).zip(deaths) {
        let pids: Vec<Pid> = victims.iter().map(|part| app.process(part)).collect();
        let settled = app.client.seen.windows[app.client.seen.windows.len() - SETTLED].total;
        assert!(settled > 0, "{}", app.client.seen);
        pids.iter().for_each(|pid| kill_process(*pid, Signal::KILL).unwrap());
        let status =
            app.until("the next attempt", |status| status.attempt == attempt && status.window.is_some());
        until_windows(&mut app, attempt);
        let windows = &app.client.seen.windows;
        let first = windows.iter().find(|window| window.attempt == attempt).unwrap();
        let took_ms = first.arrived_ms - status.since_ms;
        println!("attempt {attempt}: first window {took_ms} ms after the driver's start");
        assert!(took_ms <= FIRST_WINDOW_MS, "{took_ms} ms\n{}", app.client.seen);
        assert!(first.total >= settled, "{} of {settled} records\n{}", first.total, app.client.seen);
        assert!(app.client.seen.logs("the driver was restarted") > 0, "{}", app.client.seen);
    }
    let produced = load.end();
    app.client.until_total(produced.values().sum());
    compare(&produced, &app.client.seen.counts());
    app.stop();
    assert!(app.processes().is_empty(), "{:?}", app.processes());
}

/// Until this attempt has printed some windows, of which all but the last few are durable.
fn until_windows(app: &mut App, attempt: u32) {
    app.client.until(&format!("windows of attempt {attempt}"), |seen| {
        seen.windows.iter().filter(|window| window.attempt == attempt).count() > SETTLED
    });
}

/// Records that keep coming.
struct Load {
    enough: Arc<AtomicBool>,
    writer: thread::JoinHandle<Counts>,
}

impl Load {
    fn on(topic: &str) -> Self {
        let enough = Arc::new(AtomicBool::new(false));
        let (ends, topic) = (Arc::clone(&enough), topic.to_owned());
        let writer = thread::spawn(move || {
            let mut writer = Writer::new(&brokers(), &topic);
            while !ends.load(Ordering::Relaxed) {
                writer.numbered(0, 100);
                writer.numbered(1, 100);
                thread::park_timeout(LOAD_EVERY);
            }
            writer.flush();
            writer.counts
        });
        Self { enough, writer }
    }

    /// Ends it; returns everything that was produced.
    fn end(self) -> Counts {
        self.enough.store(true, Ordering::Relaxed);
        self.writer.join().unwrap()
    }
}
