//! Jobs on a real ResourceManager with two NodeManagers: submitted, followed, broken, stopped.

mod app;
mod ends;
mod faults;
mod refusals;
mod restarts;
