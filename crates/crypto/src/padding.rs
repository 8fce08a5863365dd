//! Hides lengths, which outlive erasure: Padmé (at most 12 % more) above a floor.
//!
//! Padded content is the content, a byte 0x80 and zeros. Short answers are exactly those that their length
//! gives away ("yes", "no"), hence the floor.

use eunoe_types::DecodeError;

/// No padded content is shorter.
const FLOOR_BYTES: usize = 32;
const END: u8 = 0x80;

/// The length that content of `len` bytes is padded to.
pub(crate) fn padded_len(len: usize) -> usize {
    padme(len + 1).max(FLOOR_BYTES)
}

/// Padmé (Nikitin et al., PETS 2019): rounds up so that only the top bits of the length stay.
fn padme(len: usize) -> usize {
    if len < 2 {
        return len;
    }
    let exponent = len.ilog2();
    let significant = exponent.checked_ilog2().unwrap_or(0) + 1;
    let mask = (1usize << exponent.saturating_sub(significant)) - 1;
    len.saturating_add(mask) & !mask
}

/// Appends `content` and its padding.
pub(crate) fn pad_into(content: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(content);
    out.push(END);
    out.resize(start + padded_len(content.len()), 0);
}

/// The length of the content in `padded`; only what [`pad_into`] writes is accepted.
pub(crate) fn content_len(padded: &[u8]) -> Result<usize, DecodeError> {
    let len = padded
        .iter()
        .rposition(|byte| *byte != 0)
        .filter(|end| padded[*end] == END);
    len.filter(|len| padded_len(*len) == padded.len())
        .ok_or(DecodeError::Range)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn padme_matches_the_papers_examples() {
        // Computed from the definition: E = ⌊log2 L⌋, S = ⌊log2 E⌋ + 1, the last E − S bits are cleared upwards.
        for (len, padded) in [
            (2, 2),
            (9, 10),
            (31, 32),
            (33, 36),
            (100, 104),
            (257, 272),
            (1000, 1024),
            (1025, 1088),
        ] {
            assert_eq!(padme(len), padded, "{len}");
        }
    }

    #[test]
    fn short_answers_look_alike() {
        assert_eq!(padded_len(0), padded_len(31));
        assert!(padded_len(32) > padded_len(31));
    }

    proptest! {
        #[test]
        fn content_survives_and_grows_by_an_eighth_at_most(content in proptest::collection::vec(any::<u8>(), 0..3000)) {
            let mut padded = Vec::new();
            pad_into(&content, &mut padded);
            prop_assert_eq!(content_len(&padded), Ok(content.len()));
            prop_assert!(padded.len() <= FLOOR_BYTES.max((content.len() + 1) * 9 / 8));
        }

        #[test]
        fn unpadding_is_total(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(len) = content_len(&bytes) {
                prop_assert!(len < bytes.len());
            }
        }
    }
}
