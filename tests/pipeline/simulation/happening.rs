//! What can happen in a world, and to whom.

use spindle::driver::state::Input;
use spindle::ids::Partition;
use spindle::launch::Target;
use spindle::wire::message::ToDriver;

use super::process::Mail;

/// Something that will happen.
#[derive(Debug)]
pub(crate) enum Happening {
    /// The driver wanted to be woken.
    Wake(u64),
    DriverResumes,
    /// Reaches the driver, not by a link.
    Driver(Input),
    /// Reaches the driver by the link of a process, with its number on it.
    Frame(usize, u64, Arrival),
    /// Reaches a process.
    Mail(usize, Mail),
    Resume(usize),
    Connect(usize),
    /// The checkpoint is opened, a step further.
    Open,
    /// What is being written to it is durable, or not.
    Written,
    /// The same of a base beside the log.
    Based,
    /// A write that failed is tried again.
    WriteAgain,
    /// The writer has told that another attempt has taken over.
    Fenced,
    Launch(Target),
    Facts(u64),
    /// The driver says to everyone that it lives.
    Alive,
    Grow,
    Fault,
    /// A fault is over.
    LeaderBack(Partition),
    TopicBack(Partition),
    TransactionEnds(Partition),
    StoreBack,
    /// Another attempt begins.
    Attempt,
    Calm,
    Check,
}

/// What comes out of a link at the driver.
#[derive(Debug, Clone)]
pub(crate) enum Arrival {
    Opened,
    /// A message, and whether it must be refused.
    Message(ToDriver, bool),
    Closed,
}

impl Happening {
    /// Whether it happens to the job or the world and not to one attempt.
    pub(super) fn is_everyones(&self) -> bool {
        matches!(
            self,
            Self::Grow
                | Self::Fault
                | Self::LeaderBack(_)
                | Self::TopicBack(_)
                | Self::TransactionEnds(_)
                | Self::StoreBack
                | Self::Attempt
                | Self::Calm
                | Self::Check
        )
    }

    /// Whether it happens to, or in, the driver's process.
    pub(super) fn is_drivers(&self) -> bool {
        matches!(
            self,
            Self::Wake(_)
                | Self::DriverResumes
                | Self::Driver(_)
                | Self::Frame(..)
                | Self::Open
                | Self::Written
                | Self::Based
                | Self::WriteAgain
                | Self::Fenced
                | Self::Launch(_)
                | Self::Facts(_)
                | Self::Alive
        )
    }
}
