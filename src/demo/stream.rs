//! The demo's stream: the producer itself, on a thread of its own, into the mock cluster.

use std::thread::{self, JoinHandle};

use anyhow::{Context, anyhow};
use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::config;
use crate::produce::run::{Ended, Stop};
use crate::produce::{self, View};

/// A running stream.
pub(super) struct Stream {
    stop: mpsc::UnboundedSender<Stop>,
    view: watch::Receiver<View>,
    thread: JoinHandle<anyhow::Result<Ended>>,
}

impl Stream {
    /// Starts what `producer` says.
    pub(super) fn start(producer: config::Producer, clock: Clock) -> anyhow::Result<Self> {
        let (stop, stops) = mpsc::unbounded_channel();
        let (seen, view) = watch::channel(View::default());
        let work = async move { Ok(produce::start(producer, clock, seen).await?.run(stops).await) };
        let run = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.context("start the producer's runtime")?.block_on(work)
        };
        let thread =
            thread::Builder::new().name("producer".to_owned()).spawn(run).context("start the producer")?;
        Ok(Self { stop, view, thread })
    }

    /// Reads nothing more; what was read is still brought to Kafka until [`Stream::finished`].
    pub(super) fn end(&self) {
        // A producer that has ended needs no telling.
        let _ = self.stop.send(Stop::Drain);
    }

    /// Whether everything is acknowledged after [`Stream::end`], or the producer has failed.
    pub(super) fn finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// The producer as it was a moment ago; the last one when it has ended.
    pub(super) fn view(&self) -> View {
        self.view.borrow().clone()
    }

    /// Ends, and tells how it went.
    pub(super) fn join(self) -> anyhow::Result<()> {
        self.end();
        let ended = self.thread.join().map_err(|_| anyhow!("the producer's thread panicked"))??;
        ended.failure.map_or(Ok(()), Err)
    }
}
