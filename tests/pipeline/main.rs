//! Spindle's pieces together in one process: mock brokers, seeded faults, worked examples, exact expectations.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod mock;
mod oracle;
mod scenarios;
mod simulation;
mod source;
mod stalled;
mod records;
