//! Fields of a payload: unsigned and signed varints, text, bytes. Reading checks everything and allocates nothing
//! that the payload does not hold.

use crate::count::{Malformed, varint};

/// Appends a signed number: zigzag, so that small ones of either sign are short.
pub(super) fn put_signed(out: &mut Vec<u8>, value: i64) {
    varint::put(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

/// Appends bytes with their length.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    varint::put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reads fields off the front of a payload.
#[derive(Debug)]
pub(super) struct Fields<'a>(pub &'a [u8]);

const SHORT: Malformed = Malformed("a frame's content is cut short");

impl<'a> Fields<'a> {
    pub(super) fn unsigned(&mut self) -> Result<u64, Malformed> {
        varint::take(&mut self.0).ok_or(SHORT)
    }

    pub(super) fn signed(&mut self) -> Result<i64, Malformed> {
        let value = self.unsigned()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// An unsigned number that fits `T`.
    pub(super) fn small<T: TryFrom<u64>>(&mut self) -> Result<T, Malformed> {
        T::try_from(self.unsigned()?).map_err(|_| Malformed("a number does not fit its field"))
    }

    pub(super) fn byte(&mut self) -> Result<u8, Malformed> {
        let (&byte, rest) = self.0.split_first().ok_or(SHORT)?;
        self.0 = rest;
        Ok(byte)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (array, rest) = self.0.split_first_chunk::<N>().ok_or(SHORT)?;
        self.0 = rest;
        Ok(*array)
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.small::<usize>()?;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(SHORT)?;
        self.0 = rest;
        Ok(bytes)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed("a name is not UTF-8"))
    }

    /// What later versions append is left unread.
    pub(super) fn rest(self) -> &'a [u8] {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_numbers_come_back_and_small_ones_are_short() {
        for value in [0, 1, -1, 63, -64, i64::MAX, i64::MIN, 1 << 40] {
            let mut out = Vec::new();
            put_signed(&mut out, value);
            assert_eq!(Fields(&out).signed().unwrap(), value);
            assert!(out.len() == 1 || value.abs_diff(0) > 63);
        }
    }

    #[test]
    fn a_length_beyond_the_payload_is_refused() {
        let mut out = Vec::new();
        varint::put(&mut out, u64::MAX);
        assert!(Fields(&out).bytes().is_err());
        assert!(Fields(&[3, b'a', b'b']).text().is_err());
        assert!(Fields(&[1, 0xff]).text().is_err());
    }
}
