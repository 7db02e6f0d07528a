//! Jobs on a real ResourceManager with two NodeManagers: submitted, followed, broken, stopped.

mod app;
mod ends;
mod faults;
mod ha;
mod jar;
mod kerberos;
mod oss;
mod package;
mod placement;
mod preemption;
mod refusals;
#[expect(clippy::print_stdout, reason = "says what it measured")]
mod restarts;
