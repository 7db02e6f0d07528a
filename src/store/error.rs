//! What went wrong in a store, in words for people and in kinds that a caller branches on.

use std::any::Any;
use std::fmt;

use tokio::task::JoinError;

/// What an error means for whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing is there, or the directory it should be in is gone.
    Gone,
    /// Something is there already.
    Exists,
    /// Not allowed.
    Denied,
    /// Who asks could not be proved: no Kerberos ticket, or one that has expired.
    Unproved,
    /// The store cannot answer now: away, in safe mode, too few DataNodes, or too slow.
    Unavailable,
    /// No space, or the quota is used up.
    Full,
    /// The file was taken away from this writer: lease expired, block complete, or file gone.
    Fenced,
    /// It can never succeed as asked.
    Invalid,
}

impl Kind {
    /// Whether the same call may succeed later without anybody doing anything about it.
    pub(super) fn is_passing(self) -> bool {
        self == Self::Unavailable
    }

    fn remedy(self) -> &'static str {
        match self {
            Self::Denied => "; grant access to it, renew the credentials, or name another path",
            Self::Unproved => {
                "; get a ticket by kinit, or name a keytab: --principal and --keytab, or KRB5_CLIENT_KTNAME"
            }
            Self::Unavailable => "; is the store up and reachable?",
            Self::Full => "; free space or raise the quota",
            Self::Gone | Self::Exists | Self::Fenced | Self::Invalid => "",
        }
    }
}

/// An error of a store: what was tried on which path, why it failed, what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreError {
    /// What it means.
    pub kind: Kind,
    action: &'static str,
    name: String,
    reason: String,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}{}", self.action, self.name, self.reason, self.kind.remedy())
    }
}

impl std::error::Error for StoreError {}

/// The same before it is known which call it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) kind: Kind,
    pub(super) reason: String,
}

impl Failure {
    pub(super) fn new(kind: Kind, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into() }
    }

    pub(super) fn unavailable(reason: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable, reason)
    }

    /// Of a task that did not come to its end.
    pub(super) fn of_task(error: JoinError) -> Self {
        match panicked(error) {
            Some(said) => Self::invalid(format!("a fault in the store's client: {said}")),
            None => Self::unavailable("the store is shut down"),
        }
    }

    pub(super) fn invalid(reason: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, reason)
    }

    pub(super) fn gone() -> Self {
        Self::new(Kind::Gone, "nothing is there")
    }

    pub(super) fn exists() -> Self {
        Self::new(Kind::Exists, "something is there already")
    }

    pub(super) fn of(self, action: &'static str, name: String) -> StoreError {
        StoreError { kind: self.kind, action, name, reason: self.reason }
    }
}

/// What the panic said that ended a task; `None` if the task was only cancelled.
pub fn panicked(error: JoinError) -> Option<String> {
    error.try_into_panic().ok().map(|panic| said(&*panic).to_owned())
}

/// What a panic said, as `std::panic::PanicHookInfo::payload` has it.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no reason given")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_panicked_says_why_and_another_that_it_is_over() {
        let number = std::hint::black_box(3);
        let panicked = tokio::spawn(async move { assert_eq!(number, 4, "sizes") }).await.unwrap_err();
        let failure = Failure::of_task(panicked);
        assert_eq!(failure.kind, Kind::Invalid);
        assert!(
            failure.reason.contains("client: assertion") && failure.reason.contains("sizes"),
            "{failure:?}"
        );
        let waits = tokio::spawn(std::future::pending::<()>());
        waits.abort();
        assert_eq!(Failure::of_task(waits.await.unwrap_err()).kind, Kind::Unavailable);
    }
}
