//! Where a job's containers run when the job file says so: by a node label, and by hosts that are left out.

use super::app::{App, job};
use crate::cluster::{exclusive, hadoop, named};
use crate::kafka::Topic;
use crate::produce::Writer;

const EXECUTORS: usize = 2;

/// The second node has the label `fast` for as long as this is there.
struct Labelled(String);

impl Labelled {
    fn new() -> Self {
        yarn(&["rmadmin", "-addToClusterNodeLabels", "fast(exclusive=false)"]);
        let host = node(2);
        yarn(&["rmadmin", "-replaceLabelsOnNode", &format!("{host}=fast")]);
        Self(host)
    }
}

impl Drop for Labelled {
    fn drop(&mut self) {
        yarn(&["rmadmin", "-replaceLabelsOnNode", &self.0]);
    }
}

/// What a command of YARN's says.
fn yarn(args: &[&str]) -> String {
    let done = hadoop("yarn", args);
    assert!(done.status.success(), "yarn {args:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// The host name of a node.
fn node(number: u32) -> String {
    let rm = named("SPINDLE_YARN");
    let host = rm.strip_prefix("http://").and_then(|rest| rest.strip_suffix(":8088")).unwrap();
    host.replacen("rm1", &format!("nm{number}"), 1)
}

/// Runs a job with this setting; returns it with all executors counting, and on which hosts they are.
fn run(key: &str, value: &str) -> (Topic, App, Vec<String>) {
    let topic = Topic::create(&key.replace(['.', '_'], "-"), 4);
    let mut writer = Writer::new(&crate::kafka::brokers(), &topic.name);
    (0..4).for_each(|partition| writer.numbered(partition, 200));
    let total = writer.flush();
    let job = job(&topic.name).set(key, value).set("yarn.priority", "3");
    let mut app = App::submit(job.set("executors.instances", &EXECUTORS.to_string()));
    let hosts = app.until_executors(EXECUTORS).into_iter().map(|executor| executor.host).collect();
    app.client.until_total(total);
    (topic, app, hosts)
}

#[test]
fn a_job_runs_where_its_label_is() {
    let _alone = exclusive();
    let labelled = Labelled::new();
    let (_topic, mut app, hosts) = run("yarn.label", "fast");
    assert_eq!(app.master_node(), 2, "{:?}", app.status());
    assert_eq!(hosts, vec![labelled.0.clone(); EXECUTORS], "{:?}", app.status());
    app.stop();
    app.client.seen.assert_whole();
}

#[test]
fn hosts_that_are_left_out_get_no_executor() {
    let _alone = exclusive();
    let (_topic, mut app, hosts) = run("yarn.exclude_nodes", &format!("['{}']", node(1)));
    assert_eq!(hosts, vec![node(2); EXECUTORS], "{:?}", app.status());
    let told = yarn(&["application", "-status", &app.id]);
    assert!(told.contains("Application Priority : 3"), "{told}");
    app.stop();
    app.client.seen.assert_whole();
}
