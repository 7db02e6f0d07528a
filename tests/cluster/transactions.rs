//! Transactions: only what is committed is counted, and the job's position passes what is not.

use rdkafka::producer::Producer;

use crate::group::committed;
use crate::job::{Job, PATIENCE};
use crate::kafka::{Topic, brokers};
use crate::produce::Writer;

#[test]
fn only_committed_records_are_counted() {
    let topic = Topic::create("transactional", 2);
    let mut writer = Writer::with(&brokers(), &topic.name, &[("transactional.id", &topic.name)]);
    writer.producer.init_transactions(PATIENCE).unwrap();
    let mut transaction = |records: u32, commit: bool| {
        writer.producer.begin_transaction().unwrap();
        (0..2).for_each(|partition| writer.numbered(partition, records));
        writer.flush();
        match commit {
            true => writer.producer.commit_transaction(PATIENCE).unwrap(),
            false => writer.producer.abort_transaction(PATIENCE).unwrap(),
        }
    };
    let job = || Job::new(&brokers(), &topic.name);
    let mut committed_only = job().start();
    let mut everything =
        job().set("source.isolation", "read_uncommitted").set("source.group", "everything").start();
    transaction(100, true);
    transaction(50, false);
    transaction(10, true);
    committed_only.until_total(220);
    everything.until_total(320);
    // Three control records, and the aborted ones: 160 records, 163 offsets in each partition.
    committed_only.until("the end behind all of it", |seen| seen.next.values().all(|next| *next == 163));
    transaction(7, false);
    committed_only.until("the end behind an abort", |seen| seen.next.values().all(|next| *next == 171));
    let seen = committed_only.finish();
    seen.assert_whole();
    assert_eq!((seen.total(), seen.counts()[&Some(b"k99".to_vec())]), (220, 2));
    assert_eq!(committed(&format!("group-of-{}", topic.name), &topic.name, 2), [171, 171]);
    everything.until_total(334);
    everything.finish().assert_whole();

    let mut again = job().start();
    transaction(3, true);
    again.until_total(6);
    again.finish().assert_whole();
}
