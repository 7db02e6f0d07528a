//! Spindle against a real cluster (`scripts/cluster up`): what mocks cannot show.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../support/process.rs"]
#[allow(dead_code, reason = "each test program uses a part")]
mod process;
#[path = "../support/seen.rs"]
#[allow(dead_code, reason = "each test program uses a part")]
mod seen;
#[path = "../support/job.rs"]
#[allow(dead_code, reason = "each test program uses a part")]
mod job;
#[path = "../support/produce.rs"]
#[allow(dead_code, reason = "each test program uses a part")]
mod produce;
#[path = "../support/checkpoint.rs"]
#[allow(dead_code, reason = "each test program uses a part")]
mod checkpoint;
#[path = "../support/containers.rs"]
mod containers;
#[path = "../support/snapshots.rs"]
#[allow(dead_code, reason = "each test program uses a part")]
mod snapshots;
#[path = "../support/oss/stand_in.rs"]
#[allow(dead_code, reason = "each test program uses a part")]
mod oss_server;
#[path = "../support/scrape.rs"]
#[allow(dead_code, reason = "each test program uses a part")]
mod scrape;
#[path = "../support/topic.rs"]
mod topic;
#[path = "../support/streams/stub.rs"]
#[allow(dead_code, unused_imports, reason = "each test program uses a part")]
mod stub;
mod kafka;
mod cluster;
mod source;
#[expect(clippy::print_stdout, reason = "says its seed and what it measured")]
mod kills;
#[expect(clippy::print_stdout, reason = "says its seed and what it measured")]
mod deaths;
mod group;
mod start;
mod absent;
mod growth;
mod catchup;
mod replay;
mod stream_to_windows;
mod loss;
#[expect(clippy::print_stdout, reason = "says why it did not run")]
mod broker;
mod orphans;
mod login;
mod transactions;
#[expect(clippy::print_stdout, reason = "says what it measured")]
mod producer;
mod yarn;
#[expect(clippy::print_stdout, reason = "says what it measured")]
mod outages;
#[expect(clippy::print_stdout, reason = "says what it measured")]
mod ha;
mod hdfs;
mod kerberos;
#[expect(clippy::print_stdout, reason = "says what it measured")]
mod store;
mod verify;
