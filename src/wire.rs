//! Executor and driver talk here: one framed TLS 1.3 stream per executor, both ends proven by one shared secret.
//!
//! `message` is what they say, `frame` is pure bytes, `secret` and `identity` make the keys, `link` is the
//! connection that carries frames.

pub mod message;
pub mod frame;
pub mod secret;
mod identity;
pub mod link;

pub use frame::{Frame, FrameError, MAX_FRAME_BYTES, MAX_PAYLOAD_BYTES};
pub use link::{Acceptor, Link, LinkError, Receiver, Sender, connect};
pub use secret::{Secret, SecretError, hex};
