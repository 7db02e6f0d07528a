//! librdkafka's mock cluster, in this process, for jobs that run as processes of their own.

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use crate::job::Job;
use crate::produce::Writer;

/// Mock brokers with one topic `t`.
pub(crate) struct Mock {
    pub(crate) cluster: MockCluster<'static, DefaultProducerContext>,
    pub(crate) writer: Writer,
    partitions: i32,
}

impl Mock {
    pub(crate) fn new(brokers: i32, partitions: i32) -> Self {
        let cluster = MockCluster::new(brokers).unwrap();
        cluster.create_topic("t", partitions, brokers).unwrap();
        let writer = Writer::new(&cluster.bootstrap_servers(), "t");
        Self { cluster, writer, partitions }
    }

    /// A job over `t`, as yet to be started.
    pub(crate) fn job(&self) -> Job {
        // The mock answers a waiting fetch only when its time is up, not when a record comes.
        Job::new(&self.cluster.bootstrap_servers(), "t").set("source.properties", "{fetch.wait.max.ms: 20}")
    }

    /// Writes so many records to every partition and waits until they are taken; returns how many there are.
    pub(crate) fn write(&mut self, records: u32) -> u64 {
        (0..self.partitions).for_each(|partition| self.writer.numbered(partition, records));
        self.writer.flush()
    }
}
