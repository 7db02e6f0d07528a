//! No executor outlives its driver, however the driver ends.

use std::time::Duration;

use rustix::process::{Signal, kill_process};

use crate::job::Job;
use crate::kafka::{Topic, brokers};
use crate::process;
use crate::produce::Writer;

#[test]
fn executors_of_a_killed_driver_are_gone_and_nothing_is_lost() {
    let topic = Topic::create("orphans", 4);
    let mut writer = Writer::new(&brokers(), &topic.name);
    (0..4).for_each(|partition| writer.numbered(partition, 500));
    writer.flush();
    let mut job = Job::new(&brokers(), &topic.name).arg("--master").arg("local[3]").start();
    let executors = job.until_connected(3);
    job.until_total(2_000);
    let frozen = executors[1].1;
    kill_process(frozen, Signal::STOP).unwrap();
    job.signal(Signal::KILL);
    for (_, pid) in &executors {
        let within = Duration::from_secs(5);
        process::until(&format!("the end of executor {}", pid.as_raw_nonzero()), within, || {
            !process::lives(*pid)
        });
    }
    assert_eq!(job.exit_code(), -9);

    // What it had committed is not read again, everything else is.
    let committed: i64 =
        crate::group::committed(&format!("group-of-{}", topic.name), &topic.name, 4).iter().sum();
    (0..4).for_each(|partition| writer.numbered(partition, 100));
    let produced = i64::try_from(writer.flush()).unwrap();
    let mut next = Job::new(&brokers(), &topic.name).start();
    next.until_total((produced - committed).unsigned_abs());
    next.finish().assert_whole();
}

/// Also one that cannot hear the driver say so.
#[test]
fn executors_of_a_stopped_driver_are_gone() {
    let topic = Topic::create("ended", 2);
    let mut job = Job::new(&brokers(), &topic.name).arg("--master").arg("local[3]").start();
    let executors = job.until_connected(3);
    job.until("a window", |seen| !seen.windows.is_empty());
    assert!(job.secrets().len() > 1, "the executors' secret, and the token for orders");
    kill_process(executors[0].1, Signal::STOP).unwrap();
    let _ = job.stop(Signal::INT);
    let left: Vec<_> = executors.iter().filter(|(_, pid)| process::lives(*pid)).collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(job.secrets(), [""; 0], "secrets are removed");
}
