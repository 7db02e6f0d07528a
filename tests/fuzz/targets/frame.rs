//! Any bytes on a link: frames or a refusal, never a panic, never more memory than a frame may take.
#![no_main]

use libfuzzer_sys::fuzz_target;
use spindle::wire::frame::FrameCodec;
use tokio_util::bytes::BytesMut;
use tokio_util::codec::Decoder;

fuzz_target!(|bytes: &[u8]| {
    let mut stream = BytesMut::from(bytes);
    while let Ok(Some(_)) = FrameCodec.decode(&mut stream) {}
});
