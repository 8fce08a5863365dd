//! Numbers, hashes and base64 as all the formats write them. What has two spellings is refused here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use eunoe_merkle::Hash;

/// The largest tree size, leaf index and time: what the signed 64-bit integers of other implementations hold.
pub const SIZE_MAX: u64 = i64::MAX.unsigned_abs();

/// The number that a decimal without sign and leading zeros is, up to [`SIZE_MAX`].
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || (text.len() > 1 && text.starts_with('0')) {
        return None;
    }
    text.parse().ok().filter(|number| *number <= SIZE_MAX)
}

/// The bytes of a padded standard base64 text (RFC 4648 §4). The engine refuses missing padding and trailing bits
/// that are not zero, so no other text has the same bytes.
pub(crate) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

pub(crate) fn encode_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(crate) fn decode_hash(text: &str) -> Option<Hash> {
    decode_base64(text)?.try_into().ok()
}

/// Lower-case hexadecimal.
pub(crate) fn encode_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The realm that a log is named after: an origin is `eunoe/` and 32 lower-case hexadecimal digits.
pub(crate) fn decode_realm(origin: &str) -> Option<[u8; 16]> {
    let digits = origin.strip_prefix("eunoe/")?;
    let realm = u128::from_str_radix(digits, 16).ok()?.to_be_bytes();
    // Compared as text, so that a realm has one spelling.
    (encode_hex(&realm) == digits).then_some(realm)
}

/// Whether text has a control character that signed notes may not have: all below U+0020 but the newline.
pub(crate) fn has_controls(text: &str) -> bool {
    text.bytes().any(|byte| byte < b' ' && byte != b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_spelling() {
        for (text, number) in [("0", 0), ("7", 7), ("9223372036854775807", SIZE_MAX)] {
            assert_eq!(decimal(text), Some(number));
        }
        for text in [
            "",
            "00",
            "01",
            "+1",
            "-1",
            " 1",
            "1 ",
            "1_0",
            "9223372036854775808",
            "٣",
            "1e3",
        ] {
            assert_eq!(decimal(text), None, "{text:?}");
        }
    }

    #[test]
    fn bytes_have_one_base64() {
        assert_eq!(decode_base64("AAE="), Some(vec![0, 1]));
        // Trailing bits, padding, alphabet, blanks.
        for text in ["AAF=", "AAE", "AAE==", "AA-_", "AAE=\n", " AAE=", "A", "AAE=AAE="] {
            assert_eq!(decode_base64(text), None, "{text:?}");
        }
    }
}
