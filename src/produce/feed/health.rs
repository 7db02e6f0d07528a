//! What keeps a source from delivering, and since when. Read by `/healthz`, written by the source's thread or task.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

/// Shared between a source and who asks after it.
#[derive(Debug, Clone, Default)]
pub(super) struct Health(Arc<Mutex<Option<Trouble>>>);

#[derive(Debug)]
struct Trouble {
    since: Instant,
    what: String,
}

impl Health {
    /// Nothing is delivered, because of `what`. What was wrong before goes on under the new name.
    pub(super) fn trouble(&self, what: String) {
        let mut trouble = self.lock();
        let since = trouble.as_ref().map_or_else(Instant::now, |trouble| trouble.since);
        *trouble = Some(Trouble { since, what });
    }

    /// All is well.
    pub(super) fn well(&self) {
        *self.lock() = None;
    }

    /// What is wrong, if it has been for a second at least.
    pub(super) fn check(&self) -> Result<(), String> {
        match &*self.lock() {
            Some(Trouble { since, what }) if since.elapsed().as_secs() > 0 => {
                Err(format!("for {} s: {what}", since.elapsed().as_secs()))
            }
            _ => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Trouble>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn trouble_is_told_with_the_time_since_it_began() {
        let health = Health::default();
        assert_eq!(health.check(), Ok(()));
        health.trouble("not connected: refused".to_owned());
        assert_eq!(health.check(), Ok(()), "a moment is no trouble");
        tokio::time::advance(Duration::from_secs(40)).await;
        health.trouble("not connected: 503".to_owned());
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(health.check(), Err("for 42 s: not connected: 503".to_owned()));
        health.well();
        assert_eq!(health.check(), Ok(()));
    }
}
