//! The promise across restarts: whatever is killed, drivers and executors, the next driver goes on with the whole
//! window and every count exact. Checkpoints lie on HDFS.

use std::process::Command;
use std::thread;
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use spindle::clock::Clock;
use spindle::random::Random;

use crate::cluster::shared;
use crate::hdfs::{place, snapshots};
use crate::job::Job;
use crate::kafka::{Topic, brokers};
use crate::kills::{compare, seed, stream};

const DEATHS: u32 = 20;
const EXECUTORS: usize = 2;

/// A driver's death costs its executors; one more is killed in each life.
#[test]
fn counts_are_exact_through_the_deaths_of_drivers() {
    let _services = shared();
    let seed = seed();
    println!("seed {seed}; repeat this run by SPINDLE_TEST_SEED={seed}");
    let mut random = Random::with_seed(seed ^ 0xdead);
    let topic = Topic::create("deaths", 6);
    let directory = place("deaths").0;
    let snapshots = snapshots(&directory);
    let start = || {
        let master = format!("local[{EXECUTORS}]");
        let job =
            Job::new(&brokers(), &topic.name).set("checkpoint.path", &format!("{directory}/checkpoint"));
        job.set("snapshots", &snapshots).arg("--master").arg(&master).start()
    };
    let name = topic.name.clone();
    let stream = thread::spawn(move || stream(seed, &name));
    let clock = Clock::start();
    let mut longest = Duration::ZERO;
    let mut last_ms = 0;
    for _ in 0..DEATHS {
        let began = clock.monotonic();
        let mut job = start();
        job.until("its first window", |seen| !seen.windows.is_empty());
        longest = longest.max(clock.monotonic() - began);
        assert!(job.seen.windows[0].window_end_ms > last_ms - 10_000, "{}", job.seen);
        job.during(Duration::from_secs_f64(random.unit() * 1.5));
        let executors = job.until_connected(EXECUTORS);
        kill_process(executors[random.below(EXECUTORS)].1, Signal::KILL).unwrap();
        job.during(Duration::from_secs_f64(random.unit()));
        job.signal(Signal::KILL);
        assert_eq!(job.exit_code(), -9);
        job.seen.assert_whole();
        last_ms = job.seen.windows.last().map_or(last_ms, |window| window.window_end_ms);
    }
    println!("{DEATHS} drivers died within {:?}; first window after at most {longest:?}", clock.monotonic());
    let mut job = start();
    while !stream.is_finished() {
        job.during(Duration::from_millis(100));
    }
    let produced = stream.join().unwrap();
    job.until_total(produced.values().sum());
    let mut seen = job.finish();
    // A driver that is stopped as soon as it has begun may leave the last snapshot to the next, and says so.
    if seen.logs("the next run of the job writes it") > 0 {
        job = start();
        job.until("its first window", |seen| !seen.windows.is_empty());
        seen = job.finish();
    }
    compare(&produced, &seen.counts());
    seen.assert_whole();
    let recounted = verified(&topic.name, &snapshots);
    println!("{recounted}");
    assert!(recounted.contains(" equal, 0 differ, 0 cannot be verified"), "{recounted}");
    let last_ms = seen.windows.last().unwrap().window_end_ms;
    let last = jiff::Timestamp::from_millisecond(last_ms).unwrap();
    assert!(
        recounted.contains(&format!("{last}  equal")),
        "the last window, of {last}, is there\n{recounted}\n{}",
        seen.log.join("\n")
    );
}

/// What `spindle verify` says of every window: it stands there once, its ranges go on where the one before ended, and
/// it is what Kafka's records come to.
pub(crate) fn verified(topic: &str, snapshots: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("job.yaml");
    let brokers = brokers().replace(',', "','");
    let text = format!(
        "name: e2e\nsource: {{brokers: ['{brokers}'], topics: [{topic}], group: nobody}}\n\
         window: {{length: 600s, slide: 500ms}}\nsnapshots: {snapshots}\n"
    );
    std::fs::write(&file, text).unwrap();
    let done = Command::new(env!("CARGO_BIN_EXE_spindle")).arg("verify").arg(file).output().unwrap();
    let told = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{:?}\n{told}", done.status);
    told
}
