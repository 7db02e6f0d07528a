//! Frames: what goes in comes out, and whatever else comes in is refused by name.

use super::*;
use crate::random::Random;

fn encoded(kind: u8, payload: &[u8]) -> BytesMut {
    let mut bytes = BytesMut::new();
    FrameCodec.encode((kind, payload), &mut bytes).unwrap();
    bytes
}

fn refusal(bytes: &[u8]) -> String {
    FrameCodec.decode_eof(&mut BytesMut::from(bytes)).unwrap_err().to_string()
}

fn some_bytes(random: &mut Random, length_max: usize) -> Vec<u8> {
    (0..random.below(length_max + 1)).map(|_| random.next_u64() as u8).collect()
}

#[test]
fn a_frame_has_the_documented_bytes() {
    let bytes = encoded(7, b"123456789");
    assert_eq!(&bytes[..6], [15, 0, 0, 0, 1, 7]);
    assert_eq!(&bytes[6..15], b"123456789");
    assert_eq!(&bytes[15..], crc32c::crc32c(b"\x01\x07123456789").to_le_bytes());
    // The checksum is CRC32C (Castagnoli): its check value of RFC 3720, B.4.
    assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
}

#[test]
fn frames_come_out_as_they_went_in_however_the_stream_is_cut() {
    let mut stream = encoded(1, b"");
    stream.extend_from_slice(&encoded(2, &[0xff; 70_000]));
    stream.extend_from_slice(&encoded(255, b"x"));
    for step in [1, 3, 4, 5, 1_000, stream.len()] {
        let (mut buffer, mut frames) = (BytesMut::new(), Vec::new());
        for piece in stream.chunks(step) {
            buffer.extend_from_slice(piece);
            while let Some(frame) = FrameCodec.decode(&mut buffer).unwrap() {
                frames.push((frame.kind, frame.payload.len()));
            }
        }
        assert_eq!(frames, [(1, 0), (2, 70_000), (255, 1)], "cut every {step} bytes");
        assert!(buffer.is_empty());
    }
}

#[test]
fn each_refusal_has_its_words() {
    assert_eq!(refusal(&[0xff; 4]), "frame of 4294967295 bytes is longer than the allowed 16777216");
    assert_eq!(refusal(&[5, 0, 0, 0]), "frame of 5 bytes is shorter than the smallest possible, 6");
    assert_eq!(
        refusal(&[6, 0, 0, 0, 2]),
        "frame has version 2, this process speaks version 1; run one binary on both ends"
    );
    assert_eq!(refusal(&encoded(1, b"abc")[..9]), "stream ended within a frame, after 9 of its bytes");
    let mut damaged = encoded(1, b"abc");
    damaged[7] ^= 1;
    assert!(refusal(&damaged).starts_with("frame checksum is "), "{}", refusal(&damaged));
}

#[test]
fn a_frame_too_long_is_neither_sent_nor_half_sent() {
    let mut bytes = BytesMut::from(&b"before"[..]);
    let payload = vec![0; MAX_PAYLOAD_BYTES + 1];
    let error = FrameCodec.encode((1, &payload), &mut bytes).unwrap_err();
    assert!(matches!(error, FrameError::TooLong { bytes } if bytes == MAX_FRAME_BYTES + 1));
    assert_eq!(&bytes[..], b"before");
    assert_eq!(encoded(1, &payload[1..]).len(), 4 + MAX_FRAME_BYTES);
}

#[test]
fn damage_of_any_kind_is_refused_and_never_makes_a_large_buffer() {
    let mut random = Random::with_seed(20_261_122);
    let (mut intact, mut refused, mut waiting) = (0, 0, 0);
    for round in 0..100_000 {
        let original = encoded(random.next_u64() as u8, &some_bytes(&mut random, 64));
        let mut bytes = original.to_vec();
        match round % 5 {
            0 => bytes = some_bytes(&mut random, 64),
            1 => {
                let bit = random.below(bytes.len() * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            2 => bytes.truncate(random.below(bytes.len())),
            3 => {
                let length = MAX_FRAME_BYTES as u64 + 1 + random.next_u64() % (1 << 30);
                bytes[..4].copy_from_slice(&(length as u32).to_le_bytes());
            }
            _ => {}
        }
        let mut buffer = BytesMut::from(&bytes[..]);
        match FrameCodec.decode_eof(&mut buffer) {
            Ok(Some(frame)) => {
                assert_eq!(bytes, original, "round {round}: damaged bytes passed as {frame:?}");
                intact += 1;
            }
            Ok(None) => waiting += 1,
            Err(_) => refused += 1,
        }
        assert!(buffer.capacity() <= 2 * MAX_FRAME_BYTES, "round {round}: {} bytes", buffer.capacity());
    }
    assert_eq!(intact, 20_000);
    assert!(refused > 79_000 && waiting < 1_000, "{refused} refused, {waiting} empty");
}
