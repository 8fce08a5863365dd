//! The codec of stored forms and replicated commands: little-endian, length-prefixed, versioned by its users.
//!
//! Every variable part carries its length (erasure.md R11), so two different lists of parts never encode to
//! the same bytes. Decoding is total: any input gives a value or a [`DecodeError`], never a panic, and never
//! an allocation larger than the input.

use bytes::Bytes;

/// Why bytes are not a stored form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The input ended inside a value.
    #[error("input ends too early")]
    Truncated,
    /// A number does not fit, or is not in its shortest form.
    #[error("a number is malformed")]
    Number,
    /// A tag or version is not known.
    #[error("unknown tag or version {0}")]
    UnknownTag(u8),
    /// A text is not UTF-8.
    #[error("a text is not UTF-8")]
    Text,
    /// A value breaks a rule of its type.
    #[error("a value is out of its range")]
    Range,
    /// Bytes are left after the last value.
    #[error("trailing bytes")]
    Trailing,
}

/// Writes values one after another.
#[derive(Default)]
pub struct Encoder {
    out: Vec<u8>,
}

impl Encoder {
    /// An empty encoder.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty encoder with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            out: Vec::with_capacity(capacity),
        }
    }

    /// One byte: a version, a tag, a flag.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.out.push(value);
        self
    }

    /// A number in 1 to 10 bytes, the fewer the smaller it is (LEB128).
    pub fn varint(&mut self, mut value: u64) -> &mut Self {
        while value >= 0x80 {
            self.out.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
        self
    }

    /// Bytes whose number the reader knows.
    pub fn fixed(&mut self, bytes: &[u8]) -> &mut Self {
        self.out.extend_from_slice(bytes);
        self
    }

    /// Bytes with their length before them.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.varint(bytes.len() as u64);
        self.fixed(bytes)
    }

    /// Text with its length before it.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    /// What was written so far.
    pub fn as_slice(&self) -> &[u8] {
        &self.out
    }

    /// What was written.
    pub fn finish(self) -> Vec<u8> {
        self.out
    }
}

/// Reads values one after another; fixed and prefixed bytes are borrowed from the input.
pub struct Decoder<'a> {
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    /// Reads from the start of `input`.
    pub fn new(input: &'a [u8]) -> Self {
        Self { rest: input }
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(self.fixed(1)?[0])
    }

    /// A flag: a byte that is 0 or 1.
    pub fn flag(&mut self) -> Result<bool, DecodeError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            unknown => Err(DecodeError::UnknownTag(unknown)),
        }
    }

    /// A number written by [`Encoder::varint`]; longer forms of the same number are refused.
    pub fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(DecodeError::Number);
            }
            value |= bits << shift;
            if byte < 0x80 {
                let shortest = byte != 0 || shift == 0;
                return if shortest {
                    Ok(value)
                } else {
                    Err(DecodeError::Number)
                };
            }
        }
        Err(DecodeError::Number)
    }

    /// A number that fits 32 bits.
    pub fn varint_u32(&mut self) -> Result<u32, DecodeError> {
        u32::try_from(self.varint()?).map_err(|_| DecodeError::Number)
    }

    /// A length or count that is at most `max`.
    pub fn count(&mut self, max: usize) -> Result<usize, DecodeError> {
        let count = usize::try_from(self.varint()?).map_err(|_| DecodeError::Number)?;
        if count <= max {
            Ok(count)
        } else {
            Err(DecodeError::Range)
        }
    }

    /// Exactly `count` bytes.
    pub fn fixed(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (head, tail) = self.rest.split_at_checked(count).ok_or(DecodeError::Truncated)?;
        self.rest = tail;
        Ok(head)
    }

    /// Exactly `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, tail) = self.rest.split_first_chunk::<N>().ok_or(DecodeError::Truncated)?;
        self.rest = tail;
        Ok(*head)
    }

    /// Bytes written by [`Encoder::bytes`].
    pub fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let count = usize::try_from(self.varint()?).map_err(|_| DecodeError::Number)?;
        self.fixed(count)
    }

    /// Text written by [`Encoder::text`].
    pub fn text(&mut self) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| DecodeError::Text)
    }

    /// All bytes that are left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Ends the reading: anything left is an error.
    pub fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::Trailing)
        }
    }

    /// The part of `whole` that `part` (borrowed from it by this decoder) is, without copying.
    pub fn share(whole: &Bytes, part: &[u8]) -> Bytes {
        whole.slice_ref(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive_and_only_their_shortest_form_does() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut e = Encoder::new();
            e.varint(value);
            let bytes = e.finish();
            let mut d = Decoder::new(&bytes);
            assert_eq!(d.varint(), Ok(value));
            assert_eq!(d.finish(), Ok(()));
        }
        for bad in [&[0x80, 0x00][..], &[0xff; 10], &[0x80; 11]] {
            assert!(Decoder::new(bad).varint().is_err());
        }
    }

    #[test]
    fn a_prefix_longer_than_the_input_is_refused_without_allocating() {
        let mut e = Encoder::new();
        e.varint(u64::MAX / 2);
        assert_eq!(Decoder::new(e.as_slice()).bytes(), Err(DecodeError::Truncated));
    }
}
