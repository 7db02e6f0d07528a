//! YARN takes containers back for a queue that has a claim to them, and gives them again when it is done.

use super::app::{App, job};
use crate::cluster::exclusive;
use crate::kafka::Topic;
use crate::produce::Writer;

/// As many executors as fill both nodes beside one application master.
const EXECUTORS: usize = 7;

#[test]
fn executors_that_yarn_takes_back_cost_no_record_and_no_restart() {
    let _alone = exclusive();
    let topic = Topic::create("yarn-preemption", 8);
    let mut writer = Writer::new(&crate::kafka::brokers(), &topic.name);
    let mut more = || {
        (0..8).for_each(|partition| writer.numbered(partition, 200));
        writer.flush()
    };
    let filling = job(&topic.name).set("executors.memory", "1G");
    let mut app = App::submit(filling.set("executors.instances", &EXECUTORS.to_string()));
    app.until_executors(EXECUTORS);
    app.client.until_total(more());
    let budget = app.metric("spindle_restart_budget_remaining");
    assert!(budget > 0.0, "{:?}", app.status());

    let urgent =
        job(&topic.name).set("name", &format!("{}-urgent", topic.name)).set("source.group", "urgent");
    let urgent = urgent.set("yarn.queue", "urgent").set("executors.memory", "768M");
    let mut urgent = App::submit(urgent);
    urgent.until_executors(2);
    let total = more();
    app.client.until_total(total);
    urgent.client.until_total(total);
    let preempted = app.metric("spindle_executor_exits_total{class=\"preempted\"}");
    assert!(preempted >= 1.0, "{:?}", app.status());
    let status = app.status().unwrap();
    assert!(status.executors.list.len() < EXECUTORS, "{status:?}");
    assert!(status.attention.iter().any(|line| line.contains("of 7 executors run")), "{status:?}");
    assert!(status.attention.iter().any(|line| line.contains("took containers away")), "{status:?}");
    assert_eq!((status.attempt, urgent.status().unwrap().attempt), (1, 1), "masters are left alone");

    urgent.stop();
    urgent.client.seen.assert_whole();
    app.until_executors(EXECUTORS);
    app.client.until_total(more());
    assert!(!app.status().unwrap().attention.iter().any(|line| line.contains("took containers away")));
    assert_eq!(app.metric("spindle_restart_budget_remaining"), budget, "preemption is nobody's failure");
    app.stop();
    app.client.seen.assert_whole();
}
