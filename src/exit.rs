//! Exit codes: what schedulers and scripts see. 10-20 are container processes, the same in Rust and Java.

/// Done, or stopped gracefully.
pub const OK: u8 = 0;
/// The job failed, or a check found something.
pub const FAILED: u8 = 1;
/// Wrong usage or job file, or a feature that is not built yet.
pub const USAGE: u8 = 2;
/// Killed.
pub const KILLED: u8 = 3;
/// Contact lost, state unknown.
pub const CONTACT_LOST: u8 = 4;
/// Second Ctrl-C.
pub const INTERRUPTED: u8 = 130;
/// Executor: the driver could not be reached, or is gone.
pub const EXECUTOR_DRIVER_GONE: u8 = 10;
/// Executor: the driver refused or ended the session.
pub const EXECUTOR_REFUSED: u8 = 11;
/// Executor: reading failed in a way that a new process may cure.
pub const EXECUTOR_SOURCE: u8 = 12;
/// Driver: the shim is gone or silent, or YARN ends this attempt.
pub const SHIM_GONE: u8 = 13;
/// Shim: the driver ended without saying how the application did.
pub const DRIVER_GONE: u8 = 14;
/// Shim: the driver is silent.
pub const DRIVER_SILENT: u8 = 15;
/// Shim or driver: the other says what this one does not understand.
pub const SHIM_PROTOCOL: u8 = 16;
/// Shim: the ResourceManager turned it away.
pub const RESOURCE_MANAGER: u8 = 17;
/// The binary is missing, or not the one that was submitted.
pub const BINARY: u8 = 18;
/// Shim or driver: its settings or files cannot be used.
pub const SETTINGS: u8 = 19;
/// Driver: another driver has taken its checkpoint over.
pub const FENCED: u8 = 20;
