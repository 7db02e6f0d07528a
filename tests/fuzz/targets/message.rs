//! Any payload under any kind: a message or a refusal.
#![no_main]

use libfuzzer_sys::fuzz_target;
use spindle::wire::message::{ToDriver, ToExecutor};

fuzz_target!(|input: (u8, &[u8])| {
    let (kind, payload) = input;
    let _ = ToDriver::decode(kind, payload);
    let _ = ToExecutor::decode(kind, payload);
});
