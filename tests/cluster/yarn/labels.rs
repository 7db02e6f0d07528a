//! A job that names a node label runs on the nodes that have it, and on no other.

use std::process::Command;

use super::app::{App, job};
use crate::cluster::{exclusive, named};
use crate::kafka::Topic;
use crate::produce::Writer;

const EXECUTORS: usize = 2;

/// The second node has the label `fast` for as long as this is there.
struct Labelled(String);

impl Labelled {
    fn new() -> Self {
        rmadmin(&["-addToClusterNodeLabels", "fast(exclusive=false)"]);
        let rm = named("SPINDLE_YARN");
        let host = rm.trim_start_matches("http://").trim_end_matches(":8088").replacen("rm1", "nm2", 1);
        rmadmin(&["-replaceLabelsOnNode", &format!("{host}=fast")]);
        Self(host)
    }
}

impl Drop for Labelled {
    fn drop(&mut self) {
        rmadmin(&["-replaceLabelsOnNode", &self.0]);
    }
}

fn rmadmin(args: &[&str]) {
    let done = Command::new("yarn").arg("rmadmin").args(args).output().unwrap();
    assert!(done.status.success(), "yarn rmadmin {args:?}: {}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn a_job_runs_where_its_label_is() {
    let _alone = exclusive();
    let topic = Topic::create("yarn-labels", 4);
    let mut writer = Writer::new(&crate::kafka::brokers(), &topic.name);
    (0..4).for_each(|partition| writer.numbered(partition, 200));
    let total = writer.flush();
    let labelled = Labelled::new();
    let job = job(&topic.name).set("yarn.label", "fast").set("executors.instances", &EXECUTORS.to_string());
    let mut app = App::submit(job);
    let executors = app.until_executors(EXECUTORS);
    app.client.until_total(total);
    assert_eq!(app.master_node(), 2, "{:?}", app.status());
    for executor in executors {
        assert_eq!(executor.host, labelled.0, "{:?}", app.status());
    }
    app.stop();
    app.client.seen.assert_whole();
}
